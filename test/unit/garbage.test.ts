import assert from "node:assert/strict";
import { test } from "node:test";
import { createSweep } from "../../src/garbage.ts";

const MIB = 1024 * 1024;

test("buffers that were dropped do not pile up", () => {
  const sweep = createSweep();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let index = 0; index < 256; index++) {
    sweep(new Uint8Array(MIB).fill(index).length);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  assert.ok(most <= 16 * MIB, `${Math.round(most / MIB)} MiB of dropped buffers at once`);
});
