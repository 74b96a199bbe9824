/**
 * readiness/: whether Postgres and NATS can really be used, layer by layer, until a deadline, and the verdict where they cannot.
 * Changes nothing but a bucket that is missing.
 */
import type { Socket } from "node:net";
import pRetry, { AbortError } from "p-retry";
import { Patience } from "../async.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import { exitOf, formatMessage, type Params, type ReasonId } from "../messages/catalog.ts";
import type { Log } from "../output/log.ts";

export const POSTGRES_LAYERS = ["dns", "tcp", "tls", "login", "database", "table", "privileges"] as const;
export const NATS_LAYERS = ["dns", "tcp", "tls", "login", "jetstream", "bucket"] as const;
export type Layer = (typeof POSTGRES_LAYERS)[number] | (typeof NATS_LAYERS)[number];
export type Service = "postgres" | "nats";

/** One attempt to become ready failed at `layer`, for a reason of the catalog. */
export class LayerFailure extends Error {
  override readonly name = "LayerFailure";
  readonly layer: Layer;
  readonly reason: ReasonId;
  readonly params: unknown;
  /** It had less than its full time when the deadline came: it says nothing about the server. */
  cutShort = false;

  /** Service, host and port, where the parameters do not name it. */
  readonly server: string | undefined;

  private constructor(layer: Layer, reason: ReasonId, params: unknown, cause: unknown, server?: string) {
    super(reason, { cause });
    this.server = server;
    this.layer = layer;
    this.reason = reason;
    this.params = params;
  }

  static of<Id extends ReasonId>(
    layer: Layer,
    reason: Id,
    params: Params<Id>,
    cause?: unknown,
  ): LayerFailure {
    return new LayerFailure(layer, reason, params, cause);
  }

  /** An error that another room has given its reason already. */
  static from(layer: Layer, error: JobError, server: string): LayerFailure {
    return new LayerFailure(layer, error.reason, error.params, error, server);
  }

  /** Waiting cannot mend it: a refused password, a certificate, a missing privilege, a setting. */
  get final(): boolean {
    return exitOf(this.reason) !== EXIT.unavailable;
  }

  /** What it means for the run. `waited`: seconds until the waiting was given up. */
  error(waited: number | undefined): JobError {
    const params = { ...(this.params as object), ...(waited !== undefined && { waited }) };
    const { layer, server } = this;
    return new JobError(this.reason, params as Params<ReasonId>, { layer, server, cause: this });
  }
}

/** What it means that a server has said nothing for `seconds`, by the layer that it is silent in. */
export function silent(service: Service, where: string, layer: Layer, seconds: number): LayerFailure {
  if (layer === "dns") {
    const said = `no answer from the name server in ${seconds} s`;
    return LayerFailure.of(layer, `${service}.dns`, { where, said });
  }
  if (layer === "tcp" || layer === "tls" || layer === "login")
    return LayerFailure.of(layer, `${service}.${layer}.silent`, { where, seconds });
  const reason = service === "nats" ? "nats.jetstream.silent" : "postgres.database.silent";
  return LayerFailure.of(layer, reason, { where, seconds });
}

/** How slow a server is. */
interface Pace {
  /** For a round trip; where an answer is not whole, since it began. */
  seconds: number;
  /** Whether its answers came whole. */
  whole: boolean;
}

/** What it means that a server answers, but slowly. */
export function slow(service: Service, where: string, layer: Layer, pace: Pace): LayerFailure {
  return LayerFailure.of(layer, `${service}.slow`, { where, ...pace });
}

/** An error in one line, in the words of whoever raised it. */
export function words(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // Node's happy eyeballs: one error for each address that was tried.
    return [...new Set(error.errors.map(words))].join(", ");
  }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    const text = error.message.trim() || error.name; // OpenSSL ends its own with a line feed
    return code && !text.includes(code) && /^E[A-Z_]+$/.test(code) ? `${code}: ${text}` : text;
  }
  return String(error);
}

/** Milliseconds without an answer after which an attempt has failed. */
export const SILENCE = 5000;
/** Milliseconds after which the next server is tried beside the one before. */
const STAGGER = 250;
/** Milliseconds between two reports of an attempt that goes on. */
const REPORT = 10_000;

/** One server of a service, and how to become ready on it. */
export interface Endpoint<T> {
  /** host:port, for messages. */
  where: string;
  /**
   * Connects and checks one layer after the other. Throws LayerFailure; anything else is a bug. When the attempt's signal aborts,
   * its result is ignored: it closes what it opened.
   */
  connect(attempt: Attempt): Promise<T>;
  /** Closes what was opened: another server was faster. */
  close(result: T): void;
}

/** What an endpoint tells the attempt about its progress. Only this counts as progress: bytes alone do not. */
export interface Attempt {
  signal: AbortSignal;
  /** The layer before is passed, and this one is tried. */
  enter(layer: Layer): void;
  /** The server has given one whole answer: a statement's, a request's, or a step of the login's. */
  answered(): void;
  /** The connection whose bytes tell a slow server from a silent one; undefined: none does. */
  watch(socket: Socket | undefined): void;
  /** Runs a step that only one endpoint may take at a time. */
  alone<R>(work: () => Promise<R>): Promise<R>;
}

export interface AttemptOptions {
  service: Service;
  layers: readonly Layer[];
  signal: AbortSignal;
  /** Aborts when the waiting is over, whatever the attempt has come to. */
  deadline: AbortSignal;
  /** Told of an attempt that goes on, slowly, every 10 s. */
  onSlow: (pace: LayerFailure) => void;
}

/**
 * Tries every endpoint, each a moment after the one before or as soon as that has failed: a hung server hides no healthy one.
 * The first to be ready wins and the others are closed. Throws the failure that got furthest.
 */
export async function firstReady<T>(endpoints: readonly Endpoint<T>[], options: AttemptOptions): Promise<T> {
  const { layers, signal } = options;
  const over = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();
  const alone: Attempt["alone"] = (work) => {
    const mine = turn.then(() => {
      over.signal.throwIfAborted();
      return work();
    });
    turn = mine.catch(() => {});
    return mine;
  };
  const failures: LayerFailure[] = [];
  let begin: Promise<unknown> = Promise.resolve();
  const tries = endpoints.map((endpoint) => {
    const stop = AbortSignal.any([signal, over.signal]);
    const mine = begin.then(() => tryOne(endpoint, alone, { ...options, signal: stop }));
    begin = Promise.race([begin.then(() => sleep(STAGGER)), mine.catch(() => {})]);
    return mine.then((result) => {
      if (over.signal.aborted) endpoint.close(result);
      over.abort();
      return result;
    });
  });
  for (const one of tries) {
    one.catch((error) => {
      if (error instanceof LayerFailure) failures.push(error);
      else over.abort(error);
    });
  }
  try {
    return await Promise.any(tries);
  } catch (error) {
    signal.throwIfAborted();
    const bug = (error as AggregateError).errors.find((one) => !(one instanceof LayerFailure));
    throw bug ?? furthest(layers, failures) ?? error;
  }
}

/** Of several failures the one that got furthest tells most; of equals the latest; one that was cut short tells nothing. */
export function furthest(
  layers: readonly Layer[],
  failures: readonly LayerFailure[],
): LayerFailure | undefined {
  const rank = ({ layer, cutShort }: LayerFailure) => (cutShort ? -1 : layers.indexOf(layer));
  return failures.reduce<LayerFailure | undefined>(
    (best, one) => (best === undefined || rank(one) >= rank(best) ? one : best),
    undefined,
  );
}

/** Tries one endpoint until it is ready, has failed, has been silent for too long, or the waiting is over. */
async function tryOne<T>(
  endpoint: Endpoint<T>,
  alone: Attempt["alone"],
  { service, layers, signal, deadline, onSlow }: AttemptOptions,
): Promise<T> {
  signal.throwIfAborted();
  const { where } = endpoint;
  const { promise: givenUp, reject: giveUp } = Promise.withResolvers<never>();
  givenUp.catch(() => {}); // the attempt may win
  const stop = new AbortController();
  const progress = new Progress(layers);
  const fail = (failure: unknown) => {
    giveUp(failure);
    stop.abort(failure);
  };
  const bePatient = () =>
    new Patience(SILENCE, () => {
      const seconds = SILENCE / 1000;
      // Bytes that make no whole answer: the server lives.
      if (progress.unfinished) fail(slow(service, where, progress.layer, { seconds, whole: false }));
      else fail(silent(service, where, progress.layer, seconds));
    });
  let patience = bePatient();
  const reports = setInterval(() => onSlow(progress.pace(service, where)), REPORT);
  // One more turn of the event loop: if it was blocked, an answer may lie in the socket.
  const onDeadline = () => setImmediate(() => fail(progress.atDeadline(service, where)));
  const onAbort = () => fail(signal.reason);
  deadline.addEventListener("abort", onDeadline);
  signal.addEventListener("abort", onAbort);
  if (deadline.aborted) onDeadline();
  const answered = () => {
    progress.answered();
    patience.renew();
  };
  const connecting = endpoint.connect({
    signal: stop.signal,
    enter(layer) {
      answered();
      progress.layer = layer;
    },
    answered,
    watch: (socket) => progress.watch(socket),
    alone(work) {
      // Waiting for another endpoint is no silence of this one.
      patience.end();
      return alone(() => {
        stop.signal.throwIfAborted();
        patience = bePatient();
        return work();
      });
    },
  });
  // Nobody waits for it any more, but what it has opened has to be closed.
  connecting.then((result) => stop.signal.aborted && endpoint.close(result)).catch(() => {});
  try {
    return await Promise.race([connecting, givenUp]);
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
  layer: Layer;
  readonly #began = performance.now();
  #last = this.#began;
  #slowest = 0;
  #socket: Socket | undefined;
  #bytes = 0;

  constructor(layers: readonly Layer[]) {
    this.layer = layers[0] as Layer;
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

  /** Whether something has come since the last whole answer. */
  get unfinished(): boolean {
    return (this.#socket?.bytesRead ?? 0) > this.#bytes;
  }

  /** What it means that the attempt is not over yet, though the server answers. */
  pace(service: Service, where: string): LayerFailure {
    return slow(service, where, this.layer, { seconds: tenths(this.#slowest), whole: true });
  }

  /** The verdict on an attempt that the deadline ends: slow if it got answers for most of its full time, otherwise it says nothing. */
  atDeadline(service: Service, where: string): LayerFailure {
    const now = performance.now();
    const [whole, quiet] = [now - this.#began, now - this.#last];
    if (whole >= SILENCE && quiet < whole / 2) return this.pace(service, where);
    return Object.assign(silent(service, where, this.layer, tenths(quiet)), { cutShort: true });
  }
}

/** Milliseconds as seconds with one decimal. */
function tenths(ms: number): number {
  return Math.round(ms / 100) / 10;
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms).unref());
}

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
