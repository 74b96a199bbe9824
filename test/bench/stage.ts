import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import { buildArchive } from "../support/archives.ts";
import type { Db } from "../support/database.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { startNats } from "../support/nats.ts";
import { startCluster } from "../support/nats-cluster.ts";
import { startPostgres } from "../support/postgres.ts";
import { jobEnv, NODE_FLAGS } from "../support/run.ts";
import type { Contender } from "./contest.ts";
import { type Measured, measure } from "./measure.ts";

/** Archives in a folder of their own. */
export interface Volume {
  folder: TempDir;
  file: string;
}

export interface ServerOptions {
  /** Another nats-server than the tests' usual one. */
  program?: string;
  /** Where JetStream keeps its files; the usual place is in memory. */
  storeDir?: string;
  /** Nodes of a cluster, with as many replicas. */
  nodes?: number;
}

/** What the job works on. */
export interface Target {
  db: Db;
  bucket: string;
  volume?: Volume;
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
  /** More of node's options. */
  flags?: readonly string[];
}

/** The servers to measure against, and the programs that are measured. */
export class Stage {
  /** nats:// of the server, or of the cluster's nodes with commas. */
  readonly url: string;
  readonly version: string;
  readonly connection: NatsConnection;
  readonly #jsm: JetStreamManager;
  readonly #replicas: number;
  readonly #database: () => Promise<Db>;
  #buckets = 0;

  private constructor(
    url: string,
    version: string,
    connection: { connection: NatsConnection; jsm: JetStreamManager; replicas: number },
    database: () => Promise<Db>,
  ) {
    this.url = url;
    this.version = version;
    this.connection = connection.connection;
    this.#jsm = connection.jsm;
    this.#replicas = connection.replicas;
    this.#database = database;
  }

  /** Runs something on servers of its own. */
  static async on<T>({ nodes = 1, ...server }: ServerOptions, run: (stage: Stage) => Promise<T>): Promise<T> {
    await using stack = new AsyncDisposableStack();
    const nats = nodes > 1 ? await startCluster(nodes) : await startNats(server);
    stack.defer(() => nats.stop());
    const postgres = await startPostgres();
    stack.defer(() => postgres.stop());
    const [url, version] =
      "nodes" in nats ? [nats.servers, nats.nodes[0]?.version ?? ""] : [nats.url, nats.version];
    const connection = await connect({ servers: url.split(",") });
    stack.defer(() => connection.close());
    const jsm = await connection.jetstreamManager({ timeout: 60_000 });
    const database = () => postgres.createDatabase({ state: "B" });
    return await run(new Stage(url, version, { connection, jsm, replicas: nodes }, database));
  }

  database(): Promise<Db> {
    return this.#database();
  }

  async makeBucket(): Promise<string> {
    this.#buckets += 1;
    const bucket = `bench${this.#buckets}`;
    await this.#jsm.streams.add({
      name: `OBJ_${bucket}`,
      subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
      allow_rollup_hdrs: true,
      allow_direct: true,
      num_replicas: this.#replicas,
    });
    return bucket;
  }

  /** Makes a bucket for the time of `run`. */
  async withBucket<T>(run: (bucket: string) => Promise<T>): Promise<T> {
    const bucket = await this.makeBucket();
    try {
      return await run(bucket);
    } finally {
      await this.#jsm.streams.delete(`OBJ_${bucket}`);
    }
  }

  async lastSequence(bucket: string): Promise<number> {
    return (await this.#jsm.streams.info(`OBJ_${bucket}`)).state.last_seq;
  }

  /** Runs the job, from its start to its end. */
  job(entry: string, command: string, target: Target): Promise<Measured> {
    const { db, bucket, volume, env: more, flags = [] } = target;
    const services = { db, nats: { url: this.url }, ...(volume && { packages: volume.folder.path }) };
    const env = jobEnv(services, { NATS_NAMESPACE: bucket, LOG_FORMAT: "json", ...more });
    return measure({ program: process.execPath, args: [...NODE_FLAGS, ...flags, entry, command], env });
  }

  /**
   * Makes a contender of `init`: into an empty bucket and table, then again, and with `rebuilt` in the
   * volume's place if it is given. Throws if a run after the first writes to the bucket.
   */
  init(name: string, target: Omit<Target, "db" | "bucket"> & { rebuilt?: Volume }): Contender {
    const { rebuilt, ...given } = target;
    return {
      ours: true,
      run: (entry) =>
        this.withBucket(async (bucket) => {
          const on = { ...given, db: await this.database(), bucket };
          const first = await this.job(entry, "init", on);
          const sequence = await this.lastSequence(bucket);
          const unchanged = await this.job(entry, "init", on);
          const again = rebuilt && (await this.job(entry, "init", { ...on, volume: rebuilt }));
          if ((await this.lastSequence(bucket)) !== sequence)
            throw new Error(`${name}: an unchanged run has written to the bucket`);
          return {
            [init(name)]: first,
            [unchangedInit(name)]: unchanged,
            ...(again && { [`${init(name)}, the same entries in another packaging`]: again }),
          };
        }),
    };
  }

  /** Publishes a file as rivals/publish.ts does, with the job's chunk size and window. */
  publish(file: string): Promise<Measured> {
    return this.withBucket((bucket) =>
      rival("publish", this.url, `$O.${bucket}.C.bench`, file, "1000000", "8"),
    );
  }

  /** Uploads a file with natscli's `nats object put`. */
  natscli(file: string, url = this.url): Promise<Measured> {
    return this.withBucket((bucket) =>
      measure({
        program: "nats",
        args: [
          ...["--server", url, "--timeout", "60s", "object", "put", bucket, file],
          ...["--name", "object", "--force", "--no-progress"],
        ],
      }),
    );
  }
}

/** Returns the name of the row of a first run. */
export const init = (name: string) => `**init**, ${name}`;
/** Returns the name of the row of a run that changes nothing. */
export const unchangedInit = (name: string) => `${init(name)}: nothing changed`;

/** Runs one of the programs in rivals/. */
export function rival(name: "publish" | "inflate", ...args: readonly string[]): Promise<Measured> {
  return measure({ program: process.execPath, args: [fileOf(`rivals/${name}.ts`), ...args] });
}

/** Returns the path of a file of this folder. */
export function fileOf(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}

/** Makes an archive of `bytes` of noise, stored in a zip. */
export async function makeNoise(bytes: number): Promise<Volume> {
  const folder = tempDir("bench");
  const file = join(folder.path, "fusion-collectors-linux-amd64-1.0.0.zip");
  await buildArchive(file, { payloadBytes: bytes, seed: "bench" });
  return { folder, file };
}
