import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ArchiveOptions } from "../support/archives.ts";
import { startNats } from "../support/nats.ts";
import { openObjects } from "../support/objects.ts";
import { explain, type Site, useServers } from "../support/site.ts";
import { assertSettled, at, exits, type Moment, type Stage, useStages } from "./stage.ts";

/** All that comes out of one archive is published together: the archive as a zip, and each collector. */
interface Given {
  file: string;
  content: ArchiveOptions;
  /** Bytes a second of a line that takes longer than two seconds for some of it. */
  slow: number;
  /** Which chunk is sent late: of a zip, the first object is staged by then. */
  late: number;
}
const COLLECTORS = ["telegraf", "vector", "filebeat/filebeat"];
const GIVEN: Given[] = [
  {
    file: "fusion-collectors-1.0.0.tar.gz",
    content: { collectors: COLLECTORS, payloadBytes: 6_000_000 },
    slow: 2_000_000,
    late: 10,
  },
  {
    file: "fusion-collectors-1.0.0.zip",
    content: { collectors: COLLECTORS, payloadBytes: 18_000_000 },
    slow: 6_000_000,
    late: 22,
  },
];
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

async function withArchive({ file, content }: Given): Promise<Stage> {
  const stage = await openStage();
  await stage.archive(file, content);
  const { start, run } = stage;
  const own: Partial<Stage> = {
    start: (args = [], more = {}) => start(args, { ...ENV, ...more }),
    run: (args = [], more = {}) => run(args, { ...ENV, ...more }),
  };
  return Object.assign(stage, own);
}

async function digests(site: Site): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const { name } of await site.objects.list())
    found.push([name, (await site.objects.read(name)).sha256]);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What a run that nothing disturbs stores. */
const undisturbed = new Map<Given, Promise<[string, string][]>>();
function expected(given: Given): Promise<[string, string][]> {
  const known =
    undisturbed.get(given) ??
    (async () => {
      const site = await servers.site();
      await site.archive(given.file, given.content);
      exits(await site.run([], ENV), 0);
      return digests(site);
    })();
  undisturbed.set(given, known);
  return known;
}

async function assertComplete(stage: Stage, given: Given): Promise<void> {
  assert.deepEqual(await digests(stage), await expected(given));
  assert.deepEqual(await stage.objects.unreachable(), []);
  assert.deepEqual(
    (await stage.rows()).map(({ object, name }) => [object, name]).sort(),
    Object.entries(NAMES).sort(),
  );
  await assertSettled(stage);
}

const chunk = (nth: number): Moment => ({ line: "nats", text: ".C.PKGINIT", nth, when: "before" });
const meta = (nth: number): Moment => ({ line: "nats", text: "HPUB $O.", nth, when: "before" });

for (const given of GIVEN)
  describe(`what is sent at the same time of ${given.file}`, { concurrency: 2 }, () => {
    for (const [name, moment] of [
      ["among the chunks", chunk(4)],
      ["before the second metadata", meta(2)],
    ] as const) {
      test(`a connection that is cut ${name}: a clean start by itself`, async () => {
        const stage = await withArchive(given);
        const running = stage.start();
        at(stage, moment, () => stage.nats.cut());
        const result = await running.done;
        exits(result, 0);
        assert.ok(
          result.events.some(({ event }) => event === "run.retry"),
          explain(result),
        );
        await assertComplete(stage, given);
      });

      test(`a stop ${name}: nothing unreachable is left, and the next run completes it`, async () => {
        const stage = await withArchive(given);
        const running = stage.start();
        at(stage, moment, () => running.kill("SIGTERM"));
        exits(await running.done, 143);
        assert.deepEqual(await stage.objects.unreachable(), []);
        exits(await stage.run(), 0);
        await assertComplete(stage, given);
      });
    }

    test("a stop when others are staged already: nothing unreachable is left", async () => {
      const stage = await withArchive(given);
      const running = stage.start();
      at(stage, chunk(given.late), () => running.kill("SIGTERM"));
      exits(await running.done, 143);
      assert.deepEqual([await stage.objects.list(), await stage.objects.unreachable()], [[], []]);
    });

    test("a server that stalls: said of the server, though most of them wait for the archive", async () => {
      const stage = await withArchive(given);
      const running = stage.start([], { NATS_TIMEOUT: "2", WAIT_TIMEOUT: "2" });
      at(stage, chunk(4), () => stage.nats.stall());
      exits(await running.done, 69);
      await stage.nats.resume();
      exits(await stage.run(), 0);
      await assertComplete(stage, given);
    });

    test("a slow connection: whoever waits for its turn longer than NATS_TIMEOUT has not stalled", async () => {
      const stage = await withArchive(given);
      stage.nats.throttle(given.slow);
      exits(await stage.run([], { NATS_TIMEOUT: "2" }), 0);
      // each one's metadata is compared with what came in the meantime: the others' chunks are not fetched
      // for that
      assert.ok(stage.nats.stats.bytesDown < 500_000, `${stage.nats.stats.bytesDown} bytes came back`);
      stage.nats.throttle(Number.POSITIVE_INFINITY);
      await assertComplete(stage, given);
    });
  });

for (const [given, refused] of GIVEN.flatMap((given) =>
  (["Controller", "Telegraf"] as const).map((object) => [given, object] as const),
)) {
  test(`NATS rejects the metadata of one of ${given.file}, ${refused}: exit 77, and the others are stored and registered`, async (t) => {
    const site = await servers.site();
    await site.archive(given.file, given.content);
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
    const others = (await expected(given)).filter(([name]) => name !== key(refused));
    assert.deepEqual(await digests({ ...site, objects }), others);
    assert.deepEqual(await objects.unreachable(), []);
    assert.deepEqual(
      (await site.rows()).map(({ object }) => object).sort(),
      Object.keys(NAMES).filter((object) => object !== refused),
    );
  });
}

test("a stop while many are published: what is not yet goes", async () => {
  const collectors = ["telegraf", "vector", "nats-executor", "kafka_exporter", "bklite-otelcol", "snmptrapd"];
  const beats = ["auditbeat", "filebeat", "packetbeat", "metricbeat"].map((beat) => `${beat}/${beat}`);
  const content = { collectors: [...collectors, ...beats], payloadBytes: 1_000_000 };
  const stage = await withArchive({ file: "fusion-collectors-1.0.0.zip", content, slow: 0, late: 0 });
  const running = stage.start();
  at(stage, meta(2), () => running.kill("SIGTERM"));
  exits(await running.done, 143);
  const served = await stage.objects.list();
  assert.ok(served.length < 11, "the stop came too late");
  assert.deepEqual([await stage.objects.unreachable(), await stage.rows()], [[], []]);
  exits(await stage.run(), 0);
  assert.equal((await stage.objects.list()).length, 11);
});
