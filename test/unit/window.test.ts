import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { JobError } from "../../src/errors.ts";
import { StoreLostError } from "../../src/store/store-errors.ts";
import { InFlightBudget, UploadWindow } from "../../src/store/window.ts";

function open(limit = 100): UploadWindow {
  const { signal } = new AbortController();
  return new UploadWindow({
    budget: new InFlightBudget(limit),
    stallSeconds: 60,
    signal,
    closed: new Promise(() => {}),
  });
}

test("chunks that were stored in another order than they were sent are an error, however their answers come", async (t) => {
  const window = open();
  t.after(() => window.close());
  const first = Promise.withResolvers<number>();
  window.add(10, first.promise);
  window.add(10, Promise.resolve(7));
  await new Promise(setImmediate);
  // The answer comes later, and its number is higher: stored behind the chunk that was sent after it.
  first.resolve(8);
  await assert.rejects(window.drain(), StoreLostError);
});

test("answers may come in any order as long as the chunks were stored in theirs", async (t) => {
  const window = open();
  t.after(() => window.close());
  const first = Promise.withResolvers<number>();
  window.add(10, first.promise);
  window.add(10, Promise.resolve(8));
  await new Promise(setImmediate);
  first.resolve(7);
  await window.drain();
});

test("before the connection's pace is known, one chunk goes alone", async (t) => {
  const window = open();
  t.after(() => window.close());
  const first = Promise.withResolvers<number>();
  await window.reserve(10);
  window.add(10, first.promise);
  let free = false;
  const room = window.reserve(10).then(() => {
    free = true;
  });
  await new Promise(setImmediate);
  assert.equal(free, false);
  first.resolve(1);
  await room;
});

test("uploads at the same time share what may be in flight", async (t) => {
  const budget = new InFlightBudget(100);
  const { signal } = new AbortController();
  const closed = new Promise<void>(() => {});
  const windows = [1, 2, 3].map(() => new UploadWindow({ budget, stallSeconds: 60, signal, closed }));
  t.after(() => windows.forEach((window) => void window.close()));
  let admitted = 0;
  const answers = windows.map(() => Promise.withResolvers<number>());
  const all = windows.map(async (window, index) => {
    await window.reserve(10);
    admitted += 1;
    window.add(10, answers[index]?.promise as Promise<number>);
  });
  await new Promise(setImmediate);
  assert.equal(admitted, 1, "before the line's pace is known, one chunk of them all");
  answers[0]?.resolve(1);
  await new Promise(setImmediate);
  assert.ok(admitted > 1);
  answers.forEach((answer, index) => void answer.resolve(index + 1));
  await Promise.all(all);
  await Promise.all(windows.map((window) => window.drain()));
});

test("a chunk that waits for space waits for NATS, not for the file", async (t) => {
  const budget = new InFlightBudget(100);
  const { signal } = new AbortController();
  const closed = new Promise<void>(() => {});
  const windows = [1, 2].map(() => new UploadWindow({ budget, stallSeconds: 1, signal, closed }));
  t.after(() => windows.forEach((window) => void window.close()));
  const [first, second] = windows;
  await first?.reserve(10);
  first?.add(10, new Promise(() => {}));
  await assert.rejects(async () => second?.reserve(10), { reason: "store.stalled" });
});

test("an upload has stalled only if no other that shares the budget moves either", async (t) => {
  const { signal } = new AbortController();
  const closed = new Promise<void>(() => {});
  const [shared, alone] = [new InFlightBudget(100), new InFlightBudget(100)];
  const [waiting, sibling, stalled] = [shared, shared, alone].map(
    (budget) => new UploadWindow({ budget, stallSeconds: 1, signal, closed }),
  );
  assert.ok(waiting && sibling && stalled);
  const moves = setInterval(() => sibling.add(0, Promise.resolve(++sequence)), 50);
  let sequence = 0;
  t.after(() => {
    clearInterval(moves);
    for (const window of [waiting, sibling, stalled]) window.close();
  });
  const hangs = () => new Promise<never>(() => {});
  const read = waiting.waitForRead(hangs()).catch((error) => error);
  await assert.rejects(stalled.waitForRead(hangs()), { reason: "store.reading.stalled" });
  const state = await Promise.race([read, new Promise((done) => setTimeout(done, 500, "waiting"))]);
  assert.equal(state, "waiting");
});

test("what a shared reading reads for others is no stall", async (t) => {
  const budget = new InFlightBudget(100);
  const { signal } = new AbortController();
  const window = new UploadWindow({ budget, stallSeconds: 1, signal, closed: new Promise(() => {}) });
  const moves = setInterval(() => budget.touch(), 50);
  t.after(() => {
    clearInterval(moves);
    window.close();
  });
  const read = window.waitForRead(new Promise(() => {})).catch((error) => error);
  const state = await Promise.race([read, new Promise((done) => setTimeout(done, 1700, "waiting"))]);
  assert.equal(state, "waiting");
  clearInterval(moves);
  assert.equal(((await read) as JobError).reason, "store.reading.stalled");
});

test("the end of the connection ends the upload", async (t) => {
  const { signal } = new AbortController();
  const end = Promise.withResolvers<void>();
  const window = new UploadWindow({
    budget: new InFlightBudget(100),
    stallSeconds: 60,
    signal,
    closed: end.promise,
  });
  t.after(() => window.close());
  const read = window.waitForRead(new Promise(() => {}));
  end.resolve();
  await assert.rejects(read, StoreLostError);
});

test("what one upload has read is let go with it, though the connection goes on", async () => {
  setFlagsFromString("--expose-gc");
  const gc = globalThis.gc ?? (runInNewContext("gc") as NodeJS.GCFunction);
  const closed = new Promise(() => {});
  const { signal } = new AbortController();
  const blocks: WeakRef<Buffer>[] = [];
  for (let upload = 0; upload < 20; upload++) {
    const window = new UploadWindow({ budget: new InFlightBudget(100), stallSeconds: 60, signal, closed });
    const block = await window.waitForRead(Promise.resolve(Buffer.alloc(1024)));
    blocks.push(new WeakRef(block));
    window.close();
  }
  await new Promise(setImmediate);
  gc();
  const kept = blocks.filter((block) => block.deref()).length;
  // the last one may still be in a register of this function
  assert.ok(kept <= 1, `${kept} of 20 uploads' blocks are kept`);
});
