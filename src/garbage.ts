import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of dropped buffers after which they are collected: rarely enough to cost nothing, often enough for a flat memory. */
const LIMIT = 4 * 1024 * 1024;

/** Made when it is first needed, and kept: each context costs a megabyte. */
let collectYoung: (() => void) | undefined;

/**
 * Keeps the memory of a long transfer flat. V8 counts the bytes behind a buffer late: the copy that the NATS client makes of each
 * chunk, and what zlib returns, lie around by the hundred megabytes otherwise. The function returned takes the number of bytes
 * that have passed through such buffers.
 */
export function createSweep(): (bytes: number) => void {
  collectYoung ??= exposeGc();
  const collect = collectYoung;
  let dropped = 0;
  return (bytes) => {
    dropped += bytes;
    if (dropped < LIMIT) return;
    dropped = 0;
    collect();
  };
}

/**
 * `gc` is in contexts made after the flag is set. Only the young generation: a millisecond at most. The optimizing compiler's code
 * and threads cost 10 MiB in a long transfer and win nothing: its work is hashing and copying, in C++.
 */
function exposeGc(): () => void {
  setFlagsFromString("--expose-gc");
  setFlagsFromString("--no-opt");
  const gc: NodeJS.GCFunction = runInNewContext("gc");
  return () => gc({ type: "minor", execution: "sync" });
}
