import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect, headers, type NatsConnection } from "nats";
import { inParallel } from "../../src/async.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { metaSubject } from "../../src/store/meta.ts";
import { type NatsServer, startNats } from "../support/nats.ts";

/** More than one batch. */
const MANY = 1500;

let nats: NatsServer;
let nc: NatsConnection;

before(async () => {
  nats = await startNats();
  nc = await connect({ servers: nats.url, reconnect: false });
});
after(async () => {
  await nc?.close();
  await nats?.stop();
});

/** Makes a bucket with metadata that names chunks N0, N1, …, in this order. */
async function fill(name: string, count: number, description = ""): Promise<Bucket> {
  const bucket = await Bucket.open(name, nc);
  await bucket.create(1);
  const indexes = Array.from({ length: count }, (_, index) => index);
  await inParallel(indexes, 64, async (index) => {
    const rollup = headers();
    rollup.set("Nats-Rollup", "sub");
    const key = `job/${index}`;
    const meta = { name: key, description, bucket: name, nuid: `N${index}`, size: 0, chunks: 0, digest: "" };
    await bucket.send(metaSubject(name, key), Buffer.from(JSON.stringify(meta)), rollup);
  });
  return bucket;
}

async function read(bucket: Bucket, signal = new AbortController().signal, onFirst = () => {}) {
  const sequences: number[] = [];
  const onMessage = (_subject: string, _data: Uint8Array, sequence: number) => {
    if (sequences.push(sequence) === 1) onFirst();
  };
  const isWhole = await bucket.readLast(`${metaSubject(bucket.name, "")}>`, onMessage, signal);
  return { isWhole, sequences };
}

async function consumers({ stream }: Bucket): Promise<number> {
  const jsm = await nc.jetstreamManager();
  return (await jsm.consumers.list(stream).next()).length;
}

describe("a consumer that reads all metadata", () => {
  test("sends each message once, in the stream's order, and is deleted", async () => {
    const bucket = await fill("many", MANY);
    const { isWhole, sequences } = await read(bucket);
    assert.deepEqual(
      sequences,
      Array.from({ length: MANY }, (_, index) => index + 1),
    );
    assert.ok(isWhole);
    assert.equal(await consumers(bucket), 0);
  });

  test("is deleted after an abort, too", async () => {
    const bucket = await fill("aborted", MANY);
    const abort = new AbortController();
    const why = new Error("stop");
    await assert.rejects(
      read(bucket, abort.signal, () => abort.abort(why)),
      why,
    );
    assert.equal(await consumers(bucket), 0);
  });

  test("is asked again if the first request is lost, as a cluster may lose it", async () => {
    const bucket = await fill("lost", 10);
    const publish = nc.publish.bind(nc);
    let lost = 0;
    nc.publish = (subject, ...rest) => {
      if (lost > 0 || !subject.includes(".MSG.NEXT.")) publish(subject, ...rest);
      else lost += 1;
    };
    try {
      const { isWhole, sequences } = await read(bucket);
      assert.deepEqual([lost, sequences.length, isWhole], [1, 10, true]);
    } finally {
      nc.publish = publish;
    }
  });

  test("is not believed if it had to cut a batch: servers pass over messages then", async () => {
    const count = 500;
    const bucket = await fill("cut", count, "d".repeat(5000));
    assert.equal((await read(bucket)).isWhole, false);
    await nc.request("$O.cut.C.LEFT", "x");
    const { chunks } = await bucket.list({ keeps: () => false, keys: [], all: true });
    const names = Array.from({ length: count }, (_, index) => `N${index}`);
    assert.deepEqual(await bucket.unnamed([...names, ...chunks.keys()] as never), ["LEFT"]);
  });
});
