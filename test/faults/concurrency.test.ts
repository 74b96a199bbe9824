import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, sha256, useServers } from "../support/site.ts";
import { insertRow, migrateToStateC } from "../support/tables.ts";
import {
  assertConverged,
  assertLockFree,
  assertRecovers,
  assertSettled,
  at,
  crash,
  exits,
  type Moment,
  type Stage,
  useStages,
} from "./stage.ts";

const openStage = useStages(useServers());
const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;
const BYTES = 4_500_000;

/** The last chunk: while its answer is held back, the metadata cannot be sent. */
const lastChunk: Moment = { line: "nats", text: ".C.PKGINIT", nth: 5, when: "before" };
/** While its answer is held back, no row can be written. */
const begin: Moment = { line: "postgres", text: "BEGIN", when: "before" };

async function withArchive(): Promise<{ stage: Stage; path: string }> {
  const stage = await openStage();
  return { stage, path: await stage.archive(ARCHIVE, { payloadBytes: BYTES }) };
}

/** Runs the job, holds the line at a moment, lets somebody else act, and goes on. */
async function meanwhile(
  stage: Stage,
  moment: Moment,
  somebody: () => Promise<unknown>,
  env: Record<string, string> = {},
): Promise<JobResult> {
  const running = stage.start([], env);
  const held = Promise.withResolvers<void>();
  at(stage, moment, () => {
    stage[moment.line].stall();
    held.resolve();
  });
  await held.promise;
  await somebody();
  await stage[moment.line].resume();
  return running.done;
}

test("ten together on an empty store: all succeed, one uploads, one writes the rows", async () => {
  const { stage, path } = await withArchive();
  const runs = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      stage.run([], { WAIT_TIMEOUT: "80", REPORT_FILE: `${stage.volume}/report-${index}.json` }),
    ),
  );
  for (const run of runs) exits(run, 0);
  const actions = runs.map((run) => run.report?.packages.map(({ action }) => action).join()).sort();
  assert.deepEqual(actions, [...Array(9).fill("unchanged"), "uploaded"]);
  const inserted = runs
    .flatMap((run) => run.report?.rows ?? [])
    .filter(({ action }) => action === "inserted");
  assert.equal(inserted.length, 4);
  await assertConverged(stage, path);
  // one upload: metadata once, and each chunk once
  assert.equal(await stage.objects.lastSeq(), Math.ceil(BYTES / 1_000_000) + 1);
});

test("a run that is killed while it holds the lock frees it for the one that waits", async () => {
  const { stage, path } = await withArchive();
  const first = stage.start();
  at(stage, lastChunk, () => stage.nats.stall());
  await first.waitForEvent("upload.progress");
  // the second must not share the first one's line
  const second = stage.start([], { NATS_SERVERS: stage.direct.nats, DB_PORT: stage.direct.dbPort });
  await second.waitForEvent("lock.waiting");
  crash(stage, first);
  assert.equal((await first.done).signal, "SIGKILL");
  const result = await second.done;
  exits(result, 0);
  assert.ok(
    result.events.some(({ event }) => event === "chunks.reclaimed"),
    explain(result),
  );
  await assertConverged(stage, path);
});

test("a run that waits for the lock without success: exit 75, and nothing was touched", async () => {
  const { stage, path } = await withArchive();
  const first = stage.start();
  at(stage, lastChunk, () => stage.nats.stall());
  await first.waitForEvent("upload.progress");
  const direct = { NATS_SERVERS: stage.direct.nats, DB_PORT: stage.direct.dbPort };
  const second = await stage.run([], {
    ...direct,
    WAIT_TIMEOUT: "1",
    REPORT_FILE: `${stage.volume}/second.json`,
  });
  exits(second, 75);
  assert.match(second.report?.error?.message ?? "", new RegExp(`lock for bucket "${stage.bucket}"`));
  await stage.nats.resume();
  exits(await first.done, 0);
  await assertConverged(stage, path);
});

const PERSONS = Buffer.alloc(300_000, "somebody's own build");
const PERSONS_SHA256 = createHash("sha256").update(PERSONS).digest("hex");

for (const [policy, code, action] of [
  ["replace", 0, "replaced"],
  ["keep", 0, "kept"],
  ["fail", 65, "failed"],
] as const) {
  test(`another object under the key in mid-upload, ON_CONFLICT=${policy}: seen, then as if it had been there before`, async () => {
    const { stage, path } = await withArchive();
    const put = () => stage.objects.putForeign(KEY, PERSONS);
    const result = await meanwhile(stage, lastChunk, put, { ON_CONFLICT: policy });
    exits(result, code);
    assert.ok(
      result.events.some(({ event }) => event === "run.retry"),
      explain(result),
    );
    assert.deepEqual(
      result.report?.packages.map((entry) => entry.action),
      [action],
    );
    assert.deepEqual(await stage.objects.unreachable(), []);
    if (policy === "replace") await assertConverged(stage, path);
    else assert.equal((await stage.objects.read(KEY)).sha256, PERSONS_SHA256);
  });
}

test("a person's upload, object and row, in mid-upload: never overwritten", async () => {
  const { stage } = await withArchive();
  const result = await meanwhile(stage, lastChunk, async () => {
    await stage.objects.putForeign(KEY, PERSONS);
    await insertRow(stage.db, { name: ARCHIVE, created_by: "alice", updated_by: "alice" });
  });
  exits(result, 65);
  assert.match(result.report?.error?.message ?? "", /alice/);
  assert.equal((await stage.objects.read(KEY)).sha256, PERSONS_SHA256);
  assert.deepEqual(
    (await stage.rows()).map((row) => [row.object, row.created_by]),
    [["Controller", "alice"]],
  );
  assert.deepEqual(await stage.objects.unreachable(), []);
});

test("a person's row in mid-transaction: planned again, and the object goes under the person's name", async () => {
  const { stage, path } = await withArchive();
  const result = await meanwhile(stage, begin, () =>
    insertRow(stage.db, { name: "alices.zip", created_by: "alice", updated_by: "alice" }),
  );
  exits(result, 0);
  const rows = await stage.rows();
  assert.equal(rows.length, 4, JSON.stringify(rows));
  const own = rows.find((row) => row.object === "Controller");
  assert.deepEqual([own?.name, own?.created_by], ["alices.zip", "alice"]);
  const stored = await stage.objects.read("linux/Controller/1.0.0/alices.zip");
  assert.equal(stored.sha256, await sha256(path));
  assert.deepEqual(await stage.objects.unreachable(), []);
});

test("the same build uploaded by another user in mid-upload is accepted unchanged", async () => {
  const { stage, path } = await withArchive();
  const result = await meanwhile(stage, lastChunk, async () => {
    await stage.objects.putForeign(KEY, await readFile(path));
  });
  exits(result, 0);
  assert.deepEqual(
    result.report?.packages.map(({ action }) => action),
    ["unchanged"],
  );
  await assertConverged(stage, path);
});

test("the bucket deleted in mid-upload is made and filled again", async () => {
  const { stage, path } = await withArchive();
  const result = await meanwhile(stage, lastChunk, () =>
    stage.objects.connection.request(`$JS.API.STREAM.DELETE.OBJ_${stage.bucket}`),
  );
  exits(result, 0, 69);
  await assertLockFree(stage);
  await assertRecovers(stage, path);
});

test("the table migrated to state C in mid-upload: its new shape is read, and nothing is sent twice", async () => {
  const { stage } = await withArchive();
  const result = await meanwhile(stage, lastChunk, () => migrateToStateC(stage.db));
  exits(result, 0);
  assert.deepEqual(
    (await stage.rows()).map((row) => row.cpu_architecture),
    Array(4).fill("x86_64"),
  );
  const sent = result.events.filter(({ event }) => event === "package.uploaded").map(({ key }) => key);
  assert.equal(sent.filter((key) => key === KEY).length, 1, explain(result)); // where the server looks second
  assert.equal(new Set(sent).size, 4, explain(result)); // the collectors are packages of their own only since the migration
  await stage.objects.read(KEY);
  await assertSettled(stage);
});
