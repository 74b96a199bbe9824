import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonFault } from "../../src/volume/manifest.ts";

const SOUND = JSON.stringify(
  { packages: [{ file: 'é\\" at position 3', n: [-1.25e10, 0], t: true, f: false, z: null, u: "\u0001" }] },
  null,
  1,
);

/** V8's own position, where its message has one. */
function ownPosition(text: string): number | undefined {
  try {
    JSON.parse(text);
  } catch (error) {
    const found = /^[^"]* at position (\d+)/.exec((error as Error).message)?.[1];
    return found === undefined ? undefined : Number(found);
  }
  return undefined;
}

function offset(text: string, { line, column }: { line: number; column: number }): number {
  const before = text.split("\n").slice(0, line - 1);
  return before.reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
}

test("a text that ends anywhere before its end is cut, and wrong nowhere", () => {
  for (let length = 0; length < SOUND.length; length++) {
    const text = SOUND.slice(0, length);
    const fault = jsonFault(text);
    assert.deepEqual([fault.cut, offset(text, fault)], [true, length], text);
  }
});

test("a character that does not belong there is found, as V8 finds it", () => {
  for (let at = 0; at < SOUND.length; at++) {
    for (const wrong of ["'", "#", "\u0007", "}", "]", ",", ":", "\\", "x", "9"]) {
      const text = SOUND.slice(0, at) + wrong + SOUND.slice(at);
      const own = ownPosition(text);
      if (own === undefined || own >= text.length) continue;
      const found = jsonFault(text);
      assert.deepEqual([offset(text, found), found.cut], [own, false], text);
    }
  }
});

test("the common mistakes have the line and column that an editor shows", () => {
  const places: [text: string, line: number, column: number][] = [
    ["{'packages': []}", 1, 2],
    ['{"packages": [\n  {"file": "a.zip"},\n]}', 3, 1],
    ['{"packages": [],\n}', 2, 1],
    ['{\n  // a remark\n  "packages": []\n}', 2, 3],
    ["<!DOCTYPE html>", 1, 1],
    ["{} {}", 1, 4],
  ];
  for (const [text, line, column] of places)
    assert.deepEqual(jsonFault(text), { line, column, cut: false }, text);
});
