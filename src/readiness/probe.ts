import pRetry, { AbortError } from "p-retry";
import { formatMessage } from "../messages/catalog.ts";
import type { Log } from "../output/log.ts";
import { type Endpoint, firstReady, furthest, SILENCE } from "./attempt.ts";
import { type Layer, LayerFailure, type Service } from "./layer.ts";

/** Milliseconds that the first attempt gets beside its silence, even where WAIT_TIMEOUT leaves none: for several servers, and a late timer. */
const GRACE = 1000;
/** Milliseconds that an attempt under way may still take when the other service has failed for good. */
const LAST_WORD = 3000;
/** Milliseconds between log lines while nothing changes. */
const HEARTBEAT = 10_000;

/** A service, and how to become ready on each of its servers. */
export interface Probe<T> {
  service: Service;
  layers: readonly Layer[];
  endpoints: readonly Endpoint<T>[];
}

export interface ProbeOptions {
  /** When the waiting began and when to give up, as by performance.now(). */
  started: number;
  deadline: number;
  signal: AbortSignal;
  /** Aborts when the other service has failed for good: only an attempt under way is still worth its verdict. */
  enough: AbortSignal;
  log: Log;
  /** Told the highest layer passed, after each attempt; undefined for none. */
  onPassed: (service: Service, layer: Layer | undefined) => void;
}

/**
 * Repeats attempts until one succeeds, one fails for good (exit 73, 77 or 78) or the deadline is over (exit 69). Backoff with jitter,
 * 0.25 s to 5 s. The verdict is that of the attempt that got furthest with its full time. Logs when the failing layer changes, and
 * every 10 s. Throws `enough`'s reason if that came before any verdict.
 */
export async function waitUntilReady<T>(probe: Probe<T>, options: ProbeOptions): Promise<T> {
  const { started, deadline, signal, enough, onPassed } = options;
  const { service, layers } = probe;
  const remaining = () => Math.max(0, deadline - performance.now());
  const heartbeat = createHeartbeat(probe, options);
  let verdict: LayerFailure | undefined;
  let reached: { ready: T } | undefined;
  const attempt = async () => {
    // The first attempt gets its full time even where there is none to wait.
    const least = verdict ? 0 : SILENCE + GRACE;
    const end = endOfWaiting(Math.max(remaining(), least), enough);
    try {
      const onSlow = heartbeat.failed;
      const ready = await firstReady(probe.endpoints, {
        service,
        layers,
        signal,
        deadline: end.signal,
        onSlow,
      });
      onPassed(service, layers.at(-1));
      reached = { ready };
      return ready;
    } catch (error) {
      if (signal.aborted) throw new AbortError(signal.reason);
      if (!(error instanceof LayerFailure)) throw new AbortError(error as Error);
      // The other service's failure ended it, not the time to wait.
      if (!error.final && enough.aborted && end.signal.aborted) error.cutShort = true;
      verdict = error.final ? error : furthest(layers, verdict ? [verdict, error] : [error]);
      onPassed(service, below(probe, error.layer));
      if (!error.final && !error.cutShort) heartbeat.failed(error);
      if (error.final || remaining() === 0 || enough.aborted) throw new AbortError(error);
      throw error;
    } finally {
      end.cancel();
    }
  };
  const over = AbortSignal.timeout(Math.ceil(remaining()));
  try {
    return await pRetry(attempt, {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 250,
      maxTimeout: 5000,
      factor: 2,
      randomize: true,
      signal: AbortSignal.any([signal, over, enough]),
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // The deadline may pass during an attempt that then succeeds.
    if (reached) return reached.ready;
    if (enough.aborted && (!verdict || verdict.cutShort)) throw enough.reason;
    const waited = Math.round((performance.now() - started) / 1000);
    if (verdict) throw verdict.error(verdict.final ? undefined : waited);
    throw error;
  } finally {
    heartbeat.stop();
  }
}

/** Aborts after `ms` milliseconds, or a moment after `enough`. */
function endOfWaiting(ms: number, enough: AbortSignal): { signal: AbortSignal; cancel(): void } {
  const end = new AbortController();
  const timers = [setTimeout(() => end.abort(), ms)];
  const onEnough = () => timers.push(setTimeout(() => end.abort(), LAST_WORD));
  enough.addEventListener("abort", onEnough);
  return {
    signal: end.signal,
    cancel() {
      enough.removeEventListener("abort", onEnough);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function below<T>({ layers }: Probe<T>, layer: Layer): Layer | undefined {
  return layers[layers.indexOf(layer) - 1];
}

/** Logs the failing layer when it changes, and every ten seconds. */
function createHeartbeat<T>(probe: Probe<T>, { started, deadline, log }: ProbeOptions) {
  let last: LayerFailure | undefined;
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    if (!last) return;
    const { message: cause, hint } = formatMessage(last.reason, last.params, log.language);
    log.info(`wait.${probe.service}.layer`, {
      passed: below(probe, last.layer) ?? "none",
      failed: last.layer,
      reason: last.reason,
      cause,
      hint,
      waited: Math.round((performance.now() - started) / 1000),
      left: Math.max(0, Math.round((deadline - performance.now()) / 1000)),
    });
    clearInterval(timer);
    timer = setInterval(tell, HEARTBEAT);
  };
  return {
    failed(failure: LayerFailure) {
      const changed = failure.layer !== last?.layer || failure.reason !== last.reason;
      last = failure;
      if (changed) tell();
    },
    stop: () => clearInterval(timer),
  };
}
