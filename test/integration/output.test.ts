import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { spawnGuarded, type TempDir, tempDir } from "../support/guard.ts";
import { ENTRY, NODE_FLAGS, runJob } from "../support/run.ts";
import { explain, useServers } from "../support/site.ts";

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

  test("REPORT_FILE and --json have their report all the same", async () => {
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
