import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { LANGUAGES } from "../../src/messages/define.ts";
import type { PlatformEntry, RowEntry } from "../../src/messages/events.ts";
import { prettyLine } from "../../src/output/log.ts";
import { planTable, platformTable, rowTable } from "../../src/output/tables.ts";
import { cellWidth, loadCells, shorten, wrap } from "../../src/output/terminal.ts";

before(loadCells);

describe("a text that is too long", () => {
  test("is shortened in the middle, by terminal cells", () => {
    assert.equal(shorten("fusion-collectors.zip", 11), "fusio…s.zip");
    assert.equal(shorten("short", 5), "short");
    assert.equal(shorten("探针安装包.zip", 9), "探针….zip");
    assert.deepEqual(
      [0, 1, 2].map((cells) => shorten("abc", cells)),
      ["", "…", "…c"],
    );
    for (let cells = 1; cells < 12; cells += 1) assert.ok(cellWidth(shorten("👩‍👩‍👧家a字b", cells)) <= cells);
  });

  test("is parted at blanks, and Chinese between its characters but never before a full stop", () => {
    assert.deepEqual(wrap("one two  three", 9), ["one two", "three"]);
    assert.deepEqual(wrap("一二三，四五六。", 6), ["一二", "三，四", "五六。"]);
    assert.deepEqual(wrap("用 NATS 存储桶", 8), ["用 NATS", "存储桶"]);
    assert.deepEqual(wrap("a\nb", 9), ["a", "b"]);
    assert.deepEqual(wrap("waited 12 s, 3 left", 9), ["waited", "12 s, 3", "left"]);
    assert.deepEqual(wrap("速率 1.5 MiB/s", 10), ["速率", "1.5 MiB/s"]);
    assert.deepEqual(wrap("已等待 12 秒，剩余", 9), ["已等待", "12 秒，剩", "余"]);
    assert.deepEqual(wrap(`see ${"x".repeat(30)} now`, 10), ["see", "xxxx…xxxx", "now"]);
  });
});

const rows: RowEntry[] = [
  "fusion-collectors-linux-amd64.zip",
  "探针安装包-版本一-生产环境专用-linux-arm64.zip",
].map((name) => ({
  id: 1,
  type: "controller",
  os: "linux",
  arch: "x86_64",
  object: "Controller",
  version: "1.0.0",
  name,
  action: "inserted",
}));

const platforms: PlatformEntry[] = [
  {
    os: "linux",
    arch: "x86_64",
    controller: ["1.0.0", "2.0.0"],
    installer: true,
    bootstrap: null,
    collectors: { installable: ["Telegraf", "Vector", "NATS-Executor", "Filebeat"], listed: ["Auditbeat"] },
    complete: true,
    missing: [],
  },
];

describe("nothing is wider than the terminal", () => {
  for (const language of LANGUAGES) {
    for (const width of [60, 80, 200]) {
      test(`tables and log, ${language}, ${width} columns`, () => {
        const long = `${"words of a sentence ".repeat(9)}/${"path/".repeat(30)}x.zip 存储桶`;
        const record = { level: "error", time: "2026-01-02T03:04:05Z", msg: long, stack: `E\n${long}` };
        const texts = [
          rowTable(rows, language, width),
          platformTable(platforms, language, width),
          prettyLine(record, { language, colour: false, width }),
        ];
        for (const line of texts.join("\n").split("\n")) assert.ok(cellWidth(line) <= width, line);
      });
    }
  }

  test("at 80 columns a row keeps what it is, and a platform every name, in lines below it", () => {
    const [, , first = ""] = rowTable(rows, "en", 80).split("\n");
    assert.match(first, /^ controller \| linux \| x86_64 \| Controller \| 1\.0\.0 .*… *.*\| inserted$/);
    const [incomplete] = platforms;
    assert.ok(incomplete);
    const missing = ["installer", "Windows bootstrap"];
    for (const language of LANGUAGES) {
      const shown = platformTable([{ ...incomplete, complete: false, missing }], language, 80);
      const cells = shown
        .split("\n")
        .slice(2)
        .map((line) => line.split("|").map((cell) => cell.trim()));
      const columns = (cells[0] ?? []).map((_, column) =>
        cells
          .map((line) => line[column] ?? "")
          .join(" ")
          .trim(),
      );
      assert.deepEqual(columns, [
        "linux/x86_64",
        language === "zh" ? "缺少installer、 Windows bootstrap" : "no installer, no Windows bootstrap",
        "1.0.0, 2.0.0",
        "Telegraf, Vector, NATS-Executor, Filebeat",
        "Auditbeat",
      ]);
    }
    assert.doesNotMatch(
      platformTable([{ ...incomplete, collectors: { installable: [], listed: [] } }], "en", 80),
      /listed/,
    );
  });

  test("of a plan every row's identity is whole at 80 columns", () => {
    const plan = {
      packages: [],
      rows: rows.map(({ id, action, ...values }) => ({
        action,
        values: { ...values, type: "collector", object: "NATS-Executor" },
        row: undefined,
      })),
    };
    const text = planTable(plan, "en", {
      paint: (_, line) => line,
      width: () => 80,
      redacted: (value) => value,
    });
    assert.match(text, /\| collector linux\/x86_64 NATS-Executor 1\.0\.0/);
  });

  test("a table's columns stay aligned whatever the script", () => {
    const lines = rowTable(rows, "zh", 80).split("\n");
    const ends = [lines[0], ...lines.slice(2)].map((line) => cellWidth(line?.replace(/\|[^|]*$/, "") ?? ""));
    assert.deepEqual(ends, [ends[0], ends[0], ends[0]]);
  });
});

test("a digest that does not fit is told by its beginning", () => {
  const msg = `SHA-256 stored ${"0123456789abcdef".repeat(4)}, on the volume ${"ab".repeat(32)}`;
  const line = (width: number) =>
    prettyLine(
      { level: "info", time: "2026-01-02T03:04:05Z", msg },
      { language: "en", colour: false, width },
    );
  assert.match(line(80), /stored 0123456789ab…, on the volume abababababab…\n/);
  assert.ok(line(300).includes(msg));
});

test("a line of the log has local time, its zone and the remedy below the cause", () => {
  const zone = process.env.TZ;
  try {
    const line = (time: string, width = 80) =>
      prettyLine(
        { level: "error", time, msg: "init failed: no. What to do: look at it", hint: "look at it" },
        { language: "en", colour: false, width },
      );
    process.env.TZ = "Asia/Shanghai";
    assert.equal(
      line("2026-01-02T03:04:05Z"),
      "11:04:05 +08 ERROR init failed: no\n                   What to do: look at it\n",
    );
    process.env.TZ = "Asia/Kolkata";
    assert.match(line("2026-01-02T03:04:05Z"), /^08:34:05 \+05:30 ERROR /);
    process.env.TZ = "America/New_York";
    assert.match(line("2026-01-02T03:04:05Z"), /^22:04:05 -05 ERROR /);
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});
