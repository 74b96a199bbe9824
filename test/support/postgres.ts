import type { ChildProcess } from "node:child_process";
import {
  chownSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { connect, type Db, database, type Login } from "./database.ts";
import { end, hasEnded, spawnGuarded, tempDir } from "./guard.ts";
import { freePort } from "./ports.ts";
import { PASSWORD, postgresFiles, type ServerUser, SUPERUSER } from "./postgres-files.ts";
import { packageTable, type TableState } from "./tables.ts";
import { GiveUp, until } from "./wait.ts";

export interface PostgresOptions {
  /** Path of another postgres than the tests' usual one. */
  program?: string;
  /** PEM texts; with `ca`, clients' certificates are checked against it where `hba` asks for them. */
  tls?: { cert: string; key: string; ca?: string };
  /** More options of the server, such as `["-c", "max_connections=5"]`. */
  flags?: readonly string[];
  /** Replaces pg_hba.conf; without it, every database takes passwords, with TLS or without. */
  hba?: string;
}

export interface DatabaseOptions {
  /** Which node_mgmt_packageversion the database has; `none`: not migrated yet. */
  state: "none" | TableState;
  /** `id` as bigserial instead of identity. */
  serial?: boolean;
  name?: string;
}

/** A Postgres as its users see it, whoever started it. */
export interface PostgresAccess extends Login {
  superuserUrl: string;
  /** The database `postgres`, for roles and other databases. */
  admin: Db;
  /** A new database, cloned from the template of its state. */
  createDatabase(options: DatabaseOptions): Promise<Db>;
}

/** A Postgres of the test's own. */
export interface Postgres extends PostgresAccess {
  /** The server's log. */
  logFile: string;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
  /** kill -9, of the server and of every process of its own; the data stays as they were. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on the same port and data. */
  restart(): Promise<void>;
}

const FAST = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  autovacuum: "off",
  shared_buffers: "16MB",
};

/** A Postgres of the test's own on 127.0.0.1, ready for connections. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const files = await postgresFiles(options.program);
  const folder = tempDir("postgres");
  let server: ChildProcess | undefined;
  try {
    const data = join(folder.path, "data");
    const logFile = join(folder.path, "server.log");
    if (files.user.uid !== undefined) chownSync(folder.path, files.user.uid, files.user.gid);
    await files.copyCluster(data);
    const settings = { ...FAST, ...writeSettings(data, files.user, options) };
    const port = await freePort();
    const args = [
      "-D",
      data,
      ...Object.entries({ ...settings, port }).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ...(options.flags ?? []),
    ];
    const launch = async () => {
      server = await startServer(files.postgres, args, { data, logFile, user: files.user });
    };
    await launch();

    return {
      ...postgresAt({ host: "127.0.0.1", port, user: SUPERUSER, password: PASSWORD }),
      logFile,
      async stop() {
        if (server) await end(server, "SIGQUIT");
        folder.remove();
      },
      async kill() {
        if (!server) return;
        const gone = end(server, "SIGKILL");
        killWorkers(data);
        await gone;
        await until("Postgres' processes gone", () => killWorkers(data) === 0);
      },
      async restart() {
        if (server && !hasEnded(server)) throw new Error("Postgres is still running: kill() it first");
        const attempt = async () => {
          await launch().catch((cause: unknown) => {
            throw new Error("not started", { cause });
          });
          return true;
        };
        // Where its processes cannot be listed, the killed server's shared memory is in use for a moment.
        await until("Postgres restarted", attempt, undefined, 100);
      },
    };
  } catch (error) {
    if (server) await end(server, "SIGKILL");
    folder.remove();
    throw error;
  }
}

function writeSettings(data: string, user: ServerUser, options: PostgresOptions): Record<string, string> {
  const write = (name: string, text: string) => {
    const path = join(data, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (user.uid !== undefined) chownSync(path, user.uid, user.gid);
  };
  if (options.hba) write("pg_hba.conf", options.hba);
  if (!options.tls) return {};
  write("server.crt", options.tls.cert);
  write("server.key", options.tls.key);
  if (!options.tls.ca) return { ssl: "on" };
  write("root.crt", options.tls.ca);
  return { ssl: "on", ssl_ca_file: "root.crt" };
}

async function startServer(
  program: string,
  args: readonly string[],
  { data, logFile, user }: { data: string; logFile: string; user: ServerUser },
): Promise<ChildProcess> {
  const log = openSync(logFile, "a");
  const server = spawnGuarded(program, args, {
    ...user,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", log, log],
    // Not in the terminal's group: Ctrl-C is for the test, which ends the server itself.
    detached: true,
    onOrphan: "quit",
  });
  closeSync(log);
  try {
    await until("Postgres ready", () => {
      if (hasEnded(server))
        throw new GiveUp(`Postgres ended:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
      return isReady(data, server.pid);
    });
    return server;
  } catch (error) {
    await end(server, "SIGKILL");
    throw error;
  }
}

/** What pg_ctl looks at: the first line of postmaster.pid is whose file it is, the eighth its state. */
function isReady(data: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
    return lines[0] === String(pid) && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

/**
 * Kills every process that works in `data`; says how many there were. Linux only: elsewhere they go by
 * themselves.
 */
function killWorkers(data: string): number {
  if (process.platform !== "linux") return 0;
  let found = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) !== data) continue;
      found++;
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // Gone between the two looks, or somebody else's.
    }
  }
  return found;
}

/** The Postgres that listens there; opens nothing until it is asked something. */
export function postgresAt(login: Login): PostgresAccess {
  const admin = database(login, "postgres");
  return { ...login, superuserUrl: admin.url, admin, createDatabase: databaseFactory(login, admin) };
}

function databaseFactory(login: Login, admin: Db): PostgresAccess["createDatabase"] {
  const templates = new Map<string, Promise<string>>();
  let count = 0;
  return async ({ state, serial = false, name = `bklite_${process.pid}_${++count}` }) => {
    const key = `${state}${serial}`;
    const made = templates.get(key) ?? template(login, state, serial);
    templates.set(key, made);
    await admin.query(`CREATE DATABASE "${name}" TEMPLATE ${await made}`);
    return database(login, name);
  };
}

/**
 * The name of the state's template database. Makes it if no test file that shares this server has made it
 * yet.
 */
async function template(login: Login, state: DatabaseOptions["state"], serial: boolean): Promise<string> {
  if (state === "none") return "template1";
  const name = `template_${state.toLowerCase()}${serial ? "_serial" : ""}`;
  const client = await connect(login, "postgres");
  try {
    // Held until the connection ends: another test file waits until the template is complete.
    await client.query("SELECT pg_advisory_lock(1)");
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
    if (rowCount === 0) {
      await client.query(`CREATE DATABASE ${name}`);
      await database(login, name).query(packageTable(state, serial));
    }
    return name;
  } finally {
    await client.end();
  }
}
