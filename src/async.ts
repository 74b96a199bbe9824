import { setTimeout as sleep } from "node:timers/promises";

/** Rejects with the signal's reason as soon as it is aborted; what `promise` does then is nobody's business. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {});
    throw signal.reason;
  }
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Sleeps for `ms` milliseconds, but not through a stop: rejects with the signal's reason. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return abortable(sleep(ms), signal);
}

export interface PollOptions<T> {
  /** Whether the value is what was waited for. */
  until: (value: T) => boolean;
  /** Milliseconds before look number `turn` (1 for the second look); undefined: no further look. */
  backoff: (turn: number) => number | undefined;
  signal: AbortSignal;
}

/**
 * Looks again and again until the value is right, and returns the last value, right or not. The only polling loop of the
 * program; attempts against servers that are not up yet are p-retry's.
 */
export async function poll<T>(look: () => Promise<T>, options: PollOptions<T>): Promise<T> {
  for (let turn = 1; ; turn += 1) {
    const value = await look();
    if (options.until(value)) return value;
    const ms = options.backoff(turn);
    if (ms === undefined) return value;
    await pause(ms, options.signal);
  }
}

/** Runs one piece of work at a time, in the order in which they were given; one that fails does not keep the next from running. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const run = last.then(work);
    last = run.catch(() => undefined);
    return run;
  };
}
