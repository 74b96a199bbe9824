import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
import type { TableState } from "../support/tables.ts";
import { assertSettled, at, crash, exits, type Moment, type Stage, useStages } from "./stage.ts";

const openStage = useStages(useServers());

const sql = (text: string, nth = 1): Moment => ({ line: "postgres", text, nth, when: "before" });

/** Every row says what its object is. */
async function assertDigests(stage: Stage): Promise<void> {
  const rows = await stage.rows();
  assert.equal(rows.length, 4);
  for (const row of rows) {
    const { sha256 } = await stage.objects.read(
      [row.os, row.cpu_architecture, row.object, row.version, row.name].join("/"),
    );
    assert.deepEqual([row.sha256, row.status ?? "ready"], [sha256, "ready"], row.object);
  }
}

describe("killed between the objects and their rows: the rows alone are written by the next run", {
  concurrency: 2,
}, () => {
  for (const state of ["D", "E"] satisfies TableState[]) {
    for (const [what, moment] of [
      ["before the transaction", sql("BEGIN")],
      ["among the rows", sql("UPDATE ", 2)],
      ["before the commit", sql("COMMIT")],
    ] as const) {
      test(`state ${state}, ${what}`, async () => {
        const stage = await openStage({ state });
        await stage.archive(ARCHIVE, { payloadBytes: 1_500_000 });
        exits(await stage.run(), 0);
        const before = await stage.rows();
        // the collectors too, so that several rows differ
        await stage.archive(ARCHIVE, { payloadBytes: 1_500_000, seed: "other" });
        const running = stage.start();
        at(stage, moment, () => crash(stage, running));
        const killed = await running.done;
        assert.equal(killed.signal, "SIGKILL", `never came there: ${explain(killed)}`);
        assert.deepEqual(await stage.rows(), before, "rows come after objects, all or none");
        const sequence = await stage.objects.lastSeq();

        exits(await stage.run(["verify"]), 76);
        const next = await stage.run();
        exits(next, 0);
        assert.equal(await stage.objects.lastSeq(), sequence, "an object was written");
        assert.equal(next.report?.rows.filter(({ action }) => action === "updated").length, before.length);
        await assertDigests(stage);
        await assertSettled(stage);
      });
    }
  }
});
