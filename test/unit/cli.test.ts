import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HELP, parseArguments, USAGE } from "../../src/cli.ts";
import { EXIT, JobError } from "../../src/errors.ts";

describe("the command line", () => {
  test("without arguments is init", () => {
    assert.deepEqual(parseArguments([]), { command: "init", help: false, json: false, wait: false });
  });

  test("takes the guide's examples", () => {
    assert.equal(parseArguments(["--auto"]).command, "init");
    const { file, version } = parseArguments([
      "--file",
      "fusion-collectors-linux-amd64.zip",
      "--version",
      "2.0.0",
    ]);
    assert.deepEqual([file, version], ["fusion-collectors-linux-amd64.zip", "2.0.0"]);
    const third = [
      "--file",
      "telegraf-collector.zip",
      "--object",
      "Telegraf",
      "--type",
      "collector",
      "--version",
      "1.0.0",
    ];
    const { object, type } = parseArguments(third);
    assert.deepEqual([object, type], ["Telegraf", "collector"]);
  });

  test("knows both spellings of an architecture", () => {
    assert.equal(parseArguments(["plan", "--arch", "amd64"]).arch, "x86_64");
    assert.equal(parseArguments(["plan", "--arch", "AARCH64"]).arch, "arm64");
  });

  const bad: [string, string[]][] = [
    ["an unknown option", ["--force"]],
    ["an unknown command", ["upload"]],
    ["a second command", ["plan", "init"]],
    ["a missing value", ["--file"]],
    ["an empty path", ["--file", ""]],
    ["an impossible os", ["--os", "plan9"]],
    ["an impossible architecture", ["--arch", "sparc"]],
    ["an impossible type", ["--type", "agent"]],
    ["a version with a slash", ["--version", "1/2"]],
    ["an object with a space", ["--object", "Tele graf"]],
    ["a collector without a file", ["--type", "collector", "--object", "Telegraf"]],
    ["a collector without an object", ["--type", "collector", "--file", "x"]],
    ["--auto with --file", ["--auto", "--file", "x"]],
    ["--wait without verify", ["plan", "--wait"]],
  ];
  for (const [name, argv] of bad) {
    test(`refuses ${name} with the usage line`, () => {
      assert.throws(
        () => parseArguments(argv),
        (error) => error instanceof JobError && error.code === EXIT.usage && error.hint === USAGE,
      );
    });
  }

  test("the help names every exit code", () => {
    for (const code of Object.values(EXIT)) assert.match(HELP, new RegExp(`\\b${code}\\b`));
  });
});
