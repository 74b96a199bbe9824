import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inParallel } from "../../src/async.ts";
import { metaSubject } from "../../src/store/meta.ts";
import { writeMetadata } from "../support/metadata.ts";
import { addStream } from "../support/objects.ts";
import type { RunningJob } from "../support/run.ts";
import { explain, type Site, useServers } from "../support/site.ts";

const servers = useServers();

const MIB = 1024 ** 2;
const CHUNK = 1_000_000;
/** More than 300 MB: what the reading keeps must not grow with it. */
const OBJECTS = 6;
const CHUNKS = 51;
const LIMIT = 128 * MIB;

/** Stores an object of CHUNKS chunks, of which no two are the same. */
async function store({ objects, bucket }: Site, name: string): Promise<void> {
  const nuid = `TEST${name}`;
  const block = randomBytes(CHUNK);
  const hash = createHash("sha256");
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    block.writeUInt32BE(chunk);
    hash.update(block);
    await objects.connection.request(`$O.${bucket}.C.${nuid}`, block);
  }
  const digest = `SHA-256=${hash.digest("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
  const key = `apm/probe/java/${name}`;
  const size = CHUNK * CHUNKS;
  await writeMetadata(objects, bucket, key, { name: key, bucket, nuid, size, chunks: CHUNKS, digest });
}

/** The most memory that a job had, in bytes; how it ends is in `done`. */
async function peakOf({ pid, done }: RunningJob): Promise<number> {
  let peak = 0;
  const look = setInterval(() => {
    try {
      const [, kib = "0"] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      peak = Math.max(peak, Number(kib) * 1024);
    } catch {
      // It has ended.
    }
  }, 20);
  await done;
  clearInterval(look);
  return peak;
}

/** Objects of others, and as many rows of a user's, each with an object. */
const MANY = 5000;
const MANY_LIMIT = 144 * MIB;

test(`${MANY} objects of others and ${MANY} rows end within ${MANY_LIMIT / MIB} MiB of memory`, async (t) => {
  const site = await servers.site({ state: "C" });
  await addStream(site.objects, site.bucket, {});
  const { connection } = site.objects;
  const keys = Array.from({ length: MANY }, (_, index) => [
    `job/${index}/result.tar.gz`,
    `linux/x86_64/Object-${index}/1.0.0/object-${index}.zip`,
  ]).flat();
  await inParallel(keys, 64, async (name) => {
    const nuid = `N${createHash("sha256").update(name).digest("hex").slice(0, 21)}`;
    await connection.request(`$O.${site.bucket}.C.${nuid}`, "x", { timeout: 60_000 });
    const meta = { name, bucket: site.bucket, nuid, size: 1, chunks: 1, digest: DIGEST };
    const subject = metaSubject(site.bucket, name);
    await connection.request(subject, JSON.stringify(meta), { timeout: 60_000 });
  });
  await site.db.query(`INSERT INTO node_mgmt_packageversion (created_at, updated_at, created_by, updated_by, domain,
    updated_by_domain, type, os, cpu_architecture, object, version, name, description)
    SELECT now(), now(), 'alice', 'alice', '', '', 'collector', 'linux', 'x86_64', 'Object-' || i, '1.0.0',
    'object-' || i || '.zip', '' FROM generate_series(0, ${MANY - 1}) AS i`);
  const running = site.start(["init"], { ALLOW_EMPTY: "true", LOG_LEVEL: "warn" });
  const peak = await peakOf(running);
  const result = await running.done;
  assert.equal(result.code, 0, explain(result));
  assert.deepEqual(result.report?.orphans, { objects: 0, bytes: 0 });
  t.diagnostic(`${Math.round(peak / MIB)} MiB`);
  assert.ok(peak < MANY_LIMIT, `${peak} bytes of memory`);
});

const DIGEST = "SHA-256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTb0__m0l2oH3k=";

test("300 MB of objects are read back within 128 MiB of memory", async (t) => {
  const site = await servers.site({ state: "C" });
  await addStream(site.objects, site.bucket, {});
  for (let index = 0; index < OBJECTS; index++) await store(site, `probe${index}`);
  const running = site.start(["verify", "--deep"], { ALLOW_EMPTY: "true" });
  const peak = await peakOf(running);
  const result = await running.done;
  assert.equal(result.code, 0, explain(result));
  const done = result.events.find(({ event }) => event === "deep.done");
  assert.deepEqual([done?.objects, done?.bytes], [OBJECTS, OBJECTS * CHUNKS * CHUNK], explain(result));
  t.diagnostic(`${Math.round(peak / MIB)} MiB, ${done?.seconds} s`);
  assert.ok(peak < LIMIT, `${peak} bytes of memory`);
});
