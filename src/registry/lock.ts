import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import type { Database } from "./database.ts";

export interface LockOptions {
  /** Seconds. */
  timeout: number;
  signal: AbortSignal;
  log: Log;
  /** Useful work for the time of waiting; called once, and waited for before the lock is taken. */
  meanwhile: () => Promise<void>;
}

/**
 * Takes the bucket's advisory lock for this session (PostgreSQL: "Advisory Locks"). It ends with the connection, so a run that is
 * killed holds nobody up. Asked for again and again rather than waited for, so that a stop is heard. Throws exit 75.
 */
export async function acquireLock(db: Database, bucket: string, options: LockOptions): Promise<void> {
  const { timeout, signal, log, meanwhile } = options;
  const key = lockKey(bucket);
  const started = performance.now();
  let loggedAt = Number.NEGATIVE_INFINITY;
  let idle: Promise<void> | undefined;
  for (;;) {
    const [row] = await db.query<{ locked: boolean }>("SELECT pg_try_advisory_lock($1::bigint) AS locked", [
      key,
    ]);
    if (row?.locked) return;
    const waited = (performance.now() - started) / 1000;
    if (waited >= timeout) {
      throw JobError.legacy(
        EXIT.tryAgain,
        `another run has held the lock of bucket "${bucket}" for over ${timeout} s`,
        {
          hint: "wait until it ends, or find it: SELECT pid, application_name, client_addr FROM pg_stat_activity WHERE application_name = 'bklite-package-init'",
        },
      );
    }
    if (performance.now() - loggedAt > 10_000) {
      log.legacy("info", "lock.waiting", `another run is at work on bucket "${bucket}": waiting for it`, {
        seconds: Math.round(waited),
      });
      loggedAt = performance.now();
    }
    idle ??= meanwhile();
    await idle;
    await sleep(Math.min(100 + Math.random() * 400, Math.max(1, (timeout - waited) * 1000)), undefined, {
      signal,
    }).catch(() => {
      throw signal.reason;
    });
  }
}

/** 64 bits of the bucket's name, signed, as pg_try_advisory_lock takes them. */
function lockKey(bucket: string): string {
  return createHash("sha256").update(`bklite-package-init/${bucket}`).digest().readBigInt64BE(0).toString();
}
