import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

/** What reads foreign text, and a text that makes a pattern which backtracks try for minutes. */
const READERS: [what: string, code: string][] = [
  [
    "checksum lines",
    `const { parseLine } = await import(at("volume/checksum-line.ts"));
     for (const [start, middle, end] of [["a", " ", "!"], ["", "a", ""], ["SHA256 (", "a)", "x"], ["\\\\\\\\", "\\\\", ""], ["", "\\t*", "b"]])
       for (const length of [2000, 20_000, 1_000_000]) parseLine(start + middle.repeat(length) + end);`,
  ],
  [
    "VERSION files",
    `const { parseVersionFile } = await import(at("volume/version.ts"));
     for (const text of ["_", " ", "VERSION", " #", "'", "1.", "export "])
       parseVersionFile(Buffer.from(text.repeat(4096 / text.length) + "!"), "VERSION");`,
  ],
  [
    "names",
    `const { parseName, formatOf } = await import(at("volume/name.ts"));
     const { isLikely } = await import(at("volume/near.ts"));
     const { splitPart } = await import(at("volume/split.ts"));
     for (const text of [" ", "1", "1.", "-", " (1)", "a1", "副本", ".zip", "rc", "v1", "-_ ", "(", "1a"])
       for (const frame of ["fusion-collectors-", "fusion-collectors-1.2.3", ""]) {
         const name = frame + text.repeat((250 - frame.length) / text.length) + "!";
         parseName(name); parseName(name + ".zip"); formatOf(name); isLikely(name); splitPart(name, [name]);
       }`,
  ],
];

describe("foreign text is read in time in proportion to its length", () => {
  for (const [what, code] of READERS) {
    test(what, () => {
      const src = fileURLToPath(new URL("../../src/", import.meta.url));
      const script = `const at = (file) => ${JSON.stringify(`file://${src}`)} + file; ${code}; console.log("done");`;
      const args = ["--input-type=module", "--eval", script];
      const said = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
      assert.equal(said.trim(), "done");
    });
  }
});
