import type { Socket } from "node:net";
import type pg from "pg";
import { Patience } from "../async.ts";

/** Milliseconds without an answer after which the look for a pooler that shares the session is given up. */
const SILENCE = 3000;
/** A pool lends the session that was given back last, so one look mostly tells; each further one is for whoever came in between. */
const LOOKS = 6;
/** Milliseconds; longer than any statement of ours takes, shorter than what it is given up after. */
const STATEMENT_TIMEOUT = 25_000;

/**
 * Where names without a schema are looked up: the server's own catalog and nothing else. A search_path of the role or of the database
 * may put another schema before it, with a now() or pg_locks of its own. The packages' table is always named with its schema.
 */
const SEARCH_PATH = "pg_catalog, pg_temp";

/**
 * What this session asks of the server, whatever its defaults: not to be ended for its silence during an upload, and to be noticed soon
 * when its line is gone. Seconds and milliseconds as PostgreSQL's "Client Connection Defaults" and "Connections" have them.
 */
const SETTINGS = {
  search_path: SEARCH_PATH,
  lock_timeout: String(STATEMENT_TIMEOUT),
  statement_timeout: String(STATEMENT_TIMEOUT),
  idle_session_timeout: "0",
  idle_in_transaction_session_timeout: "60000",
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
  tcp_user_timeout: "30000",
};

/** Begins a transaction with that path: for a session that others are lent, where nothing may stay set. */
export const BEGIN_LOCAL = `BEGIN; SET LOCAL search_path = ${SEARCH_PATH}`;

/** A session as the server knows it; the time tells it from a later one with the same pid. */
export interface Backend {
  pid: number;
  startedAt: string;
}

/** A client of pg, and its connection. */
export interface Session {
  client: pg.Client;
  socket: Socket;
}

// These run before search_path is set, so every name and operator has its schema.
const BACKEND = `pg_catalog.pg_backend_pid() AS pid,
  (SELECT backend_start::pg_catalog.text
     FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) AS "startedAt"`;
/** Applies those SETTINGS that this server knows: not as start-up parameters, which poolers refuse. */
const KEPT = `SELECT pg_catalog.set_config(known.name, wanted.value, false)
  FROM pg_catalog.json_each_text($1::pg_catalog.json) AS wanted (name, value)
  JOIN pg_catalog.pg_settings AS known ON known.name OPERATOR(pg_catalog.=) wanted.name`;
const KEPT_VALUES = [JSON.stringify(SETTINGS)];

/** Which session serves this connection now. */
async function readBackend(client: pg.Client): Promise<Backend> {
  const { rows } = await client.query<Backend>(`SELECT ${BACKEND}`);
  return { pid: Number(rows[0]?.pid), startedAt: rows[0]?.startedAt ?? "" };
}

/**
 * Reads which session serves this connection, and, if it is surely its own, applies SETTINGS: in one statement, for lines that are
 * slow. A pooler gives itself away by a cancel key whose pid is not the session's.
 */
export async function openSession(client: pg.Client): Promise<{ backend: Backend; own: boolean }> {
  const { processID = null } = client as pg.Client & { processID?: number | null };
  const { rows } = await client.query<Backend>(
    `SELECT ${BACKEND}, ARRAY(${KEPT}
      WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $2::pg_catalog.int4)`,
    [...KEPT_VALUES, processID],
  );
  const backend = { pid: Number(rows[0]?.pid), startedAt: rows[0]?.startedAt ?? "" };
  return { backend, own: backend.pid === processID };
}

/** Applies SETTINGS to a session that a pooler keeps for this connection. */
export async function keepSession(client: pg.Client): Promise<void> {
  await client.query(KEPT, KEPT_VALUES);
}

/**
 * Whether several connections take turns on one session, as with pgbouncer's `pool_mode = transaction`: what a session holds (a
 * lock, a setting) is then not ours. It shows when a second connection is busy. Others may come in between, so it is looked at
 * several times. `answered` is told of each answer.
 */
export async function isShared(
  client: pg.Client,
  open: (heard: () => void) => Promise<Session>,
  answered: () => void,
): Promise<boolean> {
  const { promise: silent, reject: giveUp } = Promise.withResolvers<never>();
  silent.catch(() => {});
  const patience = new Patience(SILENCE, () => giveUp(new Error("no answer to the second connection")));
  const heard = () => {
    patience.renew();
    answered();
  };
  const ask = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer;
    heard();
    return value;
  };
  const opening = open(heard);
  const look = async () => {
    const { client: other } = await opening;
    other.on("error", () => {}); // it is only looked through
    await ask(other.connect());
    const { pid } = await ask(readBackend(client));
    const moved = async () => (await ask(readBackend(client))).pid !== pid;
    for (let turn = 0; turn < LOOKS; turn += 1) {
      await ask(other.query("BEGIN"));
      if ((await ask(readBackend(other))).pid === pid || (await moved())) return true;
      await ask(other.query("COMMIT"));
      if (await moved()) return true;
    }
    return false;
  };
  try {
    return await Promise.race([look(), silent]);
  } catch {
    return false; // no second connection to be had: the lock's own proof decides
  } finally {
    patience.end();
    answered();
    opening
      .then(({ client: other, socket }) => {
        other.end().catch(() => {});
        socket.destroySoon();
      })
      .catch(() => {});
  }
}

type Query = <R extends pg.QueryResultRow>(sql: string, values?: unknown[]) => Promise<R[]>;

/** Ends a session of ours that was lost: it may hold the lock until the server notices that nobody is there. */
export async function endSession({ query }: { query: Query }, { pid, startedAt }: Backend): Promise<void> {
  await query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
    [pid, startedAt],
  );
}
