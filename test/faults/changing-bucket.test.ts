import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { headers, type NatsConnection } from "nats";
import { inParallel } from "../../src/async.ts";
import { isPackageKey } from "../../src/reconcile/match.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { metaSubject, type Nuid, newNuid } from "../../src/store/meta.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { connectNats } from "../support/objects.ts";
import { random, rounds } from "../support/rounds.ts";

let nats: NatsServer;
let nc: NatsConnection;
let others: NatsConnection;

before(async () => {
  nats = await startNats();
  [nc, others] = (await Promise.all(
    [1, 2].map(() => connectNats({ servers: nats.url, reconnect: false })),
  )) as [NatsConnection, NatsConnection];
});
after(async () => {
  await nc?.close();
  await others?.close();
  await nats?.stop();
});

const keyOf = (index: number) =>
  index % 5 === 0 ? `linux/x86_64/Vector/1.${index}.0/vector` : `job/${index}`;

/** The live metadata by key. */
type Look = Map<string, { sequence: number; nuid: Nuid; deleted?: boolean }>;

/** Reads the live metadata of every key, one by one and without the job's parser. */
async function readAll({ name, stream }: Bucket): Promise<Look> {
  const jsm = await others.jetstreamManager();
  const prefix = `$O.${name}.M.`;
  const { state } = await jsm.streams.info(stream, { subjects_filter: `${prefix}>` });
  const found: Look = new Map();
  await inParallel(Object.keys(state.subjects ?? {}), 32, async (subject) => {
    const { seq: sequence, data } = await jsm.streams.getMessage(stream, { last_by_subj: subject });
    const key = Buffer.from(subject.slice(prefix.length), "base64url").toString();
    found.set(key, { ...JSON.parse(Buffer.from(data).toString()), sequence });
  });
  return found;
}

for (let round = 0; round < rounds(10); round++)
  test(`round ${round}: others change the bucket between a run's requests`, async () => {
    const dice = random(`changing ${round}`);
    const name = `changing${round}`;
    const count = dice.pick([5, 95, 150, 300]);
    const nuids = Array.from({ length: 2 * count }, () => newNuid());
    const jsm = await others.jetstreamManager();
    const foreign = await Bucket.open(name, others);
    const put = async (key: string, more: object = {}) => {
      const rollup = headers();
      rollup.set("Nats-Rollup", "sub");
      const meta = {
        name: key,
        bucket: name,
        nuid: dice.pick(nuids),
        size: 0,
        chunks: 0,
        digest: "",
        ...more,
      };
      await foreign.send(metaSubject(name, key), Buffer.from(JSON.stringify(meta)), rollup);
    };
    const any = () => keyOf(dice.int(count));
    const changes: (() => Promise<unknown>)[] = [
      () => put(any()),
      () => put(any(), { deleted: true }),
      () => put(`job/new/${dice.int(1000)}`),
      () => put(any(), { name: "damaged" }),
      () => foreign.publish(`$O.${name}.C.${dice.pick(nuids)}`, Buffer.from("x")),
      () => jsm.streams.purge(foreign.stream, { filter: metaSubject(name, any()) }),
    ];
    const change = async (often: number) => {
      if (dice.int(often) === 0) await dice.pick(changes)();
    };
    const create = async () => {
      await foreign.create(1);
      for (let index = 0; index < count; index++) await put(keyOf(index));
    };
    await create();

    const bucket = await Bucket.open(name, nc);
    const { info, message, readLast } = bucket;
    bucket.info = async (filter) => change(4).then(() => info.call(bucket, filter));
    bucket.message = async (query) => change(8).then(() => message.call(bucket, query));
    bucket.readLast = async (...how) => change(2).then(() => readLast.call(bucket, ...how));
    for (let step = 0; step < 4; step++) {
      if (dice.int(12) === 0) await jsm.streams.delete(foreign.stream).then(create);
      for (let times = dice.int(4); times > 0; times--) await change(1);
      const looks = [await readAll(foreign)];
      const { objects } = await bucket.list({ keeps: isPackageKey, keys: [], all: round % 2 === 0 });
      for (let times = dice.int(4); times > 0; times--) await change(1);
      looks.push(await readAll(foreign));
      const dead = new Set<Nuid>(await bucket.unnamed(nuids));
      looks.push(await readAll(foreign));
      const [first, second, last] = looks as [Look, Look, Look];
      for (const [key, { sequence, nuid, deleted }] of second) {
        if (isPackageKey(key) && first.get(key)?.sequence === sequence)
          assert.equal(objects.get(key)?.sequence, sequence, key);
        if (last.get(key)?.sequence === sequence)
          assert.ok(deleted || !dead.has(nuid), `${key} names ${nuid}`);
      }
    }
    await jsm.streams.delete(foreign.stream);
  });
