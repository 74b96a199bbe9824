import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "../..");
const markdown = (folder: string) => readdirSync(join(root, folder)).filter((name) => name.endsWith(".md"));
const pages = markdown("docs");
const all = [
  ...markdown("."),
  ...pages.map((name) => `docs/${name}`),
  ...markdown("docs/zh-CN").map((name) => `docs/zh-CN/${name}`),
];

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

test("every page is there in both languages, and each names the other", () => {
  assert.deepEqual(markdown("docs/zh-CN").sort(), [...pages].sort());
  for (const page of pages) {
    assert.match(readFileSync(join(root, "docs", page), "utf8"), new RegExp(`\\]\\(zh-CN/${page}\\)`), page);
    const chinese = readFileSync(join(root, "docs/zh-CN", page), "utf8");
    assert.match(chinese, new RegExp(`\\]\\(\\.\\./${page}\\)`), page);
  }
});

test("the READMEs lead to every page", () => {
  for (const [readme, folder] of [
    ["README.md", "docs"],
    ["README.zh-CN.md", "docs/zh-CN"],
  ] as const) {
    const text = readFileSync(join(root, readme), "utf8");
    assert.deepEqual(
      pages.filter((page) => !text.includes(`](${folder}/${page})`)),
      [],
      readme,
    );
  }
});

describe("every link leads somewhere", () => {
  for (const page of all) {
    test(page, () => {
      const text = readFileSync(join(root, page), "utf8").replace(/```[\s\S]*?```/g, "");
      for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = "", heading] = target.split("#");
        const file = path === "" ? page : normalize(join(dirname(page), path));
        assert.ok(existsSync(join(root, file)), `${page}: ${target}`);
        if (heading === undefined) continue;
        const headings = [...readFileSync(join(root, file), "utf8").matchAll(/^#+ (.+)$/gm)];
        const anchors = headings.map(([, words = ""]) => anchor(words));
        assert.ok(anchors.includes(decodeURIComponent(heading)), `${page}: ${target}`);
      }
    });
  }
});
