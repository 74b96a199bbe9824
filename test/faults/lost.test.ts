import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startNats } from "../support/nats.ts";
import { startPostgres } from "../support/postgres.ts";
import { ARCHIVE, explain, type Servers, useServers } from "../support/site.ts";
import { LONG, random, rounds } from "./options.ts";
import {
  assertConverged,
  assertLockFree,
  assertRecovers,
  at,
  exits,
  type Moment,
  type Stage,
  useStages,
} from "./stage.ts";

const servers = useServers();
const openStage = useStages(servers);
const BYTES = 4_500_000;

async function withArchive(bytes = BYTES): Promise<{ stage: Stage; path: string }> {
  const stage = await openStage();
  return { stage, path: await stage.archive(ARCHIVE, { payloadBytes: bytes }) };
}

const chunk = (nth: number): Moment => ({ line: "nats", text: ".C.PKGINIT", nth, when: "before" });
const meta: Moment = { line: "nats", text: "HPUB $O.", when: "before" };
const BEGIN: Moment = { line: "postgres", text: "BEGIN", when: "before" };

describe("a server that is killed", () => {
  /** Servers of the test's own, for these are killed. */
  async function own(context: { after(done: () => Promise<void>): void }) {
    const [nats, postgres] = await Promise.all([startNats(), startPostgres()]);
    context.after(async () => {
      await Promise.all([nats.stop(), postgres.stop()]);
    });
    const mine = { ...servers, nats, postgres } as Servers;
    return { nats, postgres, mine };
  }

  test("NATS and Postgres, and started again: the run goes on by itself", async (t) => {
    const { nats, postgres } = await own(t);
    const stage = await openStage(undefined, { nats, postgres });
    const path = await stage.archive(ARCHIVE, { payloadBytes: BYTES });
    for (const [moment, server] of [
      [chunk(3), nats],
      [BEGIN, postgres],
    ] as const) {
      await stage.db.query("TRUNCATE node_mgmt_packageversion");
      await stage.objects.clear();
      const running = stage.start();
      const back = new Promise<void>((resolve, reject) => {
        at(stage, moment, () => {
          server
            .kill()
            .then(() => sleep(300))
            .then(() => server.restart())
            .then(resolve, reject);
        });
      });
      const result = await running.done;
      await back;
      exits(result, 0);
      assert.ok(result.events.some(({ event }) => event === "run.retry"), explain(result));
      await stage.objects.reopen();
      await assertConverged(stage, path);
    }
  });

  test("for good: exit 69, and the next run after its return puts everything right", async (t) => {
    const { nats, postgres } = await own(t);
    const stage = await openStage(undefined, { nats, postgres });
    const path = await stage.archive(ARCHIVE, { payloadBytes: BYTES });
    for (const [moment, server, name] of [
      [chunk(3), nats, "NATS"],
      [BEGIN, postgres, "Postgres"],
    ] as const) {
      const running = stage.start([], { WAIT_TIMEOUT: "1" });
      let gone: Promise<void> | undefined;
      at(stage, moment, () => {
        gone = server.kill();
      });
      const result = await running.done;
      await gone;
      exits(result, 69);
      assert.equal(result.report?.error?.layer, "tcp", explain(result));
      assert.match(result.report?.error?.message ?? "", new RegExp(name));
      await server.restart();
    }
    await stage.objects.reopen();
    await assertRecovers(stage, path);
  });
});
