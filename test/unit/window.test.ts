import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { StoreLostError } from "../../src/store/errors.ts";
import { Window } from "../../src/store/window.ts";

function open(limit = 100): Window {
  const { signal } = new AbortController();
  return new Window({ limit, stallSeconds: 60, signal, closed: new Promise(() => {}) });
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

test("before the line's pace is known, one chunk goes alone", async (t) => {
  const window = open();
  t.after(() => window.close());
  const first = Promise.withResolvers<number>();
  await window.admit();
  window.add(10, first.promise);
  let free = false;
  const room = window.admit().then(() => {
    free = true;
  });
  await new Promise(setImmediate);
  assert.equal(free, false);
  first.resolve(1);
  await room;
});

test("the end of the connection ends the upload", async (t) => {
  const { signal } = new AbortController();
  const end = Promise.withResolvers<void>();
  const window = new Window({ limit: 100, stallSeconds: 60, signal, closed: end.promise });
  t.after(() => window.close());
  const read = window.guard(new Promise(() => {}));
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
    const window = new Window({ limit: 100, stallSeconds: 60, signal, closed });
    const block = await window.guard(Promise.resolve(Buffer.alloc(1024)));
    blocks.push(new WeakRef(block));
    window.close();
  }
  await new Promise(setImmediate);
  gc();
  const kept = blocks.filter((block) => block.deref()).length;
  // the last one may still be in a register of this function
  assert.ok(kept <= 1, `${kept} of 20 uploads' blocks are kept`);
});
