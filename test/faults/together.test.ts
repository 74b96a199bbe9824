import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ArchiveOptions } from "../support/archives.ts";
import { startNats } from "../support/nats.ts";
import { openObjects } from "../support/objects.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { assertSettled, at, exits, type Moment, type Stage, useStages } from "./stage.ts";

/** All that comes out of this archive is sent at the same time: the archive made a zip, and each collector. */
const FILE = "fusion-collectors-1.0.0.tar.gz";
const CONTENT: ArchiveOptions = {
  collectors: ["telegraf", "vector", "filebeat/filebeat"],
  payloadBytes: 6_000_000,
};
const NAMES = {
  Controller: "fusion-collectors-1.0.0.zip",
  Filebeat: "filebeat.zip",
  Telegraf: "telegraf",
  Vector: "vector",
} as const;
const key = (object: keyof typeof NAMES) => `linux/${object}/1.0.0/${NAMES[object]}`;
const ENV = { COLLECTOR_PACKAGES: "standalone" };

const servers = useServers();
const openStage = useStages(servers);

async function withArchive(): Promise<Stage> {
  const stage = await openStage();
  await stage.archive(FILE, CONTENT);
  const run = stage.start;
  const start: Stage["start"] = (args = [], more = {}) => run(args, { ...ENV, ...more });
  const more: Partial<Stage> = { start, run: (...how) => start(...how).done };
  return Object.assign(stage, more);
}

async function digests(site: Site): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const { name } of await site.objects.list())
    found.push([name, (await site.objects.read(name)).sha256]);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What a run that nothing disturbs stores. */
let undisturbed: Promise<[string, string][]> | undefined;
async function expected(): Promise<[string, string][]> {
  undisturbed ??= (async () => {
    const site = await servers.site();
    await site.archive(FILE, CONTENT);
    exits(await site.run([], ENV), 0);
    return digests(site);
  })();
  return undisturbed;
}

async function assertComplete(stage: Stage): Promise<void> {
  assert.deepEqual(await digests(stage), await expected());
  assert.deepEqual(await stage.objects.unreachable(), []);
  assert.deepEqual(
    (await stage.rows()).map(({ object, name }) => [object, name]).sort(),
    Object.entries(NAMES).sort(),
  );
  await assertSettled(stage);
}

const chunk = (nth: number): Moment => ({ line: "nats", text: ".C.PKGINIT", nth, when: "before" });
const meta = (nth: number): Moment => ({ line: "nats", text: "HPUB $O.", nth, when: "before" });

describe("what is sent at the same time", { concurrency: 2 }, () => {
  for (const [name, moment] of [
    ["among the chunks", chunk(4)],
    ["before the second metadata", meta(2)],
  ] as const) {
    test(`a line that is cut ${name}: a clean start by itself`, async () => {
      const stage = await withArchive();
      const running = stage.start();
      at(stage, moment, () => stage.nats.cut());
      const result = await running.done;
      exits(result, 0);
      assert.ok(
        result.events.some(({ event }) => event === "run.retry"),
        explain(result),
      );
      await assertComplete(stage);
    });

    test(`a stop ${name}: nothing unreachable is left, and the next run completes it`, async () => {
      const stage = await withArchive();
      const running = stage.start();
      at(stage, moment, () => running.kill("SIGTERM"));
      exits(await running.done, 143);
      assert.deepEqual(await stage.objects.unreachable(), []);
      exits(await stage.run(), 0);
      await assertComplete(stage);
    });
  }

  test("a server that stalls: said of the server, though most of them wait for the archive", async () => {
    const stage = await withArchive();
    const running = stage.start([], { NATS_TIMEOUT: "2", WAIT_TIMEOUT: "2" });
    at(stage, chunk(4), () => stage.nats.stall());
    exits(await running.done, 69);
    await stage.nats.resume();
    exits(await stage.run(), 0);
    await assertComplete(stage);
  });

  test("a slow line: whoever waits for its turn longer than NATS_TIMEOUT has not stalled", async () => {
    const stage = await withArchive();
    stage.nats.throttle(2_000_000);
    exits(await stage.run([], { NATS_TIMEOUT: "2" }), 0);
    // each one's metadata is compared with what came in the meantime: the others' chunks are not fetched for that
    assert.ok(stage.nats.stats.bytesDown < 500_000, `${stage.nats.stats.bytesDown} bytes came back`);
    stage.nats.throttle(Number.POSITIVE_INFINITY);
    await assertComplete(stage);
  });
});

for (const refused of ["Controller", "Telegraf"] as const) {
  test(`NATS refuses the metadata of one, ${refused}: exit 77, and the others are stored and registered`, async (t) => {
    const site = await servers.site();
    await site.archive(FILE, CONTENT);
    const subject = `$O.${site.bucket}.M.${Buffer.from(key(refused)).toString("base64url")}`;
    const denied = { deny: [subject, `${subject}=`, `${subject}==`] };
    const users = [
      { user: "job", password: "planted-nats-password", permissions: { publish: denied } },
      { user: "admin", password: "planted-nats-admin" },
    ];
    const nats = await startNats({ config: { accounts: { APP: { users, jetstream: "enabled" } } } });
    t.after(() => nats.stop());
    const objects = await openObjects(
      { url: nats.url, user: "admin", password: "planted-nats-admin" },
      site.bucket,
    );
    t.after(() => objects.close());
    const login = { NATS_SERVERS: nats.url, NATS_USER: "job", NATS_PASSWORD: "planted-nats-password" };
    const result = await site.run([], { ...ENV, ...login });
    exits(result, 77);
    assert.deepEqual(
      result.report?.packages.map(({ object, action }) => [object, action]),
      ["Controller", "Telegraf", "Vector", "Filebeat"].map((object) => [
        object,
        object === refused ? "failed" : "uploaded",
      ]),
    );
    const others = (await expected()).filter(([name]) => name !== key(refused));
    assert.deepEqual(await digests({ ...site, objects }), others);
    assert.deepEqual(await objects.unreachable(), []);
    assert.deepEqual(
      (await site.rows()).map(({ object }) => object).sort(),
      Object.keys(NAMES).filter((object) => object !== refused),
    );
  });
}
