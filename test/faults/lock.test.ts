import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Reader } from "../../src/config/env.ts";
import { readConfig } from "../../src/config/job-settings.ts";
import { endpointOf } from "../../src/readiness/endpoint.ts";
import { logIn } from "../../src/readiness/postgres-probe.ts";
import { startIdleDropRelay } from "../support/idle-drop-relay.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { ARCHIVE, explain, sha256, useServers } from "../support/site.ts";
import { until } from "../support/wait.ts";
import { assertConverged, assertLockFree, assertSettled, exits, type Stage, useStages } from "./stage.ts";

const servers = useServers();
const stageOf = useStages(servers);

const BYTES = 12_000_000;
/** Bytes per second: an upload of BYTES takes six seconds, longer than each idle limit below. */
const SLOW = 2_000_000;
const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;

/** A stage with an archive that takes a while to send. */
async function slowStage(): Promise<{ stage: Stage; path: string }> {
  const stage = await stageOf({ state: "B" });
  stage.nats.throttle(SLOW);
  return { stage, path: await stage.archive(ARCHIVE, { payloadBytes: BYTES }) };
}

/** What the job holds in Postgres. */
async function holder(stage: Stage): Promise<number> {
  const held = () =>
    stage.db.query<{ pid: number }>(
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
  return until("the lock held", async () => (await held())[0]?.pid);
}

async function uploading(stage: Stage, sent = 0): Promise<void> {
  await until("an upload under way", () => stage.nats.stats.bytesUp - sent > BYTES / 6);
}

describe("the lock's session", { concurrency: 2 }, () => {
  test("is not forgotten by a connection that forgets idle connections", async (t) => {
    const { stage, path } = await slowStage();
    const relay = await startIdleDropRelay(stage.postgres.port, 4000);
    t.after(() => relay.stop());
    exits(await stage.run([], { DB_PORT: String(relay.port) }), 0);
    await assertConverged(stage, path);
    assert.ok(stage.nats.stats.bytesUp < BYTES * 1.5, "the archive was sent once");
  });

  test("is not ended by the server's own idle limit", async () => {
    const { stage, path } = await slowStage();
    await stage.db.query(`ALTER DATABASE "${stage.db.name}" SET idle_session_timeout = '2s'`);
    exits(await stage.run(), 0);
    await assertConverged(stage, path);
    assert.ok(stage.nats.stats.bytesUp < BYTES * 1.5, "the archive was sent once");
  });

  test("ended on the server in mid-upload is reported, and taken again", async () => {
    const { stage, path } = await slowStage();
    const running = stage.start();
    const pid = await holder(stage);
    await uploading(stage);
    await stage.db.query("SELECT pg_terminate_backend($1)", [pid]);
    exits(await running.done, 0);
    await assertConverged(stage, path);
    await assertLockFree(stage);
  });

  test("lost with its connection: the run ends it on the server instead of waiting for its own lock", async () => {
    const { stage, path } = await slowStage();
    const running = stage.start();
    const pid = await holder(stage);
    await uploading(stage);
    stage.postgres.stall();
    await sleep(200);
    const left = setTimeout(() => void stage.postgres.resume(), 9000);
    const result = await running.done;
    clearTimeout(left);
    exits(result, 0);
    assert.ok(!(await stage.db.query("SELECT FROM pg_stat_activity WHERE pid = $1", [pid])).length);
    await assertConverged(stage, path);
  });

  test("of a run whose machine is gone is named, with the statement that ends it", async (t) => {
    const { stage, path } = await slowStage();
    const relay = await startIdleDropRelay(Number(stage.direct.dbPort), 1500);
    t.after(() => relay.stop());
    const first = stage.start([], { DB_PORT: String(relay.port) });
    const pid = await holder(stage);
    await uploading(stage);
    await until("the connection forgotten", () => relay.forgotten > 0);
    first.kill("SIGKILL");
    await first.done.catch(() => {});
    stage.nats.throttle(Number.POSITIVE_INFINITY);
    const direct = { DB_PORT: stage.direct.dbPort, WAIT_TIMEOUT: "3" };
    const second = await stage.run([], direct);
    exits(second, 75);
    const { reason, message, hint } = second.report?.error ?? {};
    assert.equal(reason, "lock.held");
    assert.match(message ?? "", new RegExp(`session ${pid}`));
    assert.match(hint ?? "", new RegExp(`SELECT pg_terminate_backend\\(${pid}\\)`));
    await stage.db.query("SELECT pg_terminate_backend($1)", [pid]);
    exits(await stage.run([], direct), 0);
    await assertConverged(stage, path);
  });
});

test("a connection that goes dead unseen, the session ended, and a second run: no reader gets damaged content", async (t) => {
  const { stage } = await slowStage();
  stage.nats.throttle(Number.POSITIVE_INFINITY);
  exits(await stage.run(), 0);
  const old = (await stage.objects.read(KEY)).sha256;
  const path = await stage.archive(ARCHIVE, { payloadBytes: BYTES, version: "" });
  const wanted = await sha256(path);
  stage.nats.throttle(SLOW);
  const sent = stage.nats.stats.bytesUp;
  const seen = new Set<string>();
  let reading = true;
  const reader = (async () => {
    while (reading) {
      seen.add((await stage.objects.read(KEY)).sha256);
      // The proxies are in this process, too, and a read keeps it busy.
      await sleep(1000);
    }
  })();
  const stopReading = () => {
    reading = false;
    return reader;
  };
  t.after(stopReading);
  const first = stage.start();
  const pid = await holder(stage);
  await uploading(stage, sent);
  stage.postgres.stall();
  await stage.db.query("SELECT pg_terminate_backend($1)", [pid]);
  const second = stage.start([], { DB_PORT: stage.direct.dbPort });
  const resume = setTimeout(() => void stage.postgres.resume(), 12_000);
  const results = await Promise.all([first.done, second.done]);
  clearTimeout(resume);
  await stage.postgres.resume();
  await stopReading();
  exits(results[1], 0);
  exits(results[0], 0, 69, 75);
  for (const digest of seen) assert.ok([old, wanted].includes(digest), `a reader got ${digest}`);
  stage.nats.throttle(Number.POSITIVE_INFINITY);
  exits(await stage.run(), 0);
  assert.equal((await stage.objects.read(KEY)).sha256, wanted);
  assert.deepEqual(await stage.objects.unreachable(), []);
  await assertSettled(stage);
  await assertLockFree(stage);
});

describe("a connection that is pooled", () => {
  test("per transaction: 78 immediately, no lock left behind, what is stored stays", async (t) => {
    const stage = await stageOf({ state: "B" });
    const path = await stage.archive();
    exits(await stage.run(), 0);
    const pooler = await startPgbouncer(stage.db, {
      pool_mode: "transaction",
      ignore_startup_parameters: "options",
    });
    t.diagnostic(pooler ? `pgbouncer ${pooler.version}` : "no pgbouncer here");
    if (!pooler) return;
    t.after(() => pooler.stop());
    await stage.archive(ARCHIVE, { payloadBytes: 400_000 });
    const before = await stage.state();
    const env = { DB_PORT: String(pooler.port) };
    const [one, two] = await Promise.all([stage.run([], env), stage.run([], env)]);
    for (const result of [one, two]) {
      exits(result, 78);
      assert.equal(result.report?.error?.reason, "lock.pooled", explain(result));
    }
    assert.deepEqual(await stage.state(), before);
    await assertLockFree(stage);
    exits(await stage.run(["verify"], env), 76);
    assert.ok(path);
  });

  test("per session: 0", async (t) => {
    const stage = await stageOf({ state: "B" });
    const path = await stage.archive();
    const pooler = await startPgbouncer(stage.db, { pool_mode: "session" });
    t.diagnostic(pooler ? `pgbouncer ${pooler.version}` : "no pgbouncer here");
    if (!pooler) return;
    t.after(() => pooler.stop());
    const env = { DB_PORT: String(pooler.port) };
    const results = await Promise.all([stage.run([], env), stage.run([], env)]);
    for (const result of results) exits(result, 0);
    await assertConverged(stage, path);
    await assertLockFree(stage);
  });
});

test("the server notices within 90 seconds that a holder's machine is gone", async () => {
  const stage = await stageOf({ state: "B" });
  const env = { ...stage.env, DB_PORT: stage.direct.dbPort };
  const config = readConfig(new Reader(env)).db;
  const [server] = config.servers;
  assert.ok(server);
  const attempt = { signal: new AbortController().signal, enter() {}, answered() {}, watch() {} };
  const db = await logIn(endpointOf("postgres", server), config, attempt);
  try {
    const rows = await db.query<{ name: string; setting: string }>(
      "SELECT name, setting FROM pg_settings WHERE name ~ '^tcp_|^idle_session_timeout$'",
    );
    const setting = (name: string) => Number(rows.find((row) => row.name === name)?.setting);
    const silence =
      setting("tcp_keepalives_idle") + setting("tcp_keepalives_interval") * setting("tcp_keepalives_count");
    assert.ok(silence > 0 && silence <= 90, `${silence} seconds of silence`);
    assert.ok(
      setting("tcp_user_timeout") > 0 && setting("tcp_user_timeout") <= 90_000,
      "an answer that nobody takes",
    );
    assert.ok(!setting("idle_session_timeout"), "none, whatever the server's default");
  } finally {
    await db.close();
  }
});

test("an id sequence behind the ids that are taken: 78 with the setval that fixes it", async () => {
  for (const serial of [false, true]) {
    const stage = await stageOf({ state: "B", serial });
    await stage.archive();
    await stage.db.query(`INSERT INTO node_mgmt_packageversion
      (id, created_at, updated_at, created_by, updated_by, type, os, object, version, name, description, domain, updated_by_domain)
      SELECT n, now(), now(), 'admin', 'admin', 'collector', 'linux', 'Mine', n::text, 'x', '', 'domain.com', 'domain.com'
        FROM generate_series(1, 500) n`);
    const result = await stage.run();
    exits(result, 78);
    assert.equal(result.report?.error?.reason, "row.sequence.behind");
    const [statement] = /SELECT setval\(.*\)$/.exec(result.report?.error?.hint ?? "") ?? [];
    assert.ok(statement, result.report?.error?.hint);
    await stage.db.query(statement);
    exits(await stage.run(), 0);
  }
});

test("no stored message has a Nats-Expected header, and a mirror has what the bucket has", async () => {
  const stage = await stageOf({ state: "B" });
  const jsm = await stage.objects.connection.jetstreamManager();
  await stage.archive();
  exits(await stage.run(), 0);
  const stream = `OBJ_${stage.bucket}`;
  const mirror = `MIRROR_${stage.bucket}`;
  await jsm.streams.add({ name: mirror, mirror: { name: stream }, max_msgs: -1, allow_rollup_hdrs: true });
  for (const payloadBytes of [310_000, 320_000]) {
    await stage.archive(ARCHIVE, { payloadBytes });
    exits(await stage.run(), 0);
  }
  // A removed object's marker too: the row's name changes with the archive's.
  await stage.archive("fusion-collectors-linux-amd64-1.0.0.zip", { payloadBytes: 330_000 });
  rmSync(`${stage.volume}/${ARCHIVE}`);
  exits(await stage.run(), 0);
  const { state } = await jsm.streams.info(stream, { subjects_filter: ">" });
  for (const subject of Object.keys(state.subjects ?? {})) {
    const message = await jsm.streams.getMessage(stream, { last_by_subj: subject });
    assert.deepEqual(
      [...message.header.keys()].filter((name) => /expected/i.test(name)),
      [],
      subject,
    );
    const copy = () => jsm.streams.getMessage(mirror, { last_by_subj: subject }).catch(() => undefined);
    const same = async () => Buffer.from(message.data).equals((await copy())?.data ?? Buffer.alloc(0));
    await until(`${subject} in the mirror`, same);
  }
});
