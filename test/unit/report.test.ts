import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { JobError, ProblemError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import { formatBytes, LANGUAGES } from "../../src/messages/define.ts";
import { progressWords } from "../../src/messages/events.ts";
import { progressBar, snapshot } from "../../src/output/progress.ts";
import { Recorder } from "../../src/output/recorder.ts";
import { terminationMessage } from "../../src/output/report.ts";
import { cellWidth, loadCells } from "../../src/output/terminal.ts";
import type { Archive, Package } from "../../src/packages/package.ts";
import { checkedReport } from "../support/report.ts";

before(loadCells);

const FILE = "fusion-collectors-linux-amd64.zip";

function pack(object = "Controller"): Package {
  const archive = { file: FILE, name: FILE, size: 2048 } as Archive;
  return {
    type: "controller",
    os: "linux",
    arch: "x86_64",
    object,
    version: "1.0.0",
    archive,
    name: FILE,
    description: "",
  };
}

const ROW = {
  type: "controller",
  os: "linux",
  arch: null,
  object: "Controller",
  version: "1.0.0",
  name: FILE,
  description: "",
  sha256: null,
  status: null,
};
const CONTENT = { bytes: 2048, sha256: "ab".repeat(32) };
const RESULT = { source: { file: FILE, ...CONTENT }, stored: { name: FILE, key: "k", ...CONTENT } };

describe("the termination message", () => {
  test("has outcome, counts and error", () => {
    const recorder = new Recorder("init", "en");
    recorder.package(pack(), { ...RESULT, action: "uploaded", bytesUploaded: 2048 });
    recorder.row(ROW, 1, "inserted");
    const error = new JobError("run.timeout", { seconds: 5 }, { layer: "login" });
    assert.deepEqual(JSON.parse(terminationMessage(recorder.report(error))), {
      outcome: "failed",
      exitCode: 75,
      packages: { uploaded: 1 },
      rows: { inserted: 1 },
      platforms: {},
      warnings: 0,
      error: {
        code: 75,
        reason: "run.timeout",
        layer: "login",
        message: "the run took longer than RUN_TIMEOUT (5 s)",
        hint: "raise RUN_TIMEOUT, or find out which step is slow: the log has a line every 10 s",
      },
    });
  });

  test("stays within 4096 bytes and valid JSON, whatever the error's length and script", () => {
    for (const text of ["x".repeat(100_000), "探针".repeat(50_000), '"\\'.repeat(50_000)]) {
      const report = new Recorder("init", "en").report(new JobError("internal", { message: text }));
      const message = terminationMessage(report);
      assert.ok(Buffer.byteLength(message) <= 4096);
      assert.equal(JSON.parse(message).exitCode, 70);
    }
  });
});

describe("the report", () => {
  test("counts what an earlier attempt of the same run did", () => {
    const recorder = new Recorder("init", "en");
    recorder.package(pack(), { ...RESULT, action: "uploaded", bytesUploaded: 2048 });
    recorder.row(ROW, 1, "inserted");
    recorder.package(pack(), { ...RESULT, action: "unchanged", bytesUploaded: 0 });
    recorder.row(ROW, 1, "unchanged");
    const { packages, rows } = recorder.report();
    assert.deepEqual(
      [packages.length, packages[0]?.action, packages[0]?.bytesUploaded],
      [1, "uploaded", 2048],
    );
    assert.deepEqual([rows.length, rows[0]?.action], [1, "inserted"]);
  });

  test("lists every bad file", () => {
    const problems = ["a.zip", "b.zip"].map((file) => ({
      file,
      reason: "archive.empty" as const,
      params: {},
    }));
    const { packages, exitCode } = new Recorder("init", "en").report(new ProblemError(problems));
    assert.equal(exitCode, 65);
    assert.deepEqual(
      packages.map((p) => [p.source.file, p.action, p.error?.message]),
      [
        ["a.zip", "failed", "is empty"],
        ["b.zip", "failed", "is empty"],
      ],
    );
  });

  test("calls an unknown error a bug", () => {
    const { error } = new Recorder("init", "en").report(new TypeError("x is not a function"));
    assert.equal(error?.code, EXIT.internal);
    assert.match(error?.hint ?? "", /bug/);
  });
});

describe("warnings", () => {
  const warning = { reason: "run.timeout" as const, message: "slow", hint: "look", file: "a.zip" };

  test("that a further attempt repeats count once", () => {
    const recorder = new Recorder("init", "en");
    recorder.warning(warning);
    recorder.warning({ ...warning });
    recorder.warning({ ...warning, file: "b.zip" });
    assert.deepEqual(
      recorder.report().warnings.map(({ file }) => file),
      ["a.zip", "b.zip"],
    );
  });

  test("are in a report that its schema knows, with what can be installed", () => {
    const recorder = new Recorder("init", "zh");
    recorder.package(pack(), { ...RESULT, action: "uploaded", bytesUploaded: 1 });
    recorder.warning(warning);
    recorder.learn({
      platforms: [
        {
          os: "linux",
          arch: "arm64",
          controller: ["1.0.0"],
          installer: false,
          bootstrap: null,
          collectors: { installable: ["Telegraf"], listed: [] },
          complete: false,
          missing: ["installer"],
        },
      ],
    });
    const report = recorder.report(new JobError("run.sigterm", {}));
    assert.equal(checkedReport(report).warnings.length, 1);
    assert.deepEqual(JSON.parse(terminationMessage(report)).platforms, { "linux/arm64": "incomplete" });
    assert.throws(() => checkedReport({ ...report, schema: 2 }), /schema must be equal to constant/);
    assert.throws(() => checkedReport({ ...report, outcome: "ok" }), /not as its schema says/);
  });
});

describe("progress", () => {
  const task = (total: number | undefined) => ({ phase: "upload" as const, file: FILE, total });

  test("has percent, rate and time left, in both languages", () => {
    const half = snapshot(task(1024 * 1024), 512 * 1024, 2);
    assert.deepEqual([half.percent, half.bytesPerSecond, half.secondsLeft], [50, 262144, 2]);
    assert.equal(progressWords(half, "en"), "50% of 1.0 MiB, 256.0 KiB/s, 2 s left");
    assert.equal(progressWords(half, "zh"), "50%，共 1.0 MiB，256.0 KiB/s，剩余 2 秒");
  });

  test("of an unknown size claims nothing", () => {
    const some = snapshot(task(undefined), 1024, 1);
    assert.deepEqual([some.percent, some.secondsLeft], [null, null]);
    assert.match(
      progressBar(some, "upload", "en", 80),
      new RegExp(`^. ${FILE}  1\\.0 KiB  1\\.0 KiB/s$`, "u"),
    );
  });

  test("at the very start divides by nothing", () => {
    const { percent, bytesPerSecond, secondsLeft } = snapshot(task(100), 0, 0);
    assert.deepEqual([percent, bytesPerSecond, secondsLeft], [0, 0, null]);
  });

  test("is a bar with the number of the package, in one line wherever it is shown", () => {
    const now = snapshot({ ...task(2 ** 30), index: 2, count: 5 }, 2 ** 29, 100);
    const bar = (cells: number) => progressBar(now, "upload", "en", cells).replace(/^./u, "*");
    assert.equal(bar(80), "* 2/5 [######......] 50 %  0.5 of 1.0 GiB  5.1 MiB/s  1 min 41 s left");
    assert.equal(bar(60), "* 2/5 [######......] 50 %  0.5 of 1.0 GiB  1 min 41 s left");
    assert.equal(bar(45), "* 2/5 [######......] 50 %  1 min 41 s left");
    assert.equal(bar(30), "* 2/5 50 %  1 min 41 s left");
    const reading = snapshot(task(2 ** 30), 2 ** 29, 100);
    assert.match(
      progressBar(reading, "read", "en", 79),
      /^. reading fus.*….*zip \[######\.{6}\] 50 % {2}0\.5 of 1\.0 GiB {2}1 min 41 s left$/u,
    );
    for (const language of LANGUAGES) {
      for (const cells of [10, 30, 50, 60, 79]) {
        for (const phase of ["read", "check", "upload"] as const) {
          const line = progressBar({ ...now, file: "探针安装包-linux-arm64.zip" }, phase, language, cells);
          assert.ok(cellWidth(line) <= cells, line);
        }
      }
    }
  });
});

test("bytes for people", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 1024 ** 3].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "1.0 GiB",
  ]);
});
