import assert from "node:assert/strict";
import { after, afterEach, before, mock, test } from "node:test";
import { connect } from "nats";
import type { EventName } from "../../src/output/events/catalog.ts";
import type { Log } from "../../src/output/log.ts";
import { findUnreachable, reclaim, tidyOrphans } from "../../src/reconcile/orphans.ts";
import type { Lock } from "../../src/registry/lock.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { chunkSubject, type Nuid, newNuid, parseNuid } from "../../src/store/meta.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Objects, openObjects } from "../support/objects.ts";

const DAY = 24 * 3600 * 1000;
let nats: NatsServer;
let bucket: Bucket;
let objects: Objects;
const events: EventName[] = [];
const note = (event: EventName) => void events.push(event);
const log: Log = {
  debug: note,
  info: note,
  warn: note,
  error: note,
  failure: (_level, event) => note(event),
  language: "en",
};

let proofs = 0;
/** Held for long, by a session that this test does not need. */
const lock: Lock = {
  lost: new AbortController().signal,
  acquiredAt: Number.NEGATIVE_INFINITY,
  prove: async () => void proofs++,
  release: async () => {},
};
const { signal } = new AbortController();

before(async () => {
  nats = await startNats();
  bucket = await Bucket.open("orphans", await connect({ servers: nats.url, reconnect: false }));
  await bucket.create(1);
  objects = await openObjects(nats, "orphans");
});
afterEach(() => {
  mock.timers.reset();
  events.length = 0;
});
after(async () => {
  await objects?.close();
  await bucket?.nc.close();
  await nats?.stop();
});

async function leave(text: string, ...sizes: number[]): Promise<Nuid> {
  const nuid = parseNuid(text) ?? assert.fail(text);
  for (const size of sizes) await bucket.publish(chunkSubject("orphans", nuid), new Uint8Array(size));
  return nuid;
}

test("only others' chunks over a day old are purged, and only when that is asked for", async () => {
  await objects.putForeign("live", Buffer.from("live"));
  await leave("SOMEBODYS", 100, 100, 1);
  const tidy = async (purge: boolean) => {
    const listing = await bucket.list();
    return tidyOrphans(bucket, listing, findUnreachable(listing), { purge, log, signal });
  };
  assert.deepEqual(await tidy(true), { objects: 1, bytes: 201 }, "young: somebody may be uploading it");
  mock.timers.enable({ apis: ["Date"], now: Date.now() + DAY + 60_000 });
  assert.deepEqual(await tidy(false), { objects: 1, bytes: 201 });
  assert.equal((await objects.unreachable()).length, 1);
  assert.deepEqual(await tidy(true), { objects: 0, bytes: 0 });
  assert.deepEqual(events, ["orphans.found", "orphans.found", "orphans.purged"]);
  assert.deepEqual(await objects.unreachable(), []);
  await objects.read("live");
});

test("what a killed run of this job left is reclaimed; a live object is not", async () => {
  await leave(newNuid(), 100, 100);
  await leave("SOMEBODYS", 5);
  await reclaim(bucket, findUnreachable(await bucket.list()), { lock, log, signal });
  assert.equal(proofs, 1, "the lock was proved before anything was purged");
  assert.deepEqual(await objects.unreachable(), ["$O.orphans.C.SOMEBODYS"]);
  assert.deepEqual(events, ["chunks.reclaimed"]);
  await objects.read("live");
});

test("an upload that is gone by the time it is looked at is nothing to worry about", async () => {
  const gone = await leave("SHORTLIVED", 10);
  const listing = await bucket.list();
  await bucket.purgeChunks(gone);
  const { others } = findUnreachable(listing);
  assert.deepEqual(
    await tidyOrphans(
      bucket,
      listing,
      { own: [], others: others.filter((nuid) => nuid === gone) },
      { purge: true, log, signal },
    ),
    { objects: 0, bytes: 0 },
  );
});
