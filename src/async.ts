import { setTimeout as sleep } from "node:timers/promises";

/**
 * Rejects with the signal's reason as soon as it aborts; a later result or rejection of `promise` is ignored.
 */
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

/** Sleeps for `ms` milliseconds. Rejects with the signal's reason if it aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return abortable(sleep(ms), signal);
}

/** Milliseconds between two times that Patience reads the clock. */
const TICK = 250;

/**
 * Calls `over` after `ms` milliseconds in which an answer could have arrived. A late tick counts as two at
 * most: the event loop was blocked, or the machine was busy, and an answer may be in the socket.
 */
export class Patience {
  readonly #timer: NodeJS.Timeout;
  #spent = 0;

  constructor(ms: number, over: () => void) {
    const tick = Math.min(TICK, ms / 4);
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#spent += Math.min(now - last, 2 * tick);
      last = now;
      if (this.#spent < ms) return;
      this.end();
      over();
    }, tick);
  }

  /** Starts again: there was an answer. */
  renew(): void {
    this.#spent = 0;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

interface PollOptions<T> {
  /** Whether the value is the expected one. */
  until: (value: T) => boolean;
  /** Milliseconds before the next read, after `turn` reads; undefined: stop. */
  backoff: (turn: number) => number | undefined;
  signal: AbortSignal;
}

/**
 * Reads a value until it is right, and returns the last value, right or not. The only polling loop of the
 * program; p-retry repeats attempts against servers that are not up yet.
 */
export async function poll<T>(read: () => Promise<T>, options: PollOptions<T>): Promise<T> {
  for (let turn = 1; ; turn += 1) {
    const value = await read();
    if (options.until(value)) return value;
    const ms = options.backoff(turn);
    if (ms === undefined) return value;
    await pause(ms, options.signal);
  }
}

/** Returns a backoff of `ms` milliseconds that ends with one read at `deadline` (of performance.now()). */
export function until(deadline: number, ms: number): () => number | undefined {
  return () => {
    const left = deadline - performance.now();
    return left > 0 ? Math.min(ms, left) : undefined;
  };
}

/** Returns the seconds since `started` (of performance.now()), and those that are left of `timeout`. */
export function waited(started: number, timeout: number): { seconds: number; left: number } {
  const seconds = Math.round((performance.now() - started) / 1000);
  return { seconds, left: Math.max(0, Math.round(timeout - seconds)) };
}

/** Milliseconds between two log lines while nothing changes. */
const LINE = 10_000;

/**
 * Returns a function that says whether a log line about a wait is due: it changed, or the last one is 10 s
 * old.
 */
export function createLineClock(): (now: string) => boolean {
  let last = "";
  let lastAt = Number.NEGATIVE_INFINITY;
  return (now) => {
    if (now === last && performance.now() - lastAt < LINE) return false;
    last = now;
    lastAt = performance.now();
    return true;
  };
}

/** Runs one piece of work at a time, in the order of the calls; the next one runs even if one fails. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}

/**
 * Does the work for each item, in their order, for at most `limit` at the same time. After a failure it
 * starts no more, waits for those that run, and throws the first failure.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const failures: unknown[] = [];
  const lane = async () => {
    // one iterator for all lanes: each gets the next item
    for (const item of left) {
      if (failures.length > 0) return;
      await work(item).catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}
