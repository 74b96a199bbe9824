import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { VARIABLES, type VariableName } from "../../src/config/env.ts";
import { EXIT } from "../../src/exit.ts";
import { CATALOG } from "../../src/messages/catalog.ts";
import { canTryAgain } from "../../tools/docs.ts";

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

const READMES = ["README.md", "README.zh-CN.md"];
const OUTPUT = ["docs/output.md", "docs/zh-CN/output.md"];

for (const folder of ["docs", "docs/zh-CN"]) {
  describe(folder, () => {
    test("lists the variables that there are, their defaults, and which may be files", () => {
      const listed = tableOf(`${folder}/configuration.md`, "variables").map(([name, fallback]) => [
        name,
        fallback,
      ]);
      const known = Object.entries(VARIABLES).map(([name, { default: fallback = "", file: may }]) => [
        may ? `${name} *` : name,
        fallback,
      ]);
      assert.deepEqual(listed, known);
    });
  });
}

for (const file of [...READMES, ...OUTPUT]) {
  test(`${file} lists the exit codes that there are`, () => {
    const listed = tableOf(file, "exit codes").map(([code]) => Number(code));
    assert.deepEqual(listed, Object.values(EXIT));
  });
}

for (const file of READMES) {
  test(`${file} has the defaults of the main variables right`, () => {
    for (const [name = "", fallback] of tableOf(file, "main variables")) {
      const known = VARIABLES[name.replace(" *", "") as VariableName] as { default?: string; file?: boolean };
      assert.equal(fallback, known.default ?? "", name);
      assert.equal(name.endsWith(" *"), known.file ?? false, name);
    }
  });

  test(`${file} fits into five minutes`, () => {
    const lines = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8").split("\n").length - 1;
    assert.ok(lines <= 150, `${lines} lines`);
  });
}

test("the pages on output say of exit codes what the READMEs say", () => {
  for (const [index, file] of OUTPUT.entries()) {
    assert.deepEqual(tableOf(file, "exit codes"), tableOf(READMES[index] as string, "exit codes"));
  }
});

test("each reason is worth another run where the table says so of its exit code", () => {
  const table = new Map(tableOf("README.md", "exit codes").map(([code, , retry]) => [Number(code), retry]));
  for (const [id, { exit }] of Object.entries(CATALOG))
    if (exit !== null) assert.equal(canTryAgain(exit), table.get(exit) === "yes", `${id}: exit ${exit}`);
});

test("both agree on which exits are worth another run", () => {
  const again = READMES.map((file) => tableOf(file, "exit codes").map(([code, , retry]) => [code, retry]));
  const english = again[0]?.map(([code, retry]) => [
    code,
    retry === "yes" ? "是" : retry === "no" ? "否" : retry,
  ]);
  assert.deepEqual(english, again[1]);
});
