import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import { createTurns, Patience } from "../async.ts";
import type { DbConfig, DbServer } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import type { CatalogPurpose } from "../messages/postgres.ts";
import { type Backend, BEGIN_LOCAL, type Client, openSession } from "./backend.ts";

/** Milliseconds without an answer after which a query is given up; none needs a second. */
const QUERY_TIMEOUT = 30_000;

interface QueryOptions {
  /** Milliseconds without an answer after which the connection counts as lost. */
  timeout?: number;
  /** What it asks the database's catalog for; a server that cannot answer that is another product. */
  about?: CatalogPurpose;
  /** Receives the rows one by one instead: a long answer is never in memory as a whole. */
  onRow?: (row: never) => void;
}

/** A connection that reports when it is lost; nothing else in the job listens to pg's events. */
export interface Database {
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values?: unknown[],
    options?: QueryOptions,
  ): Promise<R[]>;
  /** Whether a statement is under way. */
  busy(): boolean;
  /** The server's session, as it was when it was opened. */
  readonly backend: Backend;
  /** Whether a pooler lends the session to others between two transactions: nothing may be kept in it. */
  readonly shared: boolean;
  /** Aborted, with the reason, when the server or the network ends the connection. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** How a database is reached. */
export interface Access {
  /** Opens a connection with TLS, before the login; `onAnswer` is called for each of the server's answers. */
  connect: (onAnswer: () => void) => Promise<Socket>;
  /** Called for each statement that the server has answered. */
  answered: () => void;
}

/**
 * Opens one session. Throws what pg throws, or exit 78 for another product; readiness/ decides what that
 * means, and how long an answer may take.
 */
export async function openDatabase(
  config: DbConfig,
  server: DbServer,
  { connect, answered }: Access,
): Promise<Database> {
  const open = async (onAnswer: () => void): Promise<Client> =>
    createClient(config, server, await connect(onAnswer));
  const client = await open(() => {});
  const lost = new AbortController();
  let closing = false;
  const lose = (cause?: unknown) => {
    const said = cause instanceof Error && cause.message ? cause.message : "it was closed";
    if (!closing) lost.abort(new JobError("run.postgres.lost", { said }, { cause, retryable: true }));
  };
  client.on("error", lose);
  client.on("end", () => lose());
  let session: Awaited<ReturnType<typeof openSession>>;
  try {
    await client.connect();
    session = await openSession(client, open, answered).catch(async (error) => {
      throw (await catalogFailure(client, "session", error)) ?? error;
    });
  } catch (error) {
    closing = true;
    client.end().catch(() => {}); // the socket may be half open
    throw error;
  }
  let underWay = 0;
  // pg's own queue is deprecated, and this way each statement has its full time.
  const inTurn = createTurns();
  const run = async <R extends pg.QueryResultRow>(sql: string, values: unknown[], options: QueryOptions) => {
    if (lost.signal.aborted) throw lost.signal.reason;
    const { timeout = QUERY_TIMEOUT, about, onRow } = options;
    const onSilence = () => client.socket.destroy(new Error(`no answer within ${timeout / 1000} s`));
    const patience = new Patience(timeout, onSilence);
    const ask = async (text: string, parameters?: unknown[]) => {
      try {
        if (!onRow || text !== sql) return (await client.query<R>(text, parameters)).rows;
        const query = client.query(new pg.Query<R>(text, parameters));
        query.on("row", (row) => {
          patience.renew();
          onRow(row as never);
        });
        await once(query, "end");
        return [];
      } finally {
        patience.renew();
        answered();
      }
    };
    try {
      return await (session.shared ? inTransaction(ask, () => ask(sql, values)) : ask(sql, values));
    } catch (error) {
      const failure = about && (await catalogFailure(client, about, error));
      throw failure ?? statementFailure(error, lost.signal, lose);
    } finally {
      patience.end();
    }
  };
  return {
    ...session,
    lost: lost.signal,
    busy: () => underWay > 0,
    async query(sql, values = [], options = {}) {
      underWay += 1;
      try {
        return await inTurn(() => run(sql, values, options));
      } finally {
        underWay -= 1;
      }
    },
    async close() {
      closing = true;
      await Promise.race([client.end().catch(() => {}), sleep(1000, undefined, { ref: false })]);
    },
  };
}

/** Ends a session of this job that was lost, and that may hold the lock until the server notices. */
export async function endSession(db: Database, { pid, startedAt }: Backend): Promise<void> {
  await db.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
    [pid, startedAt],
  );
}

/** Runs a statement in a transaction that has its own search_path. */
async function inTransaction<T>(ask: (sql: string) => Promise<unknown>, run: () => Promise<T>): Promise<T> {
  await ask(BEGIN_LOCAL);
  try {
    const result = await run();
    await ask("COMMIT");
    return result;
  } catch (error) {
    await ask("ROLLBACK").catch(() => {}); // the statement's own error says more
    throw error;
  }
}

/** Creates a client of pg on an open connection; it has yet to log in. */
function createClient(config: DbConfig, server: DbServer, socket: Socket): Client {
  const stream = Object.assign(socket, {
    // pg connects its stream itself: this one is connected, and encrypted, already.
    connect() {
      queueMicrotask(() => {
        socket.emit("connect");
        socket.resume();
      });
      return socket;
    },
    // pg's parser throws inside a listener, where nothing could catch it, if the server does not speak
    // Postgres' protocol.
    on(event: string, listener: (...args: unknown[]) => void) {
      const guarded = (piece: unknown) => {
        if (socket.destroyed) return;
        try {
          listener(piece);
        } catch (error) {
          socket.destroy(error as Error);
        }
      };
      return socket.addListener(event, event === "data" ? guarded : listener);
    },
  });
  const client = new pg.Client({
    host: server.host,
    port: server.port,
    database: config.database,
    user: config.user,
    // A function, so that pg does not fall back on the environment's PGPASSWORD.
    password: () => config.password ?? "",
    ssl: false,
    stream: () => stream,
    application_name: "bklite-package-init",
  });
  return Object.assign(client, { socket });
}

/** undefined table, column, function or object; syntax error; feature not supported */
const UNKNOWN = ["42P01", "42703", "42883", "42704", "42601", "0A000"];

/** Returns exit 78 for a server that does not know Postgres' catalog; undefined for other errors. */
async function catalogFailure(
  client: Client,
  purpose: CatalogPurpose,
  error: unknown,
): Promise<JobError | undefined> {
  const { code, message } = serverError(error);
  if (!UNKNOWN.includes(code)) return undefined;
  const answer = client.query<{ version: string }>("SELECT pg_catalog.version() AS version");
  const version = await answer.then(({ rows }) => rows[0]?.version ?? "?").catch(() => "?");
  const params = { purpose, version, said: `${message} (${code})` };
  return new JobError("postgres.catalog", params, { layer: "table", cause: error });
}

/** Returns SQLSTATE and words of a server's error, or of the cause of the job's; "" for any other. */
export function serverError(error: unknown): { code: string; message: string } {
  const cause = error instanceof JobError ? error.cause : error;
  const { code = "", message = "" } = (cause ?? {}) as { code?: string; message?: string };
  return { code, message };
}

/**
 * Returns what a failed statement means. Retried from a clean start: a connection that is gone, and a table
 * that a migration of BK-Lite's server has changed. A unique key that is taken stays pg's error: rows.ts
 * decides what it means. SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
function statementFailure(cause: unknown, lost: AbortSignal, lose: (cause?: unknown) => void): unknown {
  const { code, message } = serverError(cause);
  // Class 08: connection exception; 57P01 to 57P03: the server shuts down or starts. Without an SQLSTATE it
  // is pg's socket error.
  if (!/^(?!08|57P)(?=.*\d)[0-9A-Z]{5}$/.test(code)) {
    lose(cause);
    return lost.reason ?? cause;
  }
  const said = { said: `${message} (${code})` };
  if (code === "23505") return cause;
  if (code === "42501") return new JobError("row.denied", said, { layer: "privileges", cause });
  // not_null_violation, undefined_column, undefined_table
  if (["23502", "42703", "42P01"].includes(code))
    return new JobError("table.changed", said, { cause, retryable: true });
  if (code === "53100") return new JobError("row.disk.full", said, { cause });
  if (code === "25006") return new JobError("row.readonly", said, { cause });
  // Class 53: resources; 40: rolled back in favour of another transaction; 55P03, 57014: a lock or a
  // statement took too long.
  return new JobError(/^(53|40|55P03|57014)/.test(code) ? "row.busy" : "row.refused", said, { cause });
}

/** Returns DB_SSLMODE as node:tls options: as in libpq, `require` verifies the chain only with a CA. */
export function tlsOptions({ ssl }: DbConfig): ConnectionOptions {
  return {
    ...(ssl.ca && { ca: ssl.ca }),
    ...(ssl.cert && { cert: ssl.cert, key: ssl.key }),
    rejectUnauthorized: ssl.mode !== "require" || ssl.ca !== undefined,
    // Only verify-full compares the name.
    ...(ssl.mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}
