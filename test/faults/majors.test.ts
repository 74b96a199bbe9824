import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { type Found, findNats, findPostgres } from "../support/majors.ts";
import { startNats } from "../support/nats.ts";
import { openObjects } from "../support/objects.ts";
import { startPostgres } from "../support/postgres.ts";
import { jobEnv } from "../support/run.ts";
import { ARCHIVE, explain, sha256 } from "../support/site.ts";
import { createCollectorTable, rows, type TableState } from "../support/tables.ts";
import { exits, runToEnd } from "./stage.ts";

/** What BK-Lite meets; `npm run servers` fetches what is not there. */
const POSTGRES = ["13", "14", "15", "16", "17", "18"];
const NATS = ["2.9", "2.10", "2.11", "2.12", "2.15"];

/** Without any, a first run waits for BK-Lite's first start. */
const TELEGRAF = {
  name: "Telegraf",
  node_operating_system: "linux",
  executable_path: "/opt/fusion-collectors/bin/telegraf",
};

const folder = tempDir("majors");
const archive = join(folder.path, ARCHIVE);
await buildArchive(archive, { payloadBytes: 2_500_000 });
after(() => folder.remove());

const [postgres, nats] = await Promise.all([findPostgres(), findNats()]);

function absent(wanted: readonly string[], found: readonly Found[]): string {
  const there = wanted.filter((kind) => found.some(({ version }) => version.startsWith(`${kind}.`)));
  const missing = wanted.filter((kind) => !there.includes(kind));
  const left = missing.length === 0 ? "none is missing" : `not here: ${missing.join(", ")} (npm run servers)`;
  return `${found.map(({ version }) => version).join(", ")}; ${left}`;
}

/** A first run, a second that changes nothing, a verify: what exit 0 promises, and what it leaves alone. */
async function wholeStory(servers: { postgres?: string; nats?: string }, state: TableState): Promise<void> {
  const [pg, js] = await Promise.all([
    startPostgres(servers.postgres === undefined ? {} : { program: servers.postgres }),
    startNats(servers.nats === undefined ? {} : { program: servers.nats }),
  ]);
  const objects = await openObjects(js);
  try {
    const db = await pg.createDatabase({ state });
    if (state === "C") await createCollectorTable(db, { state, rows: [TELEGRAF] });
    const env = {
      ...jobEnv({ db, nats: js, packages: folder.path }),
      WAIT_TIMEOUT: "60",
      COLLECTOR_PACKAGES: "shared",
    };
    exits(await runToEnd(["init"], env), 0);
    const seen = { rows: await rows(db), last: await objects.lastSeq() };
    const [only] = await objects.list();
    assert.equal((await objects.read(only?.name ?? "")).sha256, await sha256(archive));
    const again = await runToEnd(["init"], env);
    exits(again, 0);
    assert.deepEqual({ rows: await rows(db), last: await objects.lastSeq() }, seen, explain(again));
    exits(await runToEnd(["verify"], env), 0);
  } finally {
    await objects.close();
    await Promise.allSettled([pg.stop(), js.stop()]);
  }
}

describe("Postgres", { concurrency: 1 }, () => {
  test("which are here", (t) => {
    t.diagnostic(absent(POSTGRES, postgres));
    assert.ok(postgres.length > 0);
  });
  for (const { program, version } of postgres) {
    test(version, () => wholeStory({ postgres: program }, "C"));
  }
});

describe("nats-server", { concurrency: 1 }, () => {
  test("which are here", (t) => {
    t.diagnostic(absent(NATS, nats));
    assert.ok(nats.length > 0);
  });
  for (const { program, version } of nats) {
    test(version, () => wholeStory({ nats: program }, "B"));
  }

  // 2.9 knows no such setting
  for (const { program, version } of nats.filter((one) => !one.version.startsWith("2.9."))) {
    test(`${version}: a bucket that stores under other subjects is rejected before a byte is sent`, async () => {
      const [pg, js] = await Promise.all([startPostgres(), startNats({ program })]);
      const objects = await openObjects(js);
      try {
        const db = await pg.createDatabase({ state: "B" });
        const manager = await objects.connection.jetstreamManager();
        await manager.streams.add({
          name: "OBJ_bklite",
          subjects: ["$O.bklite.C.>", "$O.bklite.M.>"],
          allow_rollup_hdrs: true,
          subject_transform: { src: ">", dest: "moved.>" },
        });
        const run = await runToEnd(["init"], jobEnv({ db, nats: js, packages: folder.path }));
        exits(run, 78);
        assert.equal(run.events.at(-1)?.reason, "nats.bucket.transform");
        assert.equal(await objects.lastSeq(), 0);
      } finally {
        await objects.close();
        await Promise.allSettled([pg.stop(), js.stop()]);
      }
    });
  }
});
