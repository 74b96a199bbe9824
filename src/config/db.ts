import type { Reader } from "./env.ts";

const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface DbConfig {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string | undefined;
  /** Quoted by whoever builds SQL with it. */
  schema: string;
  /** libpq's meanings (PostgreSQL: "SSL Support", table 34.1); `require` with a CA file verifies the chain, as libpq does. */
  ssl: { mode: SslMode; ca: Buffer | undefined; cert: Buffer | undefined; key: Buffer | undefined };
}

/** DATABASE_URL, or the five DB_ variables; where both are there the URL wins. */
export function readDb(reader: Reader): DbConfig {
  const ssl = {
    mode: reader.oneOf("DB_SSLMODE", SSL_MODES),
    ca: reader.file("DB_SSL_CA_FILE"),
    cert: reader.file("DB_SSL_CERT_FILE"),
    key: reader.file("DB_SSL_KEY_FILE"),
  };
  if ((ssl.cert === undefined) !== (ssl.key === undefined)) {
    reader.problems.push("DB_SSL_CERT_FILE and DB_SSL_KEY_FILE: give both or none");
  }
  const schema = reader.check(
    "DB_SCHEMA",
    (v) => Buffer.byteLength(v) <= 63,
    "longer than 63 bytes",
  ) as string;
  const server = reader.has("DATABASE_URL") ? fromUrl(reader, ssl.mode) : fromParts(reader, ssl.mode);
  return { ...server, schema, ssl: { ...ssl, mode: server.mode } };
}

type Server = Pick<DbConfig, "host" | "port" | "database" | "user" | "password"> & { mode: SslMode };

function fromParts(reader: Reader, mode: SslMode): Server {
  const host = reader.text("DB_HOST");
  if (host === undefined) reader.problems.push("DB_HOST: not set (or give DATABASE_URL)");
  const password = reader.text("DB_PASSWORD");
  return {
    host: host ?? "",
    port: reader.parse("DB_PORT", (v) => v.asPortNumber()) ?? 0,
    database: reader.text("DB_NAME") as string,
    user: reader.text("DB_USER") as string,
    password,
    mode,
  };
}

function fromUrl(reader: Reader, mode: SslMode): Server {
  const bad = (why: string): Server => {
    reader.problems.push(`DATABASE_URL: ${why}`);
    return { host: "", port: 0, database: "", user: "", password: undefined, mode };
  };
  const shape =
    "should look like postgres://user:password@host:5432/database, special characters percent-encoded";
  const url = URL.parse(reader.text("DATABASE_URL") as string);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === "") return bad(shape);
  // A password that is not percent-encoded ends up behind the host.
  if (/[@/]/.test(url.pathname.slice(1)) || url.hash !== "") return bad(shape);
  const urlMode = url.searchParams.get("sslmode");
  const known = SSL_MODES.find((m) => m === urlMode);
  if (urlMode !== null && !known) return bad(`sslmode should be one of ${SSL_MODES.join(", ")}`);
  // Not by its name, which may be a part of such a password.
  if ([...url.searchParams.keys()].some((key) => key !== "sslmode")) {
    return bad("has a parameter other than sslmode (certificates: DB_SSL_CA_FILE and its kin)");
  }
  try {
    const password = decodeURIComponent(url.password);
    if (password !== "") reader.secrets.push(password, url.password);
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? 5432 : Number(url.port),
      database: decodeURIComponent(url.pathname.slice(1)) || "bklite",
      user: decodeURIComponent(url.username) || "postgres",
      password: password === "" ? reader.text("DB_PASSWORD") : password,
      mode: known ?? mode,
    };
  } catch {
    return bad(shape);
  }
}
