import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "nats";
import { natsCertificates } from "../support/certs.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { packageTable } from "../support/tables.ts";
import { until } from "../support/wait.ts";
import { docker, IMAGE, inspect, type Result, root, run } from "./docker.ts";

/** The stack's own settings, as they stand in its .env. */
export const PASSWORDS = {
  POSTGRES_PASSWORD: "made-up-1",
  NATS_ADMIN_USERNAME: "admin",
  NATS_ADMIN_PASSWORD: "made-up-2",
};
/**
 * As the documentation has operators do it; the flags hold for every container that the tests run from the
 * image.
 */
const HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];

export interface JobOptions {
  args?: string[];
  env?: Record<string, string>;
  image?: string;
  /** Folder for /packages, else the stack's own; null: none is mounted. */
  packages?: string | null;
  /** More options for `docker run`. */
  flags?: string[];
}

/** The database's rows and the stream's last message: equal before and after a run that wrote nothing. */
export interface State {
  rows: string[];
  lastSequence: number;
  /** Messages that the stream holds. */
  messages: number;
}

/** A folder with a stack of BK-Lite's shape, and the containers that Compose made of it. */
export class Stack {
  readonly folder: string;
  readonly packages: string;
  readonly project: string;
  readonly composeCommand: readonly string[];
  readonly #temp: TempDir;

  constructor(compose: readonly string[]) {
    this.composeCommand = compose;
    this.#temp = tempDir("e2e");
    this.folder = this.#temp.path;
    this.project = this.folder.split("/").at(-1)?.toLowerCase() ?? "";
    this.packages = join(this.folder, "pkgs");
    for (const path of ["pkgs", "conf/certs"]) mkdirSync(join(this.folder, path), { recursive: true });
    copyFileSync(
      join(import.meta.dirname, "stack/docker-compose.yaml"),
      join(this.folder, "docker-compose.yaml"),
    );
    copyFileSync(join(import.meta.dirname, "stack/nats.conf"), join(this.folder, "conf/nats.conf"));
    writeFileSync(join(this.folder, "migrate.sql"), `${packageTable("B")};\n`);
    const { ca, server } = natsCertificates();
    for (const [name, text] of [
      ["ca.crt", ca.cert],
      ["server.crt", server.cert],
      ["server.key", server.key],
    ] as const) {
      writeFileSync(join(this.folder, "conf/certs", name), text);
    }
    const env = { ...PASSWORDS, STACK_NETWORK: this.project };
    const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(this.folder, ".env"), lines.join(""));
  }

  /** Compose with the stack's own file alone. */
  compose(...args: string[]): Promise<Result> {
    return this.#run(["-f", "docker-compose.yaml", ...args]);
  }

  /** Compose with compose.init.yml laid over it, whatever .env says. */
  composeWithInit(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
    return this.#run(["-f", "docker-compose.yaml", "-f", join(root, "compose.init.yml"), ...args], env);
  }

  #run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
    const [command = "", ...first] = this.composeCommand;
    return run(command, [...first, "-p", this.project, ...args], {
      cwd: this.folder,
      env: { ...process.env, ...env },
    });
  }

  /** What Docker knows of a service's container; undefined where there is none. */
  async container(service: string) {
    const project = `label=com.docker.compose.project=${this.project}`;
    const filters = ["--filter", project, "--filter", `label=com.docker.compose.service=${service}`];
    const id = await docker("ps", "-aq", "--no-trunc", ...filters);
    return id === "" ? undefined : inspect(id);
  }

  /** Starts what the job works with, without the table, for tests that run the image by themselves. */
  async startServers(): Promise<void> {
    const { code, stderr } = await this.compose("up", "-d", "postgres", "nats");
    if (code !== 0) throw new Error(`the stack's servers did not start:\n${stderr}`);
    await until("postgres answers", () => this.sql("SELECT 1"), 60_000, 250);
  }

  /** One statement; the answer's lines, columns divided by `|`. */
  async sql(statement: string): Promise<string[]> {
    const { Id } = await this.container("postgres");
    const psql = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-d", "bklite", "-tA", "-c", statement];
    const password = `PGPASSWORD=${PASSWORDS.POSTGRES_PASSWORD}`;
    const text = await docker("exec", "-e", password, Id, ...psql);
    return text === "" ? [] : text.split("\n");
  }

  /** An independent client of the stack's NATS. The caller closes it. */
  async nats(): Promise<NatsConnection> {
    const { NetworkSettings } = await this.container("nats");
    const [{ HostPort }] = NetworkSettings.Ports["4222/tcp"];
    return connect({
      servers: `127.0.0.1:${HostPort}`,
      user: PASSWORDS.NATS_ADMIN_USERNAME,
      pass: PASSWORDS.NATS_ADMIN_PASSWORD,
      tls: { caFile: join(this.folder, "conf/certs/ca.crt") },
    });
  }

  /** The bytes under a key of the bucket. */
  async object(key: string): Promise<Buffer> {
    const nc = await this.nats();
    try {
      const store = await nc.jetstream().views.os("bklite");
      const blob = await store.getBlob(key);
      return Buffer.from(blob ?? []);
    } finally {
      await nc.close();
    }
  }

  async state(): Promise<State> {
    const rows = await this.sql("SELECT xmin, * FROM node_mgmt_packageversion ORDER BY id");
    const nc = await this.nats();
    try {
      const { state } = await (await nc.jetstreamManager()).streams.info("OBJ_bklite");
      return { rows, lastSequence: state.last_seq, messages: state.messages };
    } finally {
      await nc.close();
    }
  }

  /** The arguments of `docker` that run the job in the stack's network, hardened. */
  jobCommand({ args = [], env = {}, image = IMAGE, packages, flags = ["--rm"] }: JobOptions = {}): string[] {
    const all = {
      DB_HOST: "postgres",
      DB_PASSWORD: PASSWORDS.POSTGRES_PASSWORD,
      NATS_SERVERS: "tls://nats:4222",
      NATS_USER: PASSWORDS.NATS_ADMIN_USERNAME,
      NATS_PASSWORD: PASSWORDS.NATS_ADMIN_PASSWORD,
      NATS_TLS_CA_FILE: "/etc/nats/certs/ca.crt",
      ...env,
    };
    const variables = Object.entries(all).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const mounts = ["-v", `${join(this.folder, "conf/certs")}:/etc/nats/certs:ro`];
    if (packages !== null) mounts.push("-v", `${packages ?? this.packages}:/packages:ro`);
    return ["run", ...flags, "--network", this.project, ...HARDENED, ...variables, ...mounts, image, ...args];
  }

  /** Runs the job to its end. */
  job(options?: JobOptions): Promise<Result> {
    return run("docker", this.jobCommand(options));
  }

  /** Ends and removes everything: containers, network, volumes, folder. */
  async remove(): Promise<void> {
    // By the stack's own file: the job's container is an orphan to it, and a broken compose.init.yml does not
    // matter.
    const { code, stderr } = await this.compose("down", "-v", "--remove-orphans");
    this.#temp.remove();
    if (code !== 0) throw new Error(`the stack's containers were not removed:\n${stderr}`);
  }
}
