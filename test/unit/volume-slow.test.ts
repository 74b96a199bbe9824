import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { readTree } from "../../src/volume/list.ts";
import { tempDir } from "../support/guard.ts";

/** What reads foreign text, and a text that makes a pattern which backtracks try for minutes. */
const READERS: [what: string, code: string][] = [
  [
    "checksum lines",
    `const { parseList } = await import(at("volume/checksums.ts"));
     for (const [start, middle, end] of [["a", " ", "!"], ["", "a", ""], ["SHA256 (", "a)", "x"], ["\\\\\\\\", "\\\\", ""], ["", "\\t*", "b"]])
       for (const length of [2000, 20_000, 1_000_000]) parseList({ file: "SHA256SUMS" }, Buffer.from(start + middle.repeat(length) + end));`,
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
     const { joinCommands, unrecognised } = await import(at("volume/near-misses.ts"));
     for (const text of [" ", "1", "1.", "-", " (1)", "a1", "副本", ".zip", "rc", "v1", "-_ ", "(", "1a"])
       for (const frame of ["fusion-collectors-", "fusion-collectors-1.2.3", ""]) {
         const name = frame + text.repeat((250 - frame.length) / text.length) + "!";
         parseName(name); parseName(name + ".zip"); formatOf(name); await unrecognised({ file: name, path: name, root: "/" }, name, joinCommands("", [name]), false);
       }`,
  ],
  [
    "a folder of names",
    `const { joinCommands } = await import(at("volume/near-misses.ts"));
     for (const end of [".zip.001", ".z01", ".part1.rar", ".zip.part-01"]) {
       const names = Array.from({ length: 20_000 }, (_, index) => index + end);
       joinCommands("", names);
     }`,
  ],
];

test("foreign text is read in time in proportion to its length", () => {
  const src = JSON.stringify(new URL("../../src/", import.meta.url));
  const blocks = READERS.map(([what, code]) => `{ ${code}; console.log(${JSON.stringify(what)}); }`);
  const script = `const at = (file) => ${src} + file; ${blocks.join("\n")}`;
  // In a process of its own, which can be stopped in the midst of a pattern.
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.deepEqual(
    stdout.trim().split("\n"),
    READERS.map(([what]) => what),
  );
});

test("thousands of names that are shown alike are told from each other, in the same way in each run", async (t) => {
  const folder = tempDir("alike");
  t.after(() => folder.remove());
  const count = 1500;
  for (let index = 0; index < count; index += 1) {
    const bytes = Array.from({ length: 11 }, (_, bit) => ((index >> bit) & 1 ? 0xff : 0xfe));
    writeFileSync(Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from(bytes)]), "");
  }
  writeFileSync(`${folder.path}/${"_".repeat(11)}_1`, "");
  const root = { file: "filebeat", name: "filebeat", path: folder.path, root: folder.path, size: 0 };
  const read = async () =>
    (await readTree(root)).map(({ name, path }) => `${name} ${path.toString("latin1")}`);
  const first = await read();
  assert.equal(new Set(first.map((line) => line.split(" ")[0])).size, count + 1);
  assert.deepEqual(await read(), first);
});
