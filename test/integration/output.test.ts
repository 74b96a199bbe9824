import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LANGUAGES } from "../../src/messages/define.ts";
import { cellWidth, loadCells } from "../../src/output/terminal.ts";
import { spawnGuarded, type TempDir, tempDir } from "../support/guard.ts";
import { ENTRY, NODE_FLAGS, runJob } from "../support/run.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";

before(loadCells);

const servers = useServers();

describe("a command line that says nothing: exit 64", () => {
  let folder: TempDir;
  before(() => {
    folder = tempDir("output");
  });
  after(() => folder.remove());

  test("a person reads why and the usage, and standard output stays empty", async () => {
    const result = await runJob({ args: ["--bogus"] });
    assert.deepEqual([result.code, result.stdout], [64, ""]);
    assert.match(result.stderr, /--bogus[\s\S]*\nusage: +bklite-package-init /);
  });

  test("REPORT_FILE and --json have their report anyway", async () => {
    const file = join(folder.path, "report.json");
    const result = await runJob({ args: ["--json", "frob"], env: { REPORT_FILE: file } });
    assert.equal(result.code, 64, explain(result));
    for (const text of [result.stdout, readFileSync(file, "utf8")]) {
      const { outcome, exitCode, error } = JSON.parse(text);
      assert.deepEqual([outcome, exitCode, error.code], ["failed", 64, 64]);
      assert.deepEqual([error.reason, /"frob"/.test(error.message)], ["usage.command", true]);
    }
  });

  test("a password that was put there by mistake is not repeated", async () => {
    const file = join(folder.path, "secret.json");
    const env = { NATS_PASSWORD: "in-the-environment", REPORT_FILE: file };
    for (const word of ["nats://user:in-a-url@host", "in-the-environment"]) {
      const { code, stdout, stderr } = await runJob({ args: ["--json", word], env });
      assert.equal(code, 64);
      assert.doesNotMatch(`${stdout}${stderr}${readFileSync(file, "utf8")}`, /in-a-url|in-the-environment/);
    }
  });
});

describe("a screen, by its columns", () => {
  for (const LOG_LANG of LANGUAGES) {
    test(`no line of plan, init, verify, scan and failures is wider, ${LOG_LANG}`, async () => {
      const site = await servers.site({ state: "C" });
      await site.archive();
      await site.archive("fusion-collectors-windows-amd64-2.3.4-rc1+build77.zip", { os: "windows" });
      const screen = (args: string[], COLUMNS: string, env: Record<string, string> = {}) =>
        site.run(args, { LOG_FORMAT: "pretty", LOG_LEVEL: "info", LOG_LANG, COLUMNS, ...env });
      const bad = { REQUIRE: "windows/x86_64,linux/arm64" };
      for (const COLUMNS of ["80", "200"]) {
        const runs = [
          await screen(["plan"], COLUMNS),
          await screen(["verify"], COLUMNS),
          await screen(["init"], COLUMNS, bad),
          await screen(["scan"], COLUMNS),
          await screen(["wait"], COLUMNS, { WAIT_TIMEOUT: "5m", NATS_SERVERS: "", DB_ENGINE: "mysql" }),
          await screen(["gate"], COLUMNS),
        ];
        for (const { stdout } of runs) {
          assert.ok(stdout.length > 0);
          for (const line of stdout.split("\n")) assert.ok(cellWidth(line) <= Number(COLUMNS), line);
          assert.doesNotMatch(stdout, /\n\n\n/);
        }
      }
    });
  }

  test("of a package that failed the file's name is said once, and nothing is said to be verified", async () => {
    const site = await servers.site();
    await site.archive();
    assert.equal((await site.run()).code, 0);
    await site.archive(ARCHIVE, { seed: "other" });
    const { code, stdout } = await site.run([], {
      ON_CONFLICT: "fail",
      LOG_LEVEL: "info",
      LOG_FORMAT: "pretty",
      COLUMNS: "300",
    });
    assert.equal(code, 65);
    assert.match(
      stdout,
      new RegExp(
        `^✘ init failed \\(exit 65\\): ${ARCHIVE}: linux Controller 1\\.0\\.0 is already stored`,
        "m",
      ),
    );
    assert.equal(stdout.match(/is already stored/g)?.length, 1);
    assert.doesNotMatch(stdout, /succeeded|verified: /);
  });

  test("what is wrong with several files is said once, with the remedy that they have in common", async () => {
    const site = await servers.site();
    for (const name of ["a", "b", "c"])
      writeFileSync(join(site.volume, `fusion-collectors-${name}.zip`), "<!DOCTYPE html><html></html>");
    const { code, stdout } = await site.run(["scan"], {
      LOG_FORMAT: "pretty",
      LOG_LEVEL: "info",
      COLUMNS: "300",
    });
    assert.equal(code, 65);
    assert.equal(stdout.match(/is an HTML page/g)?.length, 3, stdout);
    assert.equal(stdout.match(/What to do: open the file to read why/g)?.length, 1, stdout);
  });
});

for (const LOG_FORMAT of ["json", "pretty"]) {
  test(`a reader of the ${LOG_FORMAT} log that goes away does not end the run`, async () => {
    const site = await servers.site();
    await site.archive();
    const { PATH = "", HOME = "" } = process.env;
    const child = spawnGuarded(process.execPath, [...NODE_FLAGS, ENTRY], {
      env: { PATH, HOME, ...site.env, LOG_FORMAT },
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.ref();
    child.stdout?.destroy();
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
    assert.equal((await site.rows()).length, 4);
  });
}
