import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { type ArchiveOptions, buildArchive } from "./archives.ts";
import type { Db } from "./database.ts";
import { tempDir } from "./guard.ts";
import { type NatsAccess, type NatsOptions, type NatsServer, startNats } from "./nats.ts";
import { type Objects, openObjects } from "./objects.ts";
import { type DatabaseOptions, type Postgres, type PostgresAccess, startPostgres } from "./postgres.ts";
import { type JobResult, jobEnv, type RunningJob, runJob, startJob, tail } from "./run.ts";
import { sharedServers } from "./servers.ts";
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
  /** Writes a file to the volume; returns its path. */
  put(file: string, content: string | Buffer): string;
  run(args?: readonly string[], env?: Record<string, string>): Promise<JobResult>;
  /** Runs the job and asserts exit 0. */
  ok(args?: readonly string[], env?: Record<string, string>): Promise<JobResult>;
  start(args?: readonly string[], env?: Record<string, string>): RunningJob;
  rows(): Promise<PackageRow[]>;
  /** All that a run could change: the stream's last sequence and every row with its xmin. */
  state(): Promise<unknown>;
  close(): Promise<void>;
}

export interface Servers {
  postgres: PostgresAccess;
  nats: NatsAccess;
  site(options?: DatabaseOptions): Promise<Site>;
}

/** Servers of a test file's own, which it may kill, pause and look into. */
export interface OwnServers extends Servers {
  postgres: Postgres;
  nats: NatsServer;
}

/**
 * The servers that every test file of a run shares (servers.ts), or, if a file runs by itself, servers of its
 * own. Removes the sites that were made after the file's tests.
 */
export function useServers(): Servers {
  const shared = sharedServers();
  return shared ? withSites(shared, true) : useOwnServers();
}

/** Starts both servers before the file's tests, and stops them after. */
export function useOwnServers(options: NatsOptions = {}): OwnServers {
  const servers = {} as OwnServers;
  before(async () => {
    [servers.postgres, servers.nats] = await Promise.all([startPostgres(), startNats(options)]);
  });
  withSites(servers, false);
  after(() => Promise.allSettled([servers.nats?.stop(), servers.postgres?.stop()]));
  return servers;
}

/** Adds `site` to the servers. `remove`: nobody else removes what a site left on them. */
function withSites(servers: Omit<Servers, "site">, remove: boolean): Servers {
  const sites: Site[] = [];
  let count = 0;
  after(async () => {
    if (remove) await Promise.allSettled(sites.map((site) => removeSite(servers, site)));
    await Promise.allSettled(sites.map((site) => site.close()));
  });
  return Object.assign(servers, {
    async site(database: DatabaseOptions = { state: "B" }) {
      // Counted before the first wait: tests may ask for their sites at the same time.
      const site = await openSite(servers, `b${process.pid}_${count++}`, database);
      sites.push(site);
      return site;
    },
  });
}

async function removeSite({ postgres }: Pick<Servers, "postgres">, { db, bucket, objects }: Site) {
  await postgres.admin.query(`DROP DATABASE IF EXISTS "${db.name}" WITH (FORCE)`);
  await objects.connection.request(`$JS.API.STREAM.DELETE.OBJ_${bucket}`);
}

async function openSite(
  { postgres, nats }: Omit<Servers, "site">,
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
      WAIT_TIMEOUT: "60",
      LOG_LEVEL: "debug",
      REPORT_FILE: join(folder.path, "report.json"),
    },
  );
  const site: Site = {
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
    put(file, content) {
      const path = join(folder.path, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      return path;
    },
    run: (args = [], more = {}) => runJob({ args, env: { ...env, ...more } }),
    async ok(...how) {
      const result = await this.run(...how);
      assert.equal(result.code, 0, explain(result));
      return result;
    },
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
  return site;
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
