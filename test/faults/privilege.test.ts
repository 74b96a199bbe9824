import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { type Db, database as openDatabase } from "../support/database.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { putOthers } from "../support/metadata.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { openObjects } from "../support/objects.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { type JobResult, jobEnv } from "../support/run.ts";
import { ARCHIVE, explain } from "../support/site.ts";
import {
  createCollectorTable,
  createMigrationsTable,
  createRegionTable,
  insertRow,
} from "../support/tables.ts";
import { until } from "../support/wait.ts";
import { exits, runToEnd } from "./stage.ts";

// What is tested is the document: both blocks are taken out of it as they stand there.
const PAGE = readFileSync(new URL("../../docs/permissions.md", import.meta.url), "utf8");
const [SQL = "", PERMISSIONS = ""] = [...PAGE.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map((match) => match[1]);
const GRANTS = SQL.split("\n").filter((line) => line.startsWith("GRANT "));
const SUBJECTS = [...PERMISSIONS.matchAll(/^ +"(.+?)",?(?: +#.*)?$/gm)].map((match) => match[1] ?? "");
const SUBSCRIBE = /subscribe: \["(.+)"\]/.exec(PERMISSIONS)?.[1] ?? "";

const ROLE = "package_init";
const PASSWORD = "planted-db-password";
const NATS_PASSWORD = "planted-nats-password";

let postgres: Postgres;
let folder: TempDir;
const servers: NatsServer[] = [];
let count = 0;

before(async () => {
  folder = tempDir("privilege");
  postgres = await startPostgres();
  await postgres.admin.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'`);
  await buildArchive(join(folder.path, ARCHIVE), { payloadBytes: 2_500_000 });
});
after(async () => {
  await Promise.allSettled([...servers.map((server) => server.stop()), postgres.stop()]);
  folder.remove();
});

/**
 * A database of production's name cannot exist many times: its name is the only word of the README's that is
 * replaced.
 */
async function database(grants: readonly string[], serial = false): Promise<Db> {
  const db = await postgres.createDatabase({ state: "E", serial });
  const rows = [
    {
      name: "Telegraf",
      node_operating_system: "linux",
      executable_path: "/opt/fusion-collectors/bin/telegraf",
    },
    { name: "Vector", node_operating_system: "linux", executable_path: "/opt/fusion-collectors/bin/vector" },
    {
      name: "NATS-Executor",
      node_operating_system: "linux",
      executable_path: "/opt/fusion-collectors/bin/nats-executor",
    },
  ];
  await createCollectorTable(db, { state: "E", rows });
  await createMigrationsTable(db);
  await createRegionTable(db);
  await db.query(`REVOKE ALL ON DATABASE "${db.name}" FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC`);
  for (const grant of grants) await db.query(grant.replace("DATABASE bklite", `DATABASE "${db.name}"`));
  return { ...db, user: ROLE, password: PASSWORD };
}

/** The same database, as the superuser sees it. */
function adminOf(db: Db): Db {
  return openDatabase(postgres, db.name);
}

async function server(
  publish: readonly string[],
  subscribe: readonly string[] = [SUBSCRIBE],
): Promise<NatsServer> {
  const permissions = { publish: { allow: publish }, subscribe: { allow: subscribe } };
  const users = [
    { user: "job", password: NATS_PASSWORD, permissions },
    { user: "admin", password: "planted-nats-admin" },
  ];
  const started = await startNats({ config: { accounts: { APP: { users, jetstream: "enabled" } } } });
  servers.push(started);
  return started;
}

function run(
  db: Db,
  nats: NatsServer,
  more: Record<string, string> = {},
  args: string[] = [],
): Promise<JobResult> {
  const login = { url: nats.url, user: "job", password: NATS_PASSWORD };
  const report = { REPORT_FILE: join(folder.path, `report-${++count}.json`), WAIT_TIMEOUT: "5" };
  return runToEnd(args, { ...jobEnv({ db, nats: login, packages: folder.path }, report), ...more });
}

test("the page's blocks are there to be tested", () => {
  assert.equal(GRANTS.length, 9, GRANTS.join("\n"));
  assert.ok(
    SUBJECTS.length >= 6 && SUBJECTS.every((subject) => /^\$(JS|O)\./.test(subject)),
    SUBJECTS.join(),
  );
  assert.match(SUBSCRIBE, /^_INBOX/);
});

test("reading commands need what the page lists for them, and nothing more", async () => {
  const grants = [
    ...GRANTS.filter((grant) => /CONNECT|USAGE ON SCHEMA|SELECT ON node_mgmt_collector/.test(grant)),
    `GRANT SELECT ON node_mgmt_packageversion TO ${ROLE}`,
  ];
  const subjects = SUBJECTS.filter((subject) => /INFO|MSG\.GET/.test(subject));
  assert.deepEqual([grants.length, subjects.length], [4, 2]);
  const [db, nats] = await Promise.all([database(grants), server(subjects)]);
  const stored = async ({ url }: NatsServer) => {
    const admin = await openObjects({ url, user: "admin", password: "planted-nats-admin" });
    await admin.putForeign(`linux/x86_64/Controller/1.0.0/${ARCHIVE}`, Buffer.from("any"));
    await admin.close();
  };
  await stored(nats);
  await insertRow(adminOf(db));
  for (const command of ["status", "wait", "gate", "plan"]) exits(await run(db, nats, {}, [command]), 0);
  exits(await run(db, nats, {}, ["verify"]), 76);
  for (const grant of grants) {
    const lacking = await database(grants.filter((one) => one !== grant));
    exits(await run(lacking, nats, {}, ["status"]), 77);
  }
  for (const subject of subjects) {
    const without = await server(subjects.filter((one) => one !== subject));
    await stored(without);
    exits(await run(db, without, {}, ["status"]), 77);
  }
});

describe("with exactly what the page lists", { concurrency: 2 }, () => {
  for (const serial of [false, true]) {
    test(`every way is open: upload, replace, repair, another name, ${serial ? "bigserial" : "identity"}`, async () => {
      const grants = serial ? GRANTS : GRANTS.filter((grant) => !grant.includes("SEQUENCE"));
      const [db, nats] = await Promise.all([database(grants, serial), server(SUBJECTS)]);
      const volume = tempDir("privilege");
      const steps: [name: string, seed: string][] = [
        [ARCHIVE, "one"],
        [ARCHIVE, "two"],
        ["fusion-collectors-linux-x86_64.zip", "three"],
      ];
      try {
        let previous = "";
        for (const [name, seed] of steps) {
          if (previous) rmSync(previous);
          previous = join(volume.path, name);
          await buildArchive(previous, { payloadBytes: 1_500_000, seed });
          exits(await run(db, nats, { PACKAGES_DIR: volume.path, PURGE_ORPHANS: "true" }), 0);
        }
        const objects = await openObjects({ url: nats.url, user: "admin", password: "planted-nats-admin" });
        const keys = (await objects.list()).map((object) => object.name);
        assert.deepEqual(keys.map((key) => key.slice(key.lastIndexOf("/") + 1)).sort(), [
          "fusion-collectors-linux-x86_64.zip",
          "nats-executor",
          "telegraf",
          "vector",
        ]);
        assert.deepEqual(await objects.unreachable(), []);
        for (const key of keys) await objects.damage(key);
        exits(await run(db, nats, { PACKAGES_DIR: volume.path }), 0);
        for (const key of keys) await objects.read(key);
        exits(await run(db, nats, { PACKAGES_DIR: volume.path }, ["verify", "--deep"]), 0);
        await objects.close();
      } finally {
        volume.remove();
      }
    });
  }
});

const UPDATE = /UPDATE \(name, sha256, status, updated_at, updated_by\)/;

test("prune --yes needs what the page lists for it, and DELETE before any work", async () => {
  const shown = /CONNECT|USAGE ON SCHEMA|SELECT ON node_mgmt_collector|GRANT DELETE/;
  const grants = [
    ...GRANTS.filter((grant) => shown.test(grant)),
    `GRANT SELECT ON node_mgmt_packageversion TO ${ROLE}`,
  ];
  const subjects = SUBJECTS.filter((subject) => /INFO|MSG\.GET|PURGE|\.M\./.test(subject));
  assert.deepEqual([grants.length, subjects.length], [5, 4]);
  const [db, nats] = await Promise.all([database(grants), server(subjects)]);
  const objects = await openObjects({ url: nats.url, user: "admin", password: "planted-nats-admin" });
  for (const version of ["1.0.0", "2.0.0"]) {
    await insertRow(adminOf(db), { version, name: ARCHIVE });
    await objects.putForeign(`linux/x86_64/Controller/${version}/${ARCHIVE}`, Buffer.from("any"));
  }
  const without = { PACKAGES_DIR: "/nowhere" };
  const lacking = await database(grants.filter((grant) => !grant.includes("DELETE")));
  exits(await run(lacking, nats, without, ["prune", "--keep", "1"]), 0);
  for (const [more, args] of [
    [without, ["prune", "--keep", "1", "--yes"]],
    [{ KEEP_VERSIONS: "1" }, []],
  ] as const) {
    const denied = await run(lacking, nats, more, [...args]);
    exits(denied, 77);
    assert.match(denied.report?.error?.hint ?? "", /GRANT DELETE ON "public"\."node_mgmt_packageversion"/);
  }
  exits(await run(db, nats, without, ["prune", "--keep", "1", "--yes"]), 0);
  assert.deepEqual(
    (await objects.list()).map(({ name }) => name),
    [`linux/x86_64/Controller/2.0.0/${ARCHIVE}`],
  );
  assert.deepEqual(await objects.unreachable(), []);
  await objects.close();
});

describe("without one of Postgres' grants it fails and names it", { concurrency: 3 }, () => {
  /** What the message has to say of each grant, down to a single privilege of a list. */
  const NAMED: [take: string, from: RegExp, to: string, message: RegExp, reason?: string][] = [
    [
      "CONNECT",
      /^GRANT CONNECT.*$/,
      "",
      /permission denied for database|CONNECT/,
      "postgres.database.denied",
    ],
    ["USAGE on the schema", /^GRANT USAGE ON SCHEMA.*$/, "", /schema public|USAGE/, "postgres.schema.denied"],
    ["SELECT", /SELECT, INSERT/, "INSERT", /SELECT ON "public"\."node_mgmt_packageversion"/],
    ["INSERT", /INSERT, /, "", /INSERT ON "public"\."node_mgmt_packageversion"/],
    ["UPDATE of one column", /updated_at, /, "", UPDATE],
    ["UPDATE", /, UPDATE \([^)]*\)/, "", UPDATE],
    ["UPDATE of sha256", /\(sha256, status\)/, "(status)", UPDATE],
    ["UPDATE of status", /\(sha256, status\)/, "(sha256)", UPDATE],
    ["DELETE with PURGE_ORPHANS", /^GRANT DELETE.*$/, "", /DELETE ON "public"\."node_mgmt_packageversion"/],
    ["SELECT on the collectors", /^GRANT SELECT ON node_mgmt_collector.*$/, "", /node_mgmt_collector/],
    ["USAGE on the sequence", /^GRANT USAGE ON SEQUENCE.*$/, "", /node_mgmt_packageversion_id_seq/],
  ];
  let nats: NatsServer;
  before(async () => {
    nats = await server(SUBJECTS);
  });
  for (const [take, from, to, message, reason = "postgres.privileges"] of NAMED) {
    test(take, async () => {
      const left = GRANTS.map((grant) => grant.replace(from, to)).filter((grant) => grant !== "");
      assert.notDeepEqual(left, GRANTS, "the README has changed: so has this table to");
      const result = await run(await database(left, true), nats, { PURGE_ORPHANS: "true" });
      exits(result, 77);
      const { error } = result.report ?? {};
      assert.match(`${error?.message} ${error?.hint}`, message, explain(result));
      assert.equal(error?.reason, reason);
      assert.match(error?.hint ?? "", /GRANT/);
      assert.match(error?.layer ?? "", /^(database|table|privileges)$/);
    });
  }
});

describe("what is optional, or not asked for, is not missed", { concurrency: 2 }, () => {
  let nats: NatsServer;
  before(async () => {
    nats = await server(SUBJECTS);
  });
  test("DELETE without PURGE_ORPHANS; SELECT on django_migrations and node_mgmt_cloudregion", async () => {
    const left = GRANTS.filter((grant) => !/GRANT DELETE|django_migrations|cloudregion/.test(grant));
    exits(await run(await database(left, true), nats), 0);
  });

  test("sha256, status and DELETE where the table does not have them; INSERT of ROW_DEFAULTS' columns is", async () => {
    const db = await postgres.createDatabase({ state: "C" });
    await db.query("ALTER TABLE node_mgmt_packageversion ADD x text NOT NULL");
    const columns =
      "created_at, updated_at, created_by, updated_by, type, os, object, version, name, description";
    const insert = `${columns}, domain, updated_by_domain, cpu_architecture`;
    await db.query(`GRANT CONNECT ON DATABASE "${db.name}" TO ${ROLE}; GRANT USAGE ON SCHEMA public TO ${ROLE};
      GRANT SELECT, INSERT (${insert}), UPDATE (name, updated_at, updated_by) ON node_mgmt_packageversion TO ${ROLE}`);
    const login = { ...db, user: ROLE, password: PASSWORD };
    const env = { PURGE_ORPHANS: "true", ROW_DEFAULTS: "x=1" };
    const denied = await run(login, nats, env);
    exits(denied, 77);
    assert.match(denied.report?.error?.message ?? "", /INSERT ON/);
    await db.query(`GRANT INSERT (x) ON node_mgmt_packageversion TO ${ROLE}`);
    exits(await run(login, nats, env), 0);
  });

  test("with DELETE pending rows go", async () => {
    const db = await database(GRANTS, true);
    const admin = adminOf(db);
    await insertRow(admin, { object: "Old", status: "pending", created_by: "alice" });
    const ago = "now() - interval '2 days'";
    await admin.query(`UPDATE node_mgmt_packageversion SET created_at = ${ago}, updated_at = ${ago}`);
    exits(await run(db, nats, { PURGE_ORPHANS: "true" }), 0);
    assert.deepEqual(await admin.query("SELECT 1 FROM node_mgmt_packageversion WHERE object = 'Old'"), []);
  });
});

describe("a bucket of 150 objects of others", { concurrency: 2 }, () => {
  const CONSUMER = [...PAGE.matchAll(/^ +"(\$JS\.API\.CONSUMER\..+?)"/gm)].map(([, subject = ""]) => subject);
  for (const [name, more] of [
    ["with the optional subjects", CONSUMER],
    ["without them", []],
    ["with the first of them alone", CONSUMER.slice(0, 1)],
    ["with all but the last", CONSUMER.slice(0, 2)],
  ] as const) {
    test(`its orphan is found ${name}`, async () => {
      assert.equal(CONSUMER.length, 3, "the page's block is there to be tested");
      const grants = GRANTS.filter((grant) => !grant.includes("SEQUENCE"));
      const [db, nats] = await Promise.all([database(grants), server([...SUBJECTS, ...more])]);
      const objects = await openObjects({ url: nats.url, user: "admin", password: "planted-nats-admin" });
      await objects.putForeign("job/0", Buffer.from("x"));
      await putOthers(objects, "bklite", 150);
      await objects.connection.request("$O.bklite.C.ORPHAN", "x");
      const result = await run(db, nats);
      exits(result, 0);
      // putForeign's object was replaced by metadata alone.
      assert.equal(result.report?.orphans.objects, 2, explain(result));
      const jsm = await objects.connection.jetstreamManager();
      const left = async () => (await jsm.consumers.list("OBJ_bklite").next()).length;
      if (more.length === 0 || more.length === CONSUMER.length) assert.equal(await left(), 0);
      else await until("the server has deleted it", async () => (await left()) === 0);
      assert.equal((await objects.list()).length, 150 + 4);
      await objects.close();
    });
  }
});

describe("without one of NATS' subjects it fails and names it", { concurrency: 3 }, () => {
  let grants: string[];
  before(() => {
    grants = GRANTS.filter((grant) => !grant.includes("SEQUENCE"));
  });
  for (const subject of SUBJECTS) {
    test(subject, async () => {
      const nats = await server(SUBJECTS.filter((other) => other !== subject));
      const objects = await openObjects({ url: nats.url, user: "admin", password: "planted-nats-admin" });
      // a crashed upload of ours is there to be purged, or else a first run purges nothing
      if (!subject.includes("CREATE")) {
        await objects.putForeign("linux/Other/1.0.0/x.zip", Buffer.alloc(1000, "x"));
        await objects.connection
          .jetstream()
          .publish(`$O.bklite.C.PKGINIT${"A".repeat(15)}`, Buffer.alloc(1000));
      }
      const result = await run(await database(grants), nats);
      await objects.close();
      exits(result, 77);
      const { message = "", hint = "" } = result.report?.error ?? {};
      assert.ok(message.includes(subject.replace(/>$/, "")), `${message} does not name ${subject}`);
      assert.match(hint, /help permissions/);
    });
  }
  test(SUBSCRIBE, async () => {
    const nats = await server(SUBJECTS, ["elsewhere.>"]);
    const result = await run(await database(grants), nats);
    exits(result, 77);
    assert.match(result.report?.error?.message ?? "", /_INBOX/);
  });
});
