import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

const root = join(import.meta.dirname, "../..");
const version: string = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
const PARTS = [
  ...["Dockerfile", "CHANGELOG.md", "compose.init.yml", "docs", "k8s", "tools"],
  ...["package.json", "package-lock.json", "README.md", "README.zh-CN.md"],
];

describe("npm run release", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "release-"));
    for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true }));

  const release = (...args: string[]) =>
    spawnSync(process.execPath, [join(folder, "tools/release.ts"), ...args], { encoding: "utf8" });
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  const text = () =>
    globSync(["Dockerfile", "*.yml", "*.md", "docs/**/*.md", "k8s/**/*.yaml"], { cwd: folder })
      .filter((path) => path !== "CHANGELOG.md")
      .map(read)
      .join("\n");

  test("wants a version, and a section of the changelog", () => {
    for (const args of [[], ["v2"], ["2.0.0", "3.0.0"]]) {
      assert.match(release(...args).stderr, /usage/);
    }
    assert.match(release("9.8.7").stderr, /no section "## 9\.8\.7"/);
    assert.equal(JSON.parse(read("package.json")).version, version);
  });

  for (const next of ["9.8.7", "9.9.0-rc.1", "9.9.0"]) {
    test(`says ${next} everywhere, and nothing else changes`, () => {
      const before = text();
      const previous: string = JSON.parse(read("package.json")).version;
      writeFileSync(join(folder, "CHANGELOG.md"), `${read("CHANGELOG.md")}\n## ${next}\n`);
      const { status, stderr } = release(next);
      assert.equal(status, 0, stderr);
      const lock = JSON.parse(read("package-lock.json"));
      assert.deepEqual([lock.version, lock.packages[""].version], [next, next]);
      assert.equal(JSON.parse(read("package.json")).version, next);
      const changed = before.replaceAll(
        new RegExp(
          `(package-init(?:-bundle)?:|newTag: |ARG VERSION=)${previous.replaceAll(".", "\\.")}`,
          "g",
        ),
        `$1${next}`,
      );
      assert.notEqual(changed, before);
      assert.equal(text(), changed);
    });
  }
});
