import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { putOthers } from "../support/metadata.ts";
import { random, rounds } from "../support/rounds.ts";
import type { JobResult, RunningJob } from "../support/run.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
import { assertLockFree, assertRecovers, at, type Moment, type Stage, useStages } from "./stage.ts";

const openStage = useStages(useServers());
const BYTES = 4_500_000;
const CODE = { SIGTERM: 143, SIGINT: 130, SIGHUP: 143 } as const;
type Signal = keyof typeof CODE;
const REASON: Record<Signal, ReasonId> = {
  SIGTERM: "run.sigterm",
  SIGINT: "run.sigint",
  SIGHUP: "run.sighup",
};

/** SPEC: 5 s from the signal to the end, as Docker gives ten; the rest is for a busy machine. */
const LIMIT = 9_000;

/**
 * In time by the job's own clock: how long a busy machine takes to start and to end the process does not
 * count.
 */
function assertInTime(result: JobResult): void {
  const [first, last] = [result.events.find(({ event }) => event === "run.stopping"), result.events.at(-1)];
  const own = first ? Date.parse(String(last?.time)) - Date.parse(String(first.time)) : 0;
  assert.ok(own < LIMIT, `${own} ms: ${explain(result)}`);
}

/** Sends the signal, and checks that the job stops as it should: its own code, in time, its report. */
async function stop(running: RunningJob, signal: Signal): Promise<JobResult> {
  running.kill(signal);
  const result = await running.done;
  assertInTime(result);
  assert.equal(result.code, CODE[signal], explain(result));
  return result;
}

/** Nothing of the stopped run is left, and the next one is as if it had not been. */
async function assertClean(stage: Stage): Promise<void> {
  await assertLockFree(stage);
  assert.deepEqual(await stage.objects.unreachable(), []);
}

async function withArchive(bytes = BYTES): Promise<{ stage: Stage; path: string }> {
  const stage = await openStage();
  return { stage, path: await stage.archive(ARCHIVE, { payloadBytes: bytes }) };
}

describe("while it waits", { concurrency: 3 }, () => {
  test("for servers that reject connections", async () => {
    const { stage } = await withArchive();
    await Promise.all([stage.nats.refuse(), stage.postgres.refuse()]);
    const running = stage.start();
    await running.waitForEvent("wait.postgres.layer");
    await stop(running, "SIGTERM");
    assert.equal(await stage.objects.lastSeq(), 0);
  });

  test("for servers that accept and never answer", async () => {
    const { stage } = await withArchive();
    stage.nats.stall();
    stage.postgres.stall();
    const running = stage.start();
    await running.waitForEvent("scan.done");
    await sleep(300);
    await stop(running, "SIGINT");
  });

  test("for the lock", async () => {
    const { stage } = await withArchive();
    const holder = stage.start();
    at(stage, { line: "nats", text: ".C.PKGINIT", nth: 2, when: "before" }, () => stage.nats.stall());
    await holder.waitForEvent("upload.progress");
    const env = { NATS_SERVERS: stage.direct.nats, DB_PORT: stage.direct.dbPort };
    const waiting = stage.start([], { ...env, REPORT_FILE: `${stage.volume}/waiting.json` });
    await waiting.waitForEvent("lock.waiting");
    await stop(waiting, "SIGTERM");
    await stage.nats.resume();
    assert.equal((await holder.done).code, 0);
    await assertClean(stage);
  });
});

const nats = (text: string, nth = 1, when: Moment["when"] = "before"): Moment => ({
  line: "nats",
  text,
  nth,
  when,
});
const sql = (text: string, when: Moment["when"] = "before"): Moment => ({ line: "postgres", text, when });

describe("while it works", { concurrency: 3 }, () => {
  const moments: [string, Moment, Signal][] = [
    ["reading the bucket", nats("STREAM.INFO", 2), "SIGTERM"],
    ["at the first chunk", nats(".C.PKGINIT"), "SIGINT"],
    ["among the chunks", nats(".C.PKGINIT", 3), "SIGTERM"],
    ["with the terminal gone, among the chunks", nats(".C.PKGINIT", 2), "SIGHUP"],
    ["at the metadata", nats("HPUB $O."), "SIGTERM"],
    ["when the metadata is live", nats("HPUB $O.", 1, "after"), "SIGINT"],
    ["before the rows", sql("BEGIN"), "SIGTERM"],
    ["among the rows", sql("INSERT INTO", "after"), "SIGINT"],
    ["at the commit", sql("COMMIT"), "SIGTERM"],
    ["with the last answer of all", nats("STREAM.INFO", 5, "after"), "SIGTERM"],
  ];
  for (const [name, moment, signal] of moments) {
    test(`${signal} ${name}`, async () => {
      const { stage, path } = await withArchive();
      const running = stage.start();
      const reached = Promise.withResolvers<void>();
      at(stage, moment, () => {
        running.kill(signal);
        reached.resolve();
      });
      await reached.promise;
      const result = await running.done;
      assertInTime(result);
      assert.equal(result.code, CODE[signal], explain(result));
      const last = result.events.at(-1);
      assert.deepEqual([last?.event, last?.reason], ["run.failed", REASON[signal]]);
      assert.equal(result.report?.error?.reason, REASON[signal]);
      await assertClean(stage);
      await assertRecovers(stage, path);
    });
  }

  test("SIGTERM among the metadata of others: its consumer is deleted", async () => {
    const { stage } = await withArchive();
    await stage.objects.putForeign("job/0", Buffer.from("x"));
    await putOthers(stage.objects, stage.bucket, 150);
    const running = stage.start();
    at(stage, nats("CONSUMER.MSG.NEXT"), () => {
      stage.nats.throttle(10_000);
      running.kill("SIGTERM");
    });
    const result = await running.done;
    assertInTime(result);
    assert.equal(result.code, CODE.SIGTERM, explain(result));
    const jsm = await stage.objects.connection.jetstreamManager();
    assert.deepEqual(await jsm.consumers.list(`OBJ_${stage.bucket}`).next(), []);
  });

  test("twice: the second ends it immediately", async () => {
    const { stage } = await withArchive();
    const running = stage.start();
    at(stage, nats(".C.PKGINIT", 3), () => stage.nats.stall());
    await running.waitForEvent("upload.progress");
    await sleep(300);
    running.kill("SIGTERM");
    await running.waitForEvent("run.stopping");
    running.kill("SIGINT");
    const result = await running.done;
    assert.equal(result.code, CODE.SIGINT, explain(result));
    // The first signal's stop would have gone on, and would have ended the run in its own name.
    assert.equal(result.report?.error?.reason, "run.sigint");
  });

  test("RUN_TIMEOUT stops it in the same way: exit 75", async () => {
    const { stage, path } = await withArchive();
    stage.nats.throttle(1_000_000);
    const result = await stage.run([], { RUN_TIMEOUT: "2" });
    assert.equal(result.code, 75, explain(result));
    await assertClean(stage);
    stage.nats.throttle(Number.POSITIVE_INFINITY);
    await assertRecovers(stage, path);
  });
});

describe("on a bad connection", { concurrency: 3 }, () => {
  for (const rate of [5_000_000, 1_000_000, 250_000]) {
    test(`of ${rate} bytes a second, in mid-upload: nothing unreachable is left`, async () => {
      const { stage } = await withArchive(24_000_000);
      const running = stage.start();
      at(stage, nats(".C.PKGINIT", 1), () => stage.nats.throttle(rate));
      await running.waitForEvent("upload.progress");
      await sleep(1_000);
      await stop(running, "SIGTERM");
      await assertClean(stage);
    });
  }

  test("that stalls: it stops in time anyway, and the next run takes away what is left", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start();
    at(stage, nats(".C.PKGINIT", 3), () => stage.nats.stall());
    await running.waitForEvent("upload.progress");
    await sleep(500);
    await stop(running, "SIGTERM");
    await assertLockFree(stage);
    await stage.nats.resume();
    await assertRecovers(stage, path);
  });

  test("to Postgres, that stalls at the rows", async () => {
    const { stage, path } = await withArchive();
    const running = stage.start();
    at(stage, sql("BEGIN"), () => stage.postgres.stall());
    await running.waitForEvent("package.uploaded");
    await sleep(300);
    await stop(running, "SIGINT");
    await stage.postgres.resume();
    await assertRecovers(stage, path);
  });
});

describe("after a random time", { concurrency: 3 }, () => {
  for (let round = 0; round < rounds(3); round++) {
    const dice = random(`signal ${round}`);
    const signal = dice.pick(["SIGTERM", "SIGINT", "SIGHUP"] as const);
    const ms = dice.int(1_200);
    test(`round ${round}: ${signal} after ${ms} ms`, async () => {
      const { stage, path } = await withArchive();
      const running = stage.start();
      await sleep(ms);
      running.kill(signal);
      const result = await running.done;
      assertInTime(result);
      // Until Node has loaded the program the signal does what it does to every process.
      if (result.signal === null)
        assert.ok([0, CODE[signal]].includes(result.code as never), explain(result));
      else assert.deepEqual([result.signal, result.stdout], [signal, ""]);
      await assertClean(stage);
      await assertRecovers(stage, path);
    });
  }
});
