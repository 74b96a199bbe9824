import { createHash } from "node:crypto";
import { poll } from "../async.ts";
import { JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { askCatalog, catalogError, type Database } from "./database.ts";

/** Milliseconds between two proofs: also what keeps the line from being forgotten as idle. */
const WATCH = 3000;
/** Milliseconds for the answer to a proof, then the line counts as lost: a server on a busy machine may take seconds. */
const PROOF_TIMEOUT = 15_000;
const LINE = 10_000;
/** Statements after which a pool's sessions have all had their turn. */
const TURNS = 50;

/** The session holds the lock no more: somebody else may be at work. Start again, from taking it. */
export class LockLostError extends JobError<"lock.lost"> {
  override readonly name = "LockLostError";
  override readonly retryable = true;

  constructor() {
    super("lock.lost", {});
  }
}

export interface LockOptions {
  /** Seconds. */
  timeout: number;
  signal: AbortSignal;
  log: Log;
  /** Useful work for the time of waiting; called once, and waited for before the lock is taken. */
  meanwhile: () => Promise<void>;
}

/** The bucket's advisory lock, held by this session, and watched. */
export interface Lock {
  /** Aborted, with the reason, when it turns out not to be held any more. */
  readonly lost: AbortSignal;
  /** When it was taken, as by performance.now(): whatever an earlier holder had under way, it proved its lock before that. */
  readonly acquiredAt: number;
  /** Proves that this session holds it now. Throws LockLostError, DatabaseLostError, or exit 78 where a pooler shares the session. */
  prove(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the bucket's advisory lock for this session (PostgreSQL: "Advisory Locks"). It ends with the session, so a run that is
 * killed holds nobody up. Asked for again and again rather than waited for, so that a stop is heard. Throws exit 75, and 78 where
 * the session is shared so that no lock of it could be relied on.
 */
export async function acquireLock(db: Database, bucket: string, options: LockOptions): Promise<Lock> {
  if (db.shared) throw new JobError("lock.pooled", {});
  const key = lockKey(bucket);
  const started = performance.now();
  const waited = () => (performance.now() - started) / 1000;
  let toldAt = Number.NEGATIVE_INFINITY;
  let idle: Promise<void> | undefined;
  let pid = 0;
  const ask = async () => {
    const [row] = await askCatalog<{ locked: boolean; pid: number }>(
      db,
      "lock",
      "SELECT pg_try_advisory_lock($1::bigint) AS locked, pg_backend_pid() AS pid",
      [key],
    );
    pid = row?.pid ?? 0;
    if (row?.locked) return true;
    if (performance.now() - toldAt > LINE) {
      toldAt = performance.now();
      const seconds = Math.round(waited());
      const left = Math.max(0, Math.round(options.timeout - waited()));
      options.log.info("lock.waiting", { bucket, ...(await readHolder(db, key)), seconds, left });
    }
    idle ??= options.meanwhile();
    await idle;
    return false;
  };
  const taken = await poll(ask, {
    until: (locked) => locked,
    backoff: () => {
      const left = (options.timeout - waited()) * 1000;
      return left > 0 ? Math.min(100 + Math.random() * 400, Math.max(1, left)) : undefined;
    },
    signal: options.signal,
  });
  if (!taken) {
    throw new JobError("lock.held", { bucket, ...(await readHolder(db, key)), waited: options.timeout });
  }
  const lock = new HeldLock(db, key);
  try {
    await lock.prove();
  } catch (error) {
    if (pid !== db.backend.pid) await releaseElsewhere(db, key, pid);
    throw error;
  }
  lock.watch();
  return lock;
}

/** A pooler had the lock taken in a session that others are lent: it must not stay there. */
async function releaseElsewhere(db: Database, key: string, pid: number): Promise<void> {
  const unlock = "SELECT pg_backend_pid() = $2 AND pg_advisory_unlock($1::bigint) AS released";
  for (let turn = 0; turn < TURNS; turn += 1) {
    const [row] = await db.query<{ released: boolean }>(unlock, [key, pid]);
    if (row?.released) return;
  }
  // The pool opens another in its place.
  await db.query(`SELECT pg_terminate_backend(pid) FROM (${HOLDERS}) AS held WHERE pid = $2`, [key, pid]);
}

class HeldLock implements Lock {
  readonly #db: Database;
  readonly #key: string;
  readonly #lost = new AbortController();
  readonly acquiredAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Database, key: string) {
    this.#db = db;
    this.#key = key;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async prove(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const [row] = await this.#db
      .query<{ pid: number; held: boolean }>(
        `SELECT pg_backend_pid() AS pid, EXISTS (${HOLDERS} AND pid = pg_backend_pid()) AS held`,
        [this.#key],
        PROOF_TIMEOUT,
      )
      .catch(async (error) => {
        throw await catalogError(this.#db, "lock", error);
      });
    if (row?.pid !== this.#db.backend.pid) throw new JobError("lock.pooled", {});
    if (!row.held) throw new LockLostError();
  }

  /** Proves it every few seconds; while a statement is under way the line is not idle, and that one's failure is heard. */
  watch(): void {
    this.#timer = setInterval(() => {
      if (this.#db.busy()) return;
      this.prove().catch((error) => this.#lost.abort(error));
    }, WATCH);
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#lost.signal.aborted || this.#db.lost.aborted) return;
    await this.#db.query("SELECT pg_advisory_unlock($1::bigint)", [this.#key], PROOF_TIMEOUT).catch(() => {});
  }
}

/** Rows of pg_locks for a key: a bigint is kept there as two halves (PostgreSQL: "pg_locks"). */
const HOLDERS = `SELECT pid FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = (($1::bigint >> 32) & 4294967295)::oid AND objid = ($1::bigint & 4294967295)::oid`;

/** Whether any session holds the bucket's lock now; takes nothing. */
export async function isLockHeld(db: Database, bucket: string): Promise<boolean> {
  const [row] = await db.query<{ held: boolean }>(`SELECT EXISTS (${HOLDERS}) AS held`, [lockKey(bucket)]);
  return row?.held === true;
}

export interface Holder {
  /** 0: it is gone by now. */
  pid: number;
  /** Address of its client, or what the server lets us see of it. */
  client: string;
  /** Seconds since its session began. */
  age: number;
}

async function readHolder(db: Database, key: string): Promise<Holder> {
  const [row] = await db.query<{ pid: number; client: string | null; age: number | null }>(
    `SELECT held.pid, coalesce(host(client_addr), application_name) AS client,
            extract(epoch FROM now() - backend_start)::int AS age
       FROM (${HOLDERS}) AS held LEFT JOIN pg_stat_activity USING (pid) LIMIT 1`,
    [key],
  );
  return { pid: row?.pid ?? 0, client: row?.client || "?", age: row?.age ?? 0 };
}

/** 64 bits of the bucket's name, signed, as pg_try_advisory_lock takes them. */
function lockKey(bucket: string): string {
  return createHash("sha256").update(`bklite-package-init/${bucket}`).digest().readBigInt64BE(0).toString();
}
