import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import type { DbConfig } from "../config/db.ts";
import { type DbServer, isSocketFolder } from "../config/hosts.ts";
import { EXIT, type ExitCode, JobError } from "../errors.ts";

/** Milliseconds after which a query is given up: none of ours takes a second on a server that lives. */
const QUERY_TIMEOUT = 30_000;

/** A connection that says when it is lost; nothing else in the job listens to pg's events. */
export interface Database {
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<R[]>;
  /** Aborted, with the reason, when the server or the network ends the connection. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** The connection is gone: a clean start may help, a repeated statement may not. */
export class DatabaseLostError extends Error {
  override readonly name = "DatabaseLostError";
}

/** A statement did not fit the table: a migration of BK-Lite's server has changed it since it was looked at. Look again. */
export class TableChangedError extends Error {
  override readonly name = "TableChangedError";
}

/**
 * Opens one connection. `timeout` in milliseconds covers everything from the name's resolution to the login's end.
 * Throws what pg throws; readiness/postgres.ts knows what it means.
 */
export async function openDatabase(config: DbConfig, server: DbServer, timeout: number): Promise<Database> {
  const client = new pg.Client({
    host: server.host,
    port: server.port,
    database: config.database,
    user: config.user,
    // A function, so that pg does not fall back on PGPASSWORD of an environment that is not ours.
    password: () => config.password ?? "",
    ssl: wantsTls(config, server) && tlsOptions(config),
    connectionTimeoutMillis: timeout,
    query_timeout: QUERY_TIMEOUT,
    keepAlive: true,
    application_name: "bklite-package-init",
  });
  const lost = new AbortController();
  let closing = false;
  const lose = (cause?: unknown) => {
    if (!closing)
      lost.abort(new DatabaseLostError(`the connection to Postgres was lost${because(cause)}`, { cause }));
  };
  client.on("error", lose);
  client.on("end", () => lose());
  try {
    await client.connect();
    // Not as a start-up parameter: poolers refuse those.
    await client.query(`SET lock_timeout = ${QUERY_TIMEOUT - 5000}`);
  } catch (error) {
    closing = true;
    client.end().catch(() => {}); // the socket may be half open; there is nobody to tell
    throw error;
  }
  return {
    lost: lost.signal,
    async query<R extends pg.QueryResultRow>(sql: string, values?: unknown[]) {
      if (lost.signal.aborted) throw lost.signal.reason;
      try {
        return (await client.query<R>(sql, values)).rows;
      } catch (error) {
        throw statementError(error, lost.signal, lose);
      }
    },
    async close() {
      closing = true;
      await Promise.race([
        client.end().catch(() => {}),
        new Promise((done) => setTimeout(done, 1000).unref()),
      ]);
    },
  };
}

function because(cause: unknown): string {
  return cause instanceof Error && cause.message ? `: ${cause.message}` : "";
}

/** A statement's failure, sorted into: connection gone, table changed (both retried), a unique key taken (rows.ts knows what it means), and what no retry of ours mends. */
function statementError(error: unknown, lost: AbortSignal, lose: (cause?: unknown) => void): unknown {
  const { code, message } = error as Error & { code?: string };
  // Class 08: connection exception; 57P01 to 57P03: the server is shutting down or starting. Anything without an SQLSTATE is pg's own socket trouble.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code) || code.startsWith("08") || code.startsWith("57P")) {
    lose(error);
    return lost.reason ?? error;
  }
  if (code === "42501") {
    return JobError.legacy(EXIT.denied, `Postgres refused: ${message}`, {
      layer: "privileges",
      hint: "grant the job's user what the README lists under least privilege",
      cause: error,
    });
  }
  // not_null_violation, undefined_column, undefined_table
  if (["23502", "42703", "42P01"].includes(code)) {
    return new TableChangedError(`Postgres refused: ${message} (${code})`, { cause: error });
  }
  return code === "23505" ? error : refusal(error as Error, code);
}

/** What Postgres refuses for reasons of its own. SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html */
function refusal(cause: Error, code: string): JobError {
  const say = (exit: ExitCode, hint: string) =>
    JobError.legacy(exit, `Postgres refused: ${cause.message} (${code})`, { hint, cause });
  if (code === "53100") return say(EXIT.storeFull, "free room on the disk of Postgres");
  if (code === "25006")
    return say(EXIT.unavailable, "the server only reads now: point DB_HOST at the primary");
  // Class 53: resources; 40: rolled back for another's sake; 55P03, 57014: a lock or a statement took too long.
  if (/^(53|40|55P03|57014)/.test(code)) {
    return say(
      EXIT.unavailable,
      "the server is busy, or something (a migration?) holds a lock on the table: run again",
    );
  }
  return say(
    EXIT.config,
    "something in this database refuses what the job does (a trigger, a constraint): check the table, or use a newer bklite-package-init",
  );
}

/** DB_SSLMODE as node:tls options, after libpq: `require` verifies the chain only where a CA is given. */
export function tlsOptions({ ssl }: DbConfig): ConnectionOptions {
  const verified = ssl.mode !== "require" || ssl.ca !== undefined;
  return {
    ...(ssl.ca && { ca: ssl.ca }),
    ...(ssl.cert && { cert: ssl.cert, key: ssl.key }),
    rejectUnauthorized: verified,
    // Only verify-full compares the name.
    ...(ssl.mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}

/** As libpq: no TLS on a socket of this machine. */
export function wantsTls({ ssl }: DbConfig, { host }: DbServer): boolean {
  return ssl.mode !== "disable" && !isSocketFolder(host);
}
