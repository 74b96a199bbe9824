import type { ConfigProblem } from "../messages/config.ts";
import type { Reader } from "./env.ts";

const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
type SslMode = (typeof SSL_MODES)[number];

export interface DbConfig {
  /** One, or several of which the first that can be used is taken. */
  servers: readonly DbServer[];
  database: string;
  user: string;
  password: string | undefined;
  /** Not quoted: the SQL that uses it quotes it. */
  schema: string;
  /** ROW_DEFAULTS: values for columns that the job does not know, by name. */
  rowDefaults: ReadonlyMap<string, string>;
  /** Whether the session must be able to write, even for commands that only read (target_session_attrs). */
  writable: boolean;
  /**
   * libpq's meanings (PostgreSQL: "SSL Support", table 34.1); `require` with a CA file verifies the chain, as
   * libpq does.
   */
  ssl: { mode: SslMode; ca: Buffer | undefined; cert: Buffer | undefined; key: Buffer | undefined };
}

/** Reads DATABASE_URL, or else the five DB_ variables. */
export function readDb(reader: Reader): DbConfig {
  checkEngine(reader);
  const ssl = {
    mode: reader.oneOf("DB_SSLMODE", SSL_MODES),
    ca: reader.file("DB_SSL_CA_FILE"),
    cert: reader.file("DB_SSL_CERT_FILE"),
    key: reader.file("DB_SSL_KEY_FILE"),
  };
  const schema = reader.text("DB_SCHEMA") as string;
  if (Buffer.byteLength(schema) > 63) reader.addProblem("config.identifier", { name: "DB_SCHEMA" });
  const given = reader.has("DATABASE_URL");
  const url = given ? readUrl(reader) : undefined;
  const { servers, database, user, password } = url ?? (given ? NOWHERE : fromParts(reader));
  const fileOf = (path: string | undefined, other: Buffer | undefined) =>
    path === undefined ? other : reader.fileAt("DATABASE_URL", path);
  const all = {
    mode: url?.sslMode ?? ssl.mode,
    ca: fileOf(url?.files.ca, ssl.ca),
    cert: fileOf(url?.files.cert, ssl.cert),
    key: fileOf(url?.files.key, ssl.key),
  };
  if ((all.cert === undefined) !== (all.key === undefined)) {
    reader.addProblem("config.pair", { names: ["DB_SSL_CERT_FILE", "DB_SSL_KEY_FILE"] });
  }
  const writable = url?.writable ?? servers.length > 1;
  const rowDefaults = readRowDefaults(reader);
  return { servers, database, user, password, schema, rowDefaults, writable, ssl: all };
}

/** BK-Lite's name for its database product: postgresql, or Django's path of an engine that ends in it. */
function checkEngine(reader: Reader): void {
  const engine = reader.text("DB_ENGINE");
  if (
    engine !== undefined &&
    !/(^|[._])(postgres|postgresql|postgresql_psycopg2|postgis|pgsql)$/i.test(engine)
  ) {
    reader.addProblem("config.engine", {});
  }
}

type Server = Pick<DbConfig, "servers" | "database" | "user" | "password">;

/** Instead of a DATABASE_URL that cannot be read: the run ends with that problem. */
const NOWHERE: Server = { servers: [], database: "", user: "", password: undefined };

function fromParts(reader: Reader): Server {
  const host = reader.text("DB_HOST");
  if (host === undefined) reader.addProblem("config.missing", { name: "DB_HOST", instead: "DATABASE_URL" });
  const found = pairHosts(host ?? "nowhere", reader.text("DB_PORT") as string);
  if (!found.hosts) reader.addProblem("config.host", { name: "DB_HOST" });
  else if (!found.servers) reader.addProblem("config.ports", { name: "DB_PORT" });
  return {
    servers: found.servers ?? [],
    database: reader.text("DB_NAME") as string,
    user: reader.text("DB_USER") as string,
    password: reader.text("DB_PASSWORD"),
  };
}

function readUrl(reader: Reader): DatabaseUrl | undefined {
  const url = parseDatabaseUrl(reader.text("DATABASE_URL") as string);
  if ("problem" in url) {
    reader.problems.push(url.problem);
    return undefined;
  }
  reader.secrets.push(...url.secrets);
  return { ...url, password: url.password ?? reader.text("DB_PASSWORD") };
}

/** The parts of a DATABASE_URL. */
interface DatabaseUrl extends Server {
  sslMode: SslMode | undefined;
  /** Paths of certificate files. */
  files: { ca: string | undefined; cert: string | undefined; key: string | undefined };
  /** undefined: it does not say. */
  writable: boolean | undefined;
  /** The password, encoded and decoded, for the redaction. */
  secrets: readonly string[];
}

/** Parameters with a meaning here, up to target_session_attrs; after it, libpq's that change nothing. */
const PARAMETERS = (
  "host port dbname user password sslmode sslrootcert sslcert sslkey target_session_attrs " +
  "application_name fallback_application_name channel_binding client_encoding connect_timeout gssencmode " +
  "keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout"
).split(" ");
/** libpq's words for the session that is wanted; all others ask for a standby, which this job cannot use. */
const SESSION: Record<string, boolean> = { any: false, "read-write": true, primary: true };

const SHAPE =
  /^postgres(?:ql)?:\/\/(?:(?<login>[^/?#]*)@)?(?<hosts>[^@/?#]*)(?:\/(?<name>[^@/?#]*))?(?:\?(?<query>[^#]*))?$/i;

/**
 * Reads a connection URI as libpq does (PostgreSQL: "Connection URIs"): lists of hosts and ports, the folder
 * of a socket percent-encoded or as `host`, parameters over parts. On a bad one says what is wrong, never
 * with its text.
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
  const unknown = [...query.keys()].some((key) => !PARAMETERS.includes(key));
  const session = query.get("target_session_attrs");
  if (unknown || (session !== null && !(session in SESSION))) {
    return { problem: { reason: "config.url.parameter", params: { known: PARAMETERS } } };
  }
  const mode = query.get("sslmode");
  const sslMode = SSL_MODES.find((known) => known === mode);
  if (mode !== null && !sslMode)
    return { problem: { reason: "config.url.sslmode", params: { allowed: SSL_MODES } } };

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

/**
 * `[::1]:5433`, `name:5432`, `name`, `%2Frun%2Fpostgresql`, separated by commas; `host` and `port` win over
 * them.
 */
function serversOf(list: string, query: URLSearchParams): readonly DbServer[] | undefined {
  const places = list.split(",").map((place) => /^(\[[^\]]+\]|[^:[\]]*)(?::(\d*))?$/.exec(place));
  if (!places.every((place) => place !== null)) return undefined;
  const hosts = query.get("host") ?? places.map((place) => decodeURIComponent(place[1] ?? "")).join(",");
  // `host` in the query has the ports of the query.
  const beside = query.has("host") ? "5432" : places.map((place) => place[2] || "5432").join(",");
  return pairHosts(hosts, query.get("port") ?? beside).servers;
}

/**
 * Reads ROW_DEFAULTS: `column=value,…`, with a backslash before a comma or a backslash in a value. Checks its
 * form alone: which columns there are is the table's to say.
 */
export function readRowDefaults(reader: Reader): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of splitPairs(reader.text("ROW_DEFAULTS") ?? "") ?? [""]) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, at)).trim();
    if (name === "" || found.has(name)) {
      reader.addProblem("config.row-defaults", {});
      return new Map();
    }
    found.set(name, pair.slice(at + 1));
  }
  return found;
}

/** Returns the parts between commas without escapes; undefined: a backslash escapes another character. */
function splitPairs(text: string): string[] | undefined {
  const pairs = [""];
  for (let at = 0; at < text.length; at += 1) {
    const escaped = text[at] === "\\";
    if (escaped) at += 1;
    const char = text[at] ?? "";
    if (escaped && char !== "," && char !== "\\") return undefined;
    if (char === "," && !escaped) pairs.push("");
    else pairs[pairs.length - 1] += char;
  }
  return text === "" ? [] : pairs;
}

/** An address of Postgres. */
export interface DbServer {
  /** A name, an IP address without brackets, or the folder of a socket. */
  host: string;
  port: number;
}

/** Whether a host is the folder of a Unix socket, as libpq and Django have it. */
export function isSocketFolder(host: string): boolean {
  return host.startsWith("/");
}

/** host:port for people, IPv6 in brackets; a socket by the path of its file. */
export function placeOf({ host, port }: DbServer): string {
  if (isSocketFolder(host)) return `${host.replace(/(?<!\/)\/+$/, "")}/.s.PGSQL.${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Parses libpq's lists: hosts and ports separated by commas, one port for each host or one for all. A list
 * that is invalid is undefined. IPv6 with or without brackets.
 */
function pairHosts(hosts: string, ports: string): { hosts?: string[]; servers?: DbServer[] } {
  const names = hosts.split(",").map((host) => host.trim().replace(/^\[(.*)\]$/, "$1"));
  if (!names.every(isHost)) return {};
  const numbers = ports.split(",").map((port) => portOf(port.trim()));
  const fits = numbers.length === 1 || numbers.length === names.length;
  if (!fits || numbers.includes(undefined)) return { hosts: names };
  const servers = names.map((host, i) => ({ host, port: numbers[numbers.length === 1 ? 0 : i] as number }));
  return { hosts: names, servers };
}

/** Letters of any script, as names may be internationalised; no blank or quote; a colon in IPv6 alone. */
function isHost(host: string): boolean {
  const [, ipv6] = /^([\da-f:.]*:[\da-f:.]*)(?:%[\w.-]+)?$/i.exec(host) ?? [];
  return (
    (ipv6 !== undefined && URL.canParse(`http://[${ipv6}]`)) ||
    isSocketFolder(host) ||
    /^[\p{L}\p{N}_.-]{1,253}$/u.test(host)
  );
}

function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
