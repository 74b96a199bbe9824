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

/** Milliseconds between two looks of Patience at the clock. */
const TICK = 250;

/**
 * Calls `over` after `ms` milliseconds in which an answer could have been heard. A look that comes late counts as two at most:
 * the event loop was blocked, or the machine was busy, and an answer may lie in the socket.
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

  /** Begins again: there was an answer. */
  renew(): void {
    this.#spent = 0;
  }

  end(): void {
    clearInterval(this.#timer);
  }
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

/** Returns a backoff of `ms` milliseconds that ends with one look at `deadline` (as by performance.now()). */
export function until(deadline: number, ms: number): () => number | undefined {
  return () => {
    const left = deadline - performance.now();
    return left > 0 ? Math.min(ms, left) : undefined;
  };
}

/** Milliseconds between two log lines while nothing changes. */
const LINE = 10_000;

/** Returns whether a log line of what is waited for is due: it has changed, or the last one is 10 s ago. */
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

/** Runs one piece of work at a time, in the order in which they were given; one that fails does not keep the next from running. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}

/**
 * Does the work for each item, in their order, for at most `limit` of them at the same time. Ends when all have ended that were begun;
 * after a failure no more are, and the first one is thrown.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const failures: unknown[] = [];
  const lane = async () => {
    // one iterator for all lanes: each takes the next item
    for (const item of left) {
      if (failures.length > 0) return;
      await work(item).catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}
