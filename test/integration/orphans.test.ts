import assert from "node:assert/strict";
import { after, afterEach, before, mock, test } from "node:test";
import { connect } from "nats";
import { inParallel } from "../../src/async.ts";
import type { EventName } from "../../src/messages/events.ts";
import type { Log } from "../../src/output/log.ts";
import type { Lock } from "../../src/postgres/lock.ts";
import { findUnreachable, reclaim, tidyOrphans } from "../../src/reconcile/orphans.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { chunkSubject, type Nuid, newNuid, parseNuid } from "../../src/store/meta.ts";
import { writeMetadata } from "../support/metadata.ts";
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
    const { ofOthers } = await findUnreachable(bucket, listing, signal);
    return tidyOrphans(bucket, listing, ofOthers, { purge, log, signal });
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
  const counted: unknown[] = [];
  const counting: Log = { ...log, info: (event, fields) => void counted.push([event, fields]) };
  for (let uploads = 0; uploads < 40; uploads++) await leave(newNuid(), 100, 100);
  await leave("SOMEBODYS", 5);
  const { ofThisJob } = await findUnreachable(bucket, await bucket.list(), signal);
  await reclaim(bucket, ofThisJob, { lock, log: counting, signal });
  assert.equal(proofs, 1, "the lock was proved before anything was purged");
  assert.deepEqual(await objects.unreachable(), ["$O.orphans.C.SOMEBODYS"]);
  // Each upload has its fence too.
  assert.deepEqual(counted, [["chunks.reclaimed", { objects: 40, chunks: 120 }]]);
  await objects.read("live");
});

test("chunks that metadata names since the bucket was listed stay, ours and others'", async () => {
  const own = await leave(newNuid(), 100);
  const other = await leave("OTHERS", 100);
  const listing = await bucket.list();
  const found = await findUnreachable(bucket, listing, signal);
  assert.ok(found.ofThisJob.includes(own) && found.ofOthers.includes(other));
  const size = { size: 100, chunks: 1, digest: "" };
  for (const [name, nuid] of [
    ["late", own],
    ["later", other],
  ])
    await writeMetadata(objects, "orphans", `${name}`, { name, bucket: "orphans", nuid, ...size });
  await reclaim(bucket, found.ofThisJob, { lock, log, signal });
  mock.timers.enable({ apis: ["Date"], now: Date.now() + DAY + 60_000 });
  await tidyOrphans(bucket, listing, found.ofOthers, { purge: true, log, signal });
  const left = await objects.chunkSubjects();
  for (const nuid of [own, other]) assert.equal(left.get(`$O.orphans.C.${nuid}`), 1, nuid);
  await objects.remove("late");
  assert.ok((await bucket.purgeChunks(own)) === 0, "the client has purged it");
});

test("orphans beyond 10,000 are counted, not sized", async () => {
  const count = 10_050;
  const own = await Bucket.open("many", await connect({ servers: nats.url, reconnect: false }));
  await own.create(1);
  const names = Array.from({ length: count }, (_, index) => parseNuid(`N${index}`) ?? assert.fail());
  await inParallel(
    names,
    200,
    async (nuid) => void (await own.publish(chunkSubject("many", nuid), new Uint8Array(3))),
  );
  const listing = await own.list();
  let requests = 0;
  const message = own.message.bind(own);
  own.message = (query) => {
    requests += 1;
    return message(query);
  };
  const { ofOthers } = await findUnreachable(own, listing, signal);
  const found = await tidyOrphans(own, listing, ofOthers, { purge: false, log, signal });
  assert.deepEqual(found, { objects: count, bytes: 30_000 });
  assert.ok(requests <= 10_001, `${requests} requests`);
  await own.nc.close();
});

test("an upload that is gone by the time it is looked at is nothing to worry about", async () => {
  const gone = await leave("SHORTLIVED", 10);
  const listing = await bucket.list();
  await bucket.purgeChunks(gone);
  assert.deepEqual(await tidyOrphans(bucket, listing, [gone], { purge: true, log, signal }), {
    objects: 0,
    bytes: 0,
  });
});
