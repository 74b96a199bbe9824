import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

/** What every room may use: the errors and their words, time, memory, what a package is called, and what was probably meant. */
const GROUND = ["errors.ts", "async.ts", "memory.ts", "identity.ts", "nearest.ts", "reasons"];

/** Each room, and the rooms that it may import besides itself and the ground. */
const ROOMS: Record<string, readonly string[]> = {
  reasons: [],
  archive: [],
  volume: ["archive"],
  config: [],
  output: ["config"],
  packages: ["archive", "volume", "config", "output"],
  registry: ["config", "output", "packages"],
  store: ["archive", "config", "output"],
  readiness: ["config", "output", "registry", "store", "job.ts"],
  reconcile: [
    "archive",
    "volume",
    "packages",
    "config",
    "output",
    "registry",
    "store",
    "readiness",
    "job.ts",
  ],
  commands: [
    "archive",
    "volume",
    "packages",
    "config",
    "output",
    "registry",
    "store",
    "readiness",
    "reconcile",
    "job.ts",
  ],
};

/** `archive/zip.ts` → `archive`; `errors.ts` → `errors.ts`. */
const roomOf = (file: string) => file.split("/")[0] as string;

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  const found = text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g);
  return [...found]
    .map(([, specifier]) => relative(SRC, resolve(join(SRC, dirname(file)), specifier as string)))
    .filter((target) => !target.startsWith(".."));
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

/** Imports that lead to a room which the importing one may not know. */
function wrongImports(file: string, imports: readonly string[]): string[] {
  const room = roomOf(file);
  const allowed = ROOMS[room];
  if (!allowed) return []; // the top level: main, cli, job
  return imports.filter((target) => {
    const other = roomOf(target);
    if (room === "commands" && other === "commands") return target !== file;
    return other !== room && !GROUND.includes(other) && !allowed.includes(other);
  });
}

describe("a room knows only rooms below it", () => {
  for (const file of files) {
    test(file, () => assert.deepEqual(wrongImports(file, importsOf(file)), []));
  }

  test("a wrong import is seen", () => {
    assert.deepEqual(wrongImports("archive/zip.ts", ["packages/package.ts"]), ["packages/package.ts"]);
    assert.deepEqual(wrongImports("commands/init.ts", ["commands/verify.ts"]), ["commands/verify.ts"]);
    assert.deepEqual(wrongImports("store/put.ts", ["registry/rows.ts"]), ["registry/rows.ts"]);
  });
});

describe("rooms stay small enough to live in", () => {
  for (const file of files) {
    test(file, () => {
      const lines = readFileSync(join(SRC, file), "utf8").split("\n").length - 1;
      assert.ok(lines <= 400, `${lines} lines: what of it is another thing?`);
    });
  }
});

test("only main.ts touches the process itself", () => {
  const touching = files.filter((file) => {
    const text = readFileSync(join(SRC, file), "utf8");
    return file !== "main.ts" && /(?<![\w.])process\.(?:exit|exitCode|argv|env)\b/.test(text);
  });
  assert.deepEqual(touching, ["output/open.ts"]);
});
