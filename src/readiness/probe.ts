import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pRetry, { AbortError } from "p-retry";
import { abortable, createLineClock, createTurns, Patience } from "../async.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import { formatMessage, type Params, type ReasonId } from "../messages/catalog.ts";
import type { Log } from "../output/log.ts";
import { type Attempt, type Endpoint, LAYERS, type Layer, layerError, type Service } from "./endpoint.ts";

/** Milliseconds without an answer after which an attempt has failed. */
const SILENCE = 5000;
/** Milliseconds beyond SILENCE for the first attempt, however short WAIT_TIMEOUT is. */
const GRACE = 1000;
/** Milliseconds after which the next server is tried beside the one before. */
const STAGGER = 250;
/** Milliseconds between two reports of an attempt that goes on. */
const REPORT = 10_000;

/** How to become ready on one server of a service. */
export interface Probe<T> {
  endpoint: Endpoint;
  /**
   * Connects and checks one layer after the other. Throws JobError with its layer; any other error is a bug.
   * When the attempt's signal aborts, the result is ignored, and the probe closes what it opened.
   */
  connect(attempt: Attempt): Promise<T>;
  /** Closes what `connect` opened: another server was faster. */
  close(result: T): void;
}

export interface WaitOptions {
  /** When the waiting began and when to give up, as by performance.now(). */
  started: number;
  deadline: number;
  signal: AbortSignal;
  /** Aborts when the other service has failed for good: no further attempt is worth its verdict. */
  enough: AbortSignal;
  /** Aborts a moment after `enough`, and ends the attempt under way. */
  lastCall: AbortSignal;
  log: Log;
  /** Receives the highest layer passed, after each attempt; undefined for none. */
  onPassed: (service: Service, layer: Layer | undefined) => void;
}

/** The verdict on an attempt that ended before its full time: it says nothing about the server. */
class CutShortError extends JobError {}

/**
 * Repeats attempts until one succeeds, one fails for good (exit 73, 77 or 78) or the deadline is over (exit
 * 69). Backoff with jitter, 0.25 s to 5 s. The verdict is that of the attempt that got furthest with its full
 * time. Throws the reason of `enough` if that came before any verdict.
 */
export async function waitUntilReady<T>(probes: readonly Probe<T>[], options: WaitOptions): Promise<T> {
  const { started, deadline, signal, enough, lastCall, onPassed } = options;
  const service = (probes[0] as Probe<T>).endpoint.service;
  const layers: readonly Layer[] = LAYERS[service];
  const remaining = () => Math.max(0, deadline - performance.now());
  const reporter = createReporter(service, options);
  let verdict: JobError | undefined;
  let reached: { ready: T } | undefined;
  const attempt = async () => {
    // The first attempt gets its full time even if WAIT_TIMEOUT leaves none.
    const least = verdict ? 0 : SILENCE + GRACE;
    const over = AbortSignal.timeout(Math.ceil(Math.max(remaining(), least)));
    try {
      const ready = await firstReady(probes, {
        signal,
        deadline: AbortSignal.any([over, lastCall]),
        onSlow: reporter.report,
      });
      onPassed(service, layers.at(-1));
      reached = { ready };
      return ready;
    } catch (error) {
      if (signal.aborted) throw new AbortError(signal.reason);
      if (!(error instanceof JobError)) throw new AbortError(error as Error);
      const final = isFinal(error);
      verdict = final ? error : furthestFailure(verdict ? [verdict, error] : [error]);
      onPassed(service, layerBelow(service, error));
      if (!final && !(error instanceof CutShortError)) reporter.report(error);
      if (final || remaining() === 0 || enough.aborted) throw new AbortError(error);
      throw error;
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
    signal.throwIfAborted();
    // The deadline may pass during an attempt that then succeeds.
    if (reached) return reached.ready;
    if (enough.aborted && (!verdict || verdict instanceof CutShortError)) throw enough.reason;
    if (!verdict) throw error;
    if (isFinal(verdict)) throw verdict;
    const waited = Math.round((performance.now() - started) / 1000);
    throw new JobError(
      verdict.reason,
      { ...(verdict.params as object), waited } as Params<ReasonId>,
      verdict,
    );
  } finally {
    reporter.stop();
  }
}

/** Returns whether waiting cannot help: a refused password, a certificate, a missing privilege, a setting. */
function isFinal(error: JobError): boolean {
  return error.code !== EXIT.unavailable;
}

function layerBelow(service: Service, { layer }: JobError): Layer | undefined {
  const layers: readonly Layer[] = LAYERS[service];
  return layers[layers.indexOf(layer as Layer) - 1];
}

/** Logs the failing layer when it changes, and every ten seconds. */
function createReporter(service: Service, { started, deadline, log }: WaitOptions) {
  const isDue = createLineClock();
  let last: JobError | undefined;
  let line = 0;
  const report = (failure: JobError) => {
    last = failure;
    if (!isDue(`${failure.layer} ${failure.reason}`)) return;
    line += 1;
    const { message: cause, hint } = formatMessage(failure.reason, failure.params, log.language);
    log.info(`wait.${service}.layer`, {
      passed: layerBelow(service, failure) ?? "none",
      failed: failure.layer as Layer,
      reason: failure.reason,
      cause,
      hint,
      waited: Math.round((performance.now() - started) / 1000),
      left: Math.max(0, Math.round((deadline - performance.now()) / 1000)),
      line,
    });
  };
  const timer = setInterval(() => last && report(last), 1000);
  return { report, stop: () => clearInterval(timer) };
}

interface AttemptOptions {
  signal: AbortSignal;
  /** Aborts when the waiting is over, with a TimeoutError unless the other service's failure ends it. */
  deadline: AbortSignal;
  /** Receives, every 10 s, what to say of an attempt that goes on slowly. */
  onSlow: (pace: JobError) => void;
}

/**
 * Tries every server, each a moment after the one before or as soon as that has failed, so that a hung server
 * hides no healthy one. The first that is ready wins, and the others are closed. Throws the failure that got
 * furthest.
 */
async function firstReady<T>(probes: readonly Probe<T>[], options: AttemptOptions): Promise<T> {
  const won = new AbortController();
  const signal = AbortSignal.any([options.signal, won.signal]);
  const takeTurn = createTurns();
  let previous: Promise<unknown> = Promise.resolve();
  const attempts = probes.map((probe) => {
    const mine = previous.then(() => tryOne(probe, takeTurn, { ...options, signal }));
    const later = previous.then(() => sleep(STAGGER, undefined, { ref: false }));
    previous = Promise.race([later, mine.catch(() => {})]);
    return mine.then((result) => {
      if (won.signal.aborted) probe.close(result);
      won.abort();
      return result;
    });
  });
  try {
    return await Promise.any(attempts);
  } catch (error) {
    options.signal.throwIfAborted();
    const { errors } = error as AggregateError;
    throw errors.find((one) => !(one instanceof JobError)) ?? furthestFailure(errors);
  }
}

/** Returns the failure that got furthest, of equals the last; one that was cut short says nothing. */
function furthestFailure(failures: readonly JobError[]): JobError {
  const layers: readonly Layer[] = [...LAYERS.postgres, ...LAYERS.nats];
  const depth = (one: JobError) => (one instanceof CutShortError ? -1 : layers.indexOf(one.layer as Layer));
  return failures.reduce((best, one) => (depth(one) >= depth(best) ? one : best));
}

/** Tries one server until it is ready, has failed, has been silent for too long, or the waiting is over. */
async function tryOne<T>(
  probe: Probe<T>,
  takeTurn: Attempt["inTurn"],
  { signal, deadline, onSlow }: AttemptOptions,
): Promise<T> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const progress = new Progress(probe.endpoint);
  const startPatience = () => new Patience(SILENCE, () => stop.abort(progress.afterSilence()));
  let patience = startPatience();
  const reports = setInterval(() => onSlow(progress.pace()), REPORT);
  // One more turn of the event loop: if it was blocked, an answer may lie in the socket.
  const onDeadline = () => setImmediate(() => stop.abort(progress.atDeadline(deadline.reason)));
  const onAbort = () => stop.abort(signal.reason);
  deadline.addEventListener("abort", onDeadline);
  signal.addEventListener("abort", onAbort);
  if (deadline.aborted) onDeadline();
  const answered = () => {
    progress.answered();
    patience.renew();
  };
  const connecting = probe.connect({
    signal: stop.signal,
    enter(layer) {
      answered();
      progress.layer = layer;
    },
    answered,
    watch: (socket) => progress.watch(socket),
    inTurn(work) {
      // The wait for another server does not count as silence of this one.
      patience.end();
      return takeTurn(() => {
        stop.signal.throwIfAborted();
        patience = startPatience();
        return work();
      });
    },
  });
  // If the attempt was given up, what it opens later has to be closed.
  connecting.then((result) => stop.signal.aborted && probe.close(result)).catch(() => {});
  try {
    return await abortable(connecting, stop.signal);
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    patience.end();
    clearInterval(reports);
    deadline.removeEventListener("abort", onDeadline);
    signal.removeEventListener("abort", onAbort);
  }
}

/** How far an attempt has come, and how fast. */
class Progress {
  layer: Layer = "dns";
  readonly #endpoint: Endpoint;
  readonly #began = performance.now();
  #last = this.#began;
  #slowest = 0;
  #socket: Socket | undefined;
  #bytes = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  answered(): void {
    this.#slowest = Math.max(this.#slowest, performance.now() - this.#last);
    this.#last = performance.now();
    this.#bytes = this.#socket?.bytesRead ?? 0;
  }

  watch(socket: Socket | undefined): void {
    this.#socket = socket;
    this.#bytes = 0;
  }

  /** Returns the error of a slow server: `seconds` for a round trip, or for an answer that is not whole. */
  pace(seconds = tenths(this.#slowest), whole = true): JobError {
    const { service, where } = this.#endpoint;
    return layerError(this.layer, `${service}.slow`, { where, seconds, whole });
  }

  /** Returns the error of a server that gave no whole answer for SILENCE. */
  afterSilence(): JobError {
    const seconds = SILENCE / 1000;
    // Bytes of an unfinished answer: the server is alive.
    const unfinished = (this.#socket?.bytesRead ?? 0) > this.#bytes;
    return unfinished ? this.pace(seconds, false) : this.#silent(seconds);
  }

  /** Returns the verdict at the deadline: slow if answers came for most of its full time, else cut short. */
  atDeadline({ name }: Error): JobError {
    const now = performance.now();
    const [whole, quiet] = [now - this.#began, now - this.#last];
    if (name === "TimeoutError" && whole >= SILENCE && quiet < whole / 2) return this.pace();
    const failure = this.#silent(tenths(quiet));
    return new CutShortError(failure.reason, failure.params, failure);
  }

  #silent(seconds: number): JobError {
    const { service, where } = this.#endpoint;
    const { layer } = this;
    const said = `no answer from the name server in ${seconds} s`;
    if (layer === "dns") return layerError(layer, `${service}.dns`, { where, said });
    if (layer === "tcp" || layer === "tls" || layer === "login")
      return layerError(layer, `${service}.${layer}.silent`, { where, seconds });
    const reason = service === "nats" ? "nats.jetstream.silent" : "postgres.database.silent";
    return layerError(layer, reason, { where, seconds });
  }
}

/** Converts milliseconds to seconds with one decimal. */
const tenths = (ms: number) => Math.round(ms / 100) / 10;
