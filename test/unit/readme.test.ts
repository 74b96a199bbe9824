import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { VARIABLES } from "../../src/config/env.ts";
import { EXIT } from "../../src/errors.ts";

/** The cells of the table that follows `<!-- table: name -->`, without its head. */
function tableOf(file: string, name: string): string[][] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  const [, after] = text.split(`<!-- table: ${name} -->\n`);
  assert.ok(after !== undefined, `${file} has no table "${name}"`);
  const lines = after.slice(0, after.search(/\n(?!\|)/)).split("\n");
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const FILES = ["README.md", "README.zh-CN.md"];

for (const file of FILES) {
  describe(file, () => {
    test("lists the variables that there are, their defaults, and which may be files", () => {
      const listed = tableOf(file, "variables").map(([name, fallback]) => [name, fallback]);
      const known = Object.entries(VARIABLES).map(([name, { default: fallback = "", file: may }]) => [
        may ? `${name} *` : name,
        fallback,
      ]);
      assert.deepEqual(listed, known);
    });

    test("lists the exit codes that there are", () => {
      const listed = tableOf(file, "exit codes").map(([code]) => Number(code));
      assert.deepEqual(listed, Object.values(EXIT));
    });
  });
}

test("both agree on which exits are worth another run", () => {
  const again = FILES.map((file) => tableOf(file, "exit codes").map(([code, , retry]) => [code, retry]));
  const english = again[0]?.map(([code, retry]) => [
    code,
    retry === "yes" ? "是" : retry === "no" ? "否" : retry,
  ]);
  assert.deepEqual(english, again[1]);
});
