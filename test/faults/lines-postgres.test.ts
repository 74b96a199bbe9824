import assert from "node:assert/strict";
import { chmodSync, existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { connect, type Db } from "../support/database.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { startPacketDropper } from "../support/listeners.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { freePort } from "../support/ports.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import {
  errorResponse,
  int32,
  message,
  startLoginOnly,
  startMysqlLike,
  startPicky,
} from "../support/postgres-like.ts";
import { type JobResult, jobEnv } from "../support/run.ts";
import { ARCHIVE, explain, useServers } from "../support/site.ts";
import { packageTable, rows } from "../support/tables.ts";
import { exits, runToEnd } from "./stage.ts";

const shared = useServers();
let plain: Postgres;
let socketFolder: TempDir;
let folder: TempDir;
let count = 0;
const others: Postgres[] = [];

before(async () => {
  folder = tempDir("lines");
  socketFolder = tempDir("socket");
  chmodSync(socketFolder.path, 0o777);
  const addresses = (await hasIpv6()) ? "127.0.0.1,::1" : "127.0.0.1";
  const flags = [`unix_socket_directories=${socketFolder.path}`, `listen_addresses=${addresses}`];
  plain = await startPostgres({ flags: flags.flatMap((flag) => ["-c", flag]) });
  await buildArchive(join(folder.path, ARCHIVE), { payloadBytes: 300_000 });
});
after(async () => {
  await Promise.allSettled([plain.stop(), ...others.map((server) => server.stop())]);
  socketFolder.remove();
  folder.remove();
});

function hasIpv6(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(0, "::1", () => server.close(() => resolve(true)));
  });
}

const database = () => plain.createDatabase({ state: "B" });

/** A run with a bucket of its own. */
function run(
  args: readonly string[],
  db: Partial<Db>,
  more: Record<string, string> = {},
): Promise<JobResult> {
  const login = {
    host: "127.0.0.1",
    port: plain.port,
    name: "bklite",
    user: plain.user,
    password: plain.password,
  };
  const REPORT_FILE = join(folder.path, `report-${++count}.json`);
  const env = { NATS_NAMESPACE: `lines_${process.pid}_${count}`, REPORT_FILE, WAIT_TIMEOUT: "3600", ...more };
  return runToEnd(args, jobEnv({ db: { ...login, ...db }, nats: shared.nats, packages: folder.path }, env));
}

function fails(result: JobResult, code: number, layer: string | undefined, reason: string): void {
  const { error } = result.report ?? {};
  assert.deepEqual([result.code, error?.layer, error?.reason], [code, layer, reason], explain(result));
}

async function works(db: Db, more: Record<string, string>): Promise<void> {
  exits(await run([], db, more), 0);
  assert.equal((await rows(db)).length, 4);
}

describe("DB_HOST", { concurrency: 4 }, () => {
  test("a carriage return, quotes, a trailing blank: 78 by name, before a socket is opened", async () => {
    for (const DB_HOST of ["127.0.0.1\r", '"127.0.0.1"', "'127.0.0.1'", "127.0.0.1 "]) {
      const result = await run(["wait"], {}, { DB_HOST });
      fails(result, 78, undefined, "config.stray");
      assert.match(result.report?.error?.message ?? "", /^DB_HOST: /);
    }
  });
  test("a port or a URL in it: 78", async () => {
    for (const DB_HOST of ["postgres:5432", "postgres://db", "a b"]) {
      fails(await run(["wait"], {}, { DB_HOST }), 78, undefined, "config.host");
    }
  });
  test("the folder of a socket, whatever TLS is asked for elsewhere", async () => {
    const db = await database();
    const NATS_NAMESPACE = `socket_${process.pid}`;
    await works(db, { DB_HOST: socketFolder.path, NATS_NAMESPACE });
    const more = { DB_HOST: `${socketFolder.path}/`, DB_SSLMODE: "require", NATS_NAMESPACE };
    exits(await run(["verify"], db, more), 0);
  });
  test("the job waits for a folder without one, and names it", async () => {
    const result = await run(["wait"], {}, { DB_HOST: folder.path, WAIT_TIMEOUT: "1" });
    fails(result, 69, "tcp", "postgres.socket");
    assert.match(result.report?.error?.message ?? "", /\.s\.PGSQL\.\d+.*ENOENT/);
  });
  test("IPv6 with brackets and without", async (t) => {
    const there = await hasIpv6();
    t.diagnostic(there ? "::1 is there" : "no ::1 here: refused connections are all that can be seen");
    for (const DB_HOST of ["[::1]", "::1"]) {
      const result = await run(["wait"], await database(), { DB_HOST, WAIT_TIMEOUT: there ? "60" : "1" });
      if (there) exits(result, 0);
      else assert.match(result.report?.error?.message ?? "", /\[::1\]:/);
    }
  });
  test("a list, of which the first is down, swallows packets or only reads", async (t) => {
    const db = await database();
    const swallower = await startPacketDropper();
    t.after(() => swallower.stop());
    const standby = await startPostgres();
    others.push(standby);
    await standby.createDatabase({ state: "B", name: db.name });
    await standby.admin.query(`ALTER DATABASE ${db.name} SET default_transaction_read_only = on`);
    for (const port of [await freePort(), swallower.port, standby.port]) {
      const result = await run(["wait"], db, {
        DB_HOST: "127.0.0.1,127.0.0.1",
        DB_PORT: `${port},${plain.port}`,
        WAIT_TIMEOUT: "60",
      });
      exits(result, 0);
    }
  });
});

describe("DATABASE_URL", { concurrency: 4 }, () => {
  const url = (db: Db, rest: string) => `postgres://${db.user}:${db.password}@${rest}`;
  test("lists, a socket's folder and libpq's parameters", async () => {
    const db = await database();
    const closed = await freePort();
    const socket = encodeURIComponent(socketFolder.path);
    for (const DATABASE_URL of [
      url(db, `127.0.0.1:${closed},127.0.0.1:${plain.port}/${db.name}`),
      url(
        db,
        `127.0.0.1:${plain.port}/${db.name}?sslmode=disable&application_name=x&connect_timeout=3&target_session_attrs=read-write`,
      ),
      url(db, `/${db.name}?host=${socketFolder.path}&port=${plain.port}`),
      url(db, `${socket}:${plain.port}/${db.name}`),
      `postgresql:///?host=127.0.0.1&port=${plain.port}&dbname=${db.name}&user=${db.user}&password=${db.password}`,
    ]) {
      exits(await run(["wait"], { host: "" }, { DATABASE_URL, DB_HOST: "" }), 0);
    }
  });
  test("a parameter that would do something here: 78, and no word of its value", async () => {
    const DATABASE_URL = "postgres://u:planted-db-password@db/x?options=-csearch_path%3Dsecretive";
    const result = await run(["wait"], {}, { DATABASE_URL, DB_HOST: "" });
    fails(result, 78, undefined, "config.url.parameter");
    assert.ok(!result.stdout.includes("secretive"), explain(result));
  });
});

describe("what is no Postgres for this job", { concurrency: 4 }, () => {
  const OPENGAUSS = Buffer.concat([
    int32(10),
    int32(2),
    Buffer.from("3f".repeat(32)),
    Buffer.from("a1b2c3d4"),
    int32(10_000),
  ]);
  const LOGINS: [what: string, answer: Buffer, reason: string, cause: RegExp][] = [
    ["openGauss' SHA256", message("R", OPENGAUSS), "postgres.login.method", /request 10 .*GaussDB/],
    [
      "openGauss' MD5 with SHA-256",
      message("R", Buffer.concat([int32(11), OPENGAUSS])),
      "postgres.login.method",
      /request 11 .*openGauss/,
    ],
    ["GSSAPI", message("R", int32(7)), "postgres.login.method", /GSSAPI/],
    [
      "OAuth alone",
      message("R", Buffer.concat([int32(10), Buffer.from("OAUTHBEARER\0\0")])),
      "postgres.login.method",
      /OAUTHBEARER/,
    ],
    [
      "a pooler that refuses a start-up parameter",
      errorResponse("08P01", "unsupported startup parameter: application_name"),
      "postgres.pooler.parameter",
      /application_name/,
    ],
  ];
  for (const [what, answer, reason, cause] of LOGINS) {
    test(`${what}: 78 immediately, naming it`, async (t) => {
      const server = await startLoginOnly(answer);
      t.after(() => server.stop());
      const result = await run(["wait"], { port: server.port });
      fails(result, 78, "login", reason);
      assert.match(result.report?.error?.message ?? "", cause);
      assert.doesNotMatch(result.report?.error?.hint ?? "", /DB_PASSWORD/);
    });
  }
  for (const DB_SSLMODE of ["disable", "require"]) {
    test(`MySQL's greeting, ${DB_SSLMODE}: 78 immediately, naming it`, async (t) => {
      for (const version of ["8.0.36", "11.4.2-MariaDB"]) {
        const server = await startMysqlLike(version);
        t.after(() => server.stop());
        const result = await run(["wait"], { port: server.port }, { DB_SSLMODE });
        fails(result, 78, "login", "postgres.login.method");
        assert.match(result.report?.error?.message ?? "", /MySQL/);
      }
    });
  }
  test("a Postgres that asks for a password, and none is given: 77 immediately", async () => {
    const result = await run(["wait"], { ...(await database()), password: "" });
    fails(result, 77, "login", "postgres.login.no-password");
  });
  test("DB_ENGINE", async () => {
    for (const DB_ENGINE of ["mysql", "gaussdb", "django.db.backends.mysql", "sqlite3", "postgresql,mysql"]) {
      fails(await run(["wait"], {}, { DB_ENGINE }), 78, undefined, "config.engine");
    }
    const db = await database();
    for (const DB_ENGINE of ["postgresql", "postgres", "django.db.backends.postgresql", "PostgreSQL"]) {
      exits(await run(["wait"], db, { DB_ENGINE }), 0);
    }
  });
});

describe("poolers", { concurrency: 2 }, () => {
  test("no start-up parameter but those that every pooler knows", async (t) => {
    const db = await database();
    const pooler = await startPicky(plain.port, ["user", "database", "client_encoding", "application_name"]);
    t.after(() => pooler.stop());
    await works(db, { DB_PORT: String(pooler.port) });
  });
  test("pgbouncer in session mode, with its defaults", async (t) => {
    const db = await database();
    const pooler = await startPgbouncer(plain, { pool_mode: "session" });
    t.diagnostic(
      pooler?.version ?? "no pgbouncer here, and Debian's cannot be fetched: its part was played above",
    );
    if (!pooler) return;
    t.after(() => pooler.stop());
    await works(db, { DB_PORT: String(pooler.port) });
    const wrong = await run(["wait"], { ...db, port: pooler.port, password: "planted-wrong-password" });
    fails(wrong, 77, "login", "postgres.login.password");
  });
  test("pgbouncer in transaction mode: what only reads is not led astray by a search_path, and leaves none behind", async (t) => {
    const db = await database();
    await db.query(`CREATE SCHEMA decoy;
      CREATE FUNCTION decoy.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT NULL::regclass $$;
      ALTER DATABASE "${db.name}" SET search_path = decoy, pg_catalog`);
    const settings = { pool_mode: "transaction", default_pool_size: "1" };
    const pooler = await startPgbouncer(plain, {
      ...settings,
      ignore_startup_parameters: "extra_float_digits",
    });
    if (!pooler) return;
    t.after(() => pooler.stop());
    exits(await run(["wait"], { ...db, port: pooler.port }), 0);
    const client = await connect({ ...db, port: pooler.port }, db.name);
    const { rows: found } = await client.query("SHOW search_path").finally(() => client.end());
    assert.deepEqual(found, [{ search_path: "decoy, pg_catalog" }]);
  });
});

describe("row-level security", { concurrency: 2 }, () => {
  const ROLE = "guarded_job";
  const PASSWORD = "planted-db-password";
  before(async () => {
    await plain.admin.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'`);
  });
  async function guarded(policies: string): Promise<Db> {
    const db = await database();
    await db.query(
      `GRANT SELECT, INSERT, UPDATE ON node_mgmt_packageversion TO ${ROLE};
       ALTER TABLE node_mgmt_packageversion ENABLE ROW LEVEL SECURITY; ${policies}`,
    );
    return { ...db, user: ROLE, password: PASSWORD, query: db.query };
  }
  for (const [what, policies] of [
    ["without a policy", ""],
    [
      "with one that shows a part",
      "CREATE POLICY p ON node_mgmt_packageversion USING (os = 'windows') WITH CHECK (true)",
    ],
    ["with one for reading alone", "CREATE POLICY p ON node_mgmt_packageversion FOR SELECT USING (true)"],
    [
      "with one that restricts",
      "CREATE POLICY p ON node_mgmt_packageversion USING (true); CREATE POLICY q ON node_mgmt_packageversion AS RESTRICTIVE USING (os = 'x')",
    ],
  ] as const) {
    test(`${what}: 77 with the policy to write; no GRANT`, async () => {
      const db = await guarded(policies);
      const result = await run([], db);
      fails(result, 77, "privileges", "postgres.row-security");
      const [, policy] = /(CREATE POLICY .*?); or/.exec(result.report?.error?.hint ?? "") ?? [];
      assert.ok(policy, explain(result));
      await db.query(`DROP POLICY IF EXISTS q ON node_mgmt_packageversion; ${policy}`);
      exits(await run([], db), 0);
      assert.equal((await rows(db)).length, 4);
    });
  }
  test("reading needs less", async () => {
    const db = await guarded("CREATE POLICY p ON node_mgmt_packageversion FOR SELECT USING (true)");
    exits(await run(["wait"], db), 0);
  });
});

test("packets that vanish are a network policy or a wrong port", async (t) => {
  const swallower = await startPacketDropper();
  t.after(() => swallower.stop());
  const result = await run(["wait"], { port: swallower.port }, { WAIT_TIMEOUT: "6" });
  fails(result, 69, "tcp", "postgres.tcp.silent");
  assert.match(result.report?.error?.hint ?? "", /network policies/);
});

test("variables of libpq's and of its driver's change nothing", async () => {
  const injected = {
    NODE_PG_FORCE_NATIVE: "1",
    PGSSLNEGOTIATION: "direct",
    PGSSLMODE: "verify-full",
    PGOPTIONS: "-c search_path=nowhere -c default_transaction_read_only=on",
    PGHOST: "no-such-host.invalid",
    PGPORT: "1",
    PGUSER: "nobody-here",
    PGPASSWORD: "planted-wrong-password",
    PGDATABASE: "nowhere",
    PGAPPNAME: "somebody-else",
    PGCLIENTENCODING: "SQL_ASCII",
    PGCONNECT_TIMEOUT: "1",
    PGBINARY: "true",
    PGPASSFILE: "/nowhere",
  };
  await works(await database(), injected);
});

test("another schema than public", async () => {
  const db = await plain.createDatabase({ state: "none" });
  await db.query(`CREATE SCHEMA "Other schema"; SET search_path = "Other schema"; ${packageTable("C")}`);
  exits(await run([], db, { DB_SCHEMA: "Other schema" }), 0);
  assert.equal((await db.query('SELECT 1 FROM "Other schema".node_mgmt_packageversion')).length, 4);
  const nowhere = await run(["wait"], db, { WAIT_TIMEOUT: "1" });
  fails(nowhere, 69, "table", "postgres.table.missing");
});

test("a REPORT_FILE that cannot be written: 78 before any work", async () => {
  // A place where not even root may write, where there is one; else a folder that does not exist.
  const place = existsSync("/sys/kernel") ? "/sys/kernel" : join(folder.path, "nowhere");
  for (const REPORT_FILE of [join(place, "report.json"), folder.path]) {
    const result = await run([], {}, { REPORT_FILE, DB_HOST: "no-such-host.invalid" });
    assert.equal(result.code, 78, explain(result));
    assert.match(result.stdout, /"reason":"config\.report"/);
  }
});
