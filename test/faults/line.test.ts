import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LONG, random, rounds } from "../support/rounds.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
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

const openStage = useStages(useServers());
const MIB = 1024 * 1024;

async function withArchive(bytes = 4_500_000): Promise<{ stage: Stage; path: string }> {
  const stage = await openStage();
  return { stage, path: await stage.archive(ARCHIVE, { payloadBytes: bytes }) };
}

const chunk = (nth: number): Moment => ({ line: "nats", text: ".C.PKGINIT", nth, when: "before" });
const meta: Moment = { line: "nats", text: "HPUB $O.", when: "before" };
const metaDone: Moment = { line: "nats", text: "HPUB $O.", when: "after" };
const begin: Moment = { line: "postgres", text: "BEGIN", when: "before" };
const commitDone: Moment = { line: "postgres", text: "COMMIT", when: "after" };

describe("a connection that is cut", { concurrency: 3 }, () => {
  const cuts: [string, Moment, "nats" | "postgres"][] = [
    ["to NATS, among the chunks", chunk(3), "nats"],
    ["to NATS, before the metadata", meta, "nats"],
    ["to NATS, when the metadata is live and unanswered", metaDone, "nats"],
    ["to Postgres, in mid-upload", chunk(3), "postgres"],
    ["to Postgres, before the rows", begin, "postgres"],
    ["to Postgres, when the commit is done and unanswered", commitDone, "postgres"],
  ];
  for (const [name, moment, line] of cuts) {
    test(`${name}: a clean start by itself`, async () => {
      const { stage, path } = await withArchive();
      const running = stage.start();
      at(stage, moment, () => stage[line].cut());
      const result = await running.done;
      exits(result, 0);
      assert.ok(
        result.events.some(({ event }) => event === "run.retry"),
        explain(result),
      );
      await assertConverged(stage, path);
    });
  }

  test("again and again: exit 69 after three clean starts, and nothing half done is served", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start();
    const again = () => {
      stage.nats.cut();
      at(stage, chunk(2), again);
    };
    at(stage, chunk(2), again);
    const result = await running.done;
    stage.watch = undefined;
    exits(result, 69);
    assert.equal(result.events.filter(({ event }) => event === "run.retry").length, 3, explain(result));
    assert.deepEqual(await stage.rows(), []);
    await assertLockFree(stage);
    await assertRecovers(stage, path);
  });

  for (let round = 0; round < rounds(3); round++) {
    const dice = random(`cut ${round}`);
    const line = dice.pick(["nats", "nats", "postgres"] as const);
    const bytes = dice.int(line === "nats" ? 4_500_000 : 8_000);
    test(`round ${round}: ${line} cut after ${bytes} bytes`, async () => {
      const { stage, path } = await withArchive();
      stage[line].cutAfter(bytes + 1);
      exits(await stage.run(), 0);
      await assertConverged(stage, path);
    });
  }
});

describe("a connection that stalls", { concurrency: 4 }, () => {
  test("forever, in mid-upload: given up after NATS_TIMEOUT without progress", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start([], { NATS_TIMEOUT: "2", WAIT_TIMEOUT: "2" });
    at(stage, chunk(3), () => stage.nats.stall());
    const result = await running.done;
    exits(result, 69);
    assert.equal(result.report?.error?.reason, "nats.login.silent");
    await stage.nats.resume();
    await assertLockFree(stage);
    await assertRecovers(stage, path);
  });

  test("for a while, shorter than NATS_TIMEOUT: as if nothing had been", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start([], { NATS_TIMEOUT: "10" });
    at(stage, chunk(3), () => stage.nats.stall());
    await running.waitForEvent("upload.progress");
    await sleep(2_500);
    await stage.nats.resume();
    const result = await running.done;
    exits(result, 0);
    assert.ok(!result.events.some(({ event }) => event === "run.retry"), explain(result));
    await assertConverged(stage, path);
  });

  // An answer is waited for 15 s by NATS' side, 30 s by Postgres': too long for every day.
  const atTheEnd = LONG ? test : () => undefined;
  atTheEnd("for ever, at the metadata: the run ends by itself", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start([], { WAIT_TIMEOUT: "2" });
    at(stage, meta, () => stage.nats.stall());
    const result = await running.done;
    exits(result, 69);
    await stage.nats.resume();
    await assertLockFree(stage);
    await assertRecovers(stage, path);
  });

  atTheEnd("for ever, at the rows: the run ends by itself", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start([], { WAIT_TIMEOUT: "2" });
    at(stage, begin, () => stage.postgres.stall());
    const result = await running.done;
    exits(result, 69);
    await stage.postgres.resume();
    await assertRecovers(stage, path);
  });
});

describe("a slow connection", { concurrency: 2 }, () => {
  // What counts is progress, not duration. The long form is the real thing: 200 MB with the default
  // NATS_TIMEOUT.
  const [bytes, rate, timeout] = LONG ? [200_000_000, 5_000_000, undefined] : [20 * MIB, 2_500_000, "4"];
  test(`${rate} bytes a second: ${bytes} bytes arrive`, async () => {
    const { stage, path } = await withArchive(bytes);
    stage.nats.throttle(rate);
    const result = await stage.run([], timeout === undefined ? {} : { NATS_TIMEOUT: timeout });
    exits(result, 0);
    assert.ok(result.durationMs > (bytes / rate) * 900, "it was not slow");
    await assertConverged(stage, path);
  });

  test("50 ms each way", async () => {
    const { stage, path } = await withArchive(20 * MIB);
    stage.nats.delay(50);
    stage.postgres.delay(50);
    exits(await stage.run(), 0);
    await assertConverged(stage, path);
  });
});
