import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createSweep } from "../../src/memory.ts";

// As `node --expose-gc` has it, also where this file is run by itself.
setFlagsFromString("--expose-gc");
globalThis.gc ??= runInNewContext("gc");

const MIB = 1024 * 1024;

/**
 * The most MiB of buffers that were there at once while 512 MiB went through, each kept until `kept` more
 * have come.
 */
function most(kept: number): number {
  const sweep = createSweep();
  const before = process.memoryUsage().arrayBuffers;
  const waiting: Uint8Array[] = [];
  let max = 0;
  for (let index = 0; index < 512; index++) {
    const buffer = new Uint8Array(MIB).fill(index);
    waiting.push(buffer);
    if (waiting.length > kept) waiting.shift();
    sweep(buffer.length);
    max = Math.max(max, process.memoryUsage().arrayBuffers - before);
  }
  return Math.round(max / MIB);
}

test("buffers that were dropped do not pile up", () => {
  const mebibytes = most(0);
  assert.ok(mebibytes <= 16, `${mebibytes} MiB of dropped buffers at once`);
});

test("nor do those that waited for a slow server before they were dropped", () => {
  const mebibytes = most(8);
  assert.ok(mebibytes <= 32, `${mebibytes} MiB where 8 are in use`);
});

test("nor do those of many small transfers, each of them below the limit", () => {
  const before = process.memoryUsage().arrayBuffers;
  let max = 0;
  for (let transfer = 0; transfer < 256; transfer++) {
    const sweep = createSweep();
    for (let index = 0; index < 2; index++) sweep(new Uint8Array(MIB).fill(index).length);
    max = Math.max(max, process.memoryUsage().arrayBuffers - before);
  }
  const mebibytes = Math.round(max / MIB);
  assert.ok(mebibytes <= 16, `${mebibytes} MiB of dropped buffers at once`);
});
