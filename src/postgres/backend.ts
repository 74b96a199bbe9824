import type { Socket } from "node:net";
import type pg from "pg";
import { abortable, Patience } from "../async.ts";

/** Milliseconds without an answer after which the check for a pooler that shares the session is given up. */
const SILENCE = 3000;
/** A pool lends the session that was given back last; the others are for connections in between. */
const COMPARISONS = 6;
/** Milliseconds; longer than any statement needs, shorter than the limit of a query. */
const STATEMENT_TIMEOUT = 25_000;

/**
 * Where names without a schema are searched: the server's own catalog and nothing else. A search_path of the
 * role or of the database may put another schema before it, with a now() or pg_locks of its own. The
 * packages' table is always named with its schema.
 */
const SEARCH_PATH = "pg_catalog, pg_temp";

/**
 * Settings of the session: it is not ended while it is idle during an upload, and the server soon notices
 * a lost connection. Units: PostgreSQL's "Client Connection Defaults" and "Connections".
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

/** Begins a transaction with that path, in a session that is lent to others. */
export const BEGIN_LOCAL = `BEGIN; SET LOCAL search_path = ${SEARCH_PATH}`;

/** A session as the server knows it; the time distinguishes it from a later one with the same pid. */
export interface Backend {
  pid: number;
  startedAt: string;
}

/** A client of pg, and its connection. */
export type Client = pg.Client & { socket: Socket };

// These run before search_path is set, so every name and operator has its schema.
const BACKEND = `pg_catalog.pg_backend_pid() AS pid,
  (SELECT backend_start::pg_catalog.text
     FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) AS "startedAt"`;
/** Applies those SETTINGS that this server knows: not as start-up parameters, which poolers reject. */
const APPLY = `SELECT pg_catalog.set_config(known.name, wanted.value, false)
  FROM pg_catalog.json_each_text($1::pg_catalog.json) AS wanted (name, value)
  JOIN pg_catalog.pg_settings AS known ON known.name OPERATOR(pg_catalog.=) wanted.name`;
const APPLY_VALUES = [JSON.stringify(SETTINGS)];

/**
 * Reads which session serves this connection, and applies SETTINGS unless it is shared: in a session that is
 * lent to others they would be theirs too. One statement, because each is a round trip. A pooler shows in a
 * cancel key whose pid is not the session's. `open` opens another connection; calls `answered` for each
 * answer.
 */
export async function openSession(
  client: Client,
  open: (onAnswer: () => void) => Promise<Client>,
  answered: () => void,
): Promise<{ backend: Backend; shared: boolean }> {
  const { processID = null } = client as Client & { processID?: number | null };
  const { rows } = await client.query<Backend>(
    `SELECT ${BACKEND}, ARRAY(${APPLY}
      WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $2::pg_catalog.int4)`,
    [...APPLY_VALUES, processID],
  );
  answered();
  const backend = { pid: Number(rows[0]?.pid), startedAt: rows[0]?.startedAt ?? "" };
  const isOwn = backend.pid === processID;
  const shared = !isOwn && (await isShared(client, open, answered));
  if (!isOwn && !shared) await client.query(APPLY, APPLY_VALUES);
  return { backend, shared };
}

/**
 * Returns whether several connections share one session one after the other, as with pgbouncer's `pool_mode =
 * transaction`: a lock or a setting in the session then does not belong to this connection. It shows while a
 * second connection is in a transaction.
 */
async function isShared(
  client: Client,
  open: (onAnswer: () => void) => Promise<Client>,
  answered: () => void,
): Promise<boolean> {
  const silent = new AbortController();
  const patience = new Patience(SILENCE, () => silent.abort());
  const onAnswer = () => {
    patience.renew();
    answered();
  };
  const ask = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer;
    onAnswer();
    return value;
  };
  const pidOf = async (one: Client) => {
    const { rows } = await ask(one.query<{ pid: number }>("SELECT pg_catalog.pg_backend_pid() AS pid"));
    return rows[0]?.pid;
  };
  const opening = open(onAnswer);
  const compare = async () => {
    const other = await opening;
    other.on("error", () => {}); // its errors do not matter
    await ask(other.connect());
    const pid = await pidOf(client);
    for (let turn = 0; turn < COMPARISONS; turn += 1) {
      await ask(other.query("BEGIN"));
      if ((await pidOf(other)) === pid || (await pidOf(client)) !== pid) return true;
      await ask(other.query("COMMIT"));
      if ((await pidOf(client)) !== pid) return true;
    }
    return false;
  };
  try {
    return await abortable(compare(), silent.signal);
  } catch {
    return false; // without a second connection the lock's own proof decides
  } finally {
    patience.end();
    answered();
    const close = (other: Client) => {
      other.end().catch(() => {});
      other.socket.destroySoon();
    };
    opening.then(close).catch(() => {});
  }
}
