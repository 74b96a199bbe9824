import { once } from "node:events";
import { type Layer, LayerFailure } from "./layer.ts";

/** Milliseconds after which the next server is tried beside the one before. */
const STAGGER = 250;

/** The way up to one server. */
export interface Way<T> {
  /**
   * Climbs it, saying which layer it is about to try. Throws LayerFailure; anything else is a bug. When the signal is aborted
   * nobody waits for it any more: it closes what it opened. `alone`: runs a step that only one way may take at a time.
   */
  climb(step: Step): Promise<T>;
  /** What it means that the server has said nothing for `seconds`, stuck at a layer. */
  stuck(layer: Layer, seconds: number): LayerFailure;
  /** Closes what was opened: another way was faster. */
  close(result: T): void;
}

export interface Step {
  signal: AbortSignal;
  trying(layer: Layer): void;
  alone<R>(work: () => Promise<R>): Promise<R>;
}

export interface RaceOptions {
  layers: readonly Layer[];
  /** Milliseconds that each way may take: a hung peer is a failed attempt. */
  limit: number;
  /** Whether the deadline made `limit` shorter than it should be. */
  cut: boolean;
  signal: AbortSignal;
}

/**
 * Tries every way, each a moment after the one before or as soon as that has failed: a hung server hides no healthy one. The
 * first to arrive wins and the others are closed. Throws the failure that came furthest.
 */
export async function race<T>(ways: readonly Way<T>[], options: RaceOptions): Promise<T> {
  const { layers, signal } = options;
  const over = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();
  const alone: Step["alone"] = (work) => {
    const mine = turn.then(() => {
      over.signal.throwIfAborted();
      return work();
    });
    turn = mine.catch(() => {});
    return mine;
  };
  const failures: LayerFailure[] = [];
  let begin: Promise<unknown> = Promise.resolve();
  const tries = ways.map((way) => {
    const mine = begin.then(() => limited(way, alone, options, AbortSignal.any([signal, over.signal])));
    begin = Promise.race([begin.then(() => sleep(STAGGER)), mine.catch(() => {})]);
    return mine.then((result) => {
      if (over.signal.aborted) way.close(result);
      over.abort();
      return result;
    });
  });
  for (const attempt of tries) {
    attempt.catch((error) => {
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

/** Of several failures the one that came furthest tells most; of equals the latest; one that was cut short tells nothing. */
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

async function limited<T>(
  way: Way<T>,
  alone: Step["alone"],
  { layers, limit, cut }: RaceOptions,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  let layer = layers[0] as Layer;
  const time = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(limit))]);
  const hung = once(time, "abort").then(() => {
    signal.throwIfAborted();
    throw Object.assign(way.stuck(layer, Math.round(limit / 100) / 10), { cutShort: cut });
  });
  hung.catch(() => {}); // the attempt may win
  const trying = (next: Layer) => {
    layer = next;
  };
  const climbing = way.climb({ signal: time, trying, alone });
  // Nobody waits for it any more, but what it has opened has to be closed.
  climbing.then((result) => time.aborted && way.close(result)).catch(() => {});
  return Promise.race([climbing, hung]);
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms).unref());
}
