import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isKeyPart, isKeyRow } from "../../src/identity.ts";
import { escapeJson, escapeLines, escapePainted, escapeText } from "../../src/output/redact.ts";
import { HIDDEN, HOSTILE } from "../support/hostile-text.ts";

const ROOT = join(import.meta.dirname, "../..");

test("no character that nobody sees is left, whatever it is", () => {
  const all = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code)).join("a");
  for (const text of [all, ...HOSTILE]) {
    assert.doesNotMatch(escapeText(text), HIDDEN);
    assert.doesNotMatch(escapeLines(text).replaceAll("\n", ""), HIDDEN);
    assert.doesNotMatch(escapeJson(JSON.stringify(text)), HIDDEN);
  }
  const half = String.fromCharCode(0xd800);
  assert.equal(escapeText(`a\u009bb\u202ec\n${half}`), "a\\u{9b}b\\u{202e}c\\u{a}\\u{d800}");
  assert.equal(escapeText("\u{e0041}"), "\\u{e0041}");
});

test("JSON is escaped in its own way: what a parser reads stays the same", () => {
  const value = { name: HOSTILE.join(""), list: [1, { "\u202e": "\u{e0041}" }] };
  const text = escapeJson(JSON.stringify(value, null, 2));
  assert.deepEqual(JSON.parse(text), value);
  assert.match(escapeJson(JSON.stringify("\u009b\u{e0041}")), /^"\\u009b\\udb40\\udc41"$/);
});

test("a screen keeps the job's own colours, and nothing else", () => {
  assert.equal(escapePainted("\u001b[32m= ok\u001b[39m\n\u001b[2J"), "\u001b[32m= ok\u001b[39m\n\\u{1b}[2J");
});

test("ordinary text comes out as it is: the catalog, the events, the pages, names of many scripts", () => {
  const folders = ["src/messages", "src/output", "docs", "docs/zh-CN"];
  const texts = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".png"))
      .map(({ name }) => readFileSync(join(ROOT, folder, name), "utf8")),
  );
  assert.ok(texts.length > 40);
  for (const text of [
    ...texts,
    "探针包（卷）：“fusion-collectors”、告警…… 　",
    "ｶﾞ é 한글 ქართული 🚀👍🏽⚠️ ✔✘⠸",
  ])
    assert.equal(escapeLines(text), text);
});

test("what cannot be part of a key never is one", () => {
  for (const name of ["../../installer", "A/B", "A\\B", "..", ".", "", "a b", ...HOSTILE])
    assert.equal(isKeyPart(name), false, JSON.stringify(name));
  const row = { os: "linux", arch: "x86_64", object: "Telegraf", version: "1.0.0", name: "a b.zip" };
  assert.ok(isKeyRow(row) && isKeyRow({ ...row, arch: "" }) && isKeyRow({ ...row, arch: null }));
  for (const part of ["os", "arch", "object", "version", "name"])
    for (const value of ["..", "a/b", "a\\b", "a\u009bb", "a\nb", "\u202ea"])
      assert.equal(isKeyRow({ ...row, [part]: value }), false, `${part} ${JSON.stringify(value)}`);
});
