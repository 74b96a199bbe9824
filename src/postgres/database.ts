import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import { createTurns, Patience } from "../async.ts";
import { type DbConfig, type DbServer, isSocketFolder } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import type { CatalogPurpose } from "../messages/postgres.ts";
import { type Backend, BEGIN_LOCAL, isShared, keepSession, openSession, type Session } from "./backend.ts";

/** Milliseconds without an answer after which a query is given up: none of ours takes a second on a server that lives. */
const QUERY_TIMEOUT = 30_000;

/** A connection that says when it is lost; nothing else in the job listens to pg's events. */
export interface Database {
  /** `timeout` in milliseconds, where the answer matters sooner than usual. */
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values?: unknown[],
    timeout?: number,
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

/** The connection is gone: a clean start may help, a repeated statement may not. */
export class DatabaseLostError extends JobError<"run.postgres.lost"> {
  override readonly name = "DatabaseLostError";
  override readonly retryable = true;

  constructor(cause: unknown) {
    const said = cause instanceof Error && cause.message ? cause.message : "it was closed";
    super("run.postgres.lost", { said }, { cause });
  }
}

/** A statement did not fit the table: a migration of BK-Lite's server has changed it since it was looked at. Look again. */
export class TableChangedError extends JobError<"table.changed"> {
  override readonly name = "TableChangedError";
  override readonly retryable = true;

  constructor(said: string, cause?: unknown) {
    super("table.changed", { said }, { cause });
  }
}

/** How a database is reached. */
export interface Access {
  /** Opens a connection, TLS and all, for a login. Tells `heard` of each answer on the way, and of each that the login gets. */
  connect: (heard: () => void) => Promise<Socket>;
  /** Told of each statement that the server has answered. */
  answered: () => void;
}

/** Opens one session. Throws what pg throws; readiness/postgres.ts knows what it means, and how long an answer may take. */
export async function openDatabase(
  config: DbConfig,
  server: DbServer,
  { connect, answered }: Access,
): Promise<Database> {
  const { client, socket } = await openClient(config, server, connect, () => {});
  const lost = new AbortController();
  let closing = false;
  const lose = (cause?: unknown) => {
    if (!closing) lost.abort(new DatabaseLostError(cause));
  };
  client.on("error", lose);
  client.on("end", () => lose());
  let backend: Backend;
  let shared: boolean;
  const prepare = async () => {
    const session = await openSession(client);
    answered();
    const openOther = (heard: () => void) => openClient(config, server, connect, heard);
    const isLent = !session.own && (await isShared(client, openOther, answered));
    // What is set in a session that others are lent would be theirs as well.
    if (!session.own && !isLent) await keepSession(client);
    return { shared: isLent, backend: session.backend };
  };
  try {
    await client.connect();
    ({ shared, backend } = await prepare().catch(async (error) => {
      const query = async <R extends pg.QueryResultRow>(sql: string) => (await client.query<R>(sql)).rows;
      throw await catalogError({ query }, "session", error);
    }));
  } catch (error) {
    closing = true;
    client.end().catch(() => {}); // the socket may be half open; there is nobody to tell
    throw error;
  }
  let underWay = 0;
  // pg has a queue of its own, which it means to drop; and each statement has its full time this way
  const inTurn = createTurns();
  return {
    backend,
    shared,
    lost: lost.signal,
    busy: () => underWay > 0,
    async query<R extends pg.QueryResultRow>(sql: string, values: unknown[] = [], limit = QUERY_TIMEOUT) {
      underWay += 1;
      try {
        return await inTurn(async () => {
          if (lost.signal.aborted) throw lost.signal.reason;
          const patience = new Patience(limit, () =>
            socket.destroy(new Error(`no answer within ${limit / 1000} s`)),
          );
          const ask = async (text: string, parameters?: unknown[]) => {
            try {
              return await client.query<R>(text, parameters);
            } finally {
              patience.renew();
              answered();
            }
          };
          const run = () => ask(sql, values);
          try {
            return (await (shared ? inTransaction(ask, run) : run())).rows;
          } catch (error) {
            throw statementError(error, lost.signal, lose);
          } finally {
            patience.end();
          }
        });
      } finally {
        underWay -= 1;
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

/** A client of pg on a connection of ours; it has yet to log in. */
async function openClient(
  config: DbConfig,
  server: DbServer,
  connect: Access["connect"],
  heard: () => void,
): Promise<Session> {
  const socket = await connect(heard);
  const stream = Object.assign(socket, {
    // pg connects its stream by itself: this one is connected, and encrypted, already.
    connect() {
      queueMicrotask(() => {
        socket.emit("connect");
        socket.resume();
      });
      return socket;
    },
    // pg's parser throws at what no Postgres says, where nobody could catch it.
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
    // A function, so that pg does not fall back on PGPASSWORD of an environment that is not ours.
    password: () => config.password ?? "",
    ssl: false,
    stream: () => stream,
    application_name: "bklite-package-init",
  });
  return { client, socket };
}

/** A statement's failure, sorted into: connection gone, table changed (both retried), a unique key taken (rows.ts knows what it means), and what no retry of ours mends. */
function statementError(error: unknown, lost: AbortSignal, lose: (cause?: unknown) => void): unknown {
  const { code, message } = error as Error & { code?: string };
  // Class 08: connection exception; 57P01 to 57P03: the server is shutting down or starting. Anything without an SQLSTATE is pg's own socket trouble.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code) || code.startsWith("08") || code.startsWith("57P")) {
    lose(error);
    return lost.reason ?? error;
  }
  const said = `${message} (${code})`;
  if (code === "42501") return new JobError("row.denied", { said }, { layer: "privileges", cause: error });
  // not_null_violation, undefined_column, undefined_table
  if (["23502", "42703", "42P01"].includes(code)) return new TableChangedError(said, error);
  return code === "23505" ? error : refusal(error, code, said);
}

/** What Postgres refuses for reasons of its own. SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html */
function refusal(cause: unknown, code: string, said: string): JobError {
  if (code === "53100") return new JobError("row.disk.full", { said }, { cause });
  if (code === "25006") return new JobError("row.readonly", { said }, { cause });
  // Class 53: resources; 40: rolled back for another's sake; 55P03, 57014: a lock or a statement took too long.
  if (/^(53|40|55P03|57014)/.test(code)) return new JobError("row.busy", { said }, { cause });
  return new JobError("row.refused", { said }, { cause });
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

/** What can be asked: a Database, or a session that is not one yet. */
interface Asked {
  query<R extends object>(sql: string, values?: unknown[]): Promise<R[]>;
}

/** undefined_table, undefined_column, undefined_function, undefined_object, syntax_error, feature_not_supported */
const REFUSED = ["42P01", "42703", "42883", "42704", "42601", "0A000"];

/**
 * Runs a statement of ours about the database's own catalog. A server that does not know what is in it speaks Postgres' protocol and
 * is another product: throws exit 78 that says what the statement was for. To wait for it would be in vain.
 */
export async function askCatalog<R extends object>(
  db: Asked,
  purpose: CatalogPurpose,
  sql: string,
  values: unknown[] = [],
): Promise<R[]> {
  try {
    return await db.query<R>(sql, values);
  } catch (error) {
    throw await catalogError(db, purpose, error);
  }
}

/** What it means that the server refused a statement about its catalog; other errors stay what they are. */
export async function catalogError(db: Asked, purpose: CatalogPurpose, error: unknown): Promise<unknown> {
  const { code, message } = serverError(error);
  if (!REFUSED.includes(code)) return error;
  const [row] = await db.query<{ version: string }>("SELECT version() AS version").catch(() => []);
  const params = { purpose, version: row?.version ?? "?", said: `${message} (${code})` };
  return new JobError("postgres.catalog", params, { layer: "table", cause: error });
}

/** Returns SQLSTATE and words of an error as the server sent it, also if the job has given it a reason; "" for any other error. */
export function serverError(error: unknown): { code: string; message: string } {
  const cause = error instanceof JobError ? error.cause : error;
  const { code = "", message = "" } = (cause ?? {}) as { code?: string; message?: string };
  return { code, message };
}
