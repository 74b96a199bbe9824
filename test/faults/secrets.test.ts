import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { JobError } from "../../src/errors.ts";
import { Recorder } from "../../src/output/recorder.ts";
import { createRedact, redactDeep } from "../../src/output/redact.ts";
import { type Report, writeTerminationLog } from "../../src/output/report.ts";
import { buildArchive } from "../support/archives.ts";
import { createCa } from "../support/certs.ts";
import type { Db } from "../support/database.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { createNkey, createOperator } from "../support/nats-jwt.ts";
import { freePort } from "../support/ports.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { ARCHIVE } from "../support/site.ts";
import { assertNoSecrets } from "./invariants.ts";
import { runToEnd } from "./stage.ts";

/** Characters that URLs, JSON, shells and regular expressions each treat in their own way. */
const DB_SECRET = 'db p@ss/w:o"rd\\100%é$&';
const NATS_SECRET = "nats p@ss/w:o'rd#200%ü?";
const TOKEN = "planted.token+with/some=signs";

let postgres: Postgres;
let db: Db;
let nats: NatsServer;
let folder: TempDir;
let count = 0;
const more: NatsServer[] = [];

before(async () => {
  folder = tempDir("secrets");
  [postgres, nats] = await Promise.all([startPostgres(), startNats({ user: "job", password: NATS_SECRET })]);
  db = await postgres.createDatabase({ state: "B" });
  await postgres.admin.query(`CREATE ROLE job SUPERUSER LOGIN PASSWORD '${DB_SECRET}'`);
  await buildArchive(join(folder.path, ARCHIVE), { payloadBytes: 100_000 });
});
after(async () => {
  await Promise.allSettled([postgres.stop(), nats.stop(), ...more.map((server) => server.stop())]);
  folder.remove();
});

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

const encoded = encodeURIComponent;
const dbParts = () => ({
  DB_HOST: "127.0.0.1",
  DB_PORT: String(postgres.port),
  DB_NAME: db.name,
  DB_USER: "job",
  DB_PASSWORD: DB_SECRET,
});
const dbUrl = (password = DB_SECRET, host = `127.0.0.1:${postgres.port}`) =>
  `postgres://job:${encoded(password)}@${host}/${db.name}`;
const natsParts = () => ({
  NATS_SERVERS: `127.0.0.1:${nats.port}`,
  NATS_USER: "job",
  NATS_PASSWORD: NATS_SECRET,
});
const natsUrl = (password = NATS_SECRET, host = `127.0.0.1:${nats.port}`) =>
  `nats://job:${encoded(password)}@${host}`;

/** Every secret there is, and pieces long enough to be of use to somebody. */
const PLANTED = [DB_SECRET, NATS_SECRET, TOKEN].flatMap((secret) => [
  secret,
  secret.slice(0, 12),
  Buffer.from(secret).toString("base64"),
]);

/** Runs the job, now with one kind of log and now with the other, and searches everything that it leaves. */
async function search(env: Record<string, string>, code: number, planted: readonly string[] = PLANTED) {
  const REPORT_FILE = join(folder.path, `report-${++count}.json`);
  const pretty = count % 2 === 0;
  const how = { PACKAGES_DIR: folder.path, LOG_LEVEL: "trace", LOG_FORMAT: pretty ? "pretty" : "json" };
  const WAIT_TIMEOUT = code === 69 ? "1" : "20";
  const result = await runToEnd(pretty ? ["--json"] : [], { ...how, WAIT_TIMEOUT, REPORT_FILE, ...env });
  assert.equal(result.code, code, result.stdout + result.stderr);
  assertNoSecrets(result, planted);
  assertNoSecrets({ ...result, stdout: readFileSync(REPORT_FILE, "utf8") }, planted);
}

describe("secrets appear in no output", { concurrency: 3 }, () => {
  test("of a run that succeeds, however they were given", async () => {
    await search({ ...dbParts(), ...natsParts() }, 0);
    await search({ DATABASE_URL: dbUrl(), NATS_SERVERS: natsUrl() }, 0);
    const { DB_PASSWORD, ...database } = dbParts();
    const { NATS_PASSWORD, ...servers } = natsParts();
    const files = {
      DB_PASSWORD_FILE: file("db", `${DB_PASSWORD}\n`),
      NATS_PASSWORD_FILE: file("nats", `${NATS_PASSWORD}\n`),
    };
    await search({ ...database, ...servers, ...files }, 0);
    await search(
      { DATABASE_URL_FILE: file("db-url", dbUrl()), NATS_SERVERS_FILE: file("nats-url", natsUrl()) },
      0,
    );
  });

  test("of logins that are rejected", async () => {
    await search({ ...dbParts(), DB_USER: "nobody-here", ...natsParts() }, 77);
    await search({ DATABASE_URL: dbUrl().replace("job", "nobody-here"), ...natsParts() }, 77);
    await search({ ...dbParts(), ...natsParts(), NATS_USER: "nobody-here" }, 77);
    await search({ ...dbParts(), NATS_SERVERS: natsUrl().replace("job:", "nobody:") }, 77);
    await search({ ...dbParts(), NATS_SERVERS: `127.0.0.1:${nats.port}`, NATS_TOKEN: TOKEN }, 77);
    await search({ ...dbParts(), NATS_SERVERS: `nats://${encoded(TOKEN)}@127.0.0.1:${nats.port}` }, 77);
  });

  test("of servers that are not there, under names and ports", async () => {
    const port = await freePort();
    await search(
      {
        DATABASE_URL: dbUrl(DB_SECRET, "no-such-host.invalid"),
        NATS_SERVERS: natsUrl(NATS_SECRET, `127.0.0.1:${port}`),
      },
      69,
    );
    await search(
      {
        DATABASE_URL: dbUrl(DB_SECRET, `127.0.0.1:${port}`),
        NATS_SERVERS: natsUrl(NATS_SECRET, "no-such-host.invalid:4222"),
      },
      69,
    );
  });

  test("of configurations that cannot be read", async () => {
    const bad = [
      { ...dbParts(), ...natsParts(), NATS_SERVERS: `nats://job:${NATS_SECRET}@127.0.0.1:99999` },
      { ...natsParts(), DATABASE_URL: `postgres://job:${DB_SECRET}@:0/x y` },
      { ...natsParts(), DATABASE_URL: `${dbUrl()}?${encoded(DB_SECRET)}=1` },
      // what is left of a password that nobody has encoded
      { ...natsParts(), DATABASE_URL: `postgres://job:12/${DB_SECRET}@127.0.0.1/bklite` },
      { ...natsParts(), DATABASE_URL: `postgres://job:12?${DB_SECRET}@127.0.0.1/bklite` },
      { ...natsParts(), DATABASE_URL: `postgres://job:12#${DB_SECRET}@127.0.0.1/bklite` },
      { ...dbParts(), DB_PASSWORD_FILE: file("twice", DB_SECRET), ...natsParts() },
      { ...dbParts(), ...natsParts(), NATS_TOKEN: TOKEN },
      { ...dbParts(), ...natsParts(), NATS_TLS_CA_FILE: "/no/such/file", DB_PORT: "many" },
    ];
    for (const env of bad) await search(env, 78);
  });

  test("credentials and seeds of files, of logins that succeed and that do not", async () => {
    const operator = createOperator();
    const [known, unknown] = [createNkey(), createNkey()];
    const [jwt, nkey] = await Promise.all([
      startNats({ config: operator.config }),
      startNats({ config: { authorization: { users: [{ nkey: known.publicKey }] } } }),
    ]);
    more.push(jwt, nkey);
    const [good, bad] = [operator.creds(), operator.foreignCreds()];
    const lines = [good, bad].flatMap((creds) =>
      creds.split("\n").filter((line) => line.length > 20 && !line.includes("---")),
    );
    const planted = [...lines, known.seed, unknown.seed];
    await search(
      { ...dbParts(), NATS_SERVERS: `127.0.0.1:${jwt.port}`, NATS_CREDS_FILE: file("good.creds", good) },
      0,
      planted,
    );
    await search(
      { ...dbParts(), NATS_SERVERS: `127.0.0.1:${jwt.port}`, NATS_CREDS_FILE: file("bad.creds", bad) },
      77,
      planted,
    );
    await search(
      {
        ...dbParts(),
        NATS_SERVERS: `127.0.0.1:${nkey.port}`,
        NATS_NKEY_SEED_FILE: file("good.nk", known.seed),
      },
      0,
      planted,
    );
    await search(
      {
        ...dbParts(),
        NATS_SERVERS: `127.0.0.1:${nkey.port}`,
        NATS_NKEY_SEED_FILE: file("bad.nk", unknown.seed),
      },
      77,
      planted,
    );
    const half = known.seed.slice(0, 40);
    await search(
      { ...dbParts(), NATS_SERVERS: `127.0.0.1:${nkey.port}`, NATS_NKEY_SEED_FILE: file("half.nk", half) },
      77,
      [half],
    );
  });

  test("private keys, whole and broken", async () => {
    const client = createCa().issue({ cn: "job", use: "client" });
    const planted = client.key.split("\n").filter((line) => line.length > 20 && !line.includes("---"));
    const broken = client.key.replace(planted[1] ?? "", `${planted[1]?.slice(0, 10)}`);
    for (const key of [client.key, broken]) {
      const [cert, path] = [file("client.crt", client.cert), file(`client-${++count}.key`, key)];
      const tls = { NATS_TLS_ENABLED: "true", NATS_TLS_CERT_FILE: cert, NATS_TLS_KEY_FILE: path };
      const REPORT_FILE = join(folder.path, `report-${++count}.json`);
      const env = {
        PACKAGES_DIR: folder.path,
        WAIT_TIMEOUT: "1",
        ...dbParts(),
        ...natsParts(),
        ...tls,
        REPORT_FILE,
      };
      const result = await runToEnd([], env);
      assert.notEqual(result.code, 0);
      assertNoSecrets(result, planted);
    }
  });
});

test("the termination message has none either, not even a half where it is cut", () => {
  const redact = createRedact([DB_SECRET]);
  for (let padding = 3_700; padding < 4_100; padding += 7) {
    const path = file("termination-log", "");
    const message = `${"x".repeat(padding)} ${DB_SECRET} ${dbUrl()} ${"y".repeat(2_000)}`;
    const report = new Recorder("init", "en").report(new JobError("internal", { message }));
    writeTerminationLog(path, redactDeep(report, redact) as Report);
    const written = readFileSync(path);
    assert.ok(written.length > 100 && written.length <= 4096, `${written.length} bytes`);
    const text = written.toString("utf8");
    assert.equal(JSON.parse(text).exitCode, 70);
    for (const piece of [
      DB_SECRET.slice(0, 8),
      JSON.stringify(DB_SECRET).slice(1, 10),
      encoded(DB_SECRET).slice(0, 10),
    ]) {
      assert.ok(!text.includes(piece), `${piece} at ${padding}`);
    }
  }
});
