import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { type NatsOptions, type NatsServer, startNats } from "../support/nats.ts";
import { addStream, type NatsLogin, type Objects, openObjects } from "../support/objects.ts";
import { type JobResult, jobEnv } from "../support/run.ts";
import { ARCHIVE, explain, sha256, useServers } from "../support/site.ts";
import { rows } from "../support/tables.ts";
import { exits, runToEnd } from "./stage.ts";

const KEY = `linux/Controller/1.0.0/${ARCHIVE}`;
const MB = 1_000_000;
/** The archive has 3 MB and a little. */
const BYTES = 3 * MB;

const shared = useServers();
let folder: TempDir;
const servers: NatsServer[] = [];
const mounts: string[] = [];
let count = 0;

before(async () => {
  folder = tempDir("full");
});
after(async () => {
  await Promise.allSettled([...servers.map((server) => server.stop())]);
  for (const mount of mounts) execFileSync("umount", [mount]);
  folder.remove();
});

async function start(options: NatsOptions): Promise<NatsServer> {
  const server = await startNats(options);
  servers.push(server);
  return server;
}

interface Place {
  env: Record<string, string>;
  objects: Objects;
  path: string;
  run(more?: Record<string, string>): Promise<JobResult>;
  rows(): Promise<unknown[]>;
  /** Writes other bytes under the archive's name. */
  change(): Promise<void>;
}

/** A volume, a database, and `admin`'s look at the bucket; the job logs in as `login` says. */
async function place(admin: NatsLogin, login: NatsLogin = admin): Promise<Place> {
  const volume = join(folder.path, `volume${++count}`);
  mkdirSync(volume);
  const path = join(volume, ARCHIVE);
  await buildArchive(path, { payloadBytes: BYTES });
  const db = await shared.postgres.createDatabase({ state: "B" });
  const report = { REPORT_FILE: join(volume, "report.json") };
  const env = jobEnv({ db, nats: login, packages: volume }, report);
  return {
    env,
    objects: await openObjects(admin),
    path,
    run: (more = {}) => runToEnd([], { ...env, ...more }),
    rows: () => rows(db),
    change: () => buildArchive(path, { payloadBytes: BYTES, seed: "other" }),
  };
}

/** Exit 73, the limit's owner named, nothing of it left; what was there before is whole. */
async function assertFull(here: Place, result: JobResult, names: RegExp, kept?: string): Promise<void> {
  exits(result, 73);
  assert.match(result.report?.error?.message ?? "", names, explain(result));
  assert.deepEqual(await here.objects.unreachable(), []);
  if (kept === undefined) {
    assert.deepEqual([await here.objects.list(), await here.rows()], [[], []]);
  } else {
    assert.equal((await here.objects.read(KEY)).sha256, kept);
  }
}

describe("no space", { concurrency: 3 }, () => {
  test("the bucket's max_bytes: seen before the first chunk", async () => {
    const here = await place(await start({}));
    await addStream(here.objects, "bklite", { max_bytes: 2 * MB });
    await assertFull(here, await here.run(), /bucket "bklite".*max_bytes/);
    assert.equal(await here.objects.lastSeq(), 0, "something was sent");
  });

  test("the bucket's max_bytes holds one build but not two: the old one stays whole", async () => {
    const here = await place(await start({}));
    await addStream(here.objects, "bklite", { max_bytes: 5 * MB });
    exits(await here.run(), 0);
    const [old, sequence] = [await sha256(here.path), await here.objects.lastSeq()];
    await here.change();
    await assertFull(here, await here.run(), /bucket "bklite".*max_bytes/, old);
    assert.equal(await here.objects.lastSeq(), sequence, "something was sent");
    assert.equal((await here.rows()).length, 4);
  });

  test("the bucket fills up while we upload: cleaned up afterwards", async () => {
    const here = await place(await start({}));
    await addStream(here.objects, "bklite", { max_msgs: 2 });
    await assertFull(here, await here.run(), /bucket "bklite"/);
  });

  const users = [{ user: "job", password: "planted-nats-password" }];
  const login = (server: NatsServer) => ({ url: server.url, user: "job", password: "planted-nats-password" });
  const small = { jetstream: { max_file: 2 * MB, max_mem: MB } };

  test("the account's limit: seen before the first chunk", async () => {
    const server = await start({ config: { accounts: { APP: { users, ...small } } } });
    const here = await place(login(server));
    const result = await here.run();
    await assertFull(here, result, /account/);
    assert.equal(result.report?.error?.reason, "store.full.account");
    assert.equal(await here.objects.lastSeq(), 0, "something was sent");
    const { hint = "" } = result.report?.error ?? {};
    const [, mib] = /limit to (\d+)MiB: max_file/.exec(hint) ?? [];
    assert.ok(mib, hint);
    const config = readFileSync(server.configFile, "utf8");
    const raised = config.replaceAll(String(2 * MB), String(Number(mib) * 1024 ** 2));
    assert.notEqual(raised, config);
    writeFileSync(server.configFile, raised);
    await server.kill();
    await server.restart();
    exits(await here.run(), 0);
  });

  test("the account's limit, where the job may not ask for it", async () => {
    const denied = [
      { ...users[0], permissions: { publish: { allow: ["$JS.API.STREAM.>", "$O.>"] } } },
      { user: "admin", password: "planted-nats-admin" },
    ];
    const server = await start({ config: { accounts: { APP: { users: denied, ...small } } } });
    const here = await place(
      { url: server.url, user: "admin", password: "planted-nats-admin" },
      login(server),
    );
    await assertFull(here, await here.run(), /bucket "bklite": the .* is full/);
  });

  test("the server's max_file_store", async () => {
    const here = await place(await start({ maxFileStore: 2 * MB }));
    await assertFull(here, await here.run(), /bucket "bklite"/);
  });
});

/** Whether this user may mount a file system; what a full disk does can only be seen on one that is small. */
function mountSmall(megabytes: number): string | undefined {
  const path = join(folder.path, `disk${++count}`);
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    rmSync(path, { recursive: true });
    return undefined;
  }
  mounts.push(path);
  return path;
}

describe("a small disk", { concurrency: 2 }, () => {
  test("the server knows how small: exit 73", async (t) => {
    const storeDir = mountSmall(3);
    if (storeDir === undefined) return t.diagnostic("this user may not mount a tmpfs");
    const here = await place(await start({ storeDir }));
    await assertFull(here, await here.run(), /bucket "bklite"/);
  });

  test("the server does not: the run ends by itself, and the next one on a disk with space is right", async (t) => {
    const storeDir = mountSmall(2);
    if (storeDir === undefined) return t.diagnostic("this user may not mount a tmpfs");
    const server = await start({ storeDir, maxFileStore: 100 * MB });
    const here = await place(server);
    // nats-server 2.9 answers nothing more once its disk is full; later ones say so.
    const result = await here.run({ WAIT_TIMEOUT: "2", NATS_TIMEOUT: "2" });
    exits(result, 73, 69, 77);
    assert.deepEqual(await here.rows(), []);
    execFileSync("mount", ["-o", "remount,size=50m", storeDir]);
    await server.kill();
    await server.restart();
    const again = await here.run();
    exits(again, 0);
    const objects = await openObjects(server);
    assert.equal((await objects.read(KEY)).sha256, await sha256(here.path));
    assert.deepEqual(await objects.unreachable(), []);
    await objects.close();
  });
});

describe("not allowed", { concurrency: 3 }, () => {
  test("a sealed bucket", async () => {
    const here = await place(await start({}));
    exits(await here.run(), 0);
    const old = await sha256(here.path);
    const { config } = await here.objects.streamInfo();
    await here.objects.connection.request(
      "$JS.API.STREAM.UPDATE.OBJ_bklite",
      JSON.stringify({ ...config, sealed: true }),
    );
    exits(await here.run(), 0);
    await here.change();
    await assertFull(here, await here.run(), /bucket "bklite" is sealed/, old);
  });

  const denials: [subject: string, deny: string][] = [
    ["the chunks", "$O.bklite.C.>"],
    ["the metadata", "$O.bklite.M.>"],
    ["everything below $O: a read-only user", "$O.>"],
    ["looking at the bucket", "$JS.API.STREAM.INFO.OBJ_bklite"],
    ["making the bucket", "$JS.API.STREAM.CREATE.OBJ_bklite"],
  ];
  for (const [name, deny] of denials) {
    test(`denied: ${name}`, async () => {
      const users = [
        { user: "job", password: "planted-nats-password", permissions: { publish: { deny: [deny] } } },
        { user: "admin", password: "planted-nats-admin" },
      ];
      const server = await start({ config: { accounts: { APP: { users, jetstream: "enabled" } } } });
      const admin = { url: server.url, user: "admin", password: "planted-nats-admin" };
      const here = await place(admin, { url: server.url, user: "job", password: "planted-nats-password" });
      const result = await here.run();
      exits(result, 77);
      const { message = "" } = result.report?.error ?? {};
      assert.ok(message.includes(deny.replace(/\.>$/, ".")), `${message} does not name ${deny}`);
      assert.deepEqual([await here.rows(), await here.objects.unreachable()], [[], []]);
    });
  }
});
