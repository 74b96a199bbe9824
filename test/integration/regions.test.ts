import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { readMetadata } from "../support/metadata.ts";
import { freePort } from "../support/ports.ts";
import { type Region, runNats, startRegion } from "../support/regions.ts";
import type { JobReport, JobResult } from "../support/run.ts";
import { explain, type Site, useOwnServers } from "../support/site.ts";
import { createRegionTable } from "../support/tables.ts";

// What is tested is the document: the subjects for cloud regions are the block that names any domain.
const PAGE = readFileSync(new URL("../../docs/permissions.md", import.meta.url), "utf8");
const BLOCKS = Array.from(PAGE.matchAll(/^```\w*\n([\s\S]*?)^```/gm), ([, block = ""]) => block);
const [, HUB_BLOCK = ""] = BLOCKS;
const REGION_BLOCK = BLOCKS.find((block) => block.includes('"$JS.*.')) ?? "";
const subjectsIn = (block: string) => [...block.matchAll(/^ *"(\$.+?)",?/gm)].map((match) => match[1] ?? "");
const HUB = subjectsIn(HUB_BLOCK).filter((subject) => /INFO|MSG\.GET/.test(subject));
const REGION = subjectsIn(REGION_BLOCK);

const ADMIN = { user: "admin", password: "planted-nats-admin" };
/** One bucket's name in the page, any test's here. */
const anyBucket = (subject: string) => subject.replace("OBJ_bklite", "*");
const only = (...publish: string[]) => ({ publish: publish.map(anyBucket), subscribe: ["_INBOX.>"] });

const leafPort = await freePort();
const servers = useOwnServers({
  domain: "bklite",
  config: {
    leafnodes: { host: "127.0.0.1", port: leafPort },
    no_auth_user: ADMIN.user,
    authorization: {
      users: [
        ADMIN,
        { user: "reader", password: "planted-reader", permissions: only(...HUB, ...REGION) },
        { user: "hub", password: "planted-hub", permissions: only(...HUB) },
        ...REGION.map((lacking, index) => ({
          user: `lacking${index}`,
          password: "planted-lacking",
          permissions: only(...HUB, ...REGION.filter((subject) => subject !== lacking)),
        })),
      ],
    },
  },
});

let region: Region;
before(async () => {
  region = await startRegion(2, `nats://${ADMIN.user}:${ADMIN.password}@127.0.0.1:${leafPort}`);
});
after(() => region?.stop());

const KEY = "linux/Controller/1.0.0/fusion-collectors-linux-amd64.zip";

/** A site whose package is stored, and mirrored in region 2. */
async function mirrored(regions: Readonly<Record<string, string>> = { 2: "Shanghai" }): Promise<Site> {
  const site = await servers.site({ state: "B" });
  await createRegionTable(site.db, regions);
  await site.archive();
  await ok(await site.run([], { REGIONS: "none" }));
  await region.mirror(site.bucket);
  await region.level(site.bucket, await site.objects.lastSeq());
  return site;
}

function ok(result: JobResult): JobReport {
  assert.equal(result.code, 0, explain(result));
  assert.ok(result.report);
  return result.report;
}

const reasons = ({ warnings }: JobReport) =>
  warnings.map(({ reason }) => reason).filter((reason) => reason.startsWith("region."));
const hintOf = ({ warnings }: JobReport, reason: string) =>
  warnings.find((warning) => warning.reason === reason)?.hint ?? "";
const good = { id: 2, name: "Shanghai", reachable: true, lag: 0, missing: [], damaged: [], deadBytes: 0 };
const unreached = { reachable: false, lag: null, missing: [], damaged: [], deadBytes: null };

test("the page's subjects are there to be tested", (t) => {
  t.diagnostic(`nats-server ${servers.nats.version}, its leaf node ${region.server.version}`);
  assert.deepEqual([HUB.length, REGION.length], [2, 2]);
});

describe("a region's mirror", { concurrency: 2 }, () => {
  for (const command of ["init", "verify", "status"]) {
    test(`${command} reads it with what the page lists, and writes nothing there`, async () => {
      const site = await mirrored();
      const state = async () => (await region.manager.streams.info(`OBJ_${site.bucket}`)).state;
      const before = await state();
      const login = command === "init" ? {} : { NATS_USER: "reader", NATS_PASSWORD: "planted-reader" };
      const report = ok(await site.run([command], { ...login, REQUIRE: "region/2" }));
      assert.deepEqual([report.regions, reasons(report)], [[good], []]);
      assert.deepEqual(await state(), before);
    });
  }

  test("init with REQUIRE waits until the region has what it stored", async () => {
    const site = await servers.site({ state: "B" });
    await createRegionTable(site.db, { 2: "Shanghai" });
    await site.archive();
    const job = site.start([], { REQUIRE: "region/2" });
    const { regions } = await job.waitForEvent("region.waiting");
    assert.deepEqual(regions, [2]);
    // What is replaced meanwhile, without its lock, is no missing object.
    await site.archive(undefined, { seed: "two" });
    ok(await site.run([], { REGIONS: "none" }));
    await region.mirror(site.bucket);
    const report = ok(await job.done);
    assert.deepEqual(report.regions, [good]);
    const { state } = await region.manager.streams.info(`OBJ_${site.bucket}`);
    assert.equal(state.last_seq, await site.objects.lastSeq());
  });

  test("a region that is not connected, and one without a mirror, are a line each", async () => {
    const site = await servers.site({ state: "B" });
    await createRegionTable(site.db, { 2: "Shanghai", 3: "Beijing" });
    await site.archive();
    const run = await site.run();
    const report = ok(run);
    assert.deepEqual(report.regions, [
      { id: 2, name: "Shanghai", ...unreached },
      { id: 3, name: "Beijing", ...unreached },
    ]);
    assert.deepEqual(reasons(report), ["region.absent", "region.unconnected"]);
    assert.equal(run.events.filter(({ event }) => event === "region.summary").length, 2);
    // What could be mirrored has not changed yet.
    ok(await site.run(["plan"], { REQUIRE: "region/3" }));
    for (const id of [3, 7]) {
      const required = await site.run(["verify"], { REQUIRE: `region/${id}`, WAIT_TIMEOUT: "1" });
      assert.equal(required.code, 76, explain(required));
      assert.equal(required.report?.error?.reason, "region.required");
      assert.match(required.report?.error?.message ?? "", new RegExp(`region/${id} \\(not reachable\\)`));
    }
  });

  for (const user of ["hub", ...REGION.map((_, index) => `lacking${index}`)]) {
    test(`without permission (${user}) it is a line that names the subject`, async () => {
      const site = await mirrored();
      const password = user === "hub" ? "planted-hub" : "planted-lacking";
      const login = { NATS_USER: user, NATS_PASSWORD: password };
      const report = ok(await site.run(["verify"], login));
      assert.deepEqual(report.regions, [{ id: 2, name: "Shanghai", ...unreached }]);
      assert.deepEqual(reasons(report), ["region.denied"]);
      for (const subject of REGION)
        assert.ok(hintOf(report, "region.denied").includes(subject.replace("bklite", site.bucket)));
      assert.match(
        report.warnings[0]?.message ?? "",
        /publish to \$JS\.leaf-2\.API\.STREAM\.(?:INFO|MSG\.GET)\./,
      );
    });
  }

  test("what has not arrived yet is no missing object", async () => {
    const site = await servers.site({ state: "B" });
    await createRegionTable(site.db, { 2: "Shanghai" });
    await site.archive();
    // Nobody answers there, so the mirror never gets a message.
    await region.mirror(site.bucket, "$JS.nowhere.API");
    const report = ok(await site.run());
    const lag = await site.objects.lastSeq();
    assert.deepEqual([report.regions, reasons(report)], [[{ ...good, lag }], []]);
    const required = await site.run(["status"], { REQUIRE: "region/2", WAIT_TIMEOUT: "1" });
    assert.equal(required.code, 76, explain(required));
    assert.match(required.report?.error?.message ?? "", new RegExp(`region/2 \\(${lag} messages behind\\)`));
  });

  test("metadata that the mirror lost is a missing object; the remedy's command brings it back", async () => {
    const site = await mirrored();
    await site.objects.putForeign("job/1/file", Buffer.from("of another application"));
    await region.level(site.bucket, await site.objects.lastSeq());
    const stream = `OBJ_${site.bucket}`;
    for (const key of [KEY, "job/1/file"]) {
      const subject = `$O.${site.bucket}.M.${Buffer.from(key).toString("base64")}`;
      const { seq } = await region.manager.streams.getMessage(stream, { last_by_subj: subject });
      await region.manager.streams.deleteMessage(stream, seq);
    }
    const report = ok(await site.run(["status"]));
    assert.deepEqual(report.regions, [{ ...good, missing: [KEY] }]);
    assert.deepEqual(reasons(report), ["region.incomplete"]);
    const required = await site.run(["verify"], { REQUIRE: "region/2", WAIT_TIMEOUT: "1" });
    assert.equal(required.code, 76, explain(required));
    const [, command = ""] = /: (nats .+)$/.exec(hintOf(report, "region.incomplete")) ?? [];
    await runNats(command, servers.nats.url);
    assert.deepEqual(ok(await site.run(["verify"], { REQUIRE: "region/2" })).regions, [good]);
  });

  test("the newest message counts too: its loss is no lag", async () => {
    const site = await mirrored();
    const stream = `OBJ_${site.bucket}`;
    const subject = `$O.${site.bucket}.M.${Buffer.from(KEY).toString("base64")}`;
    const { seq } = await region.manager.streams.getMessage(stream, { last_by_subj: subject });
    await region.manager.streams.deleteMessage(stream, seq);
    assert.deepEqual(ok(await site.run(["verify"])).regions, [{ ...good, missing: [KEY] }]);
  });

  test("an object that is outdated there is missing, and its old chunks are not dead", async () => {
    const site = await mirrored();
    const { bucket, objects } = site;
    const OTHER = "job/1/file";
    await objects.putForeign(OTHER, Buffer.from("of another application"));
    const hub = await objects.connection.jetstreamManager({ checkAPI: false });
    for (const key of [KEY, OTHER]) {
      const old = await readMetadata(objects, bucket, key);
      const nuid = `NEW${key.length}`;
      const bytes = Buffer.from("new");
      const digest = `SHA-256=${createHash("sha256").update(bytes).digest("base64url")}=`;
      await objects.connection.jetstream().publish(`$O.${bucket}.C.${nuid}`, bytes);
      // Without a rollup, so that the mirror keeps the older metadata.
      const meta = { ...old, nuid, digest, size: 3, chunks: 1, headers: {} };
      const subject = `$O.${bucket}.M.${Buffer.from(key).toString("base64")}`;
      const { seq } = await objects.connection.jetstream().publish(subject, JSON.stringify(meta));
      await hub.streams.purge(`OBJ_${bucket}`, { filter: `$O.${bucket}.C.${old.nuid}` });
      await region.level(bucket, seq);
      await region.manager.streams.deleteMessage(`OBJ_${bucket}`, seq);
    }
    const report = ok(await site.run(["status"]));
    assert.deepEqual(report.regions, [{ ...good, missing: [KEY] }]);
    assert.deepEqual(reasons(report), ["region.incomplete"]);
  });

  test("chunks that the mirror lost are a damaged object", async () => {
    const site = await mirrored();
    const stream = `OBJ_${site.bucket}`;
    const info = await site.objects.info(KEY);
    const subject = `$O.${site.bucket}.C.${info?.nuid}`;
    const { seq } = await region.manager.streams.getMessage(stream, { last_by_subj: subject });
    await region.manager.streams.deleteMessage(stream, seq);
    const report = ok(await site.run(["verify"]));
    assert.deepEqual(report.regions, [{ ...good, damaged: [KEY] }]);
    assert.deepEqual(reasons(report), ["region.incomplete"]);
  });

  test("what was replaced stays there; the remedy's command frees it, and the mirror goes on", async () => {
    const site = await mirrored();
    let replaced = 0;
    for (const seed of ["two", "three"]) {
      replaced += (await site.objects.info(KEY))?.size ?? 0;
      await site.archive(undefined, { seed });
      ok(await site.run([], { REQUIRE: "region/2" }));
    }
    // An upload that has not ended: its chunks are in the bucket, without metadata.
    const { connection } = site.objects;
    await connection.jetstream().publish(`$O.${site.bucket}.C.UNFINISHED`, Buffer.alloc(1000));
    await region.level(site.bucket, await site.objects.lastSeq());
    const report = ok(await site.run(["status"]));
    const [found] = report.regions;
    const { deadBytes } = found ?? {};
    assert.ok(deadBytes && deadBytes >= replaced && deadBytes < replaced * 1.01, `${deadBytes}, ${replaced}`);
    assert.deepEqual(reasons(report), ["region.dead"]);
    const hint = hintOf(report, "region.dead");
    assert.ok(!hint.includes("UNFINISHED"), hint);
    const [, command = ""] = /: (for s in .+)$/.exec(hint) ?? [];
    await runNats(command, servers.nats.url);
    assert.deepEqual(ok(await site.run(["status"])).regions, [good]);

    await site.archive(undefined, { seed: "four" });
    ok(await site.run([], { REQUIRE: "region/2" }));
    const after = ok(await site.run(["status"]));
    const [, one = ""] = /: (nats .+)$/.exec(hintOf(after, "region.dead")) ?? [];
    await runNats(one, servers.nats.url);
    assert.deepEqual(ok(await site.run(["status"], { REQUIRE: "region/2" })).regions, [good]);
    const subjects = async (streams: typeof region.manager.streams) =>
      (await streams.info(`OBJ_${site.bucket}`, { subjects_filter: ">" })).state.subjects;
    const hub = await connection.jetstreamManager({ checkAPI: false });
    assert.deepEqual(await subjects(region.manager.streams), await subjects(hub.streams));
  });
});

describe("which regions", { concurrency: 2 }, () => {
  test("REGIONS: none, or ids; the default region is the bucket itself", async () => {
    const site = await mirrored({ 2: "Shanghai", 3: "Beijing" });
    assert.deepEqual(ok(await site.run(["status"], { REGIONS: "none" })).regions, []);
    assert.deepEqual(ok(await site.run(["status"], { REGIONS: "1,2" })).regions, [good]);
    assert.deepEqual(ok(await site.run(["status"], { REGIONS: "none", REQUIRE: "region/1" })).regions, []);
    const four = ok(await site.run(["status"], { REGIONS: "4" })).regions;
    assert.deepEqual(four, [{ id: 4, name: "", ...unreached }]);
  });

  test("the table is optional, and so is the privilege to read it", async () => {
    const site = await mirrored({ 2: "Shanghai" });
    const role = `reader_${site.bucket}`;
    await site.db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'planted-db';
      GRANT SELECT ON node_mgmt_packageversion TO ${role}`);
    const run = await site.run(["status"], { DB_USER: role, DB_PASSWORD: "planted-db" });
    assert.deepEqual([ok(run).regions, reasons(ok(run))], [[], []]);
    assert.ok(run.events.some(({ event }) => event === "regions.unreadable"));
    const named = await site.run(["status"], { DB_USER: role, DB_PASSWORD: "planted-db", REGIONS: "2" });
    assert.deepEqual(ok(named).regions, [{ ...good, name: "" }]);
    await site.db.query(`DROP TABLE node_mgmt_cloudregion; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    assert.deepEqual(ok(await site.run(["status"])).regions, []);
  });

  test("an id that is no plain number, and a name with control characters", async () => {
    const site = await servers.site({ state: "B" });
    const regions = {
      "2.>": "a",
      "2\n3": "b",
      "*": "c",
      "-2": "d",
      "0": "e",
      "2": "Shang\u001b[2J\u202ehai\nERROR",
    };
    await createRegionTable(site.db, regions, "text");
    await site.archive();
    ok(await site.run([], { REGIONS: "none" }));
    const run = await site.run(["status"], { LOG_FORMAT: "pretty" });
    const report = ok(run);
    assert.deepEqual(report.regions, [{ id: 2, name: "Shang_[2J_hai_ERROR", ...unreached }]);
    assert.deepEqual(reasons(report), ["region.id", "region.absent"]);
    assert.match(report.warnings[0]?.message ?? "", /5 rows/);
    assert.ok(!/[\p{Cf}\p{Co}]|^ERROR/mu.test(run.stdout), run.stdout);
    assert.ok(!run.stdout.includes("\u001b["), run.stdout);
    assert.match(run.stdout, /region 2 Shang_\[2J_hai_ERROR +not reachable/);
  });

  test("whatever answers in a region's place ends no run", async () => {
    const site = await servers.site({ state: "B" });
    await createRegionTable(site.db);
    await site.archive();
    ok(await site.run([], { REGIONS: "none" }));
    const stream = `OBJ_${site.bucket}`;
    const mirror = { name: stream, lag: 0, active: 1 };
    const error = { code: 500, err_code: 10008, description: "system\u001b[2J temporarily unavailable" };
    const state = { last_seq: "x", bytes: 1 };
    const answers: [text: string, reason: string][] = [
      ["no JSON", "region.failed"],
      [JSON.stringify({ error }), "region.failed"],
      ["null", "region.failed"],
      ["{}", "region.failed"],
      [JSON.stringify({ config: { name: stream }, state: { last_seq: 9, bytes: 9 } }), "region.absent"],
      [JSON.stringify({ mirror, config: { name: stream }, state }), "region.absent"],
    ];
    const { connection } = site.objects;
    const subscriptions = answers.map(([text], index) =>
      connection.subscribe(`$JS.leaf-${100 + index}.API.>`, {
        callback: (_, message) => void message.respond(Buffer.from(text)),
      }),
    );
    await connection.flush();
    const REGIONS = answers.map((_, index) => 100 + index).join();
    const run = await site.run(["verify"], { REGIONS });
    for (const one of subscriptions) one.unsubscribe();
    const report = ok(run);
    assert.deepEqual(
      report.regions,
      answers.map((_, index) => ({ id: 100 + index, name: "", ...unreached })),
    );
    assert.deepEqual(
      reasons(report),
      answers.map(([, reason]) => reason),
    );
    assert.ok(!run.stdout.includes("\u001b"), run.stdout);
  });

  test("a region that does not answer costs five seconds, and one that comes back is waited for", async () => {
    const own = await startRegion(5, `nats://${ADMIN.user}:${ADMIN.password}@127.0.0.1:${leafPort}`);
    try {
      const site = await servers.site({ state: "B" });
      await createRegionTable(site.db, { 5: "Guiyang" });
      await site.archive();
      ok(await site.run([], { REGIONS: "none" }));
      await own.mirror(site.bucket);
      await own.level(site.bucket, await site.objects.lastSeq());
      own.server.pause();
      const report = ok(await site.run(["verify"]));
      assert.deepEqual([report.regions[0]?.reachable, reasons(report)], [false, ["region.silent"]]);
      const job = site.start(["verify"], { REQUIRE: "region/5" });
      await job.waitForEvent("region.waiting");
      own.server.resume();
      assert.deepEqual(ok(await job.done).regions, [{ ...good, id: 5, name: "Guiyang" }]);
    } finally {
      own.server.resume();
      await own.stop();
    }
  });
});
