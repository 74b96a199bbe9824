import assert from "node:assert/strict";
import { test } from "node:test";
import { readRowDefaults } from "../../src/config/db-settings.ts";
import { Reader } from "../../src/config/env.ts";

/** What ROW_DEFAULTS says; a complaint is `bad`. */
function parse(text: string): unknown {
  const reader = new Reader({ ROW_DEFAULTS: text });
  const found = readRowDefaults(reader);
  return reader.problems.length > 0 ? "bad" : Object.fromEntries(found);
}

const CASES: [text: string, found: unknown][] = [
  ["", {}],
  ["x=1", { x: "1" }],
  ["x=1,y=2", { x: "1", y: "2" }],
  [" x =1, y=2", "bad"], // blanks at the ends of the variable: as of any other
  ["x =1, y= 2", { x: "1", y: " 2" }],
  ["x=", { x: "" }],
  ["x=a=b", { x: "a=b" }],
  [String.raw`x=a\,b,y=\\`, { x: "a,b", y: "\\" }],
  [String.raw`x={"a": [1\, 2]}`, { x: '{"a": [1, 2]}' }],
  [String.raw`x=\\\,`, { x: "\\," }],
  ["__proto__x=1", { __proto__x: "1" }],
  ["x", "bad"],
  ["=1", "bad"],
  ["x=1,", "bad"],
  [",x=1", "bad"],
  ["x=1,,y=2", "bad"],
  ["x=1,x=2", "bad"],
  [String.raw`x=\n`, "bad"],
  ["x=a\\", "bad"],
];
for (const [text, found] of CASES)
  test(`ROW_DEFAULTS ${JSON.stringify(text)}`, () => assert.deepEqual(parse(text), found));

test("a long one is read in time that grows with its length", () => {
  const column = `x=${"\\,".repeat(500_000)}`;
  assert.deepEqual(parse(column), { x: ",".repeat(500_000) });
});
