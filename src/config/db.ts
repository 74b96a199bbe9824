import { type DatabaseUrl, parseDatabaseUrl } from "./db-url.ts";
import type { Reader } from "./env.ts";
import { type DbServer, pairHosts } from "./hosts.ts";
import { readRowDefaults } from "./row-defaults.ts";

const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface DbConfig {
  /** One, or several of which the first that can be used is taken. */
  servers: readonly DbServer[];
  database: string;
  user: string;
  password: string | undefined;
  /** Quoted by whoever builds SQL with it. */
  schema: string;
  /** ROW_DEFAULTS: values for columns that the job does not know, by name. */
  rowDefaults: ReadonlyMap<string, string>;
  /** PURGE_ORPHANS: rows that were never finished are removed, which needs DELETE. */
  deletesRows: boolean;
  /** A server that only reads is none, for commands that only read as well (libpq's target_session_attrs). */
  writable: boolean;
  /** libpq's meanings (PostgreSQL: "SSL Support", table 34.1); `require` with a CA file verifies the chain, as libpq does. */
  ssl: { mode: SslMode; ca: Buffer | undefined; cert: Buffer | undefined; key: Buffer | undefined };
}

/** DATABASE_URL, or the five DB_ variables; where both are there the URL wins. `deletesRows`: as PURGE_ORPHANS has it. */
export function readDb(reader: Reader, deletesRows: boolean): DbConfig {
  checkEngine(reader);
  const ssl = {
    mode: reader.oneOf("DB_SSLMODE", SSL_MODES),
    ca: reader.file("DB_SSL_CA_FILE"),
    cert: reader.file("DB_SSL_CERT_FILE"),
    key: reader.file("DB_SSL_KEY_FILE"),
  };
  const schema = reader.text("DB_SCHEMA") as string;
  if (Buffer.byteLength(schema) > 63) reader.complain("config.identifier", { name: "DB_SCHEMA" });
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
    reader.complain("config.pair", { names: ["DB_SSL_CERT_FILE", "DB_SSL_KEY_FILE"] });
  }
  const writable = url?.writable ?? servers.length > 1;
  const rowDefaults = readRowDefaults(reader);
  return { servers, database, user, password, schema, rowDefaults, deletesRows, writable, ssl: all };
}

/** BK-Lite's name for its database product: postgresql, or Django's path of an engine that ends in it. */
function checkEngine(reader: Reader): void {
  const engine = reader.text("DB_ENGINE");
  if (
    engine !== undefined &&
    !/(^|[._])(postgres|postgresql|postgresql_psycopg2|postgis|pgsql)$/i.test(engine)
  ) {
    reader.complain("config.engine", {});
  }
}

type Server = Pick<DbConfig, "servers" | "database" | "user" | "password">;

/** What stands in for a DATABASE_URL that cannot be read: the run ends with the complaint about it. */
const NOWHERE: Server = { servers: [], database: "", user: "", password: undefined };

function fromParts(reader: Reader): Server {
  const host = reader.text("DB_HOST");
  if (host === undefined) reader.complain("config.missing", { name: "DB_HOST", instead: "DATABASE_URL" });
  const found = pairHosts(host ?? "nowhere", reader.text("DB_PORT") as string);
  if (!found.hosts) reader.complain("config.host", { name: "DB_HOST" });
  else if (!found.servers) reader.complain("config.ports", { name: "DB_PORT" });
  return {
    servers: found.servers ?? [],
    database: reader.text("DB_NAME") as string,
    user: reader.text("DB_USER") as string,
    password: reader.text("DB_PASSWORD"),
  };
}

function readUrl(reader: Reader): (Server & DatabaseUrl) | undefined {
  const url = parseDatabaseUrl(reader.text("DATABASE_URL") as string);
  if ("problem" in url) {
    reader.problems.push(url.problem);
    return undefined;
  }
  reader.secrets.push(...url.secrets);
  return { ...url, password: url.password ?? reader.text("DB_PASSWORD") };
}
