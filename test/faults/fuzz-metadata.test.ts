import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { headers, type NatsConnection } from "nats";
import { inParallel } from "../../src/async.ts";
import type { Archive, Package } from "../../src/packages/package.ts";
import type { Row } from "../../src/postgres/rows.ts";
import { type Plan, type PlanInput, plan } from "../../src/reconcile/decide.ts";
import { type DesiredPackage, isPackageKey } from "../../src/reconcile/match.ts";
import { findLeftChunks, findUnreachable, reclaim, tidyOrphans } from "../../src/reconcile/orphans.ts";
import { Bucket } from "../../src/store/bucket.ts";
import { formatDigest, metaSubject, newNuid } from "../../src/store/meta.ts";
import { isWhole } from "../../src/store/object.ts";
import { removeObject } from "../../src/store/put.ts";
import { readMetadata, writeMetadata } from "../support/metadata.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { connectNats } from "../support/objects.ts";
import { put } from "../support/put.ts";
import { type Random, random, rounds } from "../support/rounds.ts";
import { useServers } from "../support/site.ts";

/** 10,000 with `--rounds 50`. */
const ROUNDS = rounds(0.5) * 200;
/** Milliseconds; what a round may take before it counts as hanging. */
const LIMIT = 120_000;
const DAY = 24 * 3600 * 1000;
const FILE = "fusion-collectors-linux-amd64.zip";

const ARCHIVE = "fusion-collectors.zip";
const OURS = [
  `linux/x86_64/Controller/1.0.0/${ARCHIVE}`,
  `linux/Controller/1.0.0/${ARCHIVE}`,
  "linux/x86_64/Controller/1.0.0/old.zip",
  "linux/x86_64/Telegraf/1.0.0/telegraf",
  "installer/linux/x86_64/bklite-controller-installer",
];
const THEIRS = [
  "job/1",
  "job/2",
  "linux/x86_64/Controller/0.9.0/user.zip",
  "linux/arm64/Controller/1.0.0/old.zip",
  "备份/ü",
];
const REPLACES = "Bklite-Package-Init-Replaces";

/** What the program lists. */
const WANTED = { keeps: isPackageKey, keys: [] };

type Meta = Record<string, unknown>;
type Mutation = (meta: Meta, dice: Random, nuids: readonly string[]) => unknown;

const ODD: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  1e300,
  2 ** 53,
  "",
  "*",
  ">",
  "a.>",
  "a.*.b",
  " ",
  "\0",
  "\r\n",
  "\u001b[2J",
  "\u202e",
  "\u2028",
  "\ud800",
  "x".repeat(10_000),
  [],
  {},
  [null],
  [[["a"]]],
  { link: {} },
  { toString: 1 },
  { __proto__: null, constructor: "x" },
  "SHA-256=",
  "PKGINIT",
  "../../x",
];
const FIELDS = [
  "name",
  "description",
  "headers",
  "options",
  "bucket",
  "nuid",
  "size",
  "mtime",
  "chunks",
  "digest",
  "deleted",
];

const MUTATIONS: readonly Mutation[] = [
  (meta, dice) => ({ ...meta, [dice.pick(FIELDS)]: undefined }),
  (meta, dice) => ({ ...meta, [dice.pick(FIELDS)]: dice.pick(ODD) }),
  (meta, dice) => ({ ...meta, nuid: dice.pick(ODD) }),
  (meta, dice, nuids) => ({ ...meta, nuid: dice.pick(nuids) }),
  (meta, dice, nuids) => ({ ...meta, nuid: dice.pick(nuids), name: undefined }),
  (meta, dice, nuids) => ({ ...meta, headers: { [REPLACES]: nuids.filter(() => dice.int(2) === 0) } }),
  (meta, dice, nuids) => ({
    ...meta,
    headers: { [REPLACES]: [...nuids, ...ODD] },
    deleted: dice.int(3) === 0,
  }),
  (meta, dice) => ({ ...meta, headers: { [REPLACES]: dice.pick(ODD) } }),
  (meta, dice) => ({ ...meta, headers: { [dice.pick(["X", REPLACES, "__proto__"])]: ["*", ">", "a.>"] } }),
  (meta) => ({ ...meta, options: { link: { bucket: "other", name: "x" } } }),
  (meta) => ({ ...meta, deleted: true }),
  (meta, dice) => ({ ...meta, chunks: dice.int(5), size: dice.int(5) * 1000 }),
  (meta, dice) => ({ ...meta, [`${dice.pick(FIELDS)} `]: dice.pick(ODD) }),
  (meta, dice) => {
    const text = Buffer.from(JSON.stringify(meta));
    for (let times = 1 + dice.int(3); times > 0; times--) text[dice.int(text.length)] = dice.int(256);
    return text;
  },
  (meta, dice) => {
    const text = Buffer.from(JSON.stringify(meta));
    return text.subarray(0, dice.int(text.length));
  },
  (_, dice) => dice.pick(ODD) ?? null,
];

const servers = useServers();
let nats: NatsServer;
let nc: NatsConnection;
const { signal } = new AbortController();
const log = { debug() {}, info() {}, warn() {}, error() {}, failure() {}, language: "en" as const };
const lock = {
  lost: signal,
  acquiredAt: Number.NEGATIVE_INFINITY,
  prove: async () => {},
  release: async () => {},
};

before(async () => {
  nats = await startNats();
  nc = await connectNats({ servers: nats.url, reconnect: false });
});
after(async () => {
  await nc?.close();
  await nats?.stop();
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function pack(object: string, name: string, more: Partial<Package> = {}): Package {
  const archive = { file: name, name, size: 100 } as Archive;
  const identity = { type: "controller", os: "linux", arch: "x86_64", object, version: "1.0.0" } as const;
  return { ...identity, archive, name, description: "", ...more };
}

interface World {
  bucket: Bucket;
  /** Every nuid that is in the bucket, whoever made it, and some that cannot be one. */
  nuids: string[];
  rows: Row[];
  contents: ReadonlyMap<DesiredPackage, Buffer>;
}

/** Stores an object as any client does. */
async function store(bucket: Bucket, key: string, bytes: Buffer, nuid: string): Promise<Meta> {
  const half = Math.ceil(bytes.length / 2);
  for (const chunk of [bytes.subarray(0, half), bytes.subarray(half)])
    await bucket.publish(`$O.${bucket.name}.C.${nuid}`, chunk);
  const meta = {
    name: key,
    description: "",
    options: { max_chunk_size: half },
    bucket: bucket.name,
    nuid,
    size: bytes.length,
    mtime: "2026-01-01T00:00:00Z",
    chunks: 2,
    digest: formatDigest(sha256(bytes)),
  };
  return meta;
}

async function publish(bucket: Bucket, key: string, value: unknown): Promise<void> {
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  const data = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value));
  await bucket.send(metaSubject(bucket.name, key), data, rollup);
}

/**
 * A bucket with objects of ours and of others and with orphans, some of whose metadata somebody has
 * rewritten.
 */
async function makeWorld(name: string, dice: Random): Promise<World> {
  const bucket = await Bucket.open(name, nc);
  await bucket.create(1);
  const metas = new Map<string, Meta>();
  const nuids: string[] = [];
  for (const key of [...OURS, ...THEIRS]) {
    if (dice.int(4) === 0) continue;
    const nuid = OURS.includes(key) && dice.int(3) > 0 ? newNuid() : `F${randomBytes(10).toString("hex")}`;
    nuids.push(nuid);
    metas.set(key, await store(bucket, key, Buffer.from(`stored ${key}`), nuid));
  }
  for (const orphan of [newNuid(), "SOMEBODYS", "SOMEBODYS2"]) {
    nuids.push(orphan);
    await bucket.publish(`$O.${name}.C.${orphan}`, Buffer.from("orphan"));
  }
  for (const [key, meta] of metas) await publish(bucket, key, meta);
  for (let times = 1 + dice.int(4); times > 0 && metas.size > 0; times--) {
    const [key, meta] = dice.pick([...metas]);
    await publish(bucket, key, dice.pick(MUTATIONS)(meta, dice, nuids));
  }
  // So many that they are read together.
  const crowd = dice.int(8) === 0 ? Array.from({ length: 110 }, (_, index) => `crowd/${index}`) : [];
  await inParallel(crowd, 32, async (key) => {
    const nuid = `C${randomBytes(10).toString("hex")}`;
    await publish(bucket, key, { name: key, bucket: name, nuid, size: 0, chunks: 0, digest: "" });
  });
  const contents = new Map<DesiredPackage, Buffer>();
  const packages = [
    pack("Controller", ARCHIVE),
    pack("Telegraf", "telegraf", { type: "collector" }),
    pack("installer", "bklite-controller-installer", {
      type: "installer",
      version: "latest",
      keyWithoutRow: OURS[4] ?? "",
    }),
  ];
  for (const pkg of packages) {
    const key = OURS.find((one) => one.endsWith(`/${pkg.name}`)) ?? "";
    const bytes = Buffer.from(dice.int(2) === 0 ? `stored ${key}` : `new ${key}`);
    contents.set({ package: pkg, sha256: sha256(bytes), bytes: bytes.length }, bytes);
  }
  const row = (id: number, object: string, rowName: string, createdBy = "system"): Row => {
    const type = object === "Controller" ? "controller" : "collector";
    return {
      id,
      type,
      os: "linux",
      arch: "x86_64",
      object,
      version: "1.0.0",
      name: rowName,
      description: "",
      createdBy,
      sha256: null,
      status: null,
    };
  };
  const rows = [row(1, "Controller", dice.pick([ARCHIVE, "old.zip"])), row(2, "Telegraf", "telegraf")].filter(
    () => dice.int(4) > 0,
  );
  return { bucket, nuids, rows, contents };
}

/** Does what init does, but for its waiting and its table. */
async function initialise({ bucket, rows, contents }: World, purge: boolean): Promise<Plan> {
  const listing = await bucket.list(WANTED);
  const input = {
    desired: [...contents.keys()],
    collectors: [],
    archColumn: true,
    hasDigest: false,
    hasStatus: false,
    onConflict: "replace",
  } as const;
  const decided = plan({ ...input, rows, objects: listing.objects });
  const { ofThisJob, ofOthers } = await findUnreachable(bucket, listing, signal);
  await reclaim(bucket, ofThisJob, { lock, log, signal });
  await tidyOrphans(bucket, listing, ofOthers, { purge, log, signal });
  for (const { upload, key, name, desired, obsolete } of decided.packages) {
    const bytes = contents.get(desired);
    if (!upload || !bytes) continue;
    const source = {
      size: bytes.length,
      async *blocks() {
        yield bytes;
      },
    };
    const supersedes = obsolete.flatMap(({ nuid }) => nuid ?? []);
    const replaced = listing.objects.get(key);
    const what = { key, description: name, source, replaced, supersedes, sha256: desired.sha256 };
    await put(bucket, what, { signal, stallSeconds: 30, onLeftover: (error) => assert.fail(`${error}`) });
  }
  for (const { action, row, values } of decided.rows) {
    if (action === "inserted") rows.push({ ...values, id: rows.length + 10, createdBy: "system" });
    if (action === "updated" && row) rows[rows.indexOf(row)] = { ...row, name: values.name };
  }
  for (const object of decided.packages.flatMap(({ obsolete }) => obsolete))
    await removeObject(bucket, object, lock.prove);
  const after = await bucket.list(WANTED);
  await reclaim(bucket, await findLeftChunks(bucket, after, signal), { lock, log, signal });
  const again = await bucket.list(WANTED);
  assert.deepEqual(await findLeftChunks(bucket, again, signal), [], "no unreachable chunk of ours");
  return plan({ ...input, rows, objects: again.objects } satisfies PlanInput);
}

/** What others' metadata is and how many chunks it names, read without the job's parser. */
async function othersIn({ bucket }: Pick<World, "bucket">): Promise<Map<string, unknown>> {
  const { subjects = {} } = (await bucket.info(`$O.${bucket.name}.>`))?.state ?? {};
  const found = new Map<string, unknown>();
  for (const key of THEIRS) {
    const message = await bucket.message({ last_by_subj: metaSubject(bucket.name, key) });
    if (!message) continue;
    const text = Buffer.from(message.data).toString("latin1");
    let chunks: number | undefined;
    try {
      const { nuid, deleted } = JSON.parse(text);
      if (deleted !== true) chunks = subjects[`$O.${bucket.name}.C.${nuid}`];
    } catch {
      // at most one client reads it
      const [, nuid] = /"nuid":"([^"\\]+)"/.exec(text) ?? [];
      chunks = subjects[`$O.${bucket.name}.C.${nuid}`];
    }
    found.set(key, [message.seq, text, chunks]);
  }
  return found;
}

describe("metadata that another program rewrote", () => {
  test(`${ROUNDS} rounds: no error, no hang, no byte of others lost, and ours converge`, async (t) => {
    mock.timers.enable({ apis: ["Date"], now: Date.now() + 2 * DAY });
    t.after(() => mock.timers.reset());
    let kept = 0;
    const round = async (number: number) => {
      const dice = random(`metadata ${number}`);
      const world = await makeWorld(`f${number}`, dice);
      const before = await othersIn(world);
      const purge = dice.int(2) === 0;
      await initialise(world, purge);
      const decided = await initialise(world, purge);
      assert.deepEqual(await othersIn(world), before);
      kept += before.size;
      for (const { action, stored, obsolete, conflict } of decided.packages) {
        assert.deepEqual([action, obsolete, conflict], ["unchanged", [], undefined]);
        assert.ok(stored && isWhole(stored));
      }
      const jsm = await nc.jetstreamManager();
      await jsm.streams.delete(world.bucket.stream);
    };
    await inParallel(
      Array.from({ length: ROUNDS }, (_, number) => number),
      4,
      async (number) => {
        const late = sleep(LIMIT, undefined, { ref: false }).then(() => {
          throw new Error("it hangs");
        });
        await Promise.race([round(number), late]).catch((cause) => {
          throw new Error(`round ${number}: ${(cause as Error).message}`, { cause });
        });
      },
    );
    t.diagnostic(`${kept} objects of others kept`);
    assert.ok(kept > ROUNDS, "there was something to lose");
  });

  for (let number = 0; number < rounds(3); number++)
    test(`round ${number} with the program itself`, async () => {
      const dice = random(`metadata program ${number}`);
      const site = await servers.site({ state: "C" });
      await site.archive(FILE, { collectors: ["telegraf"] });
      // The library cannot write the other names.
      for (const key of THEIRS.filter((one) => /^[!-~]+$/.test(one)))
        await site.objects.putForeign(key, Buffer.from(key));
      await site.ok();
      const keys = (await site.objects.list()).map(({ name }) => name);
      const nuids = (await site.objects.list()).map(({ nuid }) => nuid);
      for (let times = 3; times > 0; times--) {
        const key = dice.pick(keys);
        const meta = await readMetadata(site.objects, site.bucket, key).catch(() => ({}));
        await writeMetadata(site.objects, site.bucket, key, dice.pick(MUTATIONS)(meta, dice, nuids));
      }
      if (dice.int(2) === 0) await site.archive(FILE, { collectors: ["telegraf"], seed: "new" });
      const own = await connectNats({ servers: servers.nats.url, reconnect: false });
      const world = { bucket: await Bucket.open(site.bucket, own) };
      const before = await othersIn(world);
      for (const args of [["plan"], ["init"], ["verify"]]) {
        await site.ok(args, { PURGE_ORPHANS: "true" });
      }
      assert.deepEqual(await othersIn(world), before);
      await own.close();
    });
});
