/**
 * Flat memory for long transfers. V8 counts the bytes behind a buffer late: without this, the NATS client's
 * copies of chunks and zlib's output fill hundreds of megabytes. `node --expose-gc` starts the program (the
 * bundle's first line, the image's ENTRYPOINT, the npm scripts), and `--max-semi-space-size=2` keeps V8 from
 * holding up to 96 MiB for young objects; without them the program works and needs more memory.
 */

/** Bytes of dropped buffers before a collection: few enough for flat memory, too many to cost time. */
const LIMIT = 4 * 1024 * 1024;
/** Bytes of buffers, above the fewest since the last full collection, that justify another one (10 ms). */
const GROWN = 12 * 1024 * 1024;

interface Collector {
  collect: NodeJS.GCFunction;
  /** Bytes dropped since the last collection. */
  dropped: number;
  /** The fewest bytes that buffers held since the last full collection. */
  used: number;
}

/** Counts the bytes of buffers that are no longer used, and collects them once there are enough. */
type Sweep = (bytes: number) => void;

/**
 * One heap, one count: a hundred small files drop as much as one large file, but none reaches the limit
 * alone.
 */
let collector: Collector | undefined;

/** Returns a sweep for one transfer; all sweeps share one count. */
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

/**
 * Most buffers die young. A buffer that waited for a slow server is old, and only a full collection frees it.
 */
function sweep(gc: Collector): void {
  gc.collect({ type: "minor", execution: "sync" });
  const held = process.memoryUsage().arrayBuffers;
  gc.used = Math.min(gc.used, held);
  if (held < gc.used + GROWN) return;
  gc.collect({ type: "major", execution: "sync" });
  // V8 frees them in another thread: the next sweep sees how many are left
  gc.used = held;
}
