import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CATALOG } from "../../src/messages/catalog.ts";
import schema from "../../src/output/report.schema.json" with { type: "json" };
import { homeless, OUTPUT_PAGES, PAGES, reasonsPage, withEvents } from "../../tools/docs.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Every TypeScript file below a folder, as one text. */
function sources(folder: string, without?: string): string {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  const wanted = files.filter((file) => file.endsWith(".ts") && !(without && file.startsWith(without)));
  return wanted.map((file) => read(join(folder, file))).join("\n");
}

describe("what of docs/ is made of the code (npm run docs)", () => {
  for (const [path, language] of PAGES) {
    test(`${path} lists every reason as it is`, () => assert.equal(read(path), reasonsPage(language)));
  }
  for (const [path, language] of OUTPUT_PAGES) {
    test(`${path} lists every event as it is`, () => {
      const page = read(path);
      assert.ok(page.includes("\n<!-- table: events -->\n| "));
      assert.equal(page, withEvents(page, language));
    });
    test(`${path} lists the report's fields`, () => {
      const [, table = ""] = read(path).split("<!-- table: report -->\n");
      const fields = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field);
      assert.deepEqual(fields, Object.keys(schema.properties));
    });
  }
  test("no reason is left out", () => {
    assert.deepEqual(homeless(), []);
    for (const [path] of PAGES)
      for (const id of Object.keys(CATALOG))
        assert.ok(read(path).includes(`| \`${id}\` |`), `${path}: ${id}`);
  });
  test("no text shows a parameter that it does not have", () => {
    for (const [path] of [...PAGES, ...OUTPUT_PAGES])
      assert.doesNotMatch(read(path), /\bundefined\b|\bNaN\b|\[object/);
  });
});

test("every reason is raised somewhere", () => {
  const code = sources("src", "messages/");
  /** Ids are also put together: `platform.${part}.missing`. */
  const patterns = [...code.matchAll(/`([a-z0-9.-]*\$\{[^`]+)`/g)].flatMap(([, text = ""]) => {
    const parts = text.split(/\$\{[^}]*\}/);
    if (!parts.some((part) => part.includes(".") && /[a-z]{3}/.test(part))) return [];
    const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return [new RegExp(`^${escaped.join("[a-z0-9.-]+")}$`)];
  });
  const found = (id: string) => code.includes(`"${id}"`) || patterns.some((pattern) => pattern.test(id));
  assert.deepEqual(
    Object.keys(CATALOG).filter((id) => !found(id)),
    [],
  );
});

test("every Chinese remedy asks for something: it begins with 请", () => {
  const remedies = reasonsPage("zh")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split(" | ").at(-1) ?? "");
  assert.ok(remedies.length > 300);
  assert.deepEqual(
    remedies.filter((remedy) => !remedy.startsWith("请")),
    [],
  );
});
