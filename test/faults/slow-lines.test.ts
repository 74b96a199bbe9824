import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { createCa } from "../support/certs.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { type Listener, startListener } from "../support/listeners.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { type JobResult, jobEnv } from "../support/run.ts";
import { ARCHIVE, explain } from "../support/site.ts";
import { rows } from "../support/tables.ts";
import { exits, runToEnd } from "./stage.ts";

// Servers that answer, late: readiness and a whole run go on for as long as each answer comes within 5 s.

const ca = createCa();
const tls = ca.issue({ cn: "localhost", sans: ["127.0.0.1", "localhost"] });
const KINDS = ["plain", "TLS"] as const;
type Kind = (typeof KINDS)[number];
const servers: Partial<Record<Kind, { postgres: Postgres; nats: NatsServer }>> = {};
let folder: TempDir;
let count = 0;

before(async () => {
  folder = tempDir("slow-lines");
  await buildArchive(join(folder.path, ARCHIVE), { payloadBytes: 100_000, collectors: ["telegraf"] });
  writeFileSync(join(folder.path, "ca.crt"), ca.cert);
  for (const kind of KINDS) {
    const options = kind === "TLS" ? { tls } : {};
    const [postgres, nats] = await Promise.all([startPostgres(options), startNats(options)]);
    servers[kind] = { postgres, nats };
  }
});
after(async () => {
  await Promise.allSettled(
    Object.values(servers).flatMap(({ postgres, nats }) => [postgres.stop(), nats.stop()]),
  );
  folder.remove();
});

const both = (kind: Kind) => servers[kind] as { postgres: Postgres; nats: NatsServer };
const own = () => ({ NATS_NAMESPACE: `b${++count}`, REPORT_FILE: join(folder.path, `report-${count}.json`) });

/** The environment of a job with a database and a bucket of its own. */
async function environment(kind: Kind) {
  const { postgres, nats } = both(kind);
  const db = await postgres.createDatabase({ state: "C" });
  const caFile = join(folder.path, "ca.crt");
  const encrypted = { DB_SSLMODE: "verify-full", DB_SSL_CA_FILE: caFile, NATS_TLS_CA_FILE: caFile };
  const env = { ...jobEnv({ db, nats, packages: folder.path }), ...own(), ...(kind === "TLS" && encrypted) };
  const reach = (ports: { postgres: number; nats: number }) => ({
    DB_PORT: String(ports.postgres),
    NATS_SERVERS: `${kind === "TLS" ? "tls" : "nats"}://127.0.0.1:${ports.nats}`,
  });
  return { db, env, reach };
}

/** Relays before both servers that hold each direction back by `ms`. */
async function slowLines(t: TestContext, kind: Kind, ms: number) {
  const { postgres, nats } = both(kind);
  const relays = await Promise.all([postgres, nats].map(({ port }) => startProxy({ port })));
  t.after(() => Promise.all(relays.map((relay) => relay.stop())));
  for (const relay of relays) relay.delay(ms);
  const [first, second] = relays.map(({ port }) => port) as [number, number];
  return { postgres: first, nats: second };
}

describe("each direction of both lines is held back", { concurrency: 6 }, () => {
  for (const ms of [50, 300, 450]) {
    for (const kind of KINDS) {
      test(`by ${ms} ms, ${kind}: init succeeds`, async (t) => {
        const { db, env, reach } = await environment(kind);
        const slow = { ...env, ...reach(await slowLines(t, kind, ms)), WAIT_TIMEOUT: "120" };
        exits(await runToEnd([], slow), 0);
        assert.equal((await rows(db)).length, 2);
        exits(await runToEnd(["verify"], env), 0);
      });
    }
  }
});

/** Relays before `target` that pass on what the server says one byte every four seconds. */
function startDripper(target: number): Promise<Listener> {
  return startListener((client) => {
    const server = dial(target, "127.0.0.1");
    server.on("error", () => client.destroy());
    client.on("data", (piece) => server.write(piece));
    let said: Buffer = Buffer.alloc(0);
    server.on("data", (piece: Buffer) => {
      said = Buffer.concat([said, piece]);
    });
    const timer = setInterval(() => {
      if (said.length > 0) client.write(said.subarray(0, 1));
      said = said.subarray(1);
    }, 4000);
    client.on("close", () => {
      clearInterval(timer);
      server.destroy();
    });
  });
}

function isCalledSlow(result: JobResult, reason: string): void {
  const { error } = result.report ?? {};
  assert.deepEqual([result.code, error?.reason], [69, reason], explain(result));
  assert.match(error?.message ?? "", /is slow/);
  assert.doesNotMatch(error?.message ?? "", /no answer|not answer|hang/);
  assert.match(error?.hint ?? "", /check the load/);
}

describe("a server that answers one byte every four seconds is given up, and called slow", {
  concurrency: 4,
}, () => {
  for (const kind of KINDS) {
    for (const service of ["postgres", "nats"] as const) {
      test(`${service}, ${kind}`, async (t) => {
        const { env, reach } = await environment(kind);
        const dripper = await startDripper(both(kind)[service].port);
        t.after(() => dripper.stop());
        const ports = {
          postgres: both(kind).postgres.port,
          nats: both(kind).nats.port,
          [service]: dripper.port,
        };
        // The job is killed, and the test fails, if bytes keep the attempt alive.
        const result = await runToEnd(["wait"], { ...env, ...reach(ports), WAIT_TIMEOUT: "12" });
        isCalledSlow(result, `${service}.slow`);
      });
    }
  }
});

/** A relay before Postgres that falls silent when the server is ready for the first statement. */
function startMute(target: number): Promise<Listener> {
  const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5]);
  return startListener((client) => {
    const server = dial(target, "127.0.0.1");
    let said: Buffer = Buffer.alloc(0);
    server.on("error", () => client.destroy());
    server.on("data", (piece: Buffer) => {
      said = Buffer.concat([said, piece]);
      client.write(piece);
    });
    client.on("data", (piece) => said.includes(readyForQuery) || server.write(piece));
    client.on("close", () => server.destroy());
  });
}

test("a Postgres that accepts the login and hangs at the first statement is not said to hang at the login", async (t) => {
  const { env, reach } = await environment("plain");
  const mute = await startMute(both("plain").postgres.port);
  t.after(() => mute.stop());
  const ports = { postgres: mute.port, nats: both("plain").nats.port };
  const result = await runToEnd(["wait"], { ...env, ...reach(ports), WAIT_TIMEOUT: "4" });
  const { error } = result.report ?? {};
  assert.deepEqual(
    [result.code, error?.layer, error?.reason],
    [69, "database", "postgres.database.silent"],
    explain(result),
  );
});

test("a pool in transaction mode answers each of a statement's three parts within 5 s", async (t) => {
  const { env, reach } = await environment("plain");
  const settings = { pool_mode: "transaction", ignore_startup_parameters: "extra_float_digits" };
  const pooler = await startPgbouncer(both("plain").postgres, settings);
  t.diagnostic(pooler?.version ?? "no pgbouncer here, and Debian's cannot be fetched");
  if (!pooler) return;
  const relay = await startProxy({ port: pooler.port });
  t.after(() => Promise.all([relay.stop(), pooler.stop()]));
  relay.delay(900);
  const ports = { postgres: relay.port, nats: both("plain").nats.port };
  const result = await runToEnd(["wait"], { ...env, ...reach(ports), WAIT_TIMEOUT: "150" });
  exits(result, 0);
  const lines = result.events.filter(({ event }) => event === "wait.postgres.layer");
  assert.ok(
    lines.some(({ reason }) => reason === "postgres.slow"),
    explain(result),
  );
});

test("a slow Postgres is not called slow because NATS has rejected the login", async (t) => {
  const { env, reach } = await environment("plain");
  const slow = await slowLines(t, "plain", 900);
  const server = await startNats({ user: "admin", password: "planted-password" });
  const relay = await startProxy({ port: server.port });
  t.after(() => Promise.all([relay.stop(), server.stop()]));
  // So that Postgres has had its 5 s when the job gives up.
  relay.delay(700);
  const login = { NATS_USER: "admin", NATS_PASSWORD: "planted-wrong-password" };
  const ports = { postgres: slow.postgres, nats: relay.port };
  const result = await runToEnd(["wait"], { ...env, ...reach(ports), ...login });
  assert.deepEqual([result.code, result.report?.error?.reason], [77, "nats.login.refused"], explain(result));
});

test("a server that answers when the time to wait is over is called slow, with its round trip", async (t) => {
  const { env, reach } = await environment("plain");
  const slow = await slowLines(t, "plain", 900);
  const ports = { ...slow, nats: both("plain").nats.port };
  const result = await runToEnd(["wait"], { ...env, ...reach(ports), WAIT_TIMEOUT: "3" });
  isCalledSlow(result, "postgres.slow");
  assert.match(result.report?.error?.message ?? "", /an answer takes up to [1-9](\.\d)? s/);
  assert.match(result.report?.error?.hint ?? "", /raise WAIT_TIMEOUT/);
});
