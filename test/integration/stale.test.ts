import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect } from "nats";
import type { EventName } from "../../src/messages/events.ts";
import type { Log } from "../../src/output/log.ts";
import type { Lock } from "../../src/postgres/lock.ts";
import type { Servers } from "../../src/readiness/wait-for-servers.ts";
import { findStale, tidyStale } from "../../src/reconcile/orphans.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Objects, openObjects } from "../support/objects.ts";

const HOUR = 3600 * 1000;
const STAGED = "linux/x86_64/Telegraf/9.9.9/.staging-1c5fae44-0bb5-4a8c-9d0b-2a3d1f0b7c11/telegraf";
const OTHERS = [
  "linux/x86_64/Telegraf/9.9.9/telegraf",
  ".staging-x",
  "jobs/.staging-area/files/a",
  "jobs/.staging-area/a",
  "jobs/x86_64/nightly/7/.staging-area/a",
  "linux/patches/.staging-area/a",
  "jobs/.staging-area/result.zip",
  "jobs/.staging-1c5fae44-0bb5-4a8c-9d0b-2a3d1f0b7c11/result.zip",
  "jobs/a/b/c/.staging-1c5fae44-0bb5-4a8c-9d0b-2a3d1f0b7c11/result.zip",
];

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
const lock = { prove: async () => {} } as Lock;

before(async () => {
  nats = await startNats();
  bucket = await Bucket.open("stale", await connect({ servers: nats.url, reconnect: false }));
  await bucket.create(1);
  objects = await openObjects(nats, "stale");
});
after(async () => {
  await objects?.close();
  await bucket?.nc.close();
  await nats?.stop();
});

/** Tidies when the NATS server's clock is so many hours further. */
async function tidy(hours: number, purge: boolean) {
  const listing = await bucket.list();
  assert.ok(listing.stream);
  const stream = { ...listing.stream, time: Date.now() + hours * HOUR };
  const columns = { archColumn: true, hasDigest: true, hasStatus: true };
  const state = { rows: [], listing: { ...listing, stream }, ...columns };
  const stale = findStale(state, { packages: [], collectors: [] });
  const servers = { nats: { bucket }, postgres: {} } as unknown as Servers;
  return tidyStale(stale, state, { servers, lock, log, purge });
}

test("a staged object goes when it is over a day old by the server's clock, and only when that is asked for", async () => {
  for (const key of [STAGED, ...OTHERS]) await objects.putForeign(key, Buffer.from(key));
  for (const [hours, purge] of [
    [0, true],
    [23, true],
    [25, false],
  ] as const) {
    const left = await tidy(hours, purge);
    assert.ok(left.listing.objects.has(STAGED));
    await objects.read(STAGED);
  }
  const left = await tidy(25, true);
  assert.equal(left.listing.objects.has(STAGED), false);
  assert.deepEqual((await objects.list()).map(({ name }) => name).sort(), [...OTHERS].sort());
  assert.deepEqual(await objects.unreachable(), []);
  assert.deepEqual(events, ["staging.found", "staging.found", "staging.found", "staging.purged"]);
  events.length = 0;
  await tidy(50, true);
  assert.deepEqual(events, [], "the deleted marker is no object");
});
