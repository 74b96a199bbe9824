import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { JobError, ProblemError } from "../../src/errors.ts";
import { LANGUAGES, type Language } from "../../src/messages/define.ts";
import type { PlatformEntry } from "../../src/messages/events.ts";
import { prettyLines } from "../../src/output/log.ts";
import { Recorder, type ReportedPackage } from "../../src/output/recorder.ts";
import type { PackageEntry } from "../../src/output/report.ts";
import { reachedLine, type ScreenOptions, summarize } from "../../src/output/screen.ts";
import { columns, someOf } from "../../src/output/tables.ts";
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

describe("columns", () => {
  const rows = [
    ["linux/x86_64 NATS-Executor 1.2.0", "uploaded", "1.0 MiB"],
    ["探针安装包", "已替换", ""],
  ];

  test("of least use go first, and only then is a text shortened in the middle", () => {
    const at = (width: number) => columns(rows, { width, drop: [2, 1] })[0];
    assert.equal(at(80), "linux/x86_64 NATS-Executor 1.2.0  uploaded  1.0 MiB");
    assert.equal(at(50), "linux/x86_64 NATS-Executor 1.2.0  uploaded");
    assert.equal(at(40), "linux/x86_64 NATS-Executor 1.2.0");
    assert.equal(at(20), "linux/x86…utor 1.2.0");
  });

  test("stay aligned whatever the script, and are no wider than they may be", () => {
    const lines = columns(rows, { width: 60, drop: [], least: [36] });
    assert.deepEqual(
      lines.map((line) => cellWidth(line.slice(0, line.search(/uploaded|已替换/)))),
      [38, 38],
    );
    for (let width = 2; width < 70; width += 1)
      for (const line of columns(rows, { width, drop: [2, 1] })) assert.ok(cellWidth(line) <= width, line);
  });

  test("that list names show as many as there is space for, and the number of all", () => {
    assert.equal(someOf(["Filebeat", "Telegraf", "Vector"], 24), "Filebeat Telegraf Vector");
    assert.equal(someOf(["Filebeat", "Telegraf", "Vector"], 23), "Filebeat Telegraf …(3)");
    assert.equal(someOf(["Filebeat", "Telegraf", "Vector"], 5), "…(3)");
  });
});

const FILE = "fusion-collectors-linux-amd64.zip";
const SHA = "ab".repeat(32);

type Pack = ReportedPackage & { archive: { file: string } };

function pack(more: Partial<Pack> = {}): Pack {
  const identity = {
    type: "controller",
    os: "linux",
    arch: "x86_64",
    object: "Controller",
    version: "1.2.0",
  };
  return { archive: { file: FILE }, ...identity, ...more };
}

function add(recorder: Recorder, pkg: Pack, action: PackageEntry["action"], error?: JobError): void {
  const bytesUploaded = action === "uploaded" ? 2048 : 0;
  const content = { sha256: SHA, bytes: 2048 };
  const source = { file: pkg.archive.file, ...content };
  const result = { action, source, stored: { key: "k", name: FILE, ...content }, bytesUploaded };
  recorder.package(pkg, { ...result, ...(error && { error }) });
}

const WINDOWS: PlatformEntry = {
  ...{ os: "windows", arch: "x86_64", controller: ["1.2.0"], installer: false, bootstrap: true },
  ...{ collectors: { installable: ["Telegraf"], listed: [] }, complete: false, missing: ["installer"] },
};
const LINUX: PlatformEntry = {
  ...{ os: "linux", arch: "x86_64", controller: ["1.9.0", "1.10.0"], installer: true, bootstrap: null },
  collectors: {
    installable: ["Filebeat", "Kafka-Exporter", "NATS-Executor", "Telegraf", "Vector"],
    listed: [],
  },
  ...{ complete: true, missing: [] },
};

const at = (width: number, language: Language = "en"): ScreenOptions => ({
  language,
  width,
  colour: false,
  plain: false,
});

function screen(recorder: Recorder, options = at(80), error?: unknown): string[] {
  return summarize({ ...recorder.report(error), durationMs: 1500 }, [], options).flatMap(
    ({ lines }) => lines,
  );
}

/** A run of all kinds: everything that the list, the matrix and the verdict have. */
function everything(language: Language): Recorder {
  const recorder = new Recorder("init", language);
  add(recorder, pack(), "uploaded");
  for (const object of ["Telegraf", "探针-生产环境专用-采集器"])
    add(recorder, pack({ object, type: "collector" }), "replaced");
  add(recorder, pack({ object: "Vector" }), "unchanged");
  add(recorder, pack({ os: "windows", archive: { file: "w.zip" } }), "kept");
  recorder.learn({ platforms: [LINUX, WINDOWS] });
  const region = { reachable: true, lag: 0, missing: [], damaged: [], deadBytes: 0 };
  recorder.learn({
    regions: [
      { id: 2, name: "上海", ...region },
      { id: 3, name: "a region far away", ...region, missing: ["a", "b"], deadBytes: 21 << 20 },
      { id: 4, name: "", ...region, lag: 312, deadBytes: null },
      { id: 5, name: "Guiyang", ...region },
      { id: 6, name: "", ...region, reachable: false, lag: null, deadBytes: null },
    ],
  });
  recorder.warning({
    reason: "platform.installer.missing",
    message: "windows/x86_64: no installer",
    hint: "put it there",
  });
  recorder.warning({
    reason: "volume.near.unknown",
    message: "is left alone",
    hint: "rename it",
    file: `${"路径/".repeat(30)}x.zip`,
  });
  return recorder;
}

describe("the screen", () => {
  for (const language of LANGUAGES) {
    for (const width of [40, 60, 80, 200]) {
      test(`is no wider than the terminal, ${language}, ${width} columns`, () => {
        const long = `${"words of a sentence ".repeat(9)}/${"path/".repeat(30)}x.zip 存储桶`;
        const record = { level: "error", time: new Date(), msg: long, stack: `E\n${long}` } as const;
        const ready = {
          where: "a-host-with-a-long-name.example.org:5432",
          database: "bklite",
          state: "C",
          version: "15.20",
          seconds: 1,
        };
        const lines = [
          ...screen(everything(language), at(width, language)),
          ...screen(everything(language), at(width, language), new JobError("run.timeout", { seconds: 5 })),
          ...prettyLines(record, at(width, language)),
          reachedLine("wait.postgres.ready", ready, at(width, language)) ?? "",
        ];
        for (const line of lines) assert.ok(cellWidth(line) <= width, line);
      });
    }
  }

  test("has what changes, the number of what does not, the matrix, and the verdict last", () => {
    assert.deepEqual(
      screen(everything("en")).filter((line) => !/路径|rename it|left alone/.test(line)),
      [
        "= 1 package unchanged",
        "+ linux/x86_64 Controller 1.2.0                uploaded 2.0 KiB",
        "~ linux/x86_64 Telegraf 1.2.0                  replaced",
        "~ linux/x86_64 探针-生产环境专用-采集器 1.2.0  replaced",
        "! windows/x86_64 Controller 1.2.0              kept: other content is stored",
        "  platform         controller    installer  collectors",
        "✔ linux/x86_64     1.10.0 1.9.0  yes        Filebeat Kafka-Exporter …(5)",
        "✘ windows/x86_64   1.2.0         missing    cannot be installed from the page",
        "✔ regions up to date          2 上海, 5 Guiyang",
        "! region 3 a region far away  2 objects missing, 21.0 MiB of replaced chunks",
        "~ region 4                    312 messages behind",
        "! region 6                    not reachable",
        "! init succeeded with 2 warnings: windows/x86_64: no installer",
        "  What to do: put it there",
      ],
    );
  });

  test("has plain signs where the locale is not UTF-8", () => {
    const lines = screen(everything("en"), { ...at(80), plain: true }).filter(
      (line) => !/\p{Script=Han}/u.test(line),
    );
    for (const line of lines) assert.match(line, /^[\x20-\x7e]*$/);
    assert.ok(
      lines.includes("x windows/x86_64   1.2.0         missing    cannot be installed from the page"),
    );
    const fields = { where: "/packages", files: 9, packages: 18, bytes: 2048 };
    assert.equal(
      reachedLine("scan.packages", fields, { ...at(80), plain: true }),
      "+ /packages       9 files -> 18 packages  2.0 KiB",
    );
  });

  test("names Postgres' version without its packager, which would break the columns", () => {
    const version = "15.20 (Debian 15.20-1.pgdg12+1)";
    const fields = { where: "db:5432", database: "bklite", state: "C", version, seconds: 1 };
    assert.equal(
      reachedLine("wait.postgres.ready", fields, at(80)),
      "✔ Postgres 15.20  db:5432/bklite          table state C",
    );
  });

  test("shortens the volume's path rather than the counts, and says how many files cannot be used", () => {
    const where = "/data/bk-lite/packages";
    const fields = { where, files: 9, packages: 18, bytes: 2048 };
    assert.equal(reachedLine("scan.packages", fields, at(40)), "✔ /data/…ackages  9 files → 18 packages");
    assert.equal(
      reachedLine("scan.rejected", { where, files: 9, bad: 1 }, at(40, "zh")),
      "✘ /data…kages  9 个文件中有 1 个无法使用",
    );
    assert.equal(
      reachedLine("scan.rejected", { where, files: 9, bad: 1 }, at(80)),
      "✘ /data/bk-lite/packages  1 of 9 files cannot be used",
    );
  });

  test("of many packages gives those of one platform and version one line", () => {
    const recorder = new Recorder("init", "en");
    for (let version = 0; version < 60; version += 1)
      for (const object of ["Controller", "Telegraf", "Vector"])
        add(
          recorder,
          pack({ archive: { file: `${version}.zip` }, object, version: `1.${version}.0` }),
          "uploaded",
        );
    const lines = screen(recorder);
    assert.equal(lines.length, 61);
    assert.equal(lines[7], "+ linux/x86_64 Controller 1.7.0 and 2 others   uploaded 6.0 KiB");
  });
});

describe("the verdict", () => {
  test("names three warnings that keep something from being installed, and has the others above", () => {
    const recorder = new Recorder("init", "en");
    for (const platform of ["a", "b", "c", "d"])
      recorder.warning({
        reason: "platform.installer.missing",
        message: `${platform}: no installer`,
        hint: `put ${platform}`,
      });
    assert.deepEqual(screen(recorder), [
      "! d: no installer",
      "  What to do: put d",
      "! init succeeded with 4 warnings:",
      ...["a", "b", "c"].flatMap((platform) => [
        `  - ${platform}: no installer`,
        `    What to do: put ${platform}`,
      ]),
      "  - and 1 more above",
    ]);
  });

  test("of a failed package has its message once, and nothing that follows from it", () => {
    const recorder = everything("en");
    add(recorder, pack({ object: "Telegraf" }), "failed", new JobError("archive.empty", {}));
    const warning = { message: "follows", hint: "", file: FILE };
    recorder.warning({ reason: "version.missing", ...warning });
    const text = screen(recorder, at(80), new JobError("archive.empty", {})).join("\n");
    assert.match(text, /^✘ linux\/x86_64 Telegraf 1\.2\.0 +failed: archive\.empty$/m);
    assert.match(text, new RegExp(`\n✘ init failed \\(exit 65\\): ${FILE} is empty\n  What to do: [^✘!]*$`));
    assert.doesNotMatch(text, /follows|no installer/);
  });

  test("of several files that cannot be used names three with what to do, and says the rest above", () => {
    const problems = ["a.zip", "b.zip", "c.zip", "d.zip"].map((file) => ({
      file,
      reason: "archive.empty" as const,
      params: {},
    }));
    const lines = screen(new Recorder("init", "en"), at(80), new ProblemError(problems));
    const [first] = lines;
    assert.match(first ?? "", /^✘ a\.zip +failed: archive\.empty$/);
    const end = lines.indexOf("✘ init failed (exit 65): 4 files cannot be used:");
    assert.equal(lines.filter((line) => line === "✘ d.zip is empty").length, 1);
    assert.deepEqual(lines.slice(end + 1, end + 5), [
      "  - a.zip is empty",
      "  - b.zip is empty",
      "  - c.zip is empty",
      "  - and 1 more above",
    ]);
    assert.match(lines[end + 5] ?? "", /^ {2}What to do: /);
  });

  test("of many differences is a summary, and the list has each package once", () => {
    const differences = ["drift.object.missing", "drift.row.missing"].flatMap((reason) =>
      ["Controller", "Telegraf"].map((object) => ({
        reason,
        os: "linux",
        arch: null,
        object,
        version: "1.0.0",
        message: "m",
        hint: "h",
      })),
    );
    const report = new Recorder("verify", "en").report(
      new JobError("verification.failed", { problems: 4, first: { en: "", zh: "" } }),
    );
    assert.deepEqual(
      summarize(report, differences, at(80)).flatMap(({ lines }) => lines),
      [
        "✘ linux Controller 1.0.0                 not stored, not registered",
        "✘ linux Telegraf 1.0.0                   not stored, not registered",
        "✘ verify failed (exit 76): 4 differences: 2 not stored, 2 not registered",
        `  What to do: ${report.error?.hint}`,
      ],
    );
  });
});

test("a digest that does not fit is told by its beginning", () => {
  const msg = `SHA-256 stored ${"0123456789abcdef".repeat(4)}, on the volume ${"ab".repeat(32)}`;
  const line = (width: number) => prettyLines({ level: "info", time: new Date(), msg }, at(width)).join("\n");
  assert.match(line(80), /stored 0123456789ab…, on the volume abababababab…$/);
  assert.ok(line(300).includes(msg));
});

test("a line of the log has local time, its zone and the remedy below the cause", () => {
  const zone = process.env.TZ;
  try {
    const line = (level: "error" | "info") =>
      prettyLines(
        {
          level,
          time: new Date("2026-01-02T03:04:05Z"),
          msg: "init failed: no. What to do: look at it",
          hint: "look at it",
        },
        at(80),
      );
    process.env.TZ = "Asia/Shanghai";
    assert.deepEqual(line("error"), [
      "11:04:05 +08 ERROR init failed: no",
      "                   What to do: look at it",
    ]);
    assert.deepEqual(line("info"), ["11:04:05 +08 init failed: no", "             What to do: look at it"]);
    process.env.TZ = "Asia/Kolkata";
    assert.match(line("error")[0] ?? "", /^08:34:05 \+05:30 ERROR /);
    process.env.TZ = "America/New_York";
    assert.match(line("error")[0] ?? "", /^22:04:05 -05 ERROR /);
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});
