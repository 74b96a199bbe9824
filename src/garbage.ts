import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of dropped buffers after which they are collected: rarely enough to cost nothing, often enough for a flat memory. */
const LIMIT = 4 * 1024 * 1024;
/** Bytes of buffers, above the fewest since the last full collection, that make another one worth its ten milliseconds. */
const GROWN = 12 * 1024 * 1024;

/** Made when it is first needed, and kept: each context costs a megabyte. */
let collector: Collector | undefined;

interface Collector {
  collect: NodeJS.GCFunction;
  /** The fewest bytes that buffers held since the last full collection. */
  used: number;
}

/**
 * Keeps the memory of a long transfer flat. V8 counts the bytes behind a buffer late: the copy that the NATS client makes of each
 * chunk, and what zlib returns, lie around by the hundred megabytes otherwise. The function returned takes the number of bytes
 * that have passed through such buffers.
 */
export function createSweep(): (bytes: number) => void {
  collector ??= { collect: exposeGc(), used: Number.POSITIVE_INFINITY };
  const gc = collector;
  let dropped = 0;
  return (bytes) => {
    dropped += bytes;
    if (dropped < LIMIT) return;
    dropped = 0;
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

/** `gc` is in contexts made after the flag is set. */
function exposeGc(): NodeJS.GCFunction {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as NodeJS.GCFunction;
}

/**
 * Ends V8's optimizing from here on: where large files go through, and the work is inflating, hashing and copying in C++, the
 * optimizing compiler's code and threads cost 10 MiB and win nothing. Not before: a scan of many small entries is half as fast without.
 */
export function stopOptimizing(): void {
  setFlagsFromString("--no-opt");
}
