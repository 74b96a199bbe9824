import type pg from "pg";

/** Milliseconds for each step of finding out whether a pooler shares the session. */
const PROBE_TIMEOUT = 3000;
/** A pool lends the session that was given back last, so one look mostly tells; each further one is for whoever came in between. */
const LOOKS = 6;
/** Milliseconds; longer than any statement of ours takes, shorter than what it is given up after. */
const STATEMENT_TIMEOUT = 25_000;

/**
 * What this session asks of the server, whatever its defaults: not to be ended for its silence during an upload, and to be noticed soon
 * when its line is gone. Seconds and milliseconds as PostgreSQL's "Client Connection Defaults" and "Connections" have them.
 */
const SETTINGS = {
  lock_timeout: String(STATEMENT_TIMEOUT),
  statement_timeout: String(STATEMENT_TIMEOUT),
  idle_session_timeout: "0",
  idle_in_transaction_session_timeout: "60000",
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
  tcp_user_timeout: "30000",
};

/**
 * Where names without a schema are looked up: the server's own catalog and nothing else. A search_path of the role or of the database
 * may put another schema before it, with a now() or pg_locks of its own. The packages' table is always named with its schema.
 */
const SEARCH_PATH = "pg_catalog, pg_temp";

/** Begins a transaction with that path: for a session that others are lent, where nothing may stay set. */
export const BEGIN_LOCAL = `BEGIN; SET LOCAL search_path = ${SEARCH_PATH}`;

/** A session as the server knows it; the time tells it from a later one with the same pid. */
export interface Backend {
  pid: number;
  startedAt: string;
}

/** Which session serves this connection now. */
export async function readBackend(client: pg.Client): Promise<Backend> {
  const { rows } = await client.query<Backend>(
    // before the search_path is set, so each name has its schema
    `SELECT pg_catalog.pg_backend_pid() AS pid, backend_start::pg_catalog.text AS "startedAt"
       FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())`,
  );
  return { pid: Number(rows[0]?.pid), startedAt: rows[0]?.startedAt ?? "" };
}

/**
 * Whether several connections take turns on one session, as with pgbouncer's `pool_mode = transaction`: what a session holds (a
 * lock, a setting) is then not ours. A pooler gives itself away by a cancel key whose pid is not the session's; whether it shares
 * sessions shows when a second connection is busy. Others may come in between, so it is looked at several times.
 */
export async function isShared(client: pg.Client, open: () => pg.Client): Promise<boolean> {
  const { pid } = await readBackend(client);
  if ((client as pg.Client & { processID?: number | null }).processID === pid) return false;
  const other = open();
  other.on("error", () => {}); // it is only looked through
  try {
    await other.connect();
    const moved = async () => (await readBackend(client)).pid !== pid;
    for (let look = 0; look < LOOKS; look += 1) {
      await other.query("BEGIN");
      if ((await readBackend(other)).pid === pid || (await moved())) return true;
      await other.query("COMMIT");
      if (await moved()) return true;
    }
    return false;
  } catch {
    return false; // no second connection to be had: the lock's own proof decides
  } finally {
    other.end().catch(() => {});
  }
}

/** Milliseconds that the second connection may take. */
export const PROBE_LIMITS = { connectionTimeoutMillis: PROBE_TIMEOUT, query_timeout: PROBE_TIMEOUT };

/** Sets the search_path, and what of SETTINGS this server knows: not as start-up parameters, which poolers refuse. One round trip. */
export async function keepSession(client: pg.Client): Promise<void> {
  const wanted = Object.entries(SETTINGS).map(([name, value]) => `('${name}', '${value}')`);
  await client.query(
    `SET search_path = ${SEARCH_PATH};
     SELECT set_config(name, wanted.value, false)
       FROM (VALUES ${wanted.join(", ")}) AS wanted (name, value) JOIN pg_settings USING (name)`,
  );
}

type Query = <R extends pg.QueryResultRow>(sql: string, values?: unknown[]) => Promise<R[]>;

/** Ends a session of ours that was lost: it may hold the lock until the server notices that nobody is there. */
export async function endSession({ query }: { query: Query }, { pid, startedAt }: Backend): Promise<void> {
  await query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
    [pid, startedAt],
  );
}
