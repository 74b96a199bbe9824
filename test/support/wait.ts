import { setTimeout as sleep } from "node:timers/promises";

/** Thrown by a check that knows that waiting will not help. */
export class GiveUp extends Error {
  override readonly name = "GiveUp";
}

/**
 * Polls until `check` gives something other than undefined or false.
 * An error of `check` counts as "not yet", except GiveUp.
 * @param what what is waited for, for the error
 * @param timeoutMs milliseconds, to end a hang; the last error of `check` is the cause
 */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 120_000,
  everyMs = 15,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
      cause = undefined;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      cause = error;
    }
    await sleep(everyMs);
  } while (Date.now() < deadline);
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause });
}
