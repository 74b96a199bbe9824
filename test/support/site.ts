import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { type ArchiveOptions, buildArchive } from "./archives.ts";
import type { Db } from "./database.ts";
import { tempDir } from "./guard.ts";
import { type NatsOptions, type NatsServer, startNats } from "./nats.ts";
import { type Objects, openObjects } from "./objects.ts";
import { type DatabaseOptions, type Postgres, startPostgres } from "./postgres.ts";
import { type JobResult, jobEnv, type RunningJob, runJob, startJob, tail } from "./run.ts";
import { type PackageRow, rows } from "./tables.ts";

/** The name that the guide's tables show. */
export const ARCHIVE = "fusion-collectors-linux-amd64.zip";

/** One place to run the job in: a database, a bucket and a volume of its own. */
export interface Site {
  db: Db;
  bucket: string;
  volume: string;
  objects: Objects;
  env: Record<string, string>;
  /** Writes an archive to the volume; returns its path. */
  archive(name?: string, options?: ArchiveOptions): Promise<string>;
  run(args?: readonly string[], env?: Record<string, string>): Promise<JobResult>;
  start(args?: readonly string[], env?: Record<string, string>): RunningJob;
  rows(): Promise<PackageRow[]>;
  /** All that a run could change: the stream's last sequence and every row with its xmin. */
  state(): Promise<unknown>;
  close(): Promise<void>;
}

export interface Servers {
  postgres: Postgres;
  nats: NatsServer;
  site(options?: DatabaseOptions): Promise<Site>;
}

/** Starts both servers before the file's tests and stops them, and whatever sites were made, after. */
export function useServers(options: NatsOptions = {}): Servers {
  const servers = {} as Servers;
  const sites: Site[] = [];
  let count = 0;
  before(async () => {
    [servers.postgres, servers.nats] = await Promise.all([startPostgres(), startNats(options)]);
  });
  after(async () => {
    await Promise.allSettled(sites.map((site) => site.close()));
    await Promise.allSettled([servers.nats?.stop(), servers.postgres?.stop()]);
  });
  servers.site = async (database = { state: "B" }) => {
    // Counted at once: tests may ask for their sites at the same time.
    const site = await openSite(servers, `b${count++}`, database);
    sites.push(site);
    return site;
  };
  return servers;
}

async function openSite(
  { postgres, nats }: Servers,
  bucket: string,
  options: DatabaseOptions,
): Promise<Site> {
  const db = await postgres.createDatabase(options);
  const folder = tempDir("volume");
  const objects = await openObjects(nats, bucket);
  const env = jobEnv(
    { db, nats, packages: folder.path },
    {
      NATS_NAMESPACE: bucket,
      WAIT_TIMEOUT: "20",
      LOG_LEVEL: "debug",
      REPORT_FILE: join(folder.path, "report.json"),
    },
  );
  return {
    db,
    bucket,
    volume: folder.path,
    objects,
    env,
    async archive(name = ARCHIVE, archiveOptions = {}) {
      const path = join(folder.path, name);
      await buildArchive(path, { payloadBytes: 300_000, ...archiveOptions });
      return path;
    },
    run: (args = [], more = {}) => runJob({ args, env: { ...env, ...more } }),
    start: (args = [], more = {}) => startJob({ args, env: { ...env, ...more } }),
    rows: () => rows(db),
    async state() {
      return { lastSequence: await objects.lastSeq(), rows: await rows(db) };
    },
    async close() {
      await objects.close();
      folder.remove();
    },
  };
}

/** What a failed assertion about a run should show. */
export function explain(result: JobResult): string {
  return `exit ${result.code}\n${tail(result)}`;
}

/** Lower-case hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
