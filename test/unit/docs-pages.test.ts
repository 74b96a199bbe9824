import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "../..");
const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** The commands of a page, as printed. */
const commands = (text: string) =>
  [...text.matchAll(/```(?:sh|console)\n([\s\S]*?)```/g)].map(([, code]) => code);

describe("docs/", () => {
  for (const page of ["compose.md", "kubernetes.md", "offline.md", "upgrade.md"]) {
    test(`${page} has the same commands in both languages`, () => {
      const [english, chinese] = [`docs/${page}`, `docs/zh-CN/${page}`].map((path) => commands(read(path)));
      assert.ok(english && english.length > 0);
      assert.deepEqual(chinese, english);
    });
  }

  test("every path of this repository that a page names exists", () => {
    const all = [
      ...pages.flatMap((page) => [`docs/${page}`, `docs/zh-CN/${page}`]),
      ...readdirSync(root).filter((name) => name.endsWith(".md") && name !== "CHANGELOG.md"),
    ];
    for (const page of all) {
      const names = read(page).match(/(?<![\w/])(?:\.ci|docs|k8s|src|test|tools)\/[\w./-]+\w/g) ?? [];
      for (const name of names) assert.ok(existsSync(join(root, name)), `${page}: ${name}`);
    }
  });
});
