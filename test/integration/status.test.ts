import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JobResult } from "../support/run.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { insertRow, type TableState } from "../support/tables.ts";

const servers = useServers();

/** `status` without a volume; it must not write anything. */
async function status(site: Site, args: string[] = [], env: Record<string, string> = {}): Promise<JobResult> {
  const before = await site.state();
  const run = await site.run(["status", ...args], { PACKAGES_DIR: "/nowhere", ...env });
  assert.deepEqual(await site.state(), before);
  return run;
}

const said = (run: JobResult, event: string) => run.events.filter((one) => one.event === event);

/** Each row's object and version, with what is stored and what an installation comes to. */
const installs = (run: JobResult) =>
  said(run, "status.row").map(({ object, version, stored, install }) => [object, version, stored, install]);

describe("status", { concurrency: 2 }, () => {
  for (const state of ["A", "C", "E"] as const satisfies readonly TableState[]) {
    test(`shows each row with its object, without a volume: state ${state}`, async () => {
      const site = await servers.site({ state });
      assert.equal(
        (await site.run([], { COLLECTOR_PACKAGES: "standalone", PACKAGES_DIR: await filled(site) })).code,
        0,
      );
      const key = (object: string, name: string) =>
        state === "A" ? `linux/${object}/1.0.0/${name}` : `linux/x86_64/${object}/1.0.0/${name}`;
      await site.objects.damage(key("Telegraf", "telegraf"));
      await site.objects.remove(key("Vector", "vector"));
      const user = { created_by: "admin", type: "collector", os: "linux", version: "2.0.0" };
      await insertRow(site.db, { ...user, object: "Unknown", name: "unknown" });
      await site.objects.putForeign(key("Unknown", "unknown").replace("1.0.0", "2.0.0"), Buffer.from("any"));
      await site.objects.putForeign("linux/x86_64/Gone/1.0.0/gone.zip", Buffer.from("any"));
      await site.objects.putForeign("job/1/file", Buffer.from("of another application"));
      const run = await status(site);
      assert.equal(run.code, 0, explain(run));
      assert.deepEqual(installs(run).sort(), [
        ["Controller", "1.0.0", "whole", state === "A" ? "installable" : "no-installer"],
        ["NATS-Executor", "1.0.0", "whole", "installable"],
        ["Telegraf", "1.0.0", "damaged", "damaged"],
        ["Unknown", "2.0.0", "whole", "unknown"],
        ["Vector", "1.0.0", "missing", "missing"],
      ]);
      const { report } = run;
      assert.deepEqual(report?.packages, []);
      assert.deepEqual(report?.rows.map(({ object, stored }) => [object, stored]).sort(), [
        ["Controller", "whole"],
        ["NATS-Executor", "whole"],
        ["Telegraf", "damaged"],
        ["Unknown", "whole"],
        ["Vector", "missing"],
      ]);
      assert.equal(report?.servers.postgres?.tableState, state);
      assert.equal(report?.servers.nats?.bucket, site.bucket);
      assert.deepEqual(
        said(run, "status.object").map(({ key: found }) => found),
        ["linux/x86_64/Gone/1.0.0/gone.zip"],
      );
      assert.match(
        report?.warnings.find(({ reason }) => reason === "store.unlisted")?.message ?? "",
        /^1 object .*Gone/s,
      );
      assert.deepEqual(
        report?.platforms.map(({ collectors }) => collectors),
        [{ installable: ["NATS-Executor"], listed: ["Telegraf", "Unknown", "Vector"] }],
      );
    });
  }

  test("a row that is not ready, and one of a platform that BK-Lite has no packages for, are shown as they are", async () => {
    const site = await servers.site({ state: "E" });
    const row = { type: "controller", object: "Controller", version: "1.0.0", name: "a.zip" };
    await insertRow(site.db, { ...row, os: "linux", status: "pending" });
    await insertRow(site.db, { ...row, os: "aix", cpu_architecture: "ppc64" });
    const run = await status(site);
    assert.equal(run.code, 0, explain(run));
    assert.deepEqual(installs(run).sort(), [
      ["Controller", "1.0.0", "missing", "missing"],
      ["Controller", "1.0.0", "not-ready", "not-ready"],
    ]);
    assert.deepEqual(run.report?.rows.map(({ os, stored }) => [os, stored]).sort(), [
      ["aix", "missing"],
      ["linux", "not-ready"],
    ]);
  });

  test("an incomplete platform is exit 76 where REQUIRE or --require names it; the option counts", async () => {
    const site = await servers.site({ state: "C" });
    await filled(site);
    await site.run();
    assert.equal((await status(site)).code, 0);
    const cases: [string[], Record<string, string>, number][] = [
      [[], { REQUIRE: "linux/x86_64" }, 76],
      [["--require", "linux/x86_64"], {}, 76],
      [["--require", ""], { REQUIRE: "linux/x86_64" }, 0],
      [["--require=apm/java"], {}, 76],
      [["--require", "linux"], {}, 78],
      [[], { REQUIRE: "region/2", WAIT_TIMEOUT: "1" }, 76],
    ];
    for (const [args, env, code] of cases) {
      const run = await status(site, args, env);
      assert.equal(run.code, code, explain(run));
    }
  });

  test("an empty table and no bucket at all are a state too", async () => {
    const site = await servers.site({ state: "D" });
    const run = await status(site);
    assert.equal(run.code, 0, explain(run));
    assert.deepEqual([run.report?.rows, run.report?.platforms, run.report?.warnings], [[], [], []]);
    await assert.rejects(site.objects.streamInfo(), "status makes no bucket");
  });

  test("chunks that no object names are counted and sized, and stay", async () => {
    const site = await servers.site({ state: "C" });
    await filled(site);
    await site.run();
    for (const nuid of ["A", "B"])
      await site.objects.connection
        .jetstream()
        .publish(`$O.${site.bucket}.C.ORPHAN${nuid}`, Buffer.alloc(1000));
    const run = await status(site, [], { PURGE_ORPHANS: "true" });
    assert.deepEqual(run.report?.orphans, { objects: 2, bytes: 2000 }, explain(run));
  });

  test("a server that cannot be reached is exit 69", async () => {
    const site = await servers.site({ state: "C" });
    const run = await site.run(["status"], {
      WAIT_TIMEOUT: "1",
      NATS_SERVERS: "127.0.0.1:1",
      PACKAGES_DIR: "/nowhere",
    });
    assert.equal(run.code, 69, explain(run));
    assert.deepEqual([run.report?.servers.nats, run.report?.servers.postgres?.tableState], [null, "C"]);
  });

  test("people see a line for each row, and what can be installed last", async () => {
    const site = await servers.site({ state: "C" });
    await filled(site);
    await site.run();
    await site.objects.damage("linux/x86_64/Telegraf/1.0.0/telegraf");
    const run = await status(site, [], { LOG_FORMAT: "pretty", LOG_LEVEL: "info", LANG: "C.UTF-8" });
    assert.match(run.stdout, /^✘ linux\/x86_64 Controller 1\.0\.0 +no installer or bootstrap$/m);
    assert.match(run.stdout, /^✘ linux\/x86_64 Telegraf 1\.0\.0 +damaged object$/m);
    assert.match(
      run.stdout.slice(run.stdout.indexOf("damaged object")),
      /^ {2}platform +controller[\s\S]*status succeeded/m,
    );
  });

  test("the page on standard output shows rows and what is wrong with them", async () => {
    const site = await servers.site({ state: "C" });
    await insertRow(site.db, {
      type: "controller",
      os: "linux",
      object: "Controller",
      version: "1.0.0",
      name: "<b>.zip",
    });
    const run = await status(site, ["--html"], { LOG_LANG: "zh" });
    assert.equal(run.code, 0, explain(run));
    assert.match(run.stdout, /^<!DOCTYPE html>\n<html lang="zh-CN">/);
    assert.match(run.stdout, /&lt;b&gt;\.<wbr>zip|&lt;b&gt;\.zip/);
    assert.match(run.stdout, />缺失</);
  });
});

/** Puts the archive on the volume; returns the volume's folder. */
async function filled(site: Site): Promise<string> {
  await site.archive();
  return site.volume;
}
