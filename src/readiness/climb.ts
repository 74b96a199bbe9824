import pRetry, { AbortError } from "p-retry";
import type { Log } from "../output/log.ts";
import { say } from "../reasons/catalog.ts";
import { type Layer, LayerFailure, type Service } from "./layer.ts";
import { furthest, race, type Way } from "./race.ts";

/** Seconds that one attempt may take: a hung peer is a failed attempt. */
const ATTEMPT_SECONDS = 5;
/** Seconds between log lines while nothing changes. */
const HEARTBEAT_SECONDS = 10;

/** A service, and the ways up to each of its servers. */
export interface Climb<T> {
  service: Service;
  layers: readonly Layer[];
  ways: readonly Way<T>[];
}

export interface ClimbOptions {
  /** When the waiting began and when to give up, as by performance.now(). */
  started: number;
  deadline: number;
  signal: AbortSignal;
  log: Log;
  /** Told the highest layer passed, after each attempt; undefined for none. */
  onPassed: (service: Service, layer: Layer | undefined) => void;
}

/**
 * Repeats an attempt until it succeeds, fails for good (exit 73, 77 or 78) or the deadline is over (exit 69). Backoff with jitter,
 * 0.25 s to 5 s. The verdict is that of the attempt that got furthest with its full time. Logs when the failing layer changes, and every 10 s.
 */
export async function climb<T>(service: Climb<T>, options: ClimbOptions): Promise<T> {
  const { deadline, signal, onPassed } = options;
  const { layers, ways } = service;
  const remaining = () => Math.max(0, deadline - performance.now());
  const over = AbortSignal.timeout(Math.ceil(remaining()));
  const watch = watchman(service, options);
  let truest: LayerFailure | undefined;
  let reached: { ready: T } | undefined;
  const attempt = async () => {
    const full = ATTEMPT_SECONDS * 1000;
    // The first attempt gets its full time even where there is none to wait.
    const limit = truest ? Math.min(full, Math.max(50, remaining())) : full;
    try {
      const ready = await race(ways, { layers, limit, cut: limit < full, signal });
      onPassed(service.service, layers.at(-1));
      reached = { ready };
      return ready;
    } catch (error) {
      if (signal.aborted) throw new AbortError(signal.reason);
      if (!(error instanceof LayerFailure)) throw new AbortError(error as Error);
      truest = furthest(layers, truest ? [truest, error] : [error]);
      onPassed(service.service, below(service, error.layer));
      if (!error.final && !error.cutShort) watch.failed(error);
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
    if (error instanceof LayerFailure && error.final) throw error.error(undefined);
    if (truest) throw truest.error(Math.round((performance.now() - options.started) / 1000));
    throw error;
  } finally {
    watch.stop();
  }
}

function below<T>({ layers }: Climb<T>, layer: Layer): Layer | undefined {
  return layers[layers.indexOf(layer) - 1];
}

/** Logs the failing layer when it changes, and every ten seconds. */
function watchman<T>(service: Climb<T>, { started, deadline, log }: ClimbOptions) {
  let last: LayerFailure | undefined;
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    if (!last) return;
    const { message: cause, hint } = say(last.reason, last.params, log.language);
    log.info(`wait.${service.service}.layer`, {
      passed: below(service, last.layer) ?? "none",
      failed: last.layer,
      reason: last.reason,
      cause,
      hint,
      waited: Math.round((performance.now() - started) / 1000),
      left: Math.max(0, Math.round((deadline - performance.now()) / 1000)),
    });
    clearInterval(timer);
    timer = setInterval(tell, HEARTBEAT_SECONDS * 1000);
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
