import type { Socket } from "node:net";
import { Patience } from "../async.ts";
import { type Layer, LayerFailure, type Service, silent, slow } from "./layer.ts";

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
