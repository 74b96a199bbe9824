import type { DbConfig } from "../config/db.ts";
import { type DbServer, placeOf } from "../config/hosts.ts";
import { EXIT, JobError } from "../errors.ts";
import { missingGrants, quote, readShape, type TableShape } from "../registry/catalog.ts";
import { type Database, DatabaseLostError, openDatabase, TableChangedError } from "../registry/database.ts";
import type { Climb } from "./climb.ts";
import { dial, type Layer, LayerFailure, POSTGRES_LAYERS, resolveHost, tlsHint, words } from "./layer.ts";

export interface PostgresReady {
  db: Database;
  shape: TableShape;
  /** server_version, for the report. */
  version: string;
}

/** The way up to a usable table. `writes`: whether the command needs INSERT and UPDATE. */
export function postgresClimb(config: DbConfig, writes: boolean): Climb<PostgresReady> {
  const server = config.servers[0] as DbServer;
  return {
    service: "postgres",
    where: placeOf(server),
    layers: POSTGRES_LAYERS,
    async attempt(signal, trying) {
      trying("dns");
      await resolveHost(server, signal);
      trying("tcp");
      (await dial(server, signal)).destroy();
      trying(secured(config));
      const db = await openDatabase(config, server, 4500).catch((error) => {
        // Inside the attempt's five seconds, so that pg closes its own socket.
        throw connectFailure(error, config);
      });
      const close = () => void db.close();
      signal.addEventListener("abort", close);
      if (signal.aborted) close();
      try {
        trying("table");
        return await inspect(db, config, writes);
      } catch (error) {
        close();
        throw error;
      } finally {
        signal.removeEventListener("abort", close);
      }
    },
  };
}

/** What a connection that hangs after TCP is stuck in. */
function secured(config: DbConfig): Layer {
  return config.ssl.mode === "disable" ? "login" : "tls";
}

/** pg's and Postgres' words for a failed start, by layer. SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html */
function connectFailure(error: unknown, config: DbConfig): LayerFailure {
  const { code, message } = error as Error & { code?: string };
  const fail = (layer: Layer, hint: string, final = false) =>
    new LayerFailure(layer, { cause: error, hint, final });
  const tls =
    config.ssl.mode === "disable"
      ? undefined
      : tlsHint(error, "DB_SSL_CA_FILE", "DB_SSL_CERT_FILE and DB_SSL_KEY_FILE");
  if (tls) return fail("tls", tls, true);
  if (message === "The server does not support SSL connections") {
    return fail("tls", "set DB_SSLMODE=disable, or switch ssl on in Postgres", true);
  }
  if (code === "3D000") {
    return fail(
      "database",
      `create database "${config.database}" (BK-Lite's own start does), or set DB_NAME`,
    );
  }
  if (code === "42501")
    return fail("database", `GRANT CONNECT ON DATABASE "${config.database}" to the job's user`, true);
  if (code === "28P01") return fail("login", "check DB_USER and DB_PASSWORD", true);
  if (code === "28000") {
    return fail(
      "login",
      "check DB_USER, and Postgres' pg_hba.conf for this host, database and TLS (DB_SSLMODE)",
      true,
    );
  }
  if (message.startsWith("SASL"))
    return fail("login", "set DB_PASSWORD: the server asks for a password", true);
  if (code === "57P03" || code === "53300")
    return fail("login", "the server is starting up or has no free connection: wait");
  const layer = config.ssl.mode === "disable" ? "login" : "tls";
  return fail(
    layer,
    "something accepts the connection but does not speak like Postgres: check DB_HOST, DB_PORT and the server's log",
  );
}

async function inspect(db: Database, config: DbConfig, writes: boolean): Promise<PostgresReady> {
  try {
    const [server] = await db.query<{ version: string; read_only: string }>(
      "SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') AS read_only",
    );
    const shape = await readShape(db, config.schema);
    if (!shape) {
      throw new LayerFailure("table", {
        cause: new Error(
          `${config.schema}.node_mgmt_packageversion does not exist in database "${config.database}"`,
        ),
        hint: "BK-Lite's server creates it when it migrates: check that the server has started, and DB_NAME, DB_SCHEMA",
      });
    }
    const missing = await missingGrants(db, config.schema, shape, writes);
    if (missing.length > 0) {
      throw new LayerFailure("privileges", {
        cause: new Error(
          `user "${config.user}" lacks ${missing.map((grant) => grant.split(" TO ")[0]?.slice(6)).join("; ")}`,
        ),
        hint: `run as the table's owner: ${missing.join("; ")}`,
        final: true,
      });
    }
    if (writes && server?.read_only === "on") {
      throw new LayerFailure("privileges", {
        cause: new Error("the server is read-only (a standby, or default_transaction_read_only)"),
        hint: "point DB_HOST at the primary",
      });
    }
    return { db, shape, version: server?.version ?? "" };
  } catch (error) {
    throw inspectFailure(error, config);
  }
}

function inspectFailure(error: unknown, { schema, user }: DbConfig): unknown {
  if (error instanceof DatabaseLostError) {
    return new LayerFailure("login", {
      cause: error,
      hint: "the server closed the connection: check its log",
    });
  }
  if (error instanceof TableChangedError) {
    return new LayerFailure("table", { cause: error, hint: "BK-Lite's server is migrating: wait" });
  }
  if (error instanceof JobError) {
    // The catalog's own verdicts: an unknown shape (78), a schema that may not be used (77), a server that is busy (69).
    const layer = (error.layer ?? "table") as Layer;
    const usage = `run as the schema's owner: GRANT USAGE ON SCHEMA ${quote(schema)} TO ${quote(user)}`;
    return new LayerFailure(layer, {
      cause: words(error),
      hint: layer === "privileges" ? usage : error.hint,
      final: error.code !== EXIT.unavailable,
      config: error.code === EXIT.config,
    });
  }
  return error;
}
