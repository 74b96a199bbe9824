import { once } from "node:events";
import pRetry, { AbortError } from "p-retry";
import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { type Layer, LayerFailure } from "./layer.ts";

/** Seconds that one attempt may take: a hung peer is a failed attempt. */
const ATTEMPT_SECONDS = 5;
/** Seconds between log lines while nothing changes. */
const HEARTBEAT_SECONDS = 10;

export interface Climb<T> {
  service: "postgres" | "nats";
  /** Host and port, for messages. */
  where: string;
  layers: readonly Layer[];
  /**
   * One attempt, with its own signal; says which layer it is about to try. Throws LayerFailure; anything else is a bug.
   * When the signal is aborted nobody waits for it any more: it closes what it opened.
   */
  attempt(signal: AbortSignal, trying: (layer: Layer) => void): Promise<T>;
}

export interface ClimbOptions {
  /** When to give up, as by performance.now(). */
  deadline: number;
  signal: AbortSignal;
  log: Log;
  /** Told the highest layer passed, after each attempt; undefined for none. */
  onPassed: (service: Climb<unknown>["service"], layer: Layer | undefined) => void;
}

/**
 * Repeats an attempt until it succeeds, fails for good (exit 77 or 78) or the deadline is over (exit 69). Backoff with jitter, 0.25 s to 5 s.
 * Logs when the failing layer changes, and every 10 s.
 */
export async function climb<T>(
  service: Climb<T>,
  { deadline, signal, log, onPassed }: ClimbOptions,
): Promise<T> {
  const remaining = () => Math.max(0, deadline - performance.now());
  const over = AbortSignal.timeout(Math.ceil(remaining()));
  const report = reporter(service, log);
  let last: LayerFailure | undefined;
  let reached: { ready: T } | undefined;
  const attempt = async () => {
    // The first attempt gets its full time even where there is none to wait.
    const limit = last
      ? Math.min(ATTEMPT_SECONDS * 1000, Math.max(250, remaining()))
      : ATTEMPT_SECONDS * 1000;
    let layer = service.layers[0] as Layer;
    const trying = (next: Layer) => {
      layer = next;
    };
    const time = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(limit))]);
    const hung = once(time, "abort").then(() => {
      const cause = new Error(`no answer within ${(limit / 1000).toFixed(1)} s`);
      throw new LayerFailure(layer, {
        cause,
        hint: "the server accepts but does not answer: check its log and its load",
      });
    });
    hung.catch(() => {}); // the attempt may win
    try {
      const ready = await Promise.race([service.attempt(time, trying), hung]);
      onPassed(service.service, service.layers.at(-1));
      reached = { ready };
      return ready;
    } catch (error) {
      if (signal.aborted) throw new AbortError(signal.reason);
      if (!(error instanceof LayerFailure)) throw new AbortError(error as Error);
      last = error;
      onPassed(service.service, below(service, error.layer));
      if (!error.final) report(error);
      if (error.final || remaining() === 0) throw new AbortError(error);
      throw error;
    }
  };
  try {
    return await pRetry(attempt, {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 250,
      maxTimeout: 5000,
      factor: 2,
      randomize: true,
      signal: AbortSignal.any([signal, over]),
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // The deadline may pass during an attempt that then succeeds.
    if (reached) return reached.ready;
    if (last) throw verdict(service, last);
    throw error;
  }
}

/** What the last failure means for the run, naming layer, host and port, cause and remedy. */
function verdict<T>(service: Climb<T>, failure: LayerFailure): JobError {
  const name = service.service === "postgres" ? "Postgres" : "NATS";
  const code = failure.config ? EXIT.config : failure.final ? EXIT.denied : EXIT.unavailable;
  const state = failure.final ? "cannot be used" : "was not ready in time";
  const message = `${name} at ${service.where} ${state}: ${failure.layer} failed: ${failure.message}`;
  return JobError.legacy(code, message, { layer: failure.layer, hint: failure.hint, cause: failure });
}

function below<T>({ layers }: Climb<T>, layer: Layer): Layer | undefined {
  return layers[layers.indexOf(layer) - 1];
}

function reporter<T>(service: Climb<T>, log: Log): (failure: LayerFailure) => void {
  let layer: Layer | undefined;
  let loggedAt = 0;
  return (failure) => {
    const now = performance.now();
    if (failure.layer === layer && now - loggedAt < HEARTBEAT_SECONDS * 1000) return;
    layer = failure.layer;
    loggedAt = now;
    const passed = below(service, failure.layer) ?? "none";
    const name = service.service === "postgres" ? "Postgres" : "NATS";
    log.legacy(
      "info",
      `wait.${service.service}.layer`,
      `waiting for ${name} at ${service.where}: ${failure.layer}: ${failure.message}`,
      {
        passed,
        failed: failure.layer,
        cause: failure.message,
        hint: failure.hint,
      },
    );
  };
}
