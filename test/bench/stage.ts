import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type JetStreamManager, type NatsConnection, type StreamConfig } from "nats";
import { buildArchive } from "../support/archives.ts";
import type { Db } from "../support/database.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { jobEnv } from "../support/run.ts";
import { runs } from "./machine.ts";
import { type Measured, measure } from "./measure.ts";

/** Where memory is a file system, on Linux. */
const MEMORY = "/dev/shm";

export interface Options {
  /** The bundle that is measured. */
  entry: string;
  /** Rounds of the quick measurements; longer ones take fewer. */
  rounds: number;
  /** Sizes of the archives, in bytes. */
  sizes: readonly number[];
  /** Paths of the nats-servers that are compared; undefined: those that the tests know. */
  servers: readonly string[] | undefined;
  log: (line: string) => void;
}

/** Archives in a folder of their own. */
export interface Volume {
  folder: TempDir;
  files: string[];
  /** Of all files together. */
  bytes: number;
}

/** What our own program works on. */
interface Target {
  db: Db;
  bucket: string;
  volume?: Volume;
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
}

/** Servers to measure against, and what is measured. */
export class Stage {
  readonly options: Options;
  readonly nats: NatsServer;
  readonly postgres: Postgres;
  readonly #connection: NatsConnection;
  readonly #jsm: JetStreamManager;
  #buckets = 0;

  private constructor(
    options: Options,
    servers: { nats: NatsServer; postgres: Postgres },
    connection: NatsConnection,
    jsm: JetStreamManager,
  ) {
    this.options = options;
    this.nats = servers.nats;
    this.postgres = servers.postgres;
    this.#connection = connection;
    this.#jsm = jsm;
  }

  /**
   * @param server another nats-server than the tests' usual one, or another place for JetStream's files than
   * where everything else is
   */
  static async open(options: Options, server: { program?: string; storeDir?: string } = {}): Promise<Stage> {
    const nats = await startNats(server);
    const postgres = await startPostgres();
    const connection = await connect({ servers: nats.url });
    return new Stage(
      options,
      { nats, postgres },
      connection,
      await connection.jetstreamManager({ timeout: 60_000 }),
    );
  }

  async close(): Promise<void> {
    await this.#connection.close();
    await this.nats.stop();
    await this.postgres.stop();
  }

  /** A name that no bucket has yet. */
  newBucket(): string {
    this.#buckets += 1;
    return `bench${this.#buckets}`;
  }

  /** The stream of an Object Store bucket; `more` for limits. */
  async makeBucket(bucket: string, more: Partial<StreamConfig> = {}): Promise<void> {
    await this.#jsm.streams.add({
      name: `OBJ_${bucket}`,
      subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
      allow_rollup_hdrs: true,
      allow_direct: true,
      ...more,
    });
  }

  async dropBucket(bucket: string): Promise<void> {
    await this.#jsm.streams.delete(`OBJ_${bucket}`);
  }

  async lastSequence(bucket: string): Promise<number> {
    return (await this.#jsm.streams.info(`OBJ_${bucket}`)).state.last_seq;
  }

  /** Bytes that the server has sent to its clients so far. */
  async bytesServed(): Promise<number> {
    const answer = await fetch(`${this.nats.monitorUrl}/varz`);
    return ((await answer.json()) as { out_bytes: number }).out_bytes;
  }

  database(): Promise<Db> {
    return this.postgres.createDatabase({ state: "B" });
  }

  /** Our own program, from its start to its end. */
  job(command: string, target: Target): Promise<Measured> {
    const { db, bucket, volume, env: more } = target;
    const services = { db, nats: { url: this.nats.url }, ...(volume && { packages: volume.folder.path }) };
    const env = jobEnv(services, { NATS_NAMESPACE: bucket, ...more });
    return measure({ program: process.execPath, args: ["--expose-gc", this.options.entry, command], env });
  }

  /** Any other program. */
  program(name: string, args: readonly string[]): Promise<Measured> {
    return measure({ program: name, args });
  }

  /** Any other program that prints what it makes, which nobody wants. */
  filter(name: string, args: readonly string[]): Promise<Measured> {
    return measure({ program: name, args, discard: true });
  }

  /** One of the programs in rivals/. */
  rival(name: "publish" | "library" | "inflate", ...args: readonly string[]): Promise<Measured> {
    const server = name === "inflate" ? [] : [this.nats.url];
    return measure({ program: process.execPath, args: [rivalFile(`${name}.ts`), ...server, ...args] });
  }

  /** The same in Python, where hasNatsPy() holds. */
  natsPy(verb: "put" | "get", ...args: readonly string[]): Promise<Measured> {
    return measure({ program: "python3", args: [rivalFile("nats_py.py"), verb, this.nats.url, ...args] });
  }
}

function rivalFile(name: string): string {
  return fileURLToPath(new URL(`./rivals/${name}`, import.meta.url));
}

/** Whether nats.py, BK-Lite's own client, is installed here. */
export function hasNatsPy(): Promise<boolean> {
  return runs("python3", "-c", "import nats");
}

/** `count` archives of `bytes` each, incompressible, stored in zips. */
export async function makeVolume(bytes: number, count = 1): Promise<Volume> {
  const folder = tempDir("bench");
  const files: string[] = [];
  for (let index = 0; index < count; index++) {
    const file = join(folder.path, `fusion-collectors-linux-amd64-1.0.${index}.zip`);
    await buildArchive(file, { payloadBytes: bytes, seed: `bench ${index}` });
    files.push(file);
  }
  return { folder, files, bytes: bytes * count };
}

/** A folder where a disk measures nothing: in memory, if `bytes` fit there; else the usual one. */
export function quickFolder(bytes: number): string {
  return freeBytes(MEMORY) > bytes ? MEMORY : tmpdir();
}

/** Bytes that a folder has room for; 0 if it is not there. */
export function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    // a file system in memory promises all of it, whoever else uses some
    return folder.startsWith(MEMORY) ? Math.min(bavail * bsize, process.availableMemory()) : bavail * bsize;
  } catch {
    return 0;
  }
}
