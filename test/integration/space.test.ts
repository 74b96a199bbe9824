import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { addStream } from "../support/objects.ts";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();

const MIB = 1024 ** 2;
const OTHER = "fusion-collectors-linux-arm64-2.0.0.zip";
const BYTES = 3_000_000;

async function twoArchives(seed?: string, site?: Site): Promise<Site> {
  const place = site ?? (await servers.site({ state: "C" }));
  const more = seed === undefined ? {} : { seed };
  await place.archive(ARCHIVE, { payloadBytes: BYTES, ...more });
  await place.archive(OTHER, { payloadBytes: BYTES, arch: "arm64", ...more });
  return place;
}

async function bytesOf({ objects }: Site): Promise<number> {
  return (await objects.streamInfo()).state.bytes;
}

async function limitTo({ objects, bucket }: Site, max_bytes: number): Promise<void> {
  const manager = await objects.connection.jetstreamManager();
  await manager.streams.update(`OBJ_${bucket}`, { max_bytes });
}

/** plan and init both end with 73, and nothing is sent. Returns init's. */
async function assertShort(site: Site): Promise<JobResult> {
  const before = await site.state();
  for (const command of ["plan", "init"]) {
    const result = await site.run([command]);
    assert.equal(result.code, 73, explain(result));
    assert.equal(result.report?.error?.reason, "store.full.bucket", explain(result));
    assert.deepEqual(await site.state(), before, `${command} has sent something`);
    if (command === "init") return result;
  }
  throw new Error("init did not run");
}

/** Does what the remedy's command says. */
async function raise(site: Site, { report }: JobResult): Promise<void> {
  const { hint = "" } = report?.error ?? {};
  const [, stream, mib] = /nats stream edit (\S+) --max-bytes=(\d+)MiB/.exec(hint) ?? [];
  assert.equal(stream, `OBJ_${site.bucket}`, hint);
  await limitTo(site, Number(mib) * MIB);
}

async function succeeds(site: Site): Promise<void> {
  for (const command of ["plan", "init", "verify"]) {
    await site.ok([command]);
  }
}

describe("the space for the whole run is looked for before its first chunk", { concurrency: 2 }, () => {
  test("one byte too small: the remedy's command, followed once, is enough", async () => {
    const whole = await twoArchives();
    await succeeds(whole);
    const all = await bytesOf(whole);
    const site = await twoArchives();
    // The server rejects the message that would fill the stream to its last byte.
    await addStream(site.objects, site.bucket, { max_bytes: all });
    await raise(site, await assertShort(site));
    await succeeds(site);
    const { config } = await site.objects.streamInfo();
    assert.ok(config.max_bytes < all + 2 * MIB, `${config.max_bytes} is much more than ${all}`);
  });

  test("each archive fits by itself, both do not", async () => {
    const site = await twoArchives();
    await addStream(site.objects, site.bucket, { max_bytes: BYTES * 1.5 });
    await raise(site, await assertShort(site));
    await succeeds(site);
  });

  test("a replacement: what an archive replaces is free before the next archive begins", async () => {
    const site = await twoArchives();
    await addStream(site.objects, site.bucket, {});
    await succeeds(site);
    const all = await bytesOf(site);
    await twoArchives("other", site);
    await limitTo(site, all + BYTES / 2);
    await raise(site, await assertShort(site));
    const { config } = await site.objects.streamInfo();
    assert.ok(config.max_bytes < 1.75 * all, `${config.max_bytes} is for both archives at the same time`);
    await succeeds(site);
  });

  test("a tar.gz, whose zip's size is not known: the command is enough whatever it comes to", async () => {
    const site = await servers.site({ state: "C" });
    const path = join(site.volume, "fusion-collectors-linux-amd64.tar.gz");
    await buildArchive(path, { format: "tar.gz", payloadBytes: BYTES });
    await addStream(site.objects, site.bucket, { max_bytes: 100_000 });
    await raise(site, await assertShort(site));
    await succeeds(site);
  });

  test("nothing to upload: a full bucket is no failure", async () => {
    const site = await twoArchives();
    await succeeds(site);
    await limitTo(site, (await bytesOf(site)) + 1);
    await succeeds(site);
    rmSync(join(site.volume, OTHER));
    await succeeds(site);
  });
});
