import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "../..");
const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Every page that people read. */
const everyPage = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...pages.map((page) => `docs/${page}`),
  ...readdirSync(join(root, "docs/zh-CN")).map((page) => `docs/zh-CN/${page}`),
];

/** Targets of links and images, without code. */
const links = (text: string) =>
  [...text.replace(/```[\s\S]*?```|`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, target]) => target as string,
  );

/** What a heading is linked by, as GitHub and GitLab make it. */
const anchors = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

/** The commands of a page, as printed. */
const commands = (text: string) =>
  [...text.matchAll(/```(?:sh|console)\n([\s\S]*?)```/g)].map(([, code]) => code);

describe("docs/", () => {
  for (const page of ["compose.md", "kubernetes.md", "offline.md"]) {
    test(`${page} has the same commands in both languages`, () => {
      const [english, chinese] = [`docs/${page}`, `docs/zh-CN/${page}`].map((path) => commands(read(path)));
      assert.ok(english && english.length > 0);
      assert.deepEqual(chinese, english);
    });
  }

  test("every page is there in both languages, and each leads to the other", () => {
    assert.deepEqual(readdirSync(join(root, "docs/zh-CN")).toSorted(), pages.toSorted());
    for (const page of pages) {
      assert.ok(links(read(`docs/${page}`)).includes(`zh-CN/${page}`), page);
      assert.ok(links(read(`docs/zh-CN/${page}`)).includes(`../${page}`), `zh-CN/${page}`);
    }
  });

  for (const page of everyPage) {
    test(`${page}: every link leads somewhere`, () => {
      for (const target of links(read(page))) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : join(dirname(page), path);
        assert.ok(existsSync(join(root, file)), target);
        if (anchor !== undefined) assert.ok(anchors(read(file)).includes(decodeURI(anchor)), target);
      }
    });
  }

  test("every path of this repository that a page names exists", () => {
    const all = [...pages.map((page) => `docs/${page}`), "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"];
    for (const page of all) {
      const names = read(page).match(/(?<![\w/])(?:\.ci|docs|k8s|src|test|tools)\/[\w./-]+\w/g) ?? [];
      for (const name of names) assert.ok(existsSync(join(root, name)), `${page}: ${name}`);
    }
  });
});
