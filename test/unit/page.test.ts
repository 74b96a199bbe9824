import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { JobError } from "../../src/errors.ts";
import { LANGUAGES } from "../../src/messages/define.ts";
import { describeError } from "../../src/output/report.ts";
import { HIDDEN, HOSTILE } from "../support/hostile-text.ts";
import { fullReport, pageOf, withText } from "../support/page.ts";
import { checkedReport } from "../support/report.ts";

const VOID = new Set(["meta", "link", "br", "wbr", "col"]);
const MARKUP = [
  "</script><script>alert(1)</script>",
  "<img src=http://127.0.0.1:1/x onerror=alert(1)>",
  `"><b onmouseover='alert(1)'>&lt;`,
  "</style><!--",
];

/**
 * The page's tags, without what the JSON block and the style hold. Throws where one is not closed in its
 * place.
 */
function tagsOf(page: string): string[] {
  const markup = page
    .replace(/(<script type="application\/json" id="report">)[^<]*/, "$1")
    .replace(/(<style>)[^<]*/, "$1");
  const open: string[] = [];
  const tags = [...markup.matchAll(/<(\/?)([a-z][a-z\d]*)((?:\s+[\w-]+="[^"<>]*")*)>/g)];
  assert.equal(tags.length, (markup.match(/</g) ?? []).length - 1, "every < but the doctype's begins a tag");
  for (const [tag, slash, name = ""] of tags) {
    if (slash) assert.equal(open.pop(), name, `${tag} closes what was opened last`);
    else if (!VOID.has(name)) open.push(name);
  }
  assert.deepEqual(open, []);
  return tags.map(([tag]) => tag);
}

/** What a reader sees. */
function textOf(page: string): string {
  return page
    .replace(/<(script|style)\b[\s\S]*?<\/\1>/g, "")
    .replace(/<wbr>/g, "")
    .replace(/<[^>]*>/g, " ");
}

describe("the report's page", () => {
  for (const language of LANGUAGES) {
    test(`is well-formed and asks for nothing from outside (${language})`, () => {
      const { page } = pageOf(fullReport(3), language);
      const tags = tagsOf(page);
      assert.deepEqual(
        tags.filter((tag) => /^<(?:script|link|img|iframe|object|form|a)\b/.test(tag)),
        ['<link rel="icon" href="data:,">', '<script type="application/json" id="report">'],
      );
      assert.deepEqual(
        tags.filter(
          (tag) => /\s(?:src|on\w+|action|style)=/.test(tag) && !/^<col style="width:\d+%">$/.test(tag),
        ),
        [],
      );
      assert.doesNotMatch(page, /url\(|@import|https?:/);
      assert.match(page, /thead \{ display: table-header-group/);
    });

    test(`escapes the text of others everywhere (${language})`, () => {
      for (const text of [...MARKUP, ...HOSTILE]) {
        const report = withText(fullReport(2), text);
        const { page, json } = pageOf(report, language);
        const expected = tagsOf(pageOf(withText(fullReport(2), "plain"), language).page);
        const count = (tags: readonly string[]) => tags.filter((tag) => !/^<w?br>$/.test(tag)).length;
        assert.equal(count(tagsOf(page)), count(expected), text);
        assert.doesNotMatch(page.replaceAll("\n", ""), HIDDEN);
        assert.deepEqual(JSON.parse(json), report);
      }
    });

    test(`holds the JSON report and shows its digest (${language})`, () => {
      const report = { ...fullReport(2), host: "</script><!--" };
      const { page, json } = pageOf(report, language);
      // as docs/output.md takes it out with sed
      const lines = page.split("\n");
      const first = lines.findIndex((line) => line.startsWith('<script type="application/json"'));
      const last = lines.findIndex((line) => line.startsWith("</script>"));
      assert.equal(`${lines.slice(first + 1, last).join("\n")}\n`, json);
      const sha256 = createHash("sha256").update(json).digest("hex");
      assert.equal(textOf(page).split(sha256).length - 1, 2);
      assert.deepEqual(checkedReport(JSON.parse(json)).packages.length, 2);
    });
  }

  test("has both digests of each of 200 packages", () => {
    const whole = fullReport(200);
    const packages = whole.packages.map((one, index) => ({
      ...one,
      source: { ...one.source, sha256: `a${index}`.padEnd(64, "0") },
      stored: { ...one.stored, sha256: `b${index}`.padEnd(64, "0") },
    }));
    const { page } = pageOf({ ...whole, packages }, "en");
    tagsOf(page);
    const text = textOf(page);
    for (const { source, stored } of packages)
      for (const sha256 of [source.sha256, stored.sha256]) assert.ok(text.includes(sha256), sha256);
  });

  test("is to be signed only if the packages were proved to be in place", () => {
    const signed = (command: string, more = {}) =>
      /class="signing"/.test(pageOf({ ...fullReport(1), command, ...more }, "en").page);
    const error = describeError(new JobError("run.timeout", { seconds: 5 }), "en");
    const failed = { outcome: "failed", exitCode: 75, error } as const;
    assert.deepEqual(
      ["init", "verify", "status", "plan", "scan", "wait"].map((one) => signed(one)),
      [true, true, true, false, false, false],
    );
    assert.equal(signed("init", failed), false);
    const text = textOf(pageOf({ ...fullReport(1), ...failed }, "en").page);
    assert.ok(
      text.includes("init failed (exit 75)") && text.includes(error.message) && text.includes(error.hint),
    );
  });

  test("is short where a run ended before anything was read", () => {
    const { servers, platforms, packages, rows, ...rest } = fullReport(0);
    const empty = { postgres: null, nats: null };
    const report = {
      ...rest,
      servers: empty,
      platforms: [],
      packages: [],
      rows: [],
      probes: [],
      regions: [],
    };
    tagsOf(pageOf(report, "zh").page);
  });
});
