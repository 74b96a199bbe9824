import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobResult } from "../support/run.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import {
  applyMigration,
  createCollectorTable,
  createMigrationsTable,
  type TableState,
} from "../support/tables.ts";

const servers = useServers();
const DEFINITION = `INSERT INTO node_mgmt_collector (id, name, node_operating_system, executable_path)
  VALUES ('c', 'Telegraf', 'linux', '/opt/fusion-collectors/bin/telegraf')`;

async function ends(run: Promise<JobResult>, code = 0): Promise<JobResult> {
  const result = await run;
  assert.equal(result.code, code, explain(result));
  return result;
}

async function fresh(state: TableState): Promise<Site> {
  const site = await servers.site({ state });
  await site.archive();
  return site;
}

/** Makes the list of collectors as a state has it, empty. */
const emptyDefinitions = (site: Site, state: TableState) =>
  createCollectorTable(site.db, { state, packageName: false });
const has = (result: JobResult, name: string) => result.events.some(({ event }) => event === name);
const warned = (result: JobResult) => result.report?.warnings.map(({ reason }) => reason) ?? [];

describe("init waits until BK-Lite's first start is over", { concurrency: 4 }, () => {
  for (const state of ["A", "B"] as const) {
    test(`state ${state}: while migrations are applied, and until the definitions are there`, async () => {
      const site = await fresh(state);
      await emptyDefinitions(site, state);
      await createMigrationsTable(site.db, 1, "now()");
      const running = site.start([], { WAIT_TIMEOUT: "60" });
      await running.waitForEvent("migrations.waiting");
      for (let n = 0; n < 4; n += 1) {
        await applyMigration(site.db);
        await sleep(2000);
        assert.deepEqual(await site.rows(), []);
      }
      await applyMigration(site.db);
      const last = performance.now();
      await site.db.query(DEFINITION);
      await ends(running.done);
      assert.ok(performance.now() - last >= 5000, "it did not look twice");
      assert.deepEqual(
        new Set((await site.rows()).map(({ object }) => object)),
        new Set(["Controller", "Telegraf"]),
      );
      await ends(site.run(["verify"]));
    });
  }

  test("migrations are over, definitions come later: what is written is what they say", async () => {
    const site = await fresh("B");
    await emptyDefinitions(site, "B");
    await createMigrationsTable(site.db);
    const running = site.start([], { WAIT_TIMEOUT: "60" });
    await running.waitForEvent("definitions.waiting");
    await sleep(2500);
    assert.deepEqual(await site.rows(), []);
    await site.db.query(DEFINITION);
    const result = await ends(running.done);
    assert.equal(has(result, "migrations.waiting"), false);
    assert.deepEqual(
      new Set((await site.rows()).map(({ object }) => object)),
      new Set(["Controller", "Telegraf"]),
    );
  });

  test("time is the database's: what was applied two minutes ago by its clock is over", async () => {
    const site = await fresh("B");
    await createMigrationsTable(site.db, 2, "now() - interval '2 minutes'");
    assert.equal(has(await ends(site.run()), "migrations.waiting"), false);
  });

  test("definitions.migrating, definitions.empty: at the end of WAIT_TIMEOUT it goes on, and says so; one budget with readiness", async () => {
    const site = await fresh("B");
    await emptyDefinitions(site, "B");
    await createMigrationsTable(site.db, 1, "now()");
    await site.db.query("ALTER TABLE node_mgmt_packageversion RENAME TO away");
    const running = site.start([], { WAIT_TIMEOUT: "16" });
    await running.waitForEvent("wait.postgres.layer");
    await sleep(4000);
    const growing = setInterval(() => void applyMigration(site.db).catch(() => {}), 1000);
    await site.db.query("ALTER TABLE away RENAME TO node_mgmt_packageversion");
    const result = await ends(running.done).finally(() => clearInterval(growing));
    assert.deepEqual(
      warned(result)
        .filter((reason) => reason.startsWith("definitions."))
        .sort(),
      ["definitions.empty", "definitions.migrating"],
    );
    const waits = result.events.filter(({ event }) => event === "migrations.waiting");
    assert.ok(
      waits.every(({ left }) => Number(left) < 14),
      JSON.stringify(waits),
    );
    assert.equal((await site.rows()).length, 4);
  });

  test("plan waits too, verify does not", async () => {
    const site = await fresh("B");
    await emptyDefinitions(site, "B");
    const plan = await ends(site.run(["plan"], { WAIT_TIMEOUT: "3" }));
    assert.ok(has(plan, "definitions.waiting"));
    assert.ok(warned(plan).includes("definitions.empty"));
    assert.equal(
      has(await ends(site.run(["verify"], { WAIT_TIMEOUT: "3" }), 76), "definitions.waiting"),
      false,
    );
  });

  test("without SELECT on django_migrations only the definitions are looked at", async () => {
    const site = await fresh("B");
    await createMigrationsTable(site.db, 1, "now()");
    const role = `reader_${site.db.name}`;
    await site.db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'planted-reader';
      GRANT USAGE ON SCHEMA public TO ${role};
      GRANT SELECT, INSERT, UPDATE ON node_mgmt_packageversion TO ${role}`);
    const result = await ends(site.run([], { DB_USER: role, DB_PASSWORD: "planted-reader" }));
    assert.ok(has(result, "migrations.unreadable"));
    assert.equal(has(result, "migrations.waiting"), false);
  });
});
