import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions, StreamConfig } from "nats";
import { buildArchive } from "../support/archives.ts";
import { natsCertificates } from "../support/certs.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { startListener, startPacketDropper, startTlsFront } from "../support/listeners.ts";
import { type NatsOptions, type NatsServer, startNats } from "../support/nats.ts";
import { connectNats } from "../support/objects.ts";
import { freePort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { type JobResult, jobEnv } from "../support/run.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
import { exits, runToEnd } from "./stage.ts";

const shared = useServers();
let folder: TempDir;
let base: Record<string, string>;
let count = 0;
const servers: NatsServer[] = [];

before(async () => {
  folder = tempDir("lines");
  await buildArchive(join(folder.path, ARCHIVE), { payloadBytes: 300_000 });
  base = { ...jobEnv({ packages: folder.path }), WAIT_TIMEOUT: "60" };
});
after(async () => {
  await Promise.allSettled([...servers.map((server) => server.stop())]);
  folder.remove();
});

async function start(options?: NatsOptions): Promise<NatsServer> {
  const server = await startNats(options);
  servers.push(server);
  return server;
}

/** A run against a database of its own, whose table is there. */
async function run(args: readonly string[], more: Record<string, string>): Promise<JobResult> {
  const db = await shared.postgres.createDatabase({ state: "B" });
  const REPORT_FILE = join(folder.path, `report-${++count}.json`);
  return runToEnd(args, { ...base, ...jobEnv({ db }), REPORT_FILE, ...more });
}

const at = ({ port }: { port: number }) => `nats://127.0.0.1:${port}`;

function fails(result: JobResult, code: number, layer: string, reason: string): void {
  const { error } = result.report ?? {};
  assert.deepEqual([result.code, error?.layer, error?.reason], [code, layer, reason], explain(result));
}

describe("of several NATS servers", { concurrency: 4 }, () => {
  test("a hung first one does not hide a healthy second", async (t) => {
    const [hung, healthy] = await Promise.all([start(), start()]);
    hung.pause();
    t.after(() => hung.resume());
    exits(await run([], { NATS_SERVERS: `${at(hung)},${at(healthy)}`, WAIT_TIMEOUT: "60" }), 0);
  });
  test("one that swallows connection requests does not, either", async (t) => {
    const [swallower, healthy] = await Promise.all([startPacketDropper(), start()]);
    t.after(() => swallower.stop());
    exits(await run([], { NATS_SERVERS: `${at(swallower)},${at(healthy)}`, WAIT_TIMEOUT: "60" }), 0);
  });
  test("one whose JetStream hangs does not, either", async (t) => {
    const [hung, healthy] = await Promise.all([start(), start()]);
    const relay = await startProxy(hung, {
      onBytes(direction, piece) {
        if (direction === "up" && piece.includes("$JS.API.STREAM.INFO")) relay.stall();
      },
    });
    t.after(() => relay.stop());
    exits(await run(["wait"], { NATS_SERVERS: `${at(relay)},${at(healthy)}`, WAIT_TIMEOUT: "60" }), 0);
  });
  test("the bucket is made on one alone", async () => {
    const both = await Promise.all([start(), start()]);
    exits(await run([], { NATS_SERVERS: both.map(at).join() }), 0);
    const streams = await Promise.all(
      both.map(async (server) => {
        const nc = await connectNats({ servers: server.url });
        const jsm = await nc.jetstreamManager();
        const names = await jsm.streams.names().next();
        await nc.close();
        return names.length;
      }),
    );
    assert.deepEqual(streams.sort(), [0, 1]);
  });
});

describe("a NATS server that hangs", { concurrency: 4 }, () => {
  for (const WAIT_TIMEOUT of ["4", "8", "14"]) {
    test(`is said to hang at the login, whatever the last attempt came to: WAIT_TIMEOUT=${WAIT_TIMEOUT}`, async (t) => {
      const server = await start();
      server.pause();
      t.after(() => server.resume());
      const result = await run(["wait"], { NATS_SERVERS: at(server), WAIT_TIMEOUT });
      fails(result, 69, "login", "nats.login.silent");
    });
  }
  test("in JetStream alone is not called slow for its pings", async (t) => {
    const info = JSON.stringify({ version: "2.12.0", proto: 1, headers: true, max_payload: 1048576 });
    const stranger = await startListener((socket) => {
      socket.write(`INFO ${info}\r\n`);
      const pings = setInterval(() => socket.write("PING\r\n"), 500);
      socket.on("data", (piece) => piece.includes("PING\r\n") && socket.write("PONG\r\n"));
      socket.on("close", () => clearInterval(pings));
    });
    t.after(() => stranger.stop());
    const result = await run(["wait"], { NATS_SERVERS: at(stranger), WAIT_TIMEOUT: "4" });
    fails(result, 69, "jetstream", "nats.jetstream.silent");
  });
  test("packets that vanish are named as such", async (t) => {
    const swallower = await startPacketDropper();
    t.after(() => swallower.stop());
    const result = await run(["wait"], { NATS_SERVERS: at(swallower), WAIT_TIMEOUT: "6" });
    fails(result, 69, "tcp", "nats.tcp.silent");
    assert.match(result.report?.error?.hint ?? "", /network policies/);
  });
  test("the log says every ten seconds how long it has waited and how much longer it will", async () => {
    const result = await run(["wait"], { NATS_SERVERS: `127.0.0.1:${await freePort()}`, WAIT_TIMEOUT: "12" });
    fails(result, 69, "tcp", "nats.tcp.refused");
    const lines = result.events.filter(({ event }) => event === "wait.nats.layer");
    assert.equal(lines.length, 2, explain(result));
    for (const { waited, left, reason } of lines) {
      assert.equal(Number(waited) + Number(left), 12);
      assert.equal(reason, "nats.tcp.refused");
    }
  });
});

describe("a bucket that can never be made ends the waiting immediately", { concurrency: 4 }, () => {
  const account = (jetstream: Record<string, unknown>) => ({
    config: { accounts: { APP: { jetstream, users: [{ user: "job", password: "planted-nats-password" }] } } },
  });
  const login = { NATS_USER: "job", NATS_PASSWORD: "planted-nats-password", WAIT_TIMEOUT: "3600" };
  const other = async (server: NatsServer, subjects: string[], options: ConnectionOptions) => {
    const nc = await connectNats({ servers: server.url, ...options });
    await (await nc.jetstreamManager()).streams.add({ name: "OTHER", subjects });
    await nc.close();
  };
  test("more replicas than servers (10074)", async () => {
    const server = await start();
    const more = { NATS_SERVERS: at(server), NATS_REPLICAS: "3", WAIT_TIMEOUT: "3600" };
    fails(await run([], more), 78, "bucket", "nats.bucket.replicas");
    const both = { ...more, DB_PORT: String(await freePort()) };
    fails(await run([], both), 78, "bucket", "wait.both.config");
  });
  test("an account that asks for a size limit (10113)", async () => {
    const server = await start(account({ max_mem: 1e6, max_file: 1e8, max_bytes_required: true }));
    const result = await run([], { NATS_SERVERS: at(server), ...login });
    fails(result, 78, "bucket", "nats.bucket.max-bytes-required");
  });
  test("no stream left (10027)", async () => {
    const server = await start(account({ max_mem: 1e6, max_file: 1e8, max_streams: 1 }));
    await other(server, ["x"], { user: "job", pass: "planted-nats-password" });
    const env = { NATS_SERVERS: at(server), ...login };
    fails(await run([], env), 73, "bucket", "nats.bucket.streams");
    const both = { ...env, DB_PORT: String(await freePort()) };
    fails(await run([], both), 73, "bucket", "wait.both.full");
  });
  test("another stream on its subjects (10065)", async () => {
    const server = await start();
    await other(server, ["$O.bklite.C.>"], {});
    const more = { NATS_SERVERS: at(server), WAIT_TIMEOUT: "3600" };
    fails(await run([], more), 78, "bucket", "nats.bucket.overlap");
  });
});

describe("a bucket whose stream was created manually", { concurrency: 4 }, () => {
  const subjects = ["$O.bklite.C.>", "$O.bklite.M.>"];
  const sound = { name: "OBJ_bklite", subjects, allow_rollup_hdrs: true };
  async function made(config: Partial<StreamConfig>, args: readonly string[] = []) {
    const server = await start();
    const nc = await connectNats({ servers: server.url });
    const jsm = await nc.jetstreamManager();
    if (config.mirror) await jsm.streams.add({ name: "ELSE", subjects: ["else"] });
    await jsm.streams.add({ ...sound, ...config } as StreamConfig);
    const result = await run(args, { NATS_SERVERS: at(server), WAIT_TIMEOUT: "3600" });
    const { state } = await jsm.streams.info("OBJ_bklite");
    await nc.close();
    return { result, messages: state.messages, server };
  }
  const CASES: [what: string, config: Partial<StreamConfig>, reason: string, command: RegExp][] = [
    ["without rollup", { allow_rollup_hdrs: false }, "rollup", /nats stream edit OBJ_bklite --allow-rollup/],
    ["with a limit per subject", { max_msgs_per_subject: 1 }, "per-subject", /--max-msgs-per-subject=-1/],
    ["for other subjects", { subjects: ["$O.bklite.C.>"] }, "subjects", /--subjects=/],
    ["with small messages", { max_msg_size: 1000 }, "message-size", /--max-msg-size=-1/],
    ["that acknowledges nothing", { no_ack: true }, "no-ack", /--ack/],
    ["with interest retention", { retention: "interest" as never }, "retention", /NATS_NAMESPACE/],
    ["with work-queue retention", { retention: "workqueue" as never }, "retention", /NATS_NAMESPACE/],
    [
      "that is a mirror",
      { mirror: { name: "ELSE" }, subjects: [] as string[], allow_rollup_hdrs: false },
      "mirror",
      /NATS_NAMESPACE/,
    ],
    ["that denies purging", { deny_purge: true, allow_rollup_hdrs: false }, "deny-purge", /NATS_NAMESPACE/],
  ];
  for (const [what, config, reason, hint] of CASES) {
    test(`${what}: 78 before a byte is sent`, async () => {
      const { result, messages } = await made(config);
      fails(result, 78, "bucket", `nats.bucket.${reason}`);
      assert.match(result.report?.error?.hint ?? "", hint);
      assert.equal(messages, 0);
    });
  }
  test("sealed: 73", async () => {
    const server = await start();
    const nc = await connectNats({ servers: server.url });
    const jsm = await nc.jetstreamManager();
    await jsm.streams.add(sound as StreamConfig);
    await jsm.streams.update("OBJ_bklite", { ...sound, sealed: true } as Partial<StreamConfig>);
    await nc.close();
    const result = await run([], { NATS_SERVERS: at(server), WAIT_TIMEOUT: "3600" });
    fails(result, 73, "bucket", "nats.bucket.sealed");
  });
  test("a wider subject is as good; wait and verify take the bucket as it is", async () => {
    exits((await made({ subjects: ["$O.bklite.>"] })).result, 0);
    exits((await made({ max_msgs_per_subject: 1 }, ["wait"])).result, 0);
    fails(
      (await made({ max_msgs_per_subject: 1 }, ["plan"])).result,
      78,
      "bucket",
      "nats.bucket.per-subject",
    );
  });
  test("that forgets, or drops its oldest: stored, with a warning", async () => {
    const forgets = (await made({ max_age: 3600e9 })).result;
    exits(forgets, 0);
    assert.deepEqual(warnings(forgets), ["nats.bucket.max-age"]);
    const drops = (await made({ discard: "old" as never, max_bytes: 1e8 })).result;
    exits(drops, 0);
    assert.deepEqual(warnings(drops), ["nats.bucket.discard-old"]);
  });
});

function warnings(result: JobResult): string[] {
  return (result.report?.warnings ?? []).map(({ reason }) => reason).filter((id) => id.startsWith("nats."));
}

describe("TLS before the first byte", { concurrency: 4 }, () => {
  const { ca, server: pair } = natsCertificates();
  const env = () => {
    const NATS_TLS_CA_FILE = join(folder.path, "front-ca.crt");
    writeFileSync(NATS_TLS_CA_FILE, ca.cert);
    return { NATS_TLS_CA_FILE };
  };
  /** A server that itself knows handshake_first, where it is new enough; else a front that does the same. */
  async function first(t: { after(work: () => Promise<void>): void; diagnostic(text: string): void }) {
    const known = await start();
    const [major = 0, minor = 0] = known.version.split(".").map(Number);
    if (major === 2 && minor < 10) {
      t.diagnostic(`nats-server ${known.version} does not know handshake_first: behind a TLS front`);
      const behind = await start({ tls: pair, allowNonTls: true });
      const front = await startTlsFront(pair, behind.port);
      t.after(() => front.stop());
      return front;
    }
    t.diagnostic(`nats-server ${known.version} with handshake_first`);
    return start({ tls: pair, handshakeFirst: true });
  }
  test("NATS_TLS_HANDSHAKE_FIRST=true: works", async (t) => {
    const server = await first(t);
    const NATS_SERVERS = `tls://127.0.0.1:${server.port}`;
    exits(await run([], { ...env(), NATS_SERVERS, NATS_TLS_HANDSHAKE_FIRST: "true" }), 0);
    // A handshake that comes first is TLS, whatever the scheme says.
    exits(await run(["wait"], { ...env(), NATS_SERVERS: at(server), NATS_TLS_HANDSHAKE_FIRST: "true" }), 0);
  });
  for (const scheme of ["tls", "nats"]) {
    test(`without it, ${scheme}://: 69 with a remedy that names it`, async (t) => {
      const server = await first(t);
      const NATS_SERVERS = `${scheme}://127.0.0.1:${server.port}`;
      const result = await run(["wait"], { ...env(), NATS_SERVERS, WAIT_TIMEOUT: "1" });
      const layer = scheme === "tls" ? "tls" : "login";
      fails(result, 69, layer, `nats.${layer}.silent`);
      assert.match(result.report?.error?.hint ?? "", /NATS_TLS_HANDSHAKE_FIRST=true/);
    });
  }
  test("with it, and a server that speaks first: 78 that says so", async () => {
    const server = await start({ tls: pair });
    const NATS_SERVERS = `tls://127.0.0.1:${server.port}`;
    const result = await run(["wait"], { ...env(), NATS_SERVERS, NATS_TLS_HANDSHAKE_FIRST: "true" });
    fails(result, 78, "tls", "nats.tls.not-first");
  });
});

describe("a percent sign in the URL's password", { concurrency: 4 }, () => {
  for (const [password, written] of [
    ["planted%41def", "planted%41def"],
    ["planted%2Fq", "planted%2Fq"],
    ["planted/q", "planted%2Fq"],
    ["planted%zz", "planted%zz"],
    ["planted@q:r", "planted%40q:r"],
  ] as const) {
    test(`${written} for ${password}`, async () => {
      const server = await start({ user: "job", password });
      exits(await run(["wait"], { NATS_SERVERS: `nats://job:${written}@127.0.0.1:${server.port}` }), 0);
    });
  }
  test("a wrong one is rejected, and shown in no form", async () => {
    const server = await start({ user: "job", password: "planted-nats-password" });
    const NATS_SERVERS = `nats://job:planted%41wrong@127.0.0.1:${server.port}`;
    const result = await run(["wait"], { NATS_SERVERS });
    fails(result, 77, "login", "nats.login.refused");
    for (const text of [result.stdout, result.stderr, JSON.stringify(result.report)]) {
      assert.ok(!/planted(%41|A)wrong/.test(text), text);
    }
  });
});

test("the example in a remedy is not mistaken for a secret", async () => {
  const NATS_SERVERS = "http://job:planted-nats-password@nats:4222";
  const result = await run(["wait"], { NATS_SERVERS });
  assert.deepEqual([result.code, result.report?.error?.reason], [78, "config.url.nats"], explain(result));
  assert.match(result.report?.error?.message ?? "", /tls:\/\/USER:PASSWORD@HOST:4222/);
});
