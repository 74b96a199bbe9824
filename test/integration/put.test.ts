import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { connect } from "nats";
import type { Source } from "../../src/archive/types.ts";
import { JobError } from "../../src/errors.ts";
import { EXIT } from "../../src/exit.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { chunkSizeFor } from "../../src/store/capacity.ts";
import type { Upload } from "../../src/store/put.ts";
import { StoreConflictError } from "../../src/store/store-errors.ts";
import { readMetadata, writeMetadata } from "../support/metadata.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Objects, openObjects } from "../support/objects.ts";
import { type PutOptions, put } from "../support/put.ts";

const KEY = "linux/Controller/1.0.0/a b+c~?/z.zip";
let nats: NatsServer;
let bucket: Bucket;
let objects: Objects;

before(async () => {
  nats = await startNats({ maxPayload: 64 * 1024 });
  bucket = await Bucket.open("puts", await connect({ servers: nats.url, reconnect: false }));
  await bucket.create(1);
  objects = await openObjects(nats, "puts");
});
after(async () => {
  await objects?.close();
  await bucket?.nc.close();
  await nats?.stop();
});

function source(bytes: Buffer, between: () => Promise<unknown> = async () => {}): Source {
  return {
    size: bytes.length,
    async *blocks(size) {
      for (let at = 0; at < bytes.length; at += size) {
        await between();
        yield bytes.subarray(at, at + size);
      }
    },
  };
}

const upload = (from: Source, more: Partial<Upload> = {}): Upload => ({
  key: KEY,
  description: "probes.zip",
  source: from,
  replaced: undefined,
  supersedes: [],
  sha256: undefined,
  ...more,
});

const options = (more: Partial<PutOptions> = {}): PutOptions => ({
  signal: new AbortController().signal,
  stallSeconds: 30,
  onLeftover: (error) => assert.fail(`something was left: ${error}`),
  ...more,
});

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("put", () => {
  test("what it stores, an independent client reads: odd sizes, an odd key, small payloads", async () => {
    for (const size of [1, 61_440, 61_441, 1_000_003]) {
      const bytes = Buffer.alloc(size, "probe");
      const replaced = await bucket.get(KEY);
      const stored = await put(bucket, upload(source(bytes), { replaced }), options());
      assert.equal(stored.sha256, digest(bytes));
      const read = await objects.read(KEY);
      assert.deepEqual([read.bytes, read.sha256, read.info.description], [size, digest(bytes), "probes.zip"]);
      assert.deepEqual(await objects.unreachable(), []);
    }
  });

  test("another user's upload in between is a conflict, and theirs stays", async () => {
    const replaced = await bucket.get(KEY);
    const theirs = Buffer.from("theirs");
    let done = false;
    const meanwhile = async () => {
      if (!done) await objects.putForeign(KEY, theirs);
      done = true;
    };
    await assert.rejects(
      put(bucket, upload(source(Buffer.alloc(200_000), meanwhile), { replaced }), options()),
      StoreConflictError,
    );
    assert.equal((await objects.read(KEY)).sha256, digest(theirs));
    assert.deepEqual(await objects.unreachable(), []);
  });

  test("old chunks that another object's metadata names by now stay", async () => {
    await objects.putForeign(KEY, Buffer.from("old"));
    await bucket.list();
    const replaced = await bucket.get(KEY);
    const meta = await readMetadata(objects, "puts", KEY);
    const meanwhile = () => writeMetadata(objects, "puts", "shares", { ...meta, name: "shares" });
    await put(bucket, upload(source(Buffer.alloc(1000), meanwhile), { replaced }), options());
    assert.equal((await objects.read(KEY)).bytes, 1000);
    assert.equal((await objects.read("shares")).bytes, 3);
    await objects.remove("shares");
    assert.deepEqual(await objects.unreachable(), []);
  });

  test("bytes other than those read before are exit 74, and nothing of them stays", async () => {
    const before = await objects.lastSeq();
    const wrong = upload(source(Buffer.alloc(200_000)), { key: "other", sha256: "00".repeat(32) });
    await assert.rejects(
      put(bucket, wrong, options()),
      (error) => error instanceof JobError && error.code === EXIT.fileRead,
    );
    assert.ok((await objects.lastSeq()) > before);
    assert.deepEqual(await objects.unreachable(), []);
    assert.equal(await objects.info("other"), null);
  });

  test("a read that hangs is given up, and a stop is noticed meanwhile", async () => {
    let reads = 0;
    const hangs = () =>
      source(Buffer.alloc(200_000), () => (reads++ % 2 === 1 ? new Promise(() => {}) : Promise.resolve()));
    await assert.rejects(
      put(bucket, upload(hangs(), { key: "hung" }), options({ stallSeconds: 1 })),
      (error) =>
        error instanceof JobError && error.code === EXIT.fileRead && /no progress/.test(error.message),
    );
    const stop = new AbortController();
    const reason = new JobError("run.sigterm", {});
    setTimeout(() => stop.abort(reason), 200);
    await assert.rejects(
      put(bucket, upload(hangs(), { key: "hung" }), options({ signal: stop.signal })),
      reason,
    );
    assert.deepEqual(await objects.unreachable(), []);
  });
});

test("chunks are as large as server and stream allow, with headroom", () => {
  assert.equal(chunkSizeFor(1024 * 1024, -1), 1_000_000);
  assert.equal(chunkSizeFor(8 * 1024 * 1024, -1), 1_000_000);
  assert.equal(chunkSizeFor(64 * 1024, -1), 61_440);
  assert.equal(chunkSizeFor(1024 * 1024, 10_000), 8_750);
});
