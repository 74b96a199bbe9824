import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { reasonsIn } from "../support/reasons.ts";
import { runJob } from "../support/run.ts";
import { scanInProcess } from "../support/scan.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";

const servers = useServers();

describe("scan", () => {
  const scan = (dir: string, env: Record<string, string> = {}) =>
    runJob({ args: ["scan", "--json"], env: { PACKAGES_DIR: dir, ...env } });

  test("says what is there and what it would become, without any server's variable", async (t) => {
    const folder = tempDir("scan");
    t.after(() => folder.remove());
    await buildArchive(join(folder.path, ARCHIVE), { version: "1.2.3", collectors: ["telegraf"] });
    const result = await scan(folder.path, { DB_PORT: "nonsense", NATS_REPLICAS: "99" });
    assert.equal(result.code, 0, explain(result));
    assert.deepEqual(
      result.report?.packages.map(({ object, version, stored, action }) => [
        object,
        version,
        stored.key,
        action,
      ]),
      [
        ["Controller", "1.2.3", `linux/x86_64/Controller/1.2.3/${ARCHIVE}`, "found"],
        ["Telegraf", "1.2.3", "linux/x86_64/Telegraf/1.2.3/telegraf", "found"],
      ],
    );
    assert.equal(result.report?.bucket, null);
  });

  test("finds damage, nothing at all, and a bad setting of the volume", async (t) => {
    const folder = tempDir("scan");
    t.after(() => folder.remove());
    assert.equal((await scan(folder.path)).code, 66);
    assert.equal((await scan(folder.path, { ARCHIVE_CHECK: "perhaps" })).code, 78);
    writeFileSync(join(folder.path, ARCHIVE), "not a zip");
    const result = await scan(folder.path);
    assert.equal(result.code, 65, explain(result));
    assert.equal(result.report?.packages[0]?.action, "failed");
    chmodSync(join(folder.path, ARCHIVE), 0o644);
  });

  test("finds what the tests find that scan without the program", async (t) => {
    const folder = tempDir("scan");
    t.after(() => folder.remove());
    await buildArchive(join(folder.path, ARCHIVE));
    await buildArchive(join(folder.path, "fusion-collectors-2.0.0.zip"), { without: ["install.sh"] });
    writeFileSync(join(folder.path, "SHA256SUMS"), `${"0".repeat(64)}  other.zip\n`);
    const program = await scan(folder.path);
    const report = await scanInProcess([], { PACKAGES_DIR: folder.path });
    assert.deepEqual(reasonsIn(program), new Set(["package.incomplete", "checksum.unused"]));
    assert.deepEqual(reasonsIn({ report, events: [] }), reasonsIn(program));
    assert.equal(report.exitCode, program.code);
  });
});

describe("gate", () => {
  const SHORT = { WAIT_TIMEOUT: "3" };
  const nothing = { PACKAGES_DIR: "/nonexistent" };

  test("stays shut while no controller can be installed: 76", async () => {
    const site = await servers.site({ state: "C" });
    const result = await site.run(["gate"], { ...SHORT, ...nothing });
    assert.equal(result.code, 76, explain(result));
    assert.equal(result.report?.error?.reason, "gate.closed");
    assert.ok(result.events.some(({ event }) => event === "gate.waiting"));
  });

  test("opens by itself when the first init has run, and needs no volume", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    const gate = site.start(["gate"], { WAIT_TIMEOUT: "60", REPORT_FILE: "", ...nothing });
    await gate.waitForEvent("gate.waiting");
    await site.ok();
    const result = await gate.done;
    assert.equal(result.code, 0, explain(result));
  });

  test("a controller whose object is gone or damaged is none", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    const init = await site.ok();
    const key = init.report?.packages.find(({ type }) => type === "controller")?.stored.key as string;
    await site.objects.damage(key);
    assert.equal((await site.run(["gate"], { ...SHORT, ...nothing })).code, 76);
  });

  test("with REQUIRE it asks for each platform", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    await site.ok();
    await site.ok(["gate"], { ...SHORT, ...nothing, REQUIRE: "linux/amd64" });
    const shut = await site.run(["gate"], { ...SHORT, ...nothing, REQUIRE: "linux/x86_64,linux/arm64" });
    assert.equal(shut.code, 76, explain(shut));
    assert.match(shut.report?.error?.message ?? "", /linux\/arm64/);
    assert.doesNotMatch(shut.report?.error?.message ?? "", /x86_64/);
  });

  test("is not shut again by later deletions other than that of the last controller", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    assert.equal((await site.run()).code, 0);
    await site.db.query("DELETE FROM node_mgmt_packageversion WHERE type = 'collector'");
    await site.ok(["gate"], { ...SHORT, ...nothing });
  });
});
