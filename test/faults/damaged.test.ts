import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { type ArchiveOptions, age } from "../support/archives.ts";
import { addStream } from "../support/objects.ts";
import type { JobResult } from "../support/run.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { at, exits, useStages } from "./stage.ts";

const CONTENT: ArchiveOptions = {
  collectors: ["telegraf", "vector", "filebeat/filebeat"],
  payloadBytes: 24_000_000,
};
const LINUX = "fusion-collectors-1.0.0.zip";
const WINDOWS = "fusion-collectors-windows-1.0.0.zip";
const OBJECTS = ["Controller", "Filebeat", "Telegraf", "Vector"];
const ENV = { COLLECTOR_PACKAGES: "standalone" };

const servers = useServers();
const openStage = useStages(servers);

const linux = (site: Site, more: ArchiveOptions = {}) => site.archive(LINUX, { ...CONTENT, ...more });
const windows = (site: Site, payloadBytes = 3_000_000) =>
  site.archive(WINDOWS, { ...CONTENT, os: "windows", payloadBytes });

/** Changes a byte in the middle of what an archive stores of a program. */
async function damage(path: string, program: string, at = 3_000_000): Promise<void> {
  const bytes = await readFile(path);
  const place = bytes.indexOf(`bin/${program}`) + at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  await writeFile(path, bytes);
  age(path);
}

/**
 * What is served and registered is this and nothing else, all of it can be downloaded, and no chunk is left
 * over.
 */
async function assertHolds(site: Site, ...systems: string[]): Promise<void> {
  const expected = systems.flatMap((os) => OBJECTS.map((object) => `${os} ${object}`)).sort();
  const served = await site.objects.list();
  for (const { name } of served) await site.objects.read(name);
  assert.deepEqual(served.map(({ name }) => name.split("/").slice(0, 2).join(" ")).sort(), expected);
  const rows = await site.rows();
  assert.deepEqual(rows.map(({ os, object }) => `${os} ${object}`).sort(), expected);
  assert.deepEqual(await site.objects.unreachable(), []);
}

/** The report names each damaged archive with the damaged entry, and the log does so once. */
function assertNames(run: JobResult, ...damaged: [file: string, program: string][]): void {
  exits(run, 65);
  const failed = run.report?.packages.filter(({ action }) => action === "failed") ?? [];
  assert.equal(failed.length, damaged.length * OBJECTS.length, explain(run));
  for (const [file, program] of damaged) {
    for (const { error } of failed.filter((one) => one.source.file === file)) {
      assert.equal(error?.reason, "zip.crc");
      assert.match(error?.message ?? "", new RegExp(`bin/${program}`));
    }
  }
  const said = run.events.filter(({ event }) => event === "package.failed").map(({ file }) => file);
  assert.deepEqual(said.sort(), damaged.map(([file]) => file).sort(), explain(run));
  const [first] = damaged;
  assert.match(run.report?.error?.message ?? "", new RegExp(`^${first?.[0]} .*bin/${first?.[1]}`));
}

describe("an archive is damaged: it fails, and no other", { concurrency: 2 }, () => {
  // one that is an object of its own, and one that is in a folder
  for (const program of ["telegraf", "vector", "filebeat/filebeat"]) {
    test(`${program}: nothing of its archive is left, and the next archive is stored`, async () => {
      const site = await servers.site();
      await damage(await linux(site), program);
      await windows(site);
      const run = await site.run([], ENV);
      assertNames(run, [LINUX, program]);
      await assertHolds(site, "windows");
    });
  }

  test("the second archive is damaged: the first is stored, and the next run stores what was fixed", async () => {
    const stage = await openStage();
    await linux(stage, { payloadBytes: 3_000_000 });
    await damage(await windows(stage), "vector", 300_000);
    assertNames(await stage.run([], ENV), [WINDOWS, "vector"]);
    await assertHolds(stage, "linux");
    await windows(stage);
    const run = await stage.run([], ENV);
    exits(run, 0);
    const actions = run.report?.packages.map(({ os, action }) => `${os} ${action}`);
    assert.deepEqual([...new Set(actions)], ["linux unchanged", "windows uploaded"]);
    await assertHolds(stage, "linux", "windows");
  });

  test("two archives are damaged: both are named, and nothing is left", async () => {
    const site = await servers.site();
    await damage(await linux(site), "telegraf");
    await damage(await windows(site), "filebeat/filebeat", 300_000);
    const run = await site.run([], ENV);
    assertNames(run, [LINUX, "telegraf"], [WINDOWS, "filebeat/filebeat"]);
    await assertHolds(site);
  });

  test("what it would replace stays as it is", async () => {
    const site = await servers.site();
    await linux(site, { payloadBytes: 3_000_000 });
    exits(await site.run([], ENV), 0);
    const before = await site.objects.list();
    await damage(await linux(site, { payloadBytes: 3_000_000, seed: "new" }), "vector", 300_000);
    await windows(site);
    assertNames(await site.run([], ENV), [LINUX, "vector"]);
    const after = await site.objects.list();
    assert.deepEqual(
      after.filter(({ name }) => name.startsWith("linux/")),
      before,
    );
    await assertHolds(site, "linux", "windows");
  });

  test("plan names all of them too", async () => {
    const site = await servers.site();
    await damage(await linux(site), "telegraf");
    await damage(await windows(site), "vector", 300_000);
    const run = await site.run(["plan"], ENV);
    exits(run, 65);
    const named = run.events.filter(({ event }) => event === "package.invalid").map(({ file }) => file);
    assert.deepEqual(named.sort(), [LINUX, WINDOWS], explain(run));
    await assertHolds(site);
  });

  test("ARCHIVE_CHECK=quick: what is read anyway is verified", async () => {
    const site = await servers.site();
    await damage(await linux(site), "telegraf");
    assertNames(await site.run([], { ...ENV, ARCHIVE_CHECK: "quick" }), [LINUX, "telegraf"]);
    await assertHolds(site);
  });

  for (const top of ["fusion-collectors", "other"])
    test(`it changes while it is ${top === "other" ? "repacked and " : ""}sent: exit 74, and no other fails`, async () => {
      const stage = await openStage();
      const path = await linux(stage, { top });
      await windows(stage);
      at(stage, { line: "nats", text: ".C.PKGINIT", nth: 3, when: "before" }, () =>
        appendFileSync(path, "x"),
      );
      const run = await stage.run([], ENV);
      exits(run, 74);
      assert.equal(run.report?.error?.reason, "file.changed", explain(run));
      await assertHolds(stage, "windows");
    });

  test("on a slow connection: the check stops what is being sent", async () => {
    const stage = await openStage();
    await damage(await linux(stage), "telegraf");
    stage.nats.throttle(2_000_000);
    assertNames(await stage.run([], ENV), [LINUX, "telegraf"]);
    assert.ok(stage.nats.stats.bytesUp < 24_000_000, `${stage.nats.stats.bytesUp} bytes were sent`);
    await assertHolds(stage);
  });
});

test("the space for all objects of a run is checked before its first chunk", async () => {
  const stage = await openStage();
  // enough for each of the archive's objects, but not for all of them
  await addStream(stage.objects, stage.bucket, { max_bytes: 33_000_000 });
  await linux(stage);
  await windows(stage);
  const refused = await stage.run([], ENV);
  exits(refused, 73);
  assert.equal(refused.report?.error?.reason, "store.full.bucket", explain(refused));
  assert.equal(await stage.objects.lastSeq(), 0, "something was sent");
  await assertHolds(stage);
});

test("what was staged of a damaged archive leaves the space to the next one", async () => {
  const stage = await openStage();
  await addStream(stage.objects, stage.bucket, { max_msgs: 52 });
  await damage(await linux(stage), "vector");
  await windows(stage, 12_000_000);
  assertNames(await stage.run([], ENV), [LINUX, "vector"]);
  await assertHolds(stage, "windows");
});
