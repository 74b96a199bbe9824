import assert from "node:assert/strict";
import { test } from "node:test";
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
