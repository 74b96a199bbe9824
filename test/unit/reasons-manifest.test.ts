import assert from "node:assert/strict";
import { test } from "node:test";
import type { Language } from "../../src/messages/define.ts";
import { describeProblem } from "../../src/output/report.ts";
import { readManifest } from "../../src/volume/manifest.ts";
import { volume } from "./../support/volume.ts";

/** What is said of a packages.json, line by line. */
async function said(content: unknown, language: Language): Promise<string[]> {
  await using on = await volume({ "packages.json": JSON.stringify(content), "a.bin": "x" });
  const manifest = await readManifest(on.dir);
  return manifest?.problems.map((problem) => describeProblem(problem, language).message) ?? [];
}

const one = (entry: object) => ({ packages: [{ file: "a.bin", ...entry }] });

const BROKEN: [why: string, content: unknown, en: string, zh: string][] = [
  ["no packages", {}, '/: field "packages" is missing', "/：缺少字段“packages”"],
  [
    "a list of names",
    { packages: ["a.bin"] },
    "/packages/0: should be an object: { ... }",
    "/packages/0：应为对象：{ ... }",
  ],
  ["no list", { packages: {} }, "/packages: should be a list: [ ... ]", "/packages：应为列表：[ ... ]"],
  [
    "a field with a letter too few",
    one({ versoin: "1.0.0" }),
    '/packages/0: there is no field "versoin" (did you mean "version"?)',
    "/packages/0：没有字段“versoin”（是否应为“version”？）",
  ],
  [
    "a field of its own",
    one({ sha256: "x" }),
    "/packages/0: has a field that does not exist",
    "/packages/0：含有不存在的字段",
  ],
  [
    "a number for a version",
    one({ version: 1 }),
    "/packages/0/version: should be text in quotes",
    "/packages/0/version：应为带引号的文本",
  ],
  [
    "another system",
    one({ os: "darwin" }),
    "/packages/0/os: should be one of linux, windows",
    "/packages/0/os：取值应为以下之一：linux, windows",
  ],
  [
    "a collector without a name",
    one({ type: "collector" }),
    '/packages/0: field "object" is missing',
    "/packages/0：缺少字段“object”",
  ],
  [
    "a path that leads out",
    { packages: [{ file: "../a.bin" }] },
    '/packages/0/file: should be a path below PACKAGES_DIR, with "/" between folders; not absolute, and without "." and ".."',
    "/packages/0/file：应为 PACKAGES_DIR 下的相对路径，目录间用“/”分隔，不含“.”和“..”",
  ],
  ...["a\0.bin", "\0", "a\n/../../b.bin"].map((file): (typeof BROKEN)[number] => [
    `a path that no file has: ${JSON.stringify(file)}`,
    { packages: [{ file }] },
    '/packages/0/file: should be a path below PACKAGES_DIR, with "/" between folders; not absolute, and without "." and ".."',
    "/packages/0/file：应为 PACKAGES_DIR 下的相对路径，目录间用“/”分隔，不含“.”和“..”",
  ]),
  [
    "an empty version",
    one({ version: "" }),
    "/packages/0/version: cannot be used: 1 to 100 characters, without spaces, slashes, backslashes or control characters",
    "/packages/0/version：不可用：须为 1 至 100 个字符，不含空格、斜杠、反斜杠和控制字符",
  ],
];

for (const [why, content, en, zh] of BROKEN) {
  test(`packages.json with ${why} is told in words, once`, async () => {
    assert.deepEqual(await said(content, "en"), [en]);
    assert.deepEqual(await said(content, "zh"), [zh]);
  });
}

test("a packages.json with 200,000 mistakes is told the first thousand", async () => {
  const mistakes: [string, unknown][] = [
    ["no objects", Array.from({ length: 200_000 }, () => 1)],
    ["no files", Array.from({ length: 5000 }, (_, index) => ({ file: `f${index}` }))],
  ];
  for (const [name, packages] of mistakes) assert.equal((await said({ packages }, "en")).length, 1000, name);
});
