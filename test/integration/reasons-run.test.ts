import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { RetentionPolicy, type StreamConfig } from "nats";
import type { ReasonId } from "../../src/messages/catalog.ts";
import { buildArchive } from "../support/archives.ts";
import { reasonsIn } from "../support/reasons.ts";
import { ARCHIVE, explain, type Site, useServers } from "../support/site.ts";
import { createCollectorTable, insertRow } from "../support/tables.ts";

const servers = useServers();
const TABLE = "node_mgmt_packageversion";

async function assertRaised(site: Site, id: ReasonId, args: string[] = [], env: Record<string, string> = {}) {
  const result = await site.run(args, env);
  assert.ok(reasonsIn(result).has(id), explain(result));
}

/**
 * What Postgres raises when a row is written → the reason. SQLSTATEs that no server of a test can be brought
 * to say by itself.
 */
const STATES: [id: ReasonId, sqlstate: string][] = [
  ["row.denied", "42501"],
  ["row.disk.full", "53100"],
  ["row.readonly", "25006"],
  ["row.busy", "55P03"],
  ["row.refused", "P0001"],
  ["row.contended", "23505"],
  ["table.changed", "42703"],
  ["run.postgres.lost", "57P01"],
];

describe("what Postgres rejects while rows are written is", { concurrency: 2 }, () => {
  for (const [id, sqlstate] of STATES) {
    test(id, async () => {
      const site = await servers.site();
      await site.archive();
      await site.db.query(
        `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''${sqlstate}''; END';
         CREATE TRIGGER no BEFORE INSERT ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION no()`,
      );
      await assertRaised(site, id);
    });
  }
});

/** A site where the archive is stored and registered. */
async function settled(): Promise<Site & { key: string }> {
  const site = await servers.site();
  await site.archive();
  const { report } = await site.run();
  const key = report?.packages[0]?.stored.key;
  assert.ok(key);
  return { ...site, key };
}
const other = (site: Site) => site.archive(ARCHIVE, { seed: "other" });

const CHANGES: [
  id: ReasonId,
  change: (site: Site & { key: string }) => Promise<unknown>,
  args: string[],
  env?: Record<string, string>,
][] = [
  ["drift.object.missing", ({ objects, key }) => objects.remove(key), ["verify"]],
  ["drift.object.damaged", ({ objects, key }) => objects.damage(key), ["verify"]],
  ["drift.object.different", other, ["verify"]],
  ["drift.row.missing", ({ db }) => db.query(`DELETE FROM ${TABLE} WHERE type = 'controller'`), ["verify"]],
  [
    "drift.row.name",
    ({ db }) => db.query(`UPDATE ${TABLE} SET name = 'x' WHERE type = 'collector'`),
    ["verify"],
  ],
  ["verification.failed", ({ objects, key }) => objects.remove(key), ["verify"]],
  ["conflict.content", other, [], { ON_CONFLICT: "fail" }],
  ["content.replaced", other, []],
  ["content.kept", other, [], { ON_CONFLICT: "keep" }],
  [
    "conflict.user",
    async (site) => {
      await other(site);
      await site.db.query(`UPDATE ${TABLE} SET created_by = 'admin'`);
    },
    [],
  ],
];

describe("what is stored already and differs is", { concurrency: 2 }, () => {
  for (const [id, change, args, env] of CHANGES) {
    test(id, async () => {
      const site = await settled();
      await change(site);
      await assertRaised(site, id, args, env);
    });
  }
});

const STREAMS: [id: ReasonId, config: Partial<StreamConfig>][] = [
  ["nats.bucket.subjects", { subjects: ["elsewhere.>"] }],
  ["nats.bucket.rollup", { allow_rollup_hdrs: false }],
  ["nats.bucket.message-size", { max_msg_size: 1000 }],
  ["nats.bucket.no-ack", { no_ack: true }],
  ["nats.bucket.retention", { retention: RetentionPolicy.Interest }],
  ["nats.bucket.mirror", { subjects: [], mirror: { name: "FOREIGN" }, allow_rollup_hdrs: false }],
  ["nats.bucket.deny-purge", { deny_purge: true, allow_rollup_hdrs: false }],
  ["store.full.bucket", { max_bytes: 1000 }],
];

describe("a bucket that another program has created is rejected by", () => {
  for (const [id, config] of STREAMS) {
    test(id, async () => {
      const site = await servers.site();
      await site.archive();
      const manager = await site.objects.connection.jetstreamManager();
      const subjects = [`$O.${site.bucket}.C.>`, `$O.${site.bucket}.M.>`];
      if (config.mirror) await manager.streams.add({ name: "FOREIGN", subjects: [`foreign.${site.bucket}`] });
      await manager.streams.add({ name: `OBJ_${site.bucket}`, subjects, allow_rollup_hdrs: true, ...config });
      await assertRaised(site, id);
    });
  }
});

describe("of packages and platforms it is", { concurrency: 2 }, () => {
  test("package.clash.arch", async () => {
    const id: ReasonId = "package.clash.arch";
    const site = await servers.site({ state: "A" });
    await site.archive("fusion-collectors-linux-amd64.zip");
    await site.archive("fusion-collectors-linux-arm64.zip", { arch: "arm64" });
    await assertRaised(site, id);
  });

  test("platform.controller.missing, platform.bootstrap.missing", async () => {
    const ids: ReasonId[] = ["platform.controller.missing", "platform.bootstrap.missing"];
    const site = await servers.site({ state: "C" });
    await site.archive();
    for (const id of ids) await assertRaised(site, id, [], { REQUIRE: "windows/x86_64" });
  });

  test("repack.never", async () => {
    const id: ReasonId = "repack.never";
    const site = await servers.site();
    await buildArchive(join(site.volume, "fusion-collectors.tar.gz"), { format: "tar.gz" });
    await assertRaised(site, id, [], { REPACK: "never" });
  });

  test("report.unwritable: the folder was there when the run began", async () => {
    const id: ReasonId = "report.unwritable";
    const site = await servers.site();
    const folder = join(site.volume, "reports");
    mkdirSync(folder);
    await site.db.query(`ALTER TABLE ${TABLE} RENAME TO away`);
    const running = site.start(["wait", "--json"], { REPORT_FILE: join(folder, "report.json") });
    await running.waitForEvent("wait.postgres.layer");
    rmSync(folder, { recursive: true });
    await site.db.query(`ALTER TABLE away RENAME TO ${TABLE}`);
    const result = await running.done;
    assert.equal(result.code, 0, explain(result));
    assert.ok(reasonsIn(result).has(id), explain(result));
  });

  test("definitions.name", async () => {
    const id: ReasonId = "definitions.name";
    const site = await servers.site({ state: "C" });
    const executable_path = "/opt/fusion-collectors/bin/telegraf";
    const row = { name: "../../installer", node_operating_system: "linux", executable_path };
    await createCollectorTable(site.db, { state: "C", rows: [row] });
    await site.archive();
    await assertRaised(site, id, ["plan"]);
  });

  test("conflict.name", async () => {
    const id: ReasonId = "conflict.name";
    const site = await servers.site({ state: "C" });
    await insertRow(site.db, { created_by: "admin", name: "../../installer/x" });
    await site.archive();
    await assertRaised(site, id, ["plan"]);
    await assertRaised(site, id);
    assert.deepEqual(
      (await site.objects.list()).map(({ name }) => name).filter((name) => /\.\./.test(name)),
      [],
    );
  });
});

/** A server that says this to whoever comes, then this to what it hears, and hangs up. */
async function stranger(hello: string, answers: readonly string[] = []) {
  const server = createServer((socket) => {
    const left = [...answers];
    socket.on("error", () => undefined);
    if (hello !== "") socket.write(hello);
    socket.on("data", () => {
      const answer = left.shift();
      if (answer === undefined) socket.destroy();
      else socket.write(answer);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port: String(port), [Symbol.dispose]: () => server.close() };
}

const INFO = `INFO ${JSON.stringify({ server_id: "x", version: "2.10.0", tls_required: true, max_payload: 1048576 })}\r\n`;
const noLogin = { NATS_USER: "", NATS_PASSWORD: "" };

describe("what listens there and is no such server is", () => {
  const STRANGERS: [
    id: ReasonId,
    hello: string,
    answers: string[],
    env: (port: string) => Record<string, string>,
  ][] = [
    [
      "nats.login.protocol",
      "HTTP/1.1 400 Bad Request\r\n",
      [],
      (port) => ({ NATS_SERVERS: `127.0.0.1:${port}`, ...noLogin }),
    ],
    ["nats.tls.broken", INFO, [], (port) => ({ NATS_SERVERS: `tls://127.0.0.1:${port}`, ...noLogin })],
    [
      "postgres.tls.broken",
      "",
      ["S"],
      (DB_PORT) => ({ DB_HOST: "127.0.0.1", DB_PORT, DB_SSLMODE: "require" }),
    ],
  ];
  for (const [id, hello, answers, env] of STRANGERS) {
    test(id, async () => {
      const site = await servers.site();
      using server = await stranger(hello, answers);
      await assertRaised(site, id, ["wait"], { WAIT_TIMEOUT: "1", ...env(server.port) });
    });
  }
});

const UNREACHABLE: [id: ReasonId, env: Record<string, string>][] = [
  ["postgres.tcp.failed", { DB_HOST: "255.255.255.255" }],
  ["nats.tcp.failed", { NATS_SERVERS: "255.255.255.255:4222", NATS_USER: "", NATS_PASSWORD: "" }],
];

describe("an address that cannot be reached is", () => {
  for (const [id, env] of UNREACHABLE) {
    test(id, async () => {
      const site = await servers.site();
      await assertRaised(site, id, ["wait"], { WAIT_TIMEOUT: "1", ...env });
    });
  }
});
