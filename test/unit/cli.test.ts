import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { type Arguments, type Page, parseArguments } from "../../src/cli.ts";
import { JobError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import { HELP, helpPage } from "../../src/help.ts";
import { LANGUAGES, type Language } from "../../src/messages/define.ts";
import { describeError } from "../../src/output/report.ts";
import { cellWidth, loadCells } from "../../src/output/terminal.ts";
import { tempDir } from "../support/guard.ts";

function parsed(argv: readonly string[]): Arguments {
  const args = parseArguments(argv);
  assert.ok("command" in args);
  return args;
}

function refusal(argv: readonly string[]): JobError {
  try {
    parseArguments(argv);
  } catch (error) {
    if (error instanceof JobError) return error;
    throw error;
  }
  throw new Error(`${argv.join(" ")} is taken`);
}

describe("the command line", () => {
  test("without arguments is init", () => {
    assert.deepEqual(parsed([]), { command: "init", wait: false, deep: false });
  });

  test("accepts one form of the report for standard output", () => {
    assert.equal(parsed(["--json"]).report, "json");
    assert.equal(parsed(["verify", "--html"]).report, "html");
    assert.equal(refusal(["--json", "--html"]).reason, "usage.together");
  });

  test("accepts the guide's examples", () => {
    assert.equal(parsed(["--auto"]).command, "init");
    const { file, version } = parsed(["--file", "fusion-collectors-linux-amd64.zip", "--version", "2.0.0"]);
    assert.deepEqual([file, version], ["fusion-collectors-linux-amd64.zip", "2.0.0"]);
    for (const [given, stored] of [
      ["v2.0.0", "2.0.0"],
      ["V2", "2"],
      ["vNext", "vNext"],
      ["latest", "latest"],
    ])
      assert.equal(parsed(["--version", given as string]).version, stored);
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
    const { object, type } = parsed(third);
    assert.deepEqual([object, type], ["Telegraf", "collector"]);
  });

  test("--deep goes with each command that looks at all objects", () => {
    for (const command of ["init", "plan", "verify", "status"]) assert.ok(parsed([command, "--deep"]).deep);
  });

  test("knows both spellings of an architecture", () => {
    assert.equal(parsed(["plan", "--arch", "amd64"]).arch, "x86_64");
    assert.equal(parsed(["plan", "--arch", "AARCH64"]).arch, "arm64");
  });

  test("has prune's options apart from those of one file", () => {
    assert.deepEqual(parsed(["prune", "--keep", "3"]), {
      command: "prune",
      wait: false,
      deep: false,
      prune: { keep: 3, yes: false },
    });
    const one = ["--version", "v2.0.0", "--object", "Telegraf", "--os", "linux", "--arch", "amd64", "--yes"];
    assert.deepEqual(parsed(["prune", ...one]), {
      command: "prune",
      wait: false,
      deep: false,
      prune: { version: "2.0.0", object: "Telegraf", os: "linux", arch: "x86_64", yes: true },
    });
  });

  test("accepts what is no controller by --type", () => {
    const types = ["installer", "apm-probe"].map((type) => parsed(["--file", "x", "--type", type]).type);
    assert.deepEqual(types, ["installer", "apm-probe"]);
  });

  test("uses the last of an option that is given twice, and words behind --", () => {
    assert.equal(parsed(["--os", "linux", "--os=Windows"]).os, "windows");
    assert.equal(parsed(["--", "plan"]).command, "plan");
  });

  const bad: [string, string[], string, string?][] = [
    ["an unknown option", ["--force"], "usage.option"],
    ["a mistyped option", ["--flie", "x"], "usage.option", "--file"],
    ["an unknown short option", ["-x"], "usage.option"],
    ["an unknown command", ["upload"], "usage.command"],
    ["a mistyped command", ["verfiy"], "usage.command", "verify"],
    ["a mistyped command of few letters", ["int"], "usage.command", "init"],
    ["a command of other programs", ["check"], "usage.command", "verify"],
    ["an option of other programs", ["--dry-run"], "usage.option", "plan"],
    ["a short option of other programs", ["-f", "x"], "usage.option", "--file"],
    ["a word of every object", ["constructor"], "usage.command"],
    ["a second command", ["plan", "init"], "usage.argument"],
    ["an argument of version", ["version", "1"], "usage.argument"],
    ["a second topic", ["help", "a", "b"], "usage.argument"],
    ["a missing value", ["--file"], "usage.value.missing"],
    ["an option where a value should be", ["--file", "--json"], "usage.value.missing"],
    ["an empty path", ["--file", ""], "usage.value.missing"],
    ["a value for a switch", ["--json=yes"], "usage.value.unexpected"],
    ["an impossible os", ["--os", "plan9"], "usage.value.choice"],
    ["a mistyped os", ["--os", "linx"], "usage.value.choice", "linux"],
    ["an impossible architecture", ["--arch", "sparc"], "usage.value.choice"],
    ["an impossible type", ["--type", "agent"], "usage.value.choice"],
    ["a mistyped type", ["--type", "colector"], "usage.value.choice", "collector"],
    ["a version with a slash", ["--version", "1/2"], "usage.value.form"],
    ["an object with a space", ["--object", "Tele graf"], "usage.value.form"],
    ["a collector without a file", ["--type", "collector", "--object", "Telegraf"], "usage.needs"],
    ["a collector without an object", ["--type", "collector", "--file", "x"], "usage.needs"],
    ["an installer without a file", ["--type", "installer"], "usage.needs"],
    ["--auto with --file", ["--auto", "--file", "x"], "usage.together"],
    ["--wait without verify", ["plan", "--wait"], "usage.only"],
    ["--deep where no object is looked at", ["scan", "--deep"], "usage.only"],
    ["--yes without prune", ["--yes"], "usage.only"],
    ["--keep without prune", ["plan", "--keep", "1"], "usage.only"],
    ["prune without a rule", ["prune", "--yes"], "usage.needs"],
    ["prune with two rules", ["prune", "--keep", "1", "--version", "1.0.0"], "usage.together"],
    ["prune of a file", ["prune", "--keep", "1", "--file", "x"], "usage.together"],
    ["prune that would keep nothing", ["prune", "--keep", "0"], "usage.value.count"],
    ["a number that is none", ["prune", "--keep", "1e3"], "usage.value.count"],
  ];
  for (const [name, argv, reason, nearest] of bad) {
    test(`rejects ${name}${nearest ? " with the nearest name" : ""}`, () => {
      const error = refusal(argv);
      assert.deepEqual([error.code, error.reason], [EXIT.usage, reason]);
      const { message } = describeError(error, "zh");
      assert.equal(message.includes("是否想输入"), nearest !== undefined);
      if (nearest) assert.match(message, new RegExp(`“${nearest}”`));
    });
  }

  const pages: [string[], Page][] = [
    [["version"], { page: "version" }],
    [["-V"], { page: "version" }],
    [["help"], { page: "help" }],
    [["-h"], { page: "help" }],
    [["plan", "--help"], { page: "help" }],
    [["help", "reasons"], { page: "help", topic: "reasons" }],
  ];
  for (const [argv, page] of pages) {
    test(`prints a page for ${argv.join(" ")}`, () => assert.deepEqual(parseArguments(argv), page));
  }
});

describe("the help", () => {
  before(loadCells);

  for (const language of LANGUAGES) {
    test(`names every exit code and command, no line wider than a terminal (${language})`, () => {
      const text = HELP[language];
      for (const code of Object.values(EXIT)) assert.match(text, new RegExp(`(?<!\\d)${code}(?!\\d)`));
      for (const word of ["init", "plan", "verify", "wait", "gate", "scan", "version", "help"]) {
        assert.match(text, new RegExp(`^  ${word} `, "m"));
      }
      const cells = (line: string) => [...line].reduce((sum, c) => sum + (c > "\u2e80" ? 2 : 1), 0);
      for (const line of text.split("\n")) assert.ok(cells(line) <= 80, line);
    });
  }

  test("about a topic is a page of the documentation, in Chinese where it is translated", () => {
    const folder = tempDir("help");
    try {
      mkdirSync(join(folder.path, "docs", "zh-CN"), { recursive: true });
      mkdirSync(join(folder.path, "dist"));
      writeFileSync(join(folder.path, "docs", "output.md"), "# Output");
      writeFileSync(join(folder.path, "docs", "zh-CN", "output.md"), "# 输出");
      writeFileSync(join(folder.path, "docs", "design.md"), "# Design");
      const page = (topic: string) =>
        helpPage(topic, { language: "zh", width: 80 }, join(folder.path, "dist"));
      assert.deepEqual([page("output"), page("design")], ["输出\n----\n", "Design\n------\n"]);
      assert.equal(helpPage("output", { language: "en", width: 80 }, folder.path), "Output\n------\n");
      for (const topic of ["outptu", "../docs/output", "zh-CN", "76", "lock.held"]) {
        assert.throws(() => page(topic), { reason: "usage.topic" });
      }
      assert.throws(() => page("outptu"), { message: /did you mean "output"/ });
    } finally {
      folder.remove();
    }
  });

  const help = (topic: string, language: Language = "en", width = 80) =>
    helpPage(topic, { language, width }, join(import.meta.dirname, "../../dist"));

  test("about an exit code or a reason is that alone", () => {
    const held = help("lock.held");
    assert.match(held, /^lock\.held \(exit: 75, again: yes\)\n {2}cause: [\s\S]+\n {2}what to do: /);
    assert.doesNotMatch(held, /lock\.lost/);
    assert.match(
      help("76"),
      /^exit .*\n76 .*platform is incomplete +yes\n76\n {2}look at: [\s\S]*\nreasons: [\s\S]*drift\.row\.missing/,
    );
    assert.doesNotMatch(help("76"), /lock\.held/);
    assert.match(help("lock.held", "zh"), /^lock\.held（退出码：75，可重试：是）/);
    assert.throws(() => help("lock.hled"), { message: /did you mean "lock\.held"/ });
    assert.throws(() => help("1"), { reason: "usage.topic" });
  });

  for (const language of LANGUAGES) {
    test(`is no raw Markdown, and no line is wider than the screen, ${language}`, () => {
      for (const topic of ["reasons", "output", "configuration"]) {
        const lines = help(topic, language).split("\n");
        assert.ok(lines.length > 50);
        for (const line of lines) {
          assert.doesNotMatch(line, /^\||^#|\]\(|`/, line);
          if (!line.startsWith("    ")) assert.ok(cellWidth(line) <= 80, line);
        }
      }
    });
  }
});
