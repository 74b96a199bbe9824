import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { headers } from "nats";
import { listedFile, listingText, parseListing } from "../../src/archive/listing-text.ts";
import { metaSubject, SCAN_HEADER } from "../../src/store/meta.ts";
import { age } from "../support/archives.ts";
import { explain, type Site, sha256, useServers } from "../support/site.ts";

const servers = useServers();
const FILE = "fusion-collectors-1.0.0.tar.gz";
const KEY = "linux/x86_64/Controller/1.0.0/fusion-collectors-1.0.0.zip";

async function stored(): Promise<{ site: Site; path: string; text: string }> {
  const site = await servers.site({ state: "C" });
  const path = await site.archive(FILE, { payloadBytes: 500_000 });
  const first = await site.run();
  assert.equal(first.code, 0, explain(first));
  const text = (await site.objects.info(KEY))?.headers?.get(SCAN_HEADER) ?? "";
  assert.deepEqual(listedFile(text), { sha256: await sha256(path), size: statSync(path).size });
  return { site, path, text };
}

/** Gives the stored object another header of this name, as anybody may who may write. */
async function forge(site: Site, text: unknown): Promise<void> {
  const subject = metaSubject(site.bucket, KEY);
  const manager = await site.objects.connection.jetstreamManager();
  const message = await manager.streams.getMessage(`OBJ_${site.bucket}`, { last_by_subj: subject });
  const meta = JSON.parse(message.string()) as { headers: Record<string, unknown> };
  meta.headers[SCAN_HEADER] = [text];
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  const data = Buffer.from(JSON.stringify(meta));
  await site.objects.connection.jetstream().publish(subject, data, { headers: rollup });
}

test("an unchanged tar.gz is known by its digest, and nothing is written", async () => {
  const { site, text } = await stored();
  const before = await site.state();
  for (const command of ["init", "verify"]) {
    const again = await site.run([command]);
    assert.equal(again.code, 0, explain(again));
  }
  assert.deepEqual(await site.state(), before);
  // what the object says is what counts, or it would have been unpacked again
  const listing = parseListing(text, FILE) ?? assert.fail();
  const vector = { ...(listing.entries.find(({ path }) => path.endsWith("bin/telegraf")) ?? assert.fail()) };
  vector.path = vector.path.replace("telegraf", "vector");
  const file = listedFile(text) ?? assert.fail();
  await forge(site, listingText(file, { ...listing, entries: [...listing.entries, vector] }));
  const plan = await site.run(["plan"]);
  assert.ok(
    plan.report?.packages.some(({ object }) => object === "Vector"),
    explain(plan),
  );
});

test("a header that makes no sense is passed over", async () => {
  const { site, text } = await stored();
  for (const bad of ["", 7, null, text.slice(0, 90), text.replace(/ \S+$/, " AAAA")]) {
    await forge(site, bad);
    const again = await site.run();
    assert.equal(again.code, 0, explain(again));
    assert.ok(
      again.report?.packages.every(({ action }) => action === "unchanged"),
      explain(again),
    );
  }
});

test("the same name and length with other bytes is another file", async () => {
  const { site, path } = await stored();
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
  age(path);
  const result = await site.run();
  assert.equal(result.code, 65, explain(result));
  assert.match(result.report?.error?.reason ?? "", /^(?:gzip|tar)\./);
});
