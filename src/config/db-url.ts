import type { ConfigProblem } from "../messages/config.ts";
import type { SslMode } from "./db.ts";
import { type DbServer, pairHosts } from "./hosts.ts";

/** What a DATABASE_URL says. */
export interface DatabaseUrl {
  servers: readonly DbServer[];
  database: string;
  user: string;
  password: string | undefined;
  sslMode: SslMode | undefined;
  /** Paths of certificate files. */
  files: { ca: string | undefined; cert: string | undefined; key: string | undefined };
  /** undefined: it does not say. */
  writable: boolean | undefined;
  /** The password as it stands and decoded, for the redaction. */
  secrets: readonly string[];
}

const MODES: readonly SslMode[] = ["disable", "require", "verify-ca", "verify-full"];
/** Parameters with a meaning here; after those, libpq's that change nothing for this job. */
const USED = [
  "host",
  "port",
  "dbname",
  "user",
  "password",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "target_session_attrs",
];
const PASSED_OVER = [
  "application_name",
  "fallback_application_name",
  "channel_binding",
  "client_encoding",
  "connect_timeout",
  "gssencmode",
  "keepalives",
  "keepalives_idle",
  "keepalives_interval",
  "keepalives_count",
  "tcp_user_timeout",
];
/** libpq's words for what a session must be able to do; the others ask for a standby, which this job cannot use. */
const SESSION: Record<string, boolean> = { any: false, "read-write": true, primary: true };

const SHAPE =
  /^postgres(?:ql)?:\/\/(?:(?<login>[^/?#]*)@)?(?<hosts>[^@/?#]*)(?:\/(?<name>[^@/?#]*))?(?:\?(?<query>[^#]*))?$/i;

/**
 * Reads a connection URI as libpq does (PostgreSQL: "Connection URIs"): lists of hosts and ports, the folder of a socket
 * percent-encoded or as `host`, parameters over parts. On a bad one says what is wrong, never with its text.
 */
export function parseDatabaseUrl(text: string): DatabaseUrl | { problem: ConfigProblem } {
  const bad = { problem: { reason: "config.url.database", params: {} } } as const;
  const parts = SHAPE.exec(text)?.groups;
  if (!parts) return bad;
  try {
    return readParts(parts) ?? bad;
  } catch (error) {
    if (error instanceof URIError) return bad; // a percent sign that encodes nothing
    throw error;
  }
}

function readParts(
  parts: Record<string, string | undefined>,
): DatabaseUrl | { problem: ConfigProblem } | undefined {
  const query = new URLSearchParams(parts.query ?? "");
  const unknown = [...query.keys()].some((key) => !USED.includes(key) && !PASSED_OVER.includes(key));
  const session = query.get("target_session_attrs");
  if (unknown || (session !== null && !(session in SESSION))) {
    return { problem: { reason: "config.url.parameter", params: { known: [...USED, ...PASSED_OVER] } } };
  }
  const mode = query.get("sslmode");
  const sslMode = MODES.find((known) => known === mode);
  if (mode !== null && !sslMode)
    return { problem: { reason: "config.url.sslmode", params: { allowed: MODES } } };

  const servers = serversOf(parts.hosts ?? "", query);
  if (!servers) return undefined;
  const [user = "", ...rest] = (parts.login ?? "").split(":");
  const raw = rest.join(":");
  const password = query.get("password") ?? decodeURIComponent(raw);
  const root = query.get("sslrootcert");
  return {
    servers,
    database: query.get("dbname") ?? (decodeURIComponent(parts.name ?? "") || "bklite"),
    user: query.get("user") ?? (decodeURIComponent(user) || "postgres"),
    password: password === "" ? undefined : password,
    sslMode,
    files: {
      // libpq's word for the certificates that the system trusts: what is trusted without a file.
      ca: root === null || root === "system" ? undefined : root,
      cert: query.get("sslcert") ?? undefined,
      key: query.get("sslkey") ?? undefined,
    },
    writable: session === null ? undefined : SESSION[session],
    secrets: [password, raw].filter((secret) => secret !== ""),
  };
}

/** `[::1]:5433`, `name:5432`, `name`, `%2Frun%2Fpostgresql`, separated by commas; `host` and `port` win over them. */
function serversOf(list: string, query: URLSearchParams): readonly DbServer[] | undefined {
  const places = list.split(",").map((place) => /^(\[[^\]]+\]|[^:[\]]*)(?::(\d*))?$/.exec(place));
  if (!places.every((place) => place !== null)) return undefined;
  const hosts = query.get("host") ?? places.map((place) => decodeURIComponent(place[1] ?? "")).join(",");
  // `host` in the query has the ports of the query.
  const beside = query.has("host") ? "5432" : places.map((place) => place[2] || "5432").join(",");
  return pairHosts(hosts, query.get("port") ?? beside).servers;
}
