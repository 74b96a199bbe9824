import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CertificateAuthority, createCa, natsCertificates } from "../support/certs.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { type NatsOptions, type NatsServer, startNats } from "../support/nats.ts";
import { createNkey, createOperator } from "../support/nats-jwt.ts";
import { freePort } from "../support/ports.ts";
import { jobEnv } from "../support/run.ts";
import { useServers } from "../support/site.ts";
import { assertVerdict, startMute, type Verdict } from "./diagnosis.ts";
import { exits, job, runToEnd } from "./stage.ts";

const shared = useServers();
let base: Record<string, string>;
let folder: TempDir;
let reports = 0;
const servers: NatsServer[] = [];

before(async () => {
  folder = tempDir("diagnosis");
  const db = await shared.postgres.createDatabase({ state: "B" });
  base = { ...jobEnv({ db }), PACKAGES_DIR: folder.path };
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

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const env = (more: Record<string, string>) => ({
  ...base,
  REPORT_FILE: join(folder.path, `report-${++reports}.json`),
  ...more,
});
const at = (server: { port: number }, scheme = "nats") => `${scheme}://127.0.0.1:${server.port}`;
const where = (server: { port: number }) => `127.0.0.1:${server.port}`;
const refused = (verdict: Omit<Verdict, "code">): Verdict => ({
  code: 77,
  ...verdict,
});
const waited = (verdict: Omit<Verdict, "code">): Verdict => ({ code: 69, ...verdict });

async function works(more: Record<string, string>): Promise<void> {
  exits(await runToEnd(["wait"], env({ WAIT_TIMEOUT: "60", ...more })), 0);
}

describe("NATS cannot be reached", { concurrency: 4 }, () => {
  test("a name that nobody knows", async () => {
    await assertVerdict(
      env({ NATS_SERVERS: "nats://no-such-host.invalid:4222" }),
      waited({
        reason: "nats.dns",
        layer: "dns",
        cause: /ENOTFOUND|EAI_AGAIN/,
        hint: /container or service/,
        where: "no-such-host.invalid:4222",
      }),
    );
  });
  test("a closed port", async () => {
    const closed = { port: await freePort() };
    await assertVerdict(
      env({ NATS_SERVERS: at(closed) }),
      waited({
        reason: "nats.tcp.refused",
        layer: "tcp",
        cause: /ECONNREFUSED/,
        hint: /server runs/,
        where: where(closed),
      }),
    );
  });
  for (const [scheme, layer] of [
    ["nats", "login"],
    ["tls", "tls"],
  ] as const) {
    test(`a server that accepts and never answers, ${scheme}://`, async (t) => {
      const mute = await startMute();
      t.after(() => mute.stop());
      const verdict = waited({
        reason: `nats.${layer}.silent`,
        layer,
        cause: /no answer/,
        hint: /log and load/,
        where: where(mute),
      });
      await assertVerdict(env({ NATS_SERVERS: at(mute, scheme) }), verdict);
    });
  }
  test("something else that listens there: Postgres", async () => {
    await assertVerdict(
      env({ NATS_SERVERS: at(shared.postgres) }),
      waited({
        reason: "nats.login.silent",
        layer: "login",
        cause: /no answer/,
        hint: /whether another program listens/,
        where: where(shared.postgres),
      }),
    );
  });
  test("of two servers, the second works", async () => {
    const server = await start();
    await works({ NATS_SERVERS: `127.0.0.1:${await freePort()},${where(server)}` });
  });
});

describe("NATS and TLS", { concurrency: 4 }, () => {
  const { ca, server: pair } = natsCertificates();
  const other = createCa("Another CA");
  const tls = (issued: { cert: string; key: string }, more: object = {}) => ({ tls: { ...issued, ...more } });
  const caFile = (authority: CertificateAuthority, name: string) => file(`${name}.crt`, authority.cert);

  test("another CA", async () => {
    const server = await start(tls(pair));
    const NATS_TLS_CA_FILE = caFile(other, "other-ca");
    await assertVerdict(
      env({ NATS_SERVERS: at(server, "tls"), NATS_TLS_CA_FILE }),
      refused({
        reason: "nats.tls.untrusted",
        layer: "tls",
        cause: /certificate/,
        hint: /NATS_TLS_CA_FILE/,
        where: where(server),
      }),
    );
    await works({ NATS_SERVERS: at(server, "tls"), NATS_TLS_CA_FILE: caFile(ca, "right-ca") });
    await works({ NATS_SERVERS: at(server, "tls"), NATS_TLS_INSECURE: "true" });
  });
  test("an expired certificate", async () => {
    const server = await start(tls(ca.issue({ cn: "nats", sans: ["127.0.0.1"], expired: true })));
    await assertVerdict(
      env({ NATS_SERVERS: at(server, "tls"), NATS_TLS_CA_FILE: caFile(ca, "ca-expired") }),
      refused({
        reason: "nats.tls.expired",
        layer: "tls",
        cause: /expired/,
        hint: /renew/,
        where: where(server),
      }),
    );
  });
  test("a certificate for another name", async () => {
    const server = await start(tls(ca.issue({ cn: "elsewhere", sans: ["elsewhere.example"] })));
    const env_ = { NATS_SERVERS: at(server, "tls"), NATS_TLS_CA_FILE: caFile(ca, "ca-name") };
    await assertVerdict(
      env(env_),
      refused({
        reason: "nats.tls.name",
        layer: "tls",
        cause: /altnames|IP/,
        hint: /host name/,
        where: where(server),
      }),
    );
    await works({ ...env_, NATS_TLS_HOSTNAME: "elsewhere.example" });
  });
  test("TLS against a plain server", async () => {
    const server = await start();
    await assertVerdict(
      env({ NATS_SERVERS: at(server, "tls") }),
      refused({
        reason: "nats.tls.off",
        layer: "tls",
        cause: /offers no TLS/,
        hint: /nats:\/\//,
        where: where(server),
      }),
    );
  });
  test("plain against a server that requires TLS; and against one that only offers it", async () => {
    const server = await start(tls(pair));
    await assertVerdict(
      env({ NATS_SERVERS: at(server) }),
      refused({
        reason: "nats.tls.required",
        layer: "tls",
        cause: /requires TLS/,
        hint: /tls:\/\//,
        where: where(server),
      }),
    );
    await works({ NATS_SERVERS: at(await start({ ...tls(pair), allowNonTls: true })) });
  });
  test("a client certificate is required", async () => {
    const server = await start(tls(pair, { ca: ca.cert, verify: true }));
    const env_ = { NATS_SERVERS: at(server, "tls"), NATS_TLS_CA_FILE: caFile(ca, "ca-mtls") };
    await assertVerdict(
      env(env_),
      refused({
        reason: "nats.tls.rejected",
        layer: "tls",
        cause: /certificate/,
        hint: /NATS_TLS_CERT_FILE/,
        where: where(server),
      }),
    );
    const client = ca.issue({ cn: "job", use: "client" });
    await works({
      ...env_,
      NATS_TLS_CERT_FILE: file("client.crt", client.cert),
      NATS_TLS_KEY_FILE: file("client.key", client.key),
    });
  });
});

describe("NATS and logins", { concurrency: 4 }, () => {
  const verdict = (server: NatsServer) =>
    refused({
      reason: "nats.login.refused",
      layer: "login",
      cause: /authorization violation/i,
      hint: /credentials/,
      where: where(server),
    });

  test("user and password", async () => {
    const server = await start({ user: "job", password: "planted-nats-password" });
    const NATS_SERVERS = at(server);
    await assertVerdict(
      env({ NATS_SERVERS, NATS_USER: "job", NATS_PASSWORD: "planted-wrong-password" }),
      verdict(server),
    );
    await assertVerdict(
      env({ NATS_SERVERS: `nats://job:planted-wrong%40password@${where(server)}` }),
      verdict(server),
    );
    await assertVerdict(env({ NATS_SERVERS }), verdict(server));
    await works({ NATS_SERVERS: `nats://job:planted-nats-password@${where(server)}` });
  });
  test("token", async () => {
    const server = await start({ token: "planted-nats-token" });
    await assertVerdict(
      env({ NATS_SERVERS: at(server), NATS_TOKEN: "planted-wrong-token" }),
      verdict(server),
    );
    await works({ NATS_SERVERS: at(server), NATS_TOKEN_FILE: file("token", "planted-nats-token\n") });
    await works({ NATS_SERVERS: `nats://planted-nats-token@${where(server)}` });
  });
  test("nkey", async () => {
    const [known, unknown] = [createNkey(), createNkey()];
    const server = await start({ config: { authorization: { users: [{ nkey: known.publicKey }] } } });
    const NATS_SERVERS = at(server);
    await assertVerdict(
      env({ NATS_SERVERS, NATS_NKEY_SEED_FILE: file("bad.nk", unknown.seed) }),
      verdict(server),
    );
    await works({ NATS_SERVERS, NATS_NKEY_SEED_FILE: file("good.nk", `${known.seed}\n`) });
  });
  test("creds", async () => {
    const operator = createOperator();
    const server = await start({ config: operator.config });
    const NATS_SERVERS = at(server);
    await assertVerdict(
      env({ NATS_SERVERS, NATS_CREDS_FILE: file("bad.creds", operator.foreignCreds()) }),
      verdict(server),
    );
    await works({ NATS_SERVERS, NATS_CREDS_FILE: file("good.creds", operator.creds()) });
  });
  test("credentials files that hold none", async () => {
    const server = await start({ user: "job", password: "planted-nats-password" });
    const NATS_SERVERS = at(server);
    const bad = file("nonsense", "this-is-no-seed-and-no-creds-file\n");
    for (const name of ["NATS_CREDS_FILE", "NATS_NKEY_SEED_FILE"]) {
      const result = await runToEnd(["wait"], env({ NATS_SERVERS, [name]: bad, WAIT_TIMEOUT: "60" }));
      assert.deepEqual([result.code, result.report?.error?.reason], [77, "nats.login.credentials"]);
    }
  });
});

describe("NATS and JetStream", { concurrency: 4 }, () => {
  test("a server without it", async () => {
    const server = await start({ jetstream: false });
    await assertVerdict(
      env({ NATS_SERVERS: at(server) }),
      waited({
        reason: "nats.jetstream.off",
        layer: "jetstream",
        cause: /without JetStream/,
        hint: /start nats-server with/,
        where: where(server),
      }),
    );
  });
  const users = [{ user: "job", password: "planted-nats-password" }];
  test("an account without it", async () => {
    const config = {
      accounts: { APP: { users }, OTHER: { jetstream: "enabled", users: [{ user: "x", password: "y" }] } },
    };
    const server = await start({ config });
    const login = { NATS_USER: "job", NATS_PASSWORD: "planted-nats-password" };
    await assertVerdict(
      env({ NATS_SERVERS: at(server), ...login }),
      refused({
        reason: "nats.jetstream.account",
        layer: "jetstream",
        cause: /not enabled for account/,
        hint: /enable JetStream for the account/,
        where: where(server),
      }),
    );
  });
  test("it comes up in time", async () => {
    const server = await start({ jetstream: false });
    const running = job(["wait"], env({ NATS_SERVERS: at(server), WAIT_TIMEOUT: "60" }));
    await running.waitForEvent("wait.nats.layer");
    await server.stop();
    await start({ port: server.port });
    exits(await running.done, 0);
  });
});
