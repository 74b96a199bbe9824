import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildArchive } from "../support/archives.ts";
import { findPgbouncer, startPgbouncer } from "../support/pgbouncer.ts";
import { startProxy } from "../support/proxy.ts";
import { LONG, type Random, random, rounds } from "../support/rounds.ts";
import type { JobResult } from "../support/run.ts";
import { ARCHIVE, explain, sha256, useServers } from "../support/site.ts";
import { assertConverged, assertLockFree, exits, runToEnd, type Stage, useStages } from "./stage.ts";

const servers = useServers();
const openStage = useStages(servers);
const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;
const BYTES = 3_200_000;
/** Bytes per second: an upload takes about a second, so that there is something to hit. */
const SLOW = 3_000_000;

/** What may happen to the first of two jobs while it is at work. */
const FAULTS = {
  /** The server ends the session that holds the lock, and the line says so. */
  async terminated({ stage }: Round) {
    await stage.db.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
  },
  async "postgres cut"({ stage }: Round) {
    stage.postgres.cut();
  },
  /** Nobody hears any more, and the server has given the lock away: the worst case. */
  async "postgres silent"(round: Round) {
    round.stage.postgres.stall();
    await FAULTS.terminated(round);
    await sleep(500 + round.chance.int(LONG ? 12_000 : 3000));
    await round.stage.postgres.resume();
  },
  async "nats cut"({ stage }: Round) {
    stage.nats.cut();
  },
  async "nats silent"({ stage, chance }: Round) {
    stage.nats.stall();
    await sleep(500 + chance.int(4000));
    await stage.nats.resume();
  },
} as const;
type Fault = keyof typeof FAULTS;
const NAMES = Object.keys(FAULTS) as Fault[];

interface Round {
  stage: Stage;
  chance: Random;
}

/** Reads the served key through a client that is not ours, over and over, and keeps what it gets. */
function watch(stage: Stage, t: TestContext) {
  const seen = new Set<string>();
  let reading = true;
  const done = (async () => {
    while (reading) {
      const before = await stage.objects.info(KEY);
      assert.ok(before && !before.deleted, "nothing is served where something was served before");
      try {
        seen.add((await stage.objects.read(KEY)).sha256);
      } catch (error) {
        // whoever replaces an object purges the chunks that a reader may be at: that one starts again
        const after = await stage.objects.info(KEY);
        assert.notEqual(after?.nuid, before.nuid, `damaged: ${(error as Error).message}`);
      }
      await sleep(10);
    }
  })();
  done.catch(() => undefined);
  t.after(() => {
    reading = false;
  });
  return {
    async stop(): Promise<ReadonlySet<string>> {
      reading = false;
      await done;
      return seen;
    },
  };
}

/** A second job that shares nothing with the first but the servers, and perhaps has another archive. */
async function second(
  stage: Stage,
  chance: Random,
): Promise<{ start: () => Promise<JobResult>; path: string }> {
  const volume = join(stage.volume, ".second");
  mkdirSync(volume);
  const path = join(volume, ARCHIVE);
  await buildArchive(path, { payloadBytes: BYTES, seed: chance.pick(["new", "other"]) });
  const line = await startProxy({ port: servers.nats.port });
  line.throttle(SLOW);
  const env = {
    ...stage.env,
    PACKAGES_DIR: volume,
    REPORT_FILE: join(volume, "report.json"),
    NATS_SERVERS: `nats://127.0.0.1:${line.port}`,
    DB_PORT: stage.direct.dbPort,
    WAIT_TIMEOUT: "60",
  };
  const start = async () => {
    const result = await runToEnd([], env);
    await line.stop();
    return result;
  };
  return { start, path };
}

async function begin(name: string): Promise<Round & { old: string; path: string }> {
  const chance = random(`safety ${name}`);
  const stage = await openStage({ state: "B" });
  const old = await sha256(await stage.archive(ARCHIVE, { payloadBytes: BYTES, seed: "old" }));
  exits(await stage.run(), 0);
  const path = await stage.archive(ARCHIVE, { payloadBytes: BYTES, seed: "new" });
  return { stage, chance, old, path };
}

/** Readers got one of these and nothing else, and one more run makes everything right. */
async function assertSafe(stage: Stage, seen: ReadonlySet<string>, known: readonly string[], path: string) {
  for (const digest of seen) assert.ok(known.includes(digest), `a reader got ${digest}`);
  assert.ok(seen.size > 0, "the reader has read");
  await stage.ok();
  await assertConverged(stage, path);
  await assertLockFree(stage);
}

describe("two jobs, one of which loses a connection", { concurrency: 2 }, () => {
  for (let round = 0; round < rounds(NAMES.length); round += 1) {
    const fault = NAMES[round % NAMES.length] as Fault;
    test(`round ${round}: ${fault}`, async (t) => {
      const { stage, chance, old, path } = await begin(String(round));
      const other = await second(stage, chance);
      const reader = watch(stage, t);
      const sent = stage.nats.stats.bytesUp;
      stage.nats.throttle(SLOW);
      const first = stage.start([], { WAIT_TIMEOUT: "60" });
      const delay = chance.int(1200);
      const racing = sleep(delay).then(other.start);
      const moment = chance.int(BYTES * 1.05);
      let ended = false;
      const end = first.done.finally(() => {
        ended = true;
      });
      while (!ended && stage.nats.stats.bytesUp - sent < moment) await sleep(5);
      t.diagnostic(`second after ${delay} ms, ${fault} after ${moment} bytes`);
      await FAULTS[fault]({ stage, chance });
      const results = await Promise.all([end, racing]);
      for (const result of results) exits(result, 0, 69, 75);
      stage.nats.throttle(Number.POSITIVE_INFINITY);
      await assertSafe(stage, await reader.stop(), [old, await sha256(path), await sha256(other.path)], path);
    });
  }
});

describe("two jobs behind a pooler that lends sessions", () => {
  for (let round = 0; round < Math.ceil(rounds(1) / 10); round += 1) {
    test(`round ${round}: both stop there, and readers notice nothing`, async (t) => {
      if (!(await findPgbouncer())) return t.diagnostic("no pgbouncer here");
      const { stage, old, path } = await begin(`pooler ${round}`);
      const pooler = await startPgbouncer(stage.db, {
        pool_mode: "transaction",
        ignore_startup_parameters: "options",
      });
      const reader = watch(stage, t);
      const env = { DB_PORT: String(pooler?.port) };
      const run = (name: string) =>
        stage.run([], { ...env, REPORT_FILE: join(stage.volume, `.${name}.json`) });
      const results = await Promise.all([run("one"), run("two")]);
      await pooler?.stop();
      for (const result of results) {
        exits(result, 78);
        assert.equal(result.report?.error?.reason, "lock.pooled", explain(result));
      }
      const seen = await reader.stop();
      assert.deepEqual([...seen], [old]);
      await assertSafe(stage, seen, [old], path);
    });
  }
});
