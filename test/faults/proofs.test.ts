import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { type ArchiveOptions, age } from "../support/archives.ts";
import { addStream } from "../support/objects.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { exits, useStages } from "./stage.ts";

/** Large enough that what is sent by itself is checked by being sent; a program in a folder is not. */
const FILE = "fusion-collectors-1.0.0.zip";
const CONTENT: ArchiveOptions = {
  collectors: ["telegraf", "vector", "filebeat/filebeat"],
  payloadBytes: 24_000_000,
};
const OTHER = "fusion-collectors-windows-1.0.0.zip";
const ENV = { COLLECTOR_PACKAGES: "standalone" };

const servers = useServers();
const openStage = useStages(servers);

/** Changes a byte in the middle of what an archive stores of a program. */
async function damage(path: string, program: string): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.indexOf(`bin/${program}`) + 3_000_000;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
  age(path);
}

async function assertNothingStored(site: Site): Promise<void> {
  assert.deepEqual(await site.objects.list(), []);
  assert.deepEqual(await site.objects.unreachable(), []);
  assert.deepEqual(await site.rows(), []);
}

describe("a damaged program, found while it is sent", { concurrency: 2 }, () => {
  for (const program of ["telegraf", "vector", "filebeat/filebeat"]) {
    test(`${program}: exit 65 once, of the archive, and nothing is left`, async () => {
      const site = await servers.site();
      await damage(await site.archive(FILE, CONTENT), program);
      const run = await site.run([], ENV);
      exits(run, 65);
      assert.equal(run.report?.error?.reason, "zip.crc", explain(run));
      assert.match(run.report?.error?.message ?? "", new RegExp(`bin/${program}`));
      assert.deepEqual(
        run.events.filter(({ event }) => event === "package.failed"),
        [],
        explain(run),
      );
      await assertNothingStored(site);
    });
  }

  test("on a slow line: before the line has brought all of it", async () => {
    const stage = await openStage();
    await damage(await stage.archive(FILE, CONTENT), "vector");
    stage.nats.throttle(2_000_000);
    const run = await stage.run([], ENV);
    exits(run, 65);
    assert.match(run.report?.error?.message ?? "", /bin\/vector/);
    assert.ok(stage.nats.stats.bytesUp < 24_000_000, `${stage.nats.stats.bytesUp} bytes were sent`);
    await assertNothingStored(stage);
  });

  test("two archives are damaged: both are named, and nothing is left", async () => {
    const site = await servers.site();
    await damage(await site.archive(FILE, CONTENT), "telegraf");
    await damage(await site.archive(OTHER, { ...CONTENT, os: "windows" }), "vector");
    const run = await site.run([], ENV);
    exits(run, 65);
    const named = run.events.filter(({ event }) => event === "package.invalid").map(({ file }) => file);
    assert.deepEqual(named.sort(), [FILE, OTHER], explain(run));
    await assertNothingStored(site);
  });

  test("the second archive is damaged: nothing of the first is published", async () => {
    const site = await servers.site();
    await site.archive(FILE, CONTENT);
    await damage(await site.archive(OTHER, { ...CONTENT, os: "windows" }), "vector");
    exits(await site.run([], ENV), 65);
    await assertNothingStored(site);
  });
});

test("a bucket that is too small for all: who comes first is stored, and what the others would have proved is read", async () => {
  const site = await servers.site();
  await addStream(site.objects, site.bucket, { max_bytes: 33_000_000 });
  await site.archive(FILE, CONTENT);
  const run = await site.run([], ENV);
  exits(run, 73);
  assert.deepEqual(
    run.report?.packages.map(({ object, action }) => [object, action]),
    [
      ["Controller", "uploaded"],
      ["Telegraf", "uploaded"],
      ["Vector", "failed"],
      ["Filebeat", "failed"],
    ],
  );
  assert.deepEqual(await site.objects.unreachable(), []);
  assert.deepEqual((await site.rows()).map(({ object }) => object).sort(), ["Controller", "Telegraf"]);
});
