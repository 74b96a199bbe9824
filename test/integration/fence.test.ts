import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { connect } from "nats";
import { createLog } from "../../src/output/log.ts";
import { openTerminal } from "../../src/output/terminal.ts";
import type { Lock } from "../../src/postgres/lock.ts";
import { findUnreachable, reclaim } from "../../src/reconcile/orphans.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { metaSubject } from "../../src/store/meta.ts";
import { fence } from "../../src/store/put.ts";
import { StoreLostError } from "../../src/store/store-errors.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Objects, openObjects } from "../support/objects.ts";
import { put } from "../support/put.ts";

const KEY = "linux/Controller/1.0.0/fusion-collectors.zip";
let nats: NatsServer;
/** Two runs, each with a line of its own; each takes itself for the only one. */
let early: Bucket;
let late: Bucket;
let objects: Objects;

before(async () => {
  nats = await startNats();
  const open = async () => Bucket.open("fenced", await connect({ servers: nats.url, reconnect: false }));
  [early, late] = [await open(), await open()];
  await early.create(1);
  objects = await openObjects(nats, "fenced");
});
after(async () => {
  await objects?.close();
  await early?.nc.close();
  await late?.nc.close();
  await nats?.stop();
});

const silent = createLog({
  level: "fatal",
  format: "json",
  terminal: openTerminal(2, process, {}),
  redact: (text) => text,
  language: "en",
});
/** Says that it is held, whoever asks: the worst that can happen to a lock. */
const { signal } = new AbortController();
const lock: Lock = {
  lost: signal,
  acquiredAt: Number.NEGATIVE_INFINITY,
  prove: async () => {},
  release: async () => {},
};

function upload(bytes: Buffer, prove: () => Promise<void>) {
  const source = {
    size: bytes.length,
    async *blocks(size: number) {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
  return async () =>
    put(
      early,
      {
        key: KEY,
        description: "fusion-collectors.zip",
        source,
        replaced: await early.get(KEY),
        supersedes: [],
        sha256: undefined,
      },
      {
        signal,
        stallSeconds: 30,
        prove,
        onLeftover: (error) => assert.fail(`something was left: ${error}`),
      },
    );
}

test("metadata that comes after another run reclaimed its chunks is never live", async () => {
  const old = randomBytes(3_000_000);
  await objects.putForeign(KEY, old);
  const before = (await objects.info(KEY))?.nuid;
  const reclaimed = async () => {
    const unreachable = await findUnreachable(late, await late.list(), signal);
    assert.equal(unreachable.ofThisJob.length, 1, "the upload that waits for its proof");
    await reclaim(late, unreachable.ofThisJob, { lock, log: silent, signal });
  };
  const seq = (await objects.streamInfo()).state.last_seq;
  await assert.rejects(
    upload(randomBytes(3_000_000), reclaimed)(),
    (error) => error instanceof StoreLostError && error.reason === "store.fenced",
  );
  assert.equal((await objects.info(KEY))?.nuid, before);
  const meta = await late.message({ last_by_subj: metaSubject("fenced", KEY) });
  assert.ok(meta && meta.seq <= seq, "what is served was not touched, not even to be put back");
  assert.equal((await objects.read(KEY)).bytes, old.length);
  assert.deepEqual(await objects.unreachable(), []);
});

test("metadata that was there first is not fenced, and its chunks are not mistaken for leftovers", async () => {
  const bytes = randomBytes(1_500_000);
  const { nuid } = await upload(bytes, async () => {})();
  assert.equal(await fence(late, nuid), false);
  assert.deepEqual(await findUnreachable(late, await late.list(), signal), { ofThisJob: [], ofOthers: [] });
  assert.equal((await objects.read(KEY)).bytes, bytes.length);
});
