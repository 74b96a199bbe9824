import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { writeMetadata } from "../support/metadata.ts";
import { rawZip } from "../support/raw-zip.ts";
import { ARCHIVE, explain, type Site, sha256, useServers } from "../support/site.ts";

const servers = useServers();

const CONTROLLER = `linux/x86_64/Controller/1.0.0/${ARCHIVE}`;
const PROBE = "apm/probe/java/opentelemetry-javaagent.jar";
const JAR = "opentelemetry-javaagent.jar";

/** A bucket with a controller of three chunks, its collectors and a probe. */
async function filled(): Promise<Site & { path: string }> {
  const site = await servers.site({ state: "D" });
  const path = await site.archive(ARCHIVE, { payloadBytes: 2_300_000 });
  writeFileSync(join(site.volume, JAR), rawZip([{ name: "Agent.class", data: Buffer.alloc(5000, 7) }]));
  await site.ok();
  return { ...site, path };
}

/** One byte is another. */
const flip = (chunks: readonly Buffer[]) =>
  chunks.map((chunk, index) => {
    const changed = Buffer.from(chunk);
    const at = changed.length >> 1;
    if (index === chunks.length - 1) changed[at] = (changed[at] as number) ^ 1;
    return changed;
  });

async function keysOf({ objects }: Site): Promise<string[]> {
  return (await objects.list()).map(({ name }) => name);
}

test("one flipped byte in each of three objects: found by verify --deep, repaired by init --deep", async () => {
  const site = await filled();
  const telegraf = (await keysOf(site)).find((key) => key.includes("Telegraf")) ?? "";
  const broken = [CONTROLLER, telegraf, PROBE];
  for (const key of broken) await site.objects.rewrite(key, flip);
  const before = await site.state();

  await site.ok(["verify"]);
  const found = await site.run(["verify", "--deep"]);
  assert.equal(found.code, 76, explain(found));
  const named = found.events.filter(({ event }) => event === "verify.failed");
  assert.deepEqual([...new Set(named.map(({ reason }) => reason))], ["drift.object.bytes"], explain(found));
  for (const key of broken)
    assert.ok(
      named.some(({ msg }) => String(msg).includes(key)),
      explain(found),
    );
  assert.equal(named.length, 3);

  const status = await site.run(["status", "--deep"]);
  assert.equal(status.code, 76, explain(status));
  const damaged = status.report?.rows.filter(({ stored }) => stored === "damaged");
  assert.deepEqual(damaged?.map(({ object }) => object).sort(), ["Controller", "Telegraf"]);

  const plan = await site.ok(["plan", "--deep"]);
  const repaired = ({ report }: typeof plan) =>
    report?.packages
      .filter(({ action }) => action === "repaired")
      .map(({ stored }) => stored.key)
      .sort();
  assert.deepEqual(repaired(plan), [...broken].sort());
  assert.deepEqual(await site.state(), before, "a command that only reads has written");

  const init = await site.ok(["init", "--deep"]);
  assert.deepEqual(repaired(init), [...broken].sort());
  assert.equal((await site.objects.read(CONTROLLER)).sha256, await sha256(site.path));
  for (const key of broken) await site.objects.read(key);
  assert.deepEqual(await site.objects.unreachable(), []);
  const again = await site.ok(["verify", "--deep"]);
  const done = again.events.find(({ event }) => event === "deep.done");
  assert.deepEqual([done?.objects, done?.damaged], [(await keysOf(site)).length, 0]);
});

describe("what a client cannot read is found and repaired", { concurrency: 2 }, () => {
  const CHANGES: [name: string, change: (chunks: readonly Buffer[]) => readonly Uint8Array[]][] = [
    ["zeros in the place of every chunk", (chunks) => chunks.map(({ length }) => Buffer.alloc(length))],
    ["a chunk too few", (chunks) => chunks.slice(1)],
    ["chunks in another order", (chunks) => [...chunks].reverse()],
    ["as many chunks, but shorter ones", (chunks) => chunks.map((chunk) => chunk.subarray(1))],
  ];
  for (const [name, change] of CHANGES) {
    test(name, async () => {
      const site = await filled();
      await site.objects.rewrite(CONTROLLER, change);
      const found = await site.run(["verify", "--deep"]);
      assert.equal(found.code, 76, explain(found));
      await site.ok(["init", "--deep"]);
      assert.equal((await site.objects.read(CONTROLLER)).sha256, await sha256(site.path));
    });
  }
});

describe("what the volume does not hold", { concurrency: 2 }, () => {
  test("damaged objects of another version, and one without a row: named by every command, never touched", async () => {
    const site = await filled();
    const jar = join(site.volume, JAR);
    rmSync(jar);
    rmSync(site.path);
    await site.archive("fusion-collectors-linux-amd64-2.0.0.zip", { payloadBytes: 10_000 });
    await site.ok();
    const telegraf = (await keysOf(site)).find((key) => key.includes("Telegraf/1.0.0")) ?? "";
    await site.objects.rewrite(CONTROLLER, flip);
    await site.objects.damage(PROBE);
    await writeMetadata(site.objects, site.bucket, telegraf, "not an object's");
    const expected: [reason: ReasonId, key: string][] = [
      ["object.damaged.bytes", CONTROLLER],
      ["object.damaged.chunks", PROBE],
      ["object.damaged.metadata", telegraf],
    ];
    const before = await site.state();
    for (const command of ["verify", "plan", "init", "status"]) {
      const result = await site.run([command, "--deep"]);
      assert.equal(result.code, 76, explain(result));
      const named = result.events.filter(({ event }) => event === "object.damaged");
      assert.equal(named.length, expected.length, explain(result));
      for (const [reason, key] of expected) {
        const line = named.find((one) => one.reason === reason);
        assert.ok(String(line?.msg).includes(key), explain(result));
      }
    }
    assert.deepEqual(await site.state(), before);
    await site.ok(["init"]);
  });

  test("a row whose sha256 is not its object's", async () => {
    const site = await filled();
    rmSync(site.path);
    await site.archive("fusion-collectors-linux-amd64-2.0.0.zip", { payloadBytes: 10_000 });
    assert.equal((await site.run()).code, 0);
    const other = "0".repeat(64);
    await site.db.query(
      `UPDATE node_mgmt_packageversion SET sha256 = '${other}' WHERE object = 'Controller' AND version = '1.0.0'`,
    );
    const result = await site.run(["verify", "--deep"]);
    assert.equal(result.code, 76, explain(result));
    assert.equal(result.report?.error?.reason, "object.damaged.row", explain(result));
    assert.match(result.report?.error?.message ?? "", new RegExp(other));
  });
});
