/**
 * Flat memory for long transfers. V8 counts the bytes behind a buffer late: the copy that the NATS client makes of each chunk, and
 * what zlib returns, lie around by the hundred megabytes otherwise. The program is started with `node --expose-gc` (the bundle's
 * first line, the image's ENTRYPOINT, the npm scripts); started without, it works and takes more memory.
 */

/** Bytes of dropped buffers after which they are collected: rarely enough to cost nothing, often enough for a flat memory. */
const LIMIT = 4 * 1024 * 1024;
/** Bytes of buffers, above the fewest since the last full collection, that make another one worth its ten milliseconds. */
const GROWN = 12 * 1024 * 1024;

interface Collector {
  collect: NodeJS.GCFunction;
  /** Bytes dropped since the last collection. */
  dropped: number;
  /** The fewest bytes that buffers held since the last full collection. */
  used: number;
}

/** Takes the number of bytes that have passed through buffers that are dropped by now, and collects them once there are enough. */
export type Sweep = (bytes: number) => void;

/** The process has one heap, so one count: a hundred small files drop as much as a large one, though none of them reaches the limit. */
let collector: Collector | undefined;

/** A sweep for one transfer; all of them count together. */
export function createSweep(): Sweep {
  const collect = globalThis.gc;
  if (!collect) return () => {};
  collector ??= { collect, dropped: 0, used: Number.POSITIVE_INFINITY };
  const gc = collector;
  return (bytes) => {
    gc.dropped += bytes;
    if (gc.dropped < LIMIT) return;
    gc.dropped = 0;
    sweep(gc);
  };
}

/** Most die young. What waited for a slow server meanwhile counts as old, and only a full collection finds it. */
function sweep(gc: Collector): void {
  gc.collect({ type: "minor", execution: "sync" });
  const held = process.memoryUsage().arrayBuffers;
  gc.used = Math.min(gc.used, held);
  if (held < gc.used + GROWN) return;
  gc.collect({ type: "major", execution: "sync" });
  // V8 frees them in another thread: the next look tells how many are left.
  gc.used = held;
}
