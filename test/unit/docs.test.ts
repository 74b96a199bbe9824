import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { VARIABLES, type VariableName } from "../../src/config/env.ts";
import { EXIT } from "../../src/errors.ts";
import schema from "../../src/output/report.schema.json" with { type: "json" };
import { CATALOG } from "../../src/reasons/catalog.ts";
import { LANGUAGES } from "../../src/reasons/define.ts";
import { eventsTable, reasonsPage, withTable } from "../../tools/documentation.ts";

const readText = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

/** The cells of the table that follows `<!-- table: name -->`, without its head. */
function tableOf(file: string, name: string): string[][] {
  const text = readText(file);
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

for (const [index, file] of OUTPUT.entries()) {
  test(`${file} says of exit codes what the README says, and of the report what its schema says`, () => {
    assert.deepEqual(tableOf(file, "exit codes"), tableOf(READMES[index] as string, "exit codes"));
    const fields = tableOf(file, "report");
    assert.deepEqual(
      fields.map(([name]) => name),
      Object.keys(schema.properties).map((name) => `\`${name}\``),
    );
    const { error, package: entry, row, platform, warning } = schema.definitions;
    const parts = { error, packages: entry, rows: row, platforms: platform, warnings: warning };
    for (const [name, { properties }] of Object.entries(parts)) {
      const text = fields.find(([field]) => field === `\`${name}\``)?.[1] ?? "";
      for (const property of Object.keys(properties)) {
        assert.ok(text.includes(`\`${property}\``), `${name}: ${property}`);
      }
    }
  });
}

for (const language of LANGUAGES) {
  const folder = language === "zh" ? "docs/zh-CN" : "docs";
  test(`${folder}: reasons and events are those of the catalogs (npm run docs)`, () => {
    assert.equal(readText(`${folder}/reasons.md`), reasonsPage(language));
    const page = readText(`${folder}/output.md`);
    assert.equal(page, withTable(page, "events", eventsTable(language)));
  });

  test(`${folder}/reasons.md has every reason once, and every parameter reads as its name`, () => {
    const page = reasonsPage(language);
    const ids = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, id]) => id);
    assert.deepEqual(ids.toSorted(), Object.keys(CATALOG).toSorted());
    assert.doesNotMatch(page, /undefined|NaN|\[object|function|=>/);
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
    const lines = readText(file).split("\n").length - 1;
    assert.ok(lines <= 150, `${lines} lines`);
  });
}

test("both agree on which exits are worth another run", () => {
  const again = READMES.map((file) => tableOf(file, "exit codes").map(([code, , retry]) => [code, retry]));
  const english = again[0]?.map(([code, retry]) => [
    code,
    retry === "yes" ? "是" : retry === "no" ? "否" : retry,
  ]);
  assert.deepEqual(english, again[1]);
});
