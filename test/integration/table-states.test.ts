import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headers } from "nats";
import { metaSubject } from "../../src/store/meta.ts";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";
import { insertRow, migrateToStateE, type PackageRow, type TableState } from "../support/tables.ts";

const servers = useServers();
const DAYS_AGO = "now() - interval '2 days'";

async function ends(run: Promise<JobResult>, code: number): Promise<JobResult> {
  const result = await run;
  assert.equal(result.code, code, explain(result));
  return result;
}

const keyOf = (row: PackageRow) =>
  [row.os, row.cpu_architecture, row.object, row.version, row.name]
    .filter((part) => part !== undefined)
    .join("/");

/** Every row has its object's digest, where the table has the column, and is ready. */
async function assertDigests(site: Site): Promise<void> {
  for (const row of await site.rows()) {
    const { sha256 } = await site.objects.read(keyOf(row));
    if ("sha256" in row) assert.equal(row.sha256, sha256, row.object);
    if ("status" in row) assert.equal(row.status, "ready", row.object);
  }
}

/** Another run finds nothing to do. */
async function assertSettled(site: Site): Promise<void> {
  const before = await site.state();
  await ends(site.run(), 0);
  assert.deepEqual(await site.state(), before);
}

async function controller(site: Site): Promise<PackageRow> {
  const row = (await site.rows()).find(({ object }) => object === "Controller");
  assert.ok(row);
  return row;
}

/** An object's metadata is published again with changes, as somebody's own client could. */
async function rewrite(
  site: Site,
  key: string,
  change: (meta: Record<string, unknown>) => void,
): Promise<void> {
  const js = site.objects.connection.jetstream();
  const manager = await site.objects.connection.jetstreamManager();
  const subject = metaSubject(site.bucket, key);
  const message = await manager.streams.getMessage(`OBJ_${site.bucket}`, { last_by_subj: subject });
  const meta = JSON.parse(new TextDecoder().decode(message.data));
  change(meta);
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  await js.publish(subject, JSON.stringify(meta), { headers: rollup });
}

describe("every state of the table works unasked", { concurrency: 2 }, () => {
  for (const state of ["A", "B", "C", "D", "E"] as const) {
    test(`state ${state}: rows, digests, a second run that writes nothing, and every command`, async () => {
      const site = await servers.site({ state });
      await site.archive();
      const env = { COLLECTOR_PACKAGES: "standalone" };
      await ends(site.run([], env), 0);
      assert.equal((await site.rows()).length, 4);
      await assertDigests(site);
      const before = await site.state();
      for (const command of ["init", "verify", "plan", "gate"]) await ends(site.run([command], env), 0);
      assert.deepEqual(await site.state(), before);

      await site.archive(ARCHIVE, { seed: "another" });
      await ends(site.run([], env), 0);
      await assertDigests(site);
    });
  }

  test("shared collectors: no object of their own, so no digest; but ready", async () => {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await ends(site.run([], { COLLECTOR_PACKAGES: "shared" }), 0);
    const rows = await site.rows();
    assert.deepEqual(rows.map(({ object, sha256, status }) => [object, sha256 !== "", status]).sort(), [
      ["Controller", true, "ready"],
      ["NATS-Executor", false, "ready"],
      ["Telegraf", false, "ready"],
      ["Vector", false, "ready"],
    ]);
  });

  test("migrated from C to E: digests are filled in, once, and only on rows of system", async () => {
    const site = await servers.site({ state: "C" });
    await site.archive();
    await ends(site.run(), 0);
    await migrateToStateE(site.db);
    await site.db.query("UPDATE node_mgmt_packageversion SET created_by = 'alice' WHERE object = 'Vector'");
    await ends(site.run(["verify"]), 0);
    const { lastSequence } = (await site.state()) as { lastSequence: number };
    await ends(site.run(), 0);
    assert.equal(((await site.state()) as { lastSequence: number }).lastSequence, lastSequence);
    for (const row of await site.rows()) {
      const { sha256 } = await site.objects.read(keyOf(row));
      assert.equal(row.sha256, row.object === "Vector" ? "" : sha256);
    }
    await assertSettled(site);
  });
});

test("a row of system that has another type is renamed, and its type stays", async () => {
  const site = await servers.site({ state: "E" });
  const old = { object: "Telegraf", name: "old.zip", type: "controller", sha256: "", status: "ready" };
  await insertRow(site.db, old);
  await site.archive();
  await ends(site.run(), 0);
  const row = (await site.rows()).find(({ object }) => object === "Telegraf");
  assert.deepEqual([row?.type, row?.name], ["controller", "telegraf"]);
  await assertDigests(site);
  await assertSettled(site);
});

describe("a row that is not ready", { concurrency: 2 }, () => {
  async function settled(): Promise<Site> {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await ends(site.run(), 0);
    return site;
  }
  const set = (site: Site, change: string, object = "Controller") =>
    site.db.query(`UPDATE node_mgmt_packageversion SET ${change} WHERE object = '${object}'`);

  test("of system and pending is finished, and counts for nothing before", async () => {
    const site = await settled();
    const { id } = await controller(site);
    await set(site, "status = 'pending', sha256 = ''");
    const verify = await ends(site.run(["verify"]), 76);
    assert.match(verify.report?.error?.message ?? "", /pending/);
    await ends(site.run(["gate"], { WAIT_TIMEOUT: "1", REQUIRE: "linux/x86_64" }), 76);
    await ends(site.run(), 0);
    await assertDigests(site);
    assert.equal((await controller(site)).id, id);
    await ends(site.run(["verify"]), 0);
  });

  test("whose object is not there yet is finished too", async () => {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await insertRow(site.db, { status: "pending", name: ARCHIVE });
    await ends(site.run(), 0);
    await assertDigests(site);
    assert.equal((await site.rows()).length, 4);
    await assertSettled(site);
  });

  for (const [whose, change, object] of [
    ["a user's, pending", "status = 'pending', created_by = 'alice'", "Controller"],
    ["of system, deleting", "status = 'deleting'", "Controller"],
    ["of system, in a status of the future", "status = 'frozen'", "Telegraf"],
  ] as const) {
    test(`${whose}: stays as it is; 76 names row and status; the other packages are done`, async () => {
      const site = await settled();
      await set(site, change, object);
      await site.archive(ARCHIVE, { seed: "another" });
      const before = (await site.rows()).find((row) => row.object === object);
      const object1 = before && (await site.objects.read(keyOf(before)));
      for (const command of ["init", "verify", "plan"]) {
        const { error } = (await ends(site.run([command]), 76)).report ?? {};
        assert.match(
          `${error?.message}`,
          /row \d+ \(.*\) has status "(pending|deleting|frozen)"|^verification failed/,
        );
      }
      const result = await ends(site.run(), 76);
      assert.equal(result.report?.error?.reason, "row.not-ready");
      assert.match(result.report?.error?.message ?? "", new RegExp(`row ${before?.id} `));
      const rows = await site.rows();
      assert.deepEqual(
        rows.find((row) => row.object === object),
        before,
      );
      assert.deepEqual(before && (await site.objects.read(keyOf(before))), object1);
      for (const row of rows.filter((one) => one.object !== object))
        assert.equal(row.sha256, (await site.objects.read(keyOf(row))).sha256);
    });
  }

  test("of a shared collector: 76 as well, and the controller is done", async () => {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await insertRow(site.db, { type: "collector", object: "Telegraf", status: "deleting" });
    const result = await ends(site.run([], { COLLECTOR_PACKAGES: "shared" }), 76);
    assert.equal(result.report?.error?.reason, "row.not-ready");
    assert.equal((await controller(site)).status, "ready");
    assert.equal((await site.rows()).find(({ object }) => object === "Telegraf")?.status, "deleting");
  });
});

describe("a row whose sha256 is not its object's", { concurrency: 2 }, () => {
  for (const state of ["D", "E"] satisfies TableState[]) {
    test(`state ${state}: the row alone is updated where the object is the file's`, async () => {
      const site = await servers.site({ state });
      await site.archive();
      await ends(site.run(), 0);
      const before = (await site.state()) as { lastSequence: number };
      await site.db.query(`UPDATE node_mgmt_packageversion SET sha256 = '${"0".repeat(64)}'`);
      const verify = await ends(site.run(["verify"]), 76);
      assert.match(verify.report?.error?.message ?? "", /SHA-256 "0{64}"/);
      const result = await ends(site.run(), 0);
      assert.deepEqual(new Set(result.report?.rows.map(({ action }) => action)), new Set(["updated"]));
      assert.equal(((await site.state()) as typeof before).lastSequence, before.lastSequence);
      await assertDigests(site);
    });
  }

  test("other content under copied headers is replaced, where version 1 of the job believed the headers", async () => {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await ends(site.run(), 0);
    const key = "linux/x86_64/Telegraf/1.0.0/telegraf";
    const { headers: ours } = (await site.objects.list()).find(({ name }) => name === key) as unknown as {
      headers: Record<string, string[]>;
    };
    await site.objects.putForeign(key, Buffer.from("something else"));
    await rewrite(site, key, (meta) => {
      meta.headers = ours;
    });
    await ends(site.run(["verify"]), 76);
    const result = await ends(site.run(), 0);
    assert.deepEqual(
      result.report?.packages
        .filter(({ action }) => action !== "unchanged")
        .map((one) => [one.object, one.action]),
      [["Telegraf", "replaced"]],
    );
    await assertDigests(site);
    await assertSettled(site);
  });
});

describe("uploads of BK-Lite's page that have not ended", { concurrency: 2 }, () => {
  const STAGED = "linux/x86_64/Telegraf/9.9.9/.staging-1c5fae44-0bb5-4a8c-9d0b-2a3d1f0b7c11/telegraf";
  const found = (result: JobResult) => result.events.find(({ event }) => event === "staging.found");

  async function broken(): Promise<Site> {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await insertRow(site.db, { object: "Old", status: "pending", created_by: "alice" });
    await insertRow(site.db, { object: "New", status: "pending", created_by: "alice" });
    await insertRow(site.db, { object: "Stored", status: "pending", created_by: "alice" });
    await site.objects.putForeign(`linux/x86_64/Stored/1.0.0/${ARCHIVE}`, Buffer.from("stored"));
    await site.objects.putForeign(STAGED, Buffer.from("staged"));
    await site.db.query(
      `UPDATE node_mgmt_packageversion SET created_at = ${DAYS_AGO}, updated_at = ${DAYS_AGO} WHERE object <> 'New'`,
    );
    return site;
  }
  const objectsOf = async (site: Site) => (await site.rows()).map(({ object }) => object).sort();
  const OURS = ["Controller", "NATS-Executor", "Telegraf", "Vector"];

  test("are counted and stay", async () => {
    const site = await broken();
    const result = await ends(site.run(), 0);
    assert.deepEqual([found(result)?.objects, found(result)?.rows], [1, 3]);
    assert.ok(result.report?.warnings.some(({ reason }) => reason === "staging.found"));
    assert.deepEqual(await objectsOf(site), [...OURS, "New", "Old", "Stored"].sort());
    await site.objects.read(STAGED);
  });

  test("PURGE_ORPHANS removes rows over a day old whose key holds no object, and no young object", async () => {
    const site = await broken();
    const result = await ends(site.run([], { PURGE_ORPHANS: "true" }), 0);
    assert.deepEqual([found(result)?.objects, found(result)?.rows], [1, 2]);
    assert.deepEqual(await objectsOf(site), [...OURS, "New", "Stored"].sort());
    await site.objects.read(STAGED);
  });

  test("a staged object that was deleted is none", async () => {
    const site = await servers.site({ state: "E" });
    await site.archive();
    await ends(site.run(), 0);
    await site.objects.putForeign(STAGED, Buffer.from("staged"));
    await site.objects.remove(STAGED);
    assert.equal(found(await ends(site.run(), 0)), undefined);
  });
});
