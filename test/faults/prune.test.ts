import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LONG, random, rounds } from "../support/rounds.ts";
import { explain, useServers } from "../support/site.ts";
import { held, NO_VOLUME, putVersion, storeVersions } from "../support/versions.ts";
import { assertLockFree, at, crash, type Moment, type Stage, useStages } from "./stage.ts";

const openStage = useStages(useServers());

const OBJECTS = ["Controller", "NATS-Executor", "Telegraf", "Vector"];
const VERSIONS = ["1.0.0", "2.0.0", "3.0.0"];
const NEWEST = "3.0.0";

/** Who stored the objects: the job, or another client, whose object without a row stays for a day. */
type Origin = "ours" | "another client's";

/** A stage with three versions of four packages. */
async function arrange(origin: Origin): Promise<Stage> {
  const stage = await openStage({ state: "C" });
  for (const version of VERSIONS) await putVersion(stage, version);
  await stage.ok();
  if (origin !== "ours") {
    for (const { name } of await stage.objects.list())
      await stage.objects.putForeign(name, Buffer.from(name));
  }
  return stage;
}

const PRUNE = ["prune", "--keep", "1", "--yes"];

/**
 * Reads rows and objects all the time, as BK-Lite's clients do. Returns what ends the reading, and throws
 * what a client found: a row whose object cannot be read although the row is still there.
 */
function startReader(stage: Stage): () => Promise<number> {
  let stopped = false;
  let reads = 0;
  const keyOf = (row: Awaited<ReturnType<Stage["rows"]>>[number]) =>
    `${row.os}/${row.cpu_architecture}/${row.object}/${row.version}/${row.name}`;
  const loop = async () => {
    while (!stopped) {
      for (const row of await stage.rows()) {
        const info = await stage.objects.info(keyOf(row));
        if (info && !info.deleted) {
          reads += 1;
          continue;
        }
        const left = (await stage.rows()).filter(({ id }) => id === row.id);
        assert.deepEqual(left, [], `row ${row.id} without its object ${keyOf(row)}`);
      }
    }
  };
  const done = loop();
  done.catch(() => {});
  return async () => {
    stopped = true;
    await done;
    return reads;
  };
}

/** The newest version alone is left, whole, and nothing that no row uses. */
async function assertPruned(stage: Stage): Promise<void> {
  const { rows, keys } = await held(stage);
  assert.deepEqual(
    rows,
    OBJECTS.map((object) => `${object} ${NEWEST}`),
  );
  assert.deepEqual(
    keys.map((key) => key.split("/").slice(0, 4).join("/")),
    OBJECTS.map((object) => `linux/x86_64/${object}/${NEWEST}`),
  );
  assert.deepEqual(await stage.objects.unreachable(), []);
}

/** One clean run removes the rest. */
async function assertRecovers(stage: Stage): Promise<void> {
  await stage.ok(PRUNE, NO_VOLUME);
  await assertPruned(stage);
}

/** Another run finds nothing to do. */
async function assertSettled(stage: Stage): Promise<void> {
  const before = await stage.state();
  await stage.ok(PRUNE, NO_VOLUME);
  assert.deepEqual(await stage.state(), before);
}

const nats = (text: string, when: Moment["when"], nth = 1): Moment => ({ line: "nats", text, when, nth });
const sql = (text: string, when: Moment["when"], nth = 1): Moment => ({ line: "postgres", text, when, nth });

const STEPS: [step: string, moment: Moment][] = [
  ["before the first row is deleted", sql("DELETE FROM", "before")],
  ["when the first row is deleted", sql("DELETE FROM", "after")],
  ["when its object is marked as deleted", nats("HPUB $O.", "after")],
  ["before its chunks are purged", nats("STREAM.PURGE", "before")],
];
/** Of the long form. */
const MORE_STEPS: typeof STEPS = [
  ["with the lock", sql("pg_try_advisory_lock", "after")],
  ["before its object is marked as deleted", nats("HPUB $O.", "before")],
  ["when its chunks are purged", nats("STREAM.PURGE", "after")],
  ["when the last row is deleted", sql("DELETE FROM", "after", 8)],
  ["when the last object is marked as deleted", nats("HPUB $O.", "after", 8)],
];
const ALL_STEPS = LONG ? [...STEPS, ...MORE_STEPS] : STEPS;

describe("prune is killed at a step: no row without its object, and the next run removes the rest", {
  concurrency: 3,
}, () => {
  for (const [step, moment] of ALL_STEPS) {
    test(step, async () => {
      const stage = await arrange("ours");
      const stopReader = startReader(stage);
      const running = stage.start(PRUNE, NO_VOLUME);
      at(stage, moment, () => crash(stage, running));
      const killed = await running.done;
      assert.equal(killed.signal, "SIGKILL", `never came there: ${explain(killed)}`);
      assert.ok((await stopReader()) > 0);
      await assertRecovers(stage);
      await assertSettled(stage);
    });
  }
});

describe("a connection is cut at a step: the same run removes everything, whoever stored it", {
  concurrency: 3,
}, () => {
  for (const [step, moment] of ALL_STEPS) {
    test(step, async () => {
      const stage = await arrange("another client's");
      const stopReader = startReader(stage);
      const running = stage.start(PRUNE, NO_VOLUME);
      at(stage, moment, () => stage[moment.line].cut());
      const run = await running.done;
      assert.equal(run.code, 0, explain(run));
      assert.ok((await stopReader()) > 0);
      await assertPruned(stage);
      assert.equal(run.report?.removed.length, 8, explain(run));
      await assertLockFree(stage);
    });
  }
});

describe("prune is killed or cut at a random byte, or after a random time", { concurrency: 3 }, () => {
  for (let round = 0; round < rounds(3); round++) {
    const dice = random(`prune ${round}`);
    const line = dice.pick(["nats", "nats", "postgres", "time"] as const);
    const limit = dice.int(line === "nats" ? 12_000 : line === "postgres" ? 20_000 : 1_500);
    const act = dice.pick(["kill", "kill", "cut"] as const);
    // the same seed comes to the same byte, though not to the same state of everything around it
    test(`round ${round}: ${act} after ${limit} ${line === "time" ? "ms" : `bytes to ${line}`}`, async () => {
      const stage = await arrange("ours");
      const stopReader = startReader(stage);
      const running = stage.start(PRUNE, NO_VOLUME);
      const strike = () => {
        if (act === "kill") crash(stage, running);
        else if (line === "postgres") stage.postgres.cut();
        else stage.nats.cut();
      };
      let sent = 0;
      if (line === "time") setTimeout(strike, limit);
      else
        stage.watch = (where, direction, piece) => {
          if (where !== line || direction !== "up") return;
          sent += piece.length;
          if (sent < limit) return;
          stage.watch = undefined;
          strike();
        };
      const ended = await running.done;
      stage.watch = undefined;
      assert.ok(ended.signal === "SIGKILL" || ended.code === 0, explain(ended));
      await stopReader();
      if (ended.code === 0) await assertPruned(stage);
      else await assertRecovers(stage);
    });
  }
});

test("init is killed while it removes old versions (KEEP_VERSIONS): the next one goes on, and prune --yes removes what is left", async () => {
  const stage = await openStage({ state: "C" });
  await storeVersions(stage, VERSIONS.slice(0, 2));
  await putVersion(stage, NEWEST);
  const stopReader = startReader(stage);
  const keep = { KEEP_VERSIONS: "1" };
  const running = stage.start([], keep);
  at(stage, sql("DELETE FROM", "after", 2), () => crash(stage, running));
  const killed = await running.done;
  assert.equal(killed.signal, "SIGKILL", `never came there: ${explain(killed)}`);
  await stage.ok([], keep);
  await stopReader();
  const { rows, keys } = await held(stage);
  assert.equal(rows.length, 4);
  assert.equal(keys.length, 5, "the object of the row that was deleted last");
  const status = await stage.run(["status"], NO_VOLUME);
  assert.ok(status.report?.warnings.some(({ reason }) => reason === "store.unlisted"));
  await assertRecovers(stage);
});
