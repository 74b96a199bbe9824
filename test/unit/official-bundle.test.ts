import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "../support/guard.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const page = read("docs/official-bundle.md");
const blocks = (text: string, kind: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${kind}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, code = ""]) => code);
/** The lines that a diff adds. */
const added = (diff: string) => diff.replaceAll(/^\+ */gm, "");

test("the page has the same patch in both languages", () => {
  const chinese = read("docs/zh-CN/official-bundle.md");
  for (const kind of ["diff", "sh"]) {
    assert.ok(blocks(page, kind).length > 0);
    assert.deepEqual(blocks(chinese, kind), blocks(page, kind));
  }
});

test("the lines of .env come to variables that compose.init.yml and Compose read", () => {
  const [image = "", dotenv = "", arm64 = ""] = blocks(page, "diff").map(added);
  const write = (before: string) =>
    execFileSync("sh", ["-c", `${before}\n${image}\ncat <<EOF\n${dotenv}EOF`], { encoding: "utf8" });
  const mirror = 'add_mirror_prefix() { echo "mirror.example.com/$1"; }';
  const lines = write(mirror);
  assert.match(lines, /^PACKAGE_INIT_IMAGE=mirror\.example\.com\/ghcr\.io\/.*:\d+\.\d+\.\d+$/m);
  assert.match(lines, /^ALLOW_EMPTY=false$/m);
  const folder = tempDir("bundle");
  try {
    assert.match(write(`${mirror}\ncd ${folder.path}\n${arm64}`), /^ALLOW_EMPTY=true$/m);
    assert.ok(existsSync(join(folder.path, "pkgs")));
  } finally {
    folder.remove();
  }
  const compose = read("compose.init.yml");
  for (const name of lines
    .trim()
    .split("\n")
    .map((line) => line.split("=")[0] ?? "")) {
    assert.ok(name === "COMPOSE_FILE" || compose.includes(`\${${name}`), name);
  }
  assert.ok(read("docs/compose.md").includes(lines.split("\n")[0] ?? "?"));
});

test("pkgs/ is there and whole after each run, also one that ended half-way", () => {
  const [begin = "", end = ""] = blocks(page, "sh");
  const folder = tempDir("bundle");
  const sh = (script: string) => execFileSync("sh", ["-ec", script], { cwd: folder.path });
  try {
    for (const content of ["first", "second"]) {
      mkdirSync(join(folder.path, "pkgs.old"), { recursive: true });
      sh(begin);
      writeFileSync(join(folder.path, "pkgs.new/controller/half"), "");
      sh(begin);
      writeFileSync(join(folder.path, "pkgs.new/controller/VERSION"), content);
      sh(end);
      assert.equal(readFileSync(join(folder.path, "pkgs/controller/VERSION"), "utf8"), content);
      assert.deepEqual(readdirSync(join(folder.path, "pkgs/controller")), ["VERSION"]);
      assert.deepEqual(readdirSync(folder.path), ["pkgs"]);
    }
  } finally {
    folder.remove();
  }
});
