import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LONG } from "../support/rounds.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
import { assertLockFree, assertRecovers, exits, type Stage, useStages } from "./stage.ts";

const openStage = useStages(useServers());

/** Makes Postgres refuse a row with an SQLSTATE, as it would by itself at an unlucky moment. */
async function refuseRows(stage: Stage, code: string): Promise<() => Promise<unknown>> {
  await stage.db.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'refused for a test' USING ERRCODE = '${code}'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON node_mgmt_packageversion
      FOR EACH ROW WHEN (NEW.object = 'Vector') EXECUTE FUNCTION refuse()`);
  return () => stage.db.query("DROP TRIGGER refuse ON node_mgmt_packageversion");
}

describe("Postgres rejects a row: a code of the contract, no row of the transaction, and no bug", {
  concurrency: 3,
}, () => {
  for (const [what, sqlstate, code] of [
    ["its disk is full", "53100", 73],
    ["it is out of memory", "53200", 69],
    ["it only reads now", "25006", 69],
    ["a lock took too long", "55P03", 69],
    ["a statement took too long", "57014", 69],
    ["a deadlock", "40P01", 69],
    ["a trigger of somebody's", "P0001", 78],
    ["a constraint of somebody's", "23514", 78],
    ["a column of somebody's that must not be null", "23502", 78],
    ["no privilege by now", "42501", 77],
  ] as const) {
    test(what, async () => {
      const stage = await openStage();
      const path = await stage.archive(ARCHIVE, { payloadBytes: 100_000 });
      const allow = await refuseRows(stage, sqlstate);
      const result = await stage.run();
      exits(result, code);
      assert.match(result.report?.error?.message ?? "", /refused for a test/, explain(result));
      assert.deepEqual(await stage.rows(), []);
      await assertLockFree(stage);
      await allow();
      await assertRecovers(stage, path);
    });
  }

  // Postgres gives up after 25 seconds.
  (LONG ? test : () => undefined)("a migration holds the table", async () => {
    const stage = await openStage();
    const path = await stage.archive(ARCHIVE, { payloadBytes: 100_000 });
    const locked = stage.db.query("BEGIN; LOCK TABLE node_mgmt_packageversion; SELECT pg_sleep(35); COMMIT");
    const result = await stage.run();
    exits(result, 69);
    await locked;
    await assertRecovers(stage, path);
  });
});
