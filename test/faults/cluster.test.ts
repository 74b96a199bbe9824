import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { buildArchive } from "../support/archives.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import type { NatsServer } from "../support/nats.ts";
import { type NatsCluster, startCluster } from "../support/nats-cluster.ts";
import { openObjects } from "../support/objects.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { random, rounds } from "../support/rounds.ts";
import { jobEnv } from "../support/run.ts";
import { ARCHIVE, explain, sha256 } from "../support/site.ts";
import { until } from "../support/wait.ts";
import { exits, job, runToEnd } from "./stage.ts";

let cluster: NatsCluster;
let postgres: Postgres;
let folder: TempDir;
let path: string;
/** The node that a round has killed. */
let down: NatsServer | undefined;

/**
 * Brings the killed node back; a start that is too slow for one try gets another, so that later rounds have
 * three nodes.
 */
async function restore(): Promise<void> {
  for (let tries = 3; down; tries -= 1) {
    try {
      await down.kill();
      await down.restart();
      await cluster.ready();
      down = undefined;
    } catch (error) {
      if (tries === 1) throw error;
    }
  }
}

before(async () => {
  folder = tempDir("cluster");
  path = `${folder.path}/${ARCHIVE}`;
  [cluster, postgres] = await Promise.all([
    startCluster(3),
    startPostgres(),
    buildArchive(path, { payloadBytes: 40_000_000 }),
  ]);
});
afterEach(restore);
after(async () => {
  await Promise.allSettled([cluster.stop(), postgres.stop()]);
  folder.remove();
});

for (let round = 0; round < 1 + rounds(1); round++) {
  // round 0: nobody is killed
  const share = random(`cluster ${round}`).int(100);
  test(
    round === 0 ? "three replicas" : `round ${round}: the stream's leader is killed at ${share}%`,
    async () => {
      const bucket = `cluster${round}`;
      const db = await postgres.createDatabase({ state: "B" });
      const more = {
        NATS_SERVERS: cluster.servers,
        NATS_NAMESPACE: bucket,
        NATS_REPLICAS: "3",
        WAIT_TIMEOUT: "30",
      };
      const env = jobEnv(
        { db, packages: folder.path },
        { ...more, REPORT_FILE: `${folder.path}/report.json` },
      );
      const running = job([], env);
      if (round > 0) {
        await running.waitForEvent("bucket.created");
        const leader = await cluster.leaderOf(`OBJ_${bucket}`);
        await running.waitForEvent("upload.progress");
        // Where it is by then depends on the machine; that it is some time in the upload, or right after,
        // does not.
        await new Promise((resolve) => setTimeout(resolve, share * 8));
        down = leader;
        await leader.kill();
      }
      const first = await running.done;
      exits(first, 0, ...(down ? [69] : []));
      await restore();
      const second = await runToEnd([], env);
      exits(second, 0);
      if (first.code === 0)
        assert.deepEqual(
          second.report?.packages.map(({ action }) => action),
          ["unchanged"],
          explain(second),
        );
      const objects = await openObjects({ url: cluster.servers }, bucket);
      try {
        assert.equal((await objects.streamInfo()).config.num_replicas, 3);
        // A reader may be served by the one that has just come back.
        await until("all replicas current", async () => {
          const { cluster: raft } = await objects.streamInfo();
          const replicas = raft?.replicas ?? [];
          return replicas.length === 2 && replicas.every(({ current, lag }) => current && !lag);
        });
        assert.equal((await objects.read(`linux/Controller/1.0.0/${ARCHIVE}`)).sha256, await sha256(path));
        assert.deepEqual(await objects.unreachable(), []);
      } finally {
        await objects.close();
      }
      const [rows] = await db.query<{ count: string }>("SELECT count(*) FROM node_mgmt_packageversion");
      assert.equal(rows?.count, "4");
    },
  );
}
