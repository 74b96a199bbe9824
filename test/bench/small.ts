import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildArchive } from "../support/archives.ts";
import { tempDir } from "../support/guard.ts";
import { NODE_FLAGS } from "../support/run.ts";
import { type Contender, compete, type Options, peer } from "./contest.ts";
import { measure } from "./measure.ts";
import type { Findings } from "./report.ts";
import { makeNoise, Stage, type Target } from "./stage.ts";

const MIB = 1024 * 1024;
const NODE = "node alone";
const WAIT = "`wait` against ready servers";

/** Measures what the job needs before it does anything: the first log line, and a whole `wait`. */
export function benchStart(options: Options): Promise<Findings> {
  return Stage.on({}, (stage) =>
    stage.withBucket(async (bucket) => {
      const db = await stage.database();
      const results = await compete({ ...options, rounds: options.rounds * 4 }, [
        { ours: true, run: async (entry) => ({ [WAIT]: await stage.job(entry, "wait", { db, bucket }) }) },
        peer(NODE, () => measure({ program: process.execPath, args: ["-e", "console.log(1)"] })),
      ]);
      const value = results.first(WAIT);
      const limit = results.time(NODE) + 0.11;
      return {
        tables: [results.table("Start", `The first log line came after ${Math.round(value * 1000)} ms.`)],
        goals: [{ name: "first log line: node alone + 0.11 s", limit, value, unit: "s" }],
        data: results.data(),
      };
    }),
  );
}

const TAR = "scan of a tar.gz of 20,000 entries";
const GUNZIP = "gzip -dc of it";

/** Measures the scan of an archive with many entries, beside gunzipping it. */
export async function benchScan(options: Options): Promise<Findings> {
  const folder = tempDir("bench");
  try {
    const path = join(folder.path, "fusion-collectors-linux-amd64.tar.gz");
    const noise = (index: number) =>
      createHash("shake128", { outputLength: 1024 }).update(String(index)).digest("hex");
    const entries = Array.from({ length: 20_000 }, (_, index) => ({
      name: `bin/plugins/${index % 100}/plugin-${index}.conf`,
      content: noise(index),
    }));
    await buildArchive(path, { entries });
    // repacking would hide the scan
    const env = { PACKAGES_DIR: folder.path, REPACK: "never", COLLECTOR_PACKAGES: "shared" };
    const results = await compete({ ...options, rounds: options.rounds * 2 }, [
      {
        ours: true,
        run: async (entry) => ({
          [TAR]: await measure({ program: process.execPath, args: [...NODE_FLAGS, entry, "scan"], env }),
        }),
      },
      peer(GUNZIP, () => measure({ program: "gzip", args: ["-dc", path], discard: true })),
    ]);
    return { tables: [results.table("Scan")], goals: [], data: results.data() };
  } finally {
    folder.remove();
  }
}

/** Foreign objects with as many rows, and the memory that a run beside them may need. */
const CROWDS = [
  { count: 0, limit: 128 * MIB },
  { count: 10_000, limit: 192 * MIB },
  { count: 20_000, limit: 192 * MIB },
  { count: 100_000, limit: 256 * MIB },
];
const crowded = (count: number) => `**init**, nothing changed beside ${count} foreign objects and rows`;

/** Measures a run that changes nothing in buckets and tables that other users have filled. */
export async function benchCrowd(options: Options): Promise<Findings> {
  const volume = await makeNoise(2 * MIB);
  try {
    return await Stage.on({}, async (stage) => {
      const contenders: Contender[] = [];
      for (const { count } of CROWDS) {
        const target = { db: await stage.database(), bucket: await stage.makeBucket(), volume };
        await fill(stage, target, count);
        await stage.job(options.entry, "init", target);
        contenders.push({
          ours: true,
          run: async (entry) => ({ [crowded(count)]: await stage.job(entry, "init", target) }),
        });
      }
      const results = await compete(options, contenders);
      const time = {
        name: `${crowded(10_000)}: twice the time beside none`,
        limit: 2 * results.time(crowded(0)),
        value: results.time(crowded(10_000)),
        unit: "s" as const,
      };
      const memory = CROWDS.map(({ count, limit }) => ({
        name: `${crowded(count)}: peak memory`,
        limit,
        value: results.peak(crowded(count)),
        unit: "MiB" as const,
      }));
      return { tables: [results.table("Crowds")], goals: [time, ...memory], data: results.data() };
    });
  } finally {
    volume.folder.remove();
  }
}

/** Stores `count` small objects of another user, each with a row. */
async function fill({ connection }: Stage, { db, bucket }: Target, count: number): Promise<void> {
  const digest = createHash("sha256").update("x").digest("base64").replaceAll("+", "-").replaceAll("/", "_");
  for (let index = 0; index < count; index += 1) {
    const name = `linux/Foreign/${index}/foreign.zip`;
    const nuid = `foreign${String(index).padStart(15, "0")}`;
    const subject = `$O.${bucket}.M.${Buffer.from(name).toString("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
    const info = { name, bucket, nuid, size: 1, chunks: 1, digest: `SHA-256=${digest}`, mtime: new Date() };
    connection.publish(`$O.${bucket}.C.${nuid}`, "x");
    // an answer now and then: the server drops what comes faster than it stores
    if (index % 500 === 499) await connection.request(subject, JSON.stringify(info));
    else connection.publish(subject, JSON.stringify(info));
  }
  await db.query(`INSERT INTO node_mgmt_packageversion
    (created_at, updated_at, created_by, updated_by, type, os, object, version, name, description, domain, updated_by_domain)
    SELECT now(), now(), 'admin', 'admin', 'controller', 'linux', 'Foreign', n, 'foreign.zip', '', 'd', 'd'
    FROM generate_series(0, ${count - 1}) n`);
}
