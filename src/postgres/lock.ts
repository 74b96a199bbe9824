import { createHash } from "node:crypto";
import { createLineClock, poll, until } from "../async.ts";
import { JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import type { Database } from "./database.ts";

/** Milliseconds between two attempts to take the lock. */
const POLL = 300;
/** Milliseconds between two proofs, which also keep the connection from being dropped as idle. */
const WATCH = 3000;
/** Milliseconds for the answer to a proof: a server on a busy machine may take seconds. */
const PROOF_TIMEOUT = 15_000;
/** Statements after which a pool has lent each of its sessions. */
const TURNS = 50;

interface LockOptions {
  /** Seconds. */
  timeout: number;
  signal: AbortSignal;
  log: Log;
  /** Useful work for the time of waiting; called once, and awaited before the lock is taken. */
  meanwhile: () => Promise<void>;
}

/** The bucket's advisory lock, held by this session, and watched. */
export interface Lock {
  /** Aborted, with the reason, when the lock turns out to be no longer held. */
  readonly lost: AbortSignal;
  /** When it was taken, by performance.now(): an earlier holder proved its lock before that. */
  readonly acquiredAt: number;
  /** Proves that this session holds it. Throws retryable `lock.lost`, or exit 78 behind a shared session. */
  prove(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the bucket's advisory lock for this session (PostgreSQL: "Advisory Locks"). It ends with the session,
 * so a run that is killed blocks no other. Polls instead of waiting in the server, so that a stop is noticed.
 * Throws exit 75, and 78 if the session is shared, so that a lock in it could not be relied on.
 */
export async function acquireLock(db: Database, bucket: string, options: LockOptions): Promise<Lock> {
  if (db.shared) throw new JobError("lock.pooled", {});
  const { timeout, signal, log, meanwhile } = options;
  const key = lockKey(bucket);
  const deadline = performance.now() + timeout * 1000;
  const isDue = createLineClock();
  let work: Promise<void> | undefined;
  let pid = 0;
  const tryLock = async () => {
    const [row] = await db.query<{ locked: boolean; pid: number }>(
      "SELECT pg_try_advisory_lock($1::bigint) AS locked, pg_backend_pid() AS pid",
      [key],
      { about: "lock" },
    );
    pid = row?.pid ?? 0;
    if (row?.locked) return true;
    if (isDue("held")) {
      const left = Math.max(0, Math.round((deadline - performance.now()) / 1000));
      const seconds = Math.max(0, Math.round(timeout - left));
      log.info("lock.waiting", { bucket, ...(await readHolder(db, key)), seconds, left });
    }
    work ??= meanwhile();
    await work;
    return false;
  };
  const taken = await poll(tryLock, { until: (locked) => locked, backoff: until(deadline, POLL), signal });
  if (!taken) throw new JobError("lock.held", { bucket, ...(await readHolder(db, key)), waited: timeout });
  const acquiredAt = performance.now();
  const lost = new AbortController();
  const prove = () => proveHeld(db, key, lost.signal);
  await prove().catch(async (error) => {
    if (pid !== db.backend.pid) await releaseElsewhere(db, key, pid);
    throw error;
  });
  // While a statement is under way the connection is not idle, and that statement would fail.
  const watch = () => db.busy() || prove().catch((error) => lost.abort(error));
  const timer = setInterval(watch, WATCH);
  return {
    lost: lost.signal,
    acquiredAt,
    prove,
    async release() {
      clearInterval(timer);
      if (lost.signal.aborted || db.lost.aborted) return;
      const unlock = "SELECT pg_advisory_unlock($1::bigint)";
      await db.query(unlock, [key], { timeout: PROOF_TIMEOUT }).catch(() => {});
    },
  };
}

async function proveHeld(db: Database, key: string, lost: AbortSignal): Promise<void> {
  lost.throwIfAborted();
  const [row] = await db.query<{ pid: number; held: boolean }>(
    `SELECT pg_backend_pid() AS pid, EXISTS (${HOLDERS} AND pid = pg_backend_pid()) AS held`,
    [key],
    { timeout: PROOF_TIMEOUT, about: "lock" },
  );
  if (row?.pid !== db.backend.pid) throw new JobError("lock.pooled", {});
  if (!row.held) throw new JobError("lock.lost", {}, { retryable: true });
}

/** Releases a lock that a pooler took in a session that it lends to others. */
async function releaseElsewhere(db: Database, key: string, pid: number): Promise<void> {
  const unlock = "SELECT pg_backend_pid() = $2 AND pg_advisory_unlock($1::bigint) AS released";
  for (let turn = 0; turn < TURNS; turn += 1) {
    const [row] = await db.query<{ released: boolean }>(unlock, [key, pid]);
    if (row?.released) return;
  }
  // The pool opens another session in its place.
  await db.query(`SELECT pg_terminate_backend(pid) FROM (${HOLDERS}) AS held WHERE pid = $2`, [key, pid]);
}

/** Rows of pg_locks for a key: a bigint is stored there as two halves (PostgreSQL: "pg_locks"). */
const HOLDERS = `SELECT pid FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = (($1::bigint >> 32) & 4294967295)::oid AND objid = ($1::bigint & 4294967295)::oid`;

/** Returns whether any session holds the bucket's lock now; does not take it. */
export async function isLockHeld(db: Database, bucket: string): Promise<boolean> {
  const [row] = await db.query<{ held: boolean }>(`SELECT EXISTS (${HOLDERS}) AS held`, [lockKey(bucket)]);
  return row?.held === true;
}

/** Returns the lock's holder: pid (0: it is gone by now), client, age in seconds. */
async function readHolder(db: Database, key: string) {
  const [row] = await db.query<{ pid: number; client: string | null; age: number | null }>(
    `SELECT held.pid, coalesce(host(client_addr), application_name) AS client,
            extract(epoch FROM now() - backend_start)::int AS age
       FROM (${HOLDERS}) AS held LEFT JOIN pg_stat_activity USING (pid) LIMIT 1`,
    [key],
  );
  return { pid: row?.pid ?? 0, client: row?.client || "?", age: row?.age ?? 0 };
}

/** Returns 64 bits of the bucket's name, signed, as pg_try_advisory_lock accepts them. */
function lockKey(bucket: string): string {
  return createHash("sha256").update(`bklite-package-init/${bucket}`).digest().readBigInt64BE(0).toString();
}
