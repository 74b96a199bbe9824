import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createCa } from "../support/certs.ts";
import { connect, type Db } from "../support/database.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { startNats } from "../support/nats.ts";
import { freePort } from "../support/ports.ts";
import { type Postgres, type PostgresOptions, startPostgres } from "../support/postgres.ts";
import { jobEnv } from "../support/run.ts";
import { useServers } from "../support/site.ts";
import { packageTable } from "../support/tables.ts";
import { assertVerdict, startMute, type Verdict } from "./diagnosis.ts";
import { exits, job, runToEnd } from "./stage.ts";

const shared = useServers();
let folder: TempDir;
let reports = 0;
const others: Postgres[] = [];

before(() => {
  folder = tempDir("diagnosis");
});
after(async () => {
  await Promise.allSettled(others.map((server) => server.stop()));
  folder.remove();
});

async function start(options: PostgresOptions): Promise<Db> {
  const server = await startPostgres(options);
  others.push(server);
  return server.createDatabase({ state: "B" });
}

const database = () => shared.postgres.createDatabase({ state: "B" });
function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
const env = (db: Partial<Db>, more: Record<string, string> = {}) => {
  const server = {
    host: "127.0.0.1",
    port: shared.postgres.port,
    name: "bklite",
    user: shared.postgres.user,
    password: shared.postgres.password,
    ...db,
  };
  const REPORT_FILE = join(folder.path, `report-${++reports}.json`);
  return { ...jobEnv({ db: server, nats: shared.nats, packages: folder.path }), REPORT_FILE, ...more };
};
const where = (server: { port: number }) => `127.0.0.1:${server.port}`;
const refused = (verdict: Omit<Verdict, "code">): Verdict => ({ code: 77, ...verdict });
const waited = (verdict: Omit<Verdict, "code">): Verdict => ({ code: 69, ...verdict });

async function works(db: Partial<Db>, more: Record<string, string> = {}): Promise<void> {
  exits(await runToEnd(["wait"], env(db, { WAIT_TIMEOUT: "60", ...more })), 0);
}

describe("Postgres cannot be reached", { concurrency: 4 }, () => {
  test("a name that nobody knows", async () => {
    const host = "no-such-host.invalid";
    const verdict = waited({
      reason: "postgres.dns",
      layer: "dns",
      cause: /ENOTFOUND|EAI_AGAIN/,
      hint: /container or service/,
      where: `${host}:${shared.postgres.port}`,
    });
    await assertVerdict(env({ host }), verdict);
  });
  test("a closed port", async () => {
    const port = await freePort();
    await assertVerdict(
      env({ port }),
      waited({
        reason: "postgres.tcp.refused",
        layer: "tcp",
        cause: /ECONNREFUSED/,
        hint: /server runs/,
        where: where({ port }),
      }),
    );
  });
  for (const [DB_SSLMODE, layer] of [
    ["disable", "login"],
    ["require", "tls"],
  ] as const) {
    test(`a server that accepts and never answers, ${DB_SSLMODE}`, async (t) => {
      const mute = await startMute();
      t.after(() => mute.stop());
      const verdict = waited({
        reason: `postgres.${layer}.silent`,
        layer,
        cause: /answer/,
        hint: /log and load/,
        where: where(mute),
      });
      await assertVerdict(env({ port: mute.port }, { DB_SSLMODE }), verdict);
    });
  }
  test("something else that listens there: NATS", async () => {
    const verdict = waited({
      reason: "postgres.login.protocol",
      layer: "login",
      cause: /listens on this port; it answered "INFO /,
      hint: /DB_HOST and DB_PORT/,
      where: where(shared.nats),
    });
    await assertVerdict(env({ port: shared.nats.port }), verdict);
  });
  test("both together: one message names both", async () => {
    const [port, other] = await Promise.all([freePort(), freePort()]);
    const verdict = waited({
      reason: "wait.both",
      layer: "tcp",
      cause: /Postgres[^\n]*\n- NATS/,
      hint: /./,
      where: where({ port }),
    });
    await assertVerdict(env({ port }, { NATS_SERVERS: `127.0.0.1:${other}` }), verdict);
  });
});

test("two wrong passwords are both said", async (t) => {
  const strict = await startNats({ user: "job", password: "planted-nats-password" });
  t.after(() => strict.stop());
  const wrong = { NATS_SERVERS: where(strict), NATS_USER: "job", NATS_PASSWORD: "planted-wrong-password" };
  const verdict = refused({
    reason: "wait.both.denied",
    layer: "login",
    // It is not the time that decides, so none is said.
    cause: /Postgres[^\n]*password[^\n]*"\)\n- NATS[^\n]*Authorization Violation[^\n]*"\)$/i,
    hint: /DB_PASSWORD[^\n]*\n[^\n]*NATS/,
    where: where(shared.postgres),
  });
  await assertVerdict(env({ ...(await database()), password: "planted-wrong-password" }, wrong), verdict);
});

describe("Postgres and TLS", { concurrency: 3 }, () => {
  const ca = createCa();
  const right = ca.issue({ cn: "postgres", sans: ["127.0.0.1", "localhost"] });
  const caFile = () => file("pg-ca.crt", ca.cert);
  const JOB = { user: "job", password: "planted-db-password" };

  /** The superuser comes in as it likes, the job as `line` of pg_hba.conf says. */
  async function strict(line: string, tls: PostgresOptions["tls"]): Promise<Db> {
    const hba = `host all postgres all scram-sha-256\n${line}\n`;
    const db = await start({ ...(tls && { tls }), hba });
    await db.query(
      `CREATE ROLE job LOGIN PASSWORD '${JOB.password}'; GRANT SELECT ON node_mgmt_packageversion TO job`,
    );
    return { ...db, ...JOB };
  }

  test("another CA", async () => {
    const db = await start({ tls: right });
    const DB_SSL_CA_FILE = file("pg-other.crt", createCa("Another CA").cert);
    const verdict = refused({
      reason: "postgres.tls.untrusted",
      layer: "tls",
      cause: /certificate/,
      hint: /DB_SSL_CA_FILE/,
      where: where(db),
    });
    await assertVerdict(env(db, { DB_SSLMODE: "verify-ca", DB_SSL_CA_FILE }), verdict);
    await works(db, { DB_SSLMODE: "require" });
    await works(db, { DB_SSLMODE: "verify-full", DB_SSL_CA_FILE: caFile() });
  });
  test("an expired certificate", async () => {
    const db = await start({ tls: ca.issue({ cn: "postgres", sans: ["127.0.0.1"], expired: true }) });
    const verdict = refused({
      reason: "postgres.tls.expired",
      layer: "tls",
      cause: /expired/,
      hint: /renew/,
      where: where(db),
    });
    await assertVerdict(env(db, { DB_SSLMODE: "verify-full", DB_SSL_CA_FILE: caFile() }), verdict);
  });
  test("a certificate for another name", async () => {
    const db = await start({ tls: ca.issue({ cn: "elsewhere", sans: ["elsewhere.example"] }) });
    const verdict = refused({
      reason: "postgres.tls.name",
      layer: "tls",
      cause: /altnames|IP/,
      hint: /host name/,
      where: where(db),
    });
    await assertVerdict(env(db, { DB_SSLMODE: "verify-full", DB_SSL_CA_FILE: caFile() }), verdict);
    await works(db, { DB_SSLMODE: "verify-ca", DB_SSL_CA_FILE: caFile() });
  });
  test("TLS against a plain server", async () => {
    const verdict = refused({
      reason: "postgres.tls.off",
      layer: "tls",
      cause: /does not support SSL/,
      hint: /DB_SSLMODE=disable/,
      where: where(shared.postgres),
    });
    await assertVerdict(env({}, { DB_SSLMODE: "require" }), verdict);
  });
  test("plain against a server that requires TLS", async () => {
    const db = await strict("hostssl all job all scram-sha-256", right);
    const verdict = refused({
      reason: "postgres.login.refused",
      layer: "login",
      cause: /pg_hba\.conf/,
      hint: /DB_SSLMODE/,
      where: where(db),
    });
    await assertVerdict(env(db), verdict);
  });
  test("a client certificate is required", async () => {
    const db = await strict("hostssl all job all scram-sha-256 clientcert=verify-ca", {
      ...right,
      ca: ca.cert,
    });
    const verdict = refused({
      reason: "postgres.login.refused",
      layer: "login",
      cause: /certificate/,
      hint: /DB_SSL|TLS|pg_hba/,
      where: where(db),
    });
    await assertVerdict(env(db, { DB_SSLMODE: "require" }), verdict);
    const client = ca.issue({ cn: "job", use: "client" });
    const pair = {
      DB_SSL_CERT_FILE: file("pg-client.crt", client.cert),
      DB_SSL_KEY_FILE: file("pg-client.key", client.key),
    };
    await works(db, { DB_SSLMODE: "verify-full", DB_SSL_CA_FILE: caFile(), ...pair });
  });
});

describe("Postgres' login, database and table", { concurrency: 4 }, () => {
  test("a wrong password, none, a user that does not exist", async () => {
    const db = await database();
    const verdict = refused({
      reason: "postgres.login.password",
      layer: "login",
      cause: /password/,
      hint: /DB_PASSWORD/,
      where: where(shared.postgres),
    });
    await assertVerdict(env({ ...db, password: "planted-wrong-password" }), verdict);
    await assertVerdict(env({ ...db, password: "" }), { ...verdict, reason: "postgres.login.no-password" });
    await assertVerdict(env({ ...db, user: "nobody-here" }), verdict);
    const url = `postgres://postgres:planted%2Fwrong@127.0.0.1:${shared.postgres.port}/${db.name}`;
    await assertVerdict(env(db, { DATABASE_URL: url, DB_HOST: "" }), verdict);
  });
  test("no database; created in time", async () => {
    const name = "late_database";
    const verdict = waited({
      reason: "postgres.database.missing",
      layer: "database",
      cause: /does not exist/,
      hint: /CREATE DATABASE "late_database"/,
      where: where(shared.postgres),
    });
    await assertVerdict(env({ name }), verdict);
    const running = job(["wait"], env({ name }, { WAIT_TIMEOUT: "60" }));
    await running.waitForEvent("wait.postgres.layer");
    await shared.postgres.createDatabase({ state: "B", name });
    exits(await running.done, 0);
  });
  test("no table; created in time", async () => {
    const db = await shared.postgres.createDatabase({ state: "none" });
    const verdict = waited({
      reason: "postgres.table.missing",
      layer: "table",
      cause: /node_mgmt_packageversion does not exist/,
      hint: /migrations/,
      where: where(shared.postgres),
    });
    await assertVerdict(env(db), verdict);
    const running = job(["wait"], env(db, { WAIT_TIMEOUT: "60" }));
    await running.waitForEvent("wait.postgres.layer");
    await db.query(packageTable("C"));
    exits(await running.done, 0);
  });
  test("a table with a column that nobody knows: exit 78 for init, naming it and its type; wait goes on", async () => {
    const db = await database();
    await db.query("ALTER TABLE node_mgmt_packageversion ADD COLUMN flavour text NOT NULL");
    const verdict: Verdict = {
      code: 78,
      reason: "table.unknown",
      layer: "table",
      cause: /flavour text/,
      hint: /ROW_DEFAULTS=flavour=/,
      where: where(shared.postgres),
    };
    await assertVerdict(env(db, { ALLOW_EMPTY: "true" }), verdict, ["init"]);
    exits(await runToEnd(["wait"], env(db)), 0);
  });
  test("no free connection: waits for one", async () => {
    const db = await start({ flags: ["-c", "max_connections=4", "-c", "superuser_reserved_connections=0"] });
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(db, db.name)));
    try {
      const verdict = waited({
        reason: "postgres.login.connections",
        layer: "login",
        cause: /too many/,
        hint: /max_connections/,
        where: where(db),
      });
      await assertVerdict(env(db), verdict);
      const running = job(["wait"], env(db, { WAIT_TIMEOUT: "60" }));
      await running.waitForEvent("wait.postgres.layer");
      await clients.pop()?.end();
      exits(await running.done, 0);
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  });
  test("a server that only reads: a standby, say", async () => {
    const db = await database();
    await shared.postgres.admin.query(`ALTER DATABASE "${db.name}" SET default_transaction_read_only = on`);
    const verdict = waited({
      reason: "postgres.read-only",
      layer: "privileges",
      cause: /read-only/,
      hint: /primary/,
      where: where(shared.postgres),
    });
    await assertVerdict(env(db, { ALLOW_EMPTY: "true" }), verdict, ["init"]);
  });
});
