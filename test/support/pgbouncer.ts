import { execFile } from "node:child_process";
import { chmodSync, chownSync, closeSync, cpSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { Login } from "./database.ts";
import { end, hasEnded, spawnGuarded, tempDir } from "./guard.ts";
import { freePort } from "./ports.ts";
import { serverUser } from "./postgres-files.ts";
import { GiveUp, until } from "./wait.ts";

const run = promisify(execFile);

/** A pgbouncer, and the libraries that came with it. */
interface Program {
  path: string;
  libraries?: string;
}

/**
 * PGBOUNCER_BIN, the PATH, the cache, or Debian's package fetched into the cache. undefined where there is
 * none: it is no part of BK-Lite, so a test that cannot have it plays its part by hand and says so.
 */
export async function findPgbouncer(): Promise<Program | undefined> {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  const places = folders.map((folder) => join(folder, "pgbouncer"));
  for (const path of [process.env.PGBOUNCER_BIN ?? "", ...places]) {
    if (path && (await isProgram(path))) return { path };
  }
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "bklite-package-init");
  const target = join(cache, `pgbouncer-${process.arch}`);
  if (!(await isProgram(join(target, "usr/sbin/pgbouncer"))))
    await fetchDebian(cache, target).catch(() => {});
  const path = join(target, "usr/sbin/pgbouncer");
  if (!(await isProgram(path))) return undefined;
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  return { path, libraries: join(target, `usr/lib/${machine}-linux-gnu`) };
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Unpacked aside and moved into place in one step; nothing of the machine's own is touched. */
async function fetchDebian(cache: string, target: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(`${target}-`);
  try {
    const options = { cwd: aside, timeout: 60_000 };
    const wanted = ["pgbouncer", "libevent-2.1-7", "libc-ares2"];
    const apt = (...args: string[]) => run("apt-get", ["-qq", "-o", "Acquire::Retries=1", ...args], options);
    await apt("download", ...wanted).catch(async () => {
      await apt("update");
      await apt("download", ...wanted);
    });
    for (const file of await readdir(aside)) {
      if (file.endsWith(".deb")) await run("dpkg-deb", ["-x", file, "unpacked"], options);
    }
    await rename(join(aside, "unpacked"), target);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

export interface Pgbouncer extends Login {
  version: string;
  stop(): Promise<void>;
}

/**
 * A pgbouncer of the test's own before `postgres`, with its defaults but for `settings`. undefined: there is
 * none here.
 */
export async function startPgbouncer(
  postgres: Login,
  settings: Readonly<Record<string, string>> = {},
): Promise<Pgbouncer | undefined> {
  const program = await findPgbouncer();
  if (!program) return undefined;
  const folder = tempDir("pgbouncer");
  chmodSync(folder.path, 0o755);
  const [path, libraries] = [join(folder.path, "pgbouncer"), join(folder.path, "lib")];
  // Copied: it does not run as root, and nobody else may be let into root's cache.
  cpSync(program.path, path);
  if (program.libraries) cpSync(program.libraries, libraries, { recursive: true, verbatimSymlinks: true });
  const env = { PATH: "/usr/bin:/bin", ...(program.libraries && { LD_LIBRARY_PATH: libraries }) };
  const { stdout } = await run(path, ["--version"], { env });
  const user = await serverUser();
  const port = await freePort();
  const file = (name: string, text: string) => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    if (user.uid !== undefined) chownSync(path, user.uid, user.gid);
    return path;
  };
  const logins = file("users.txt", `"${postgres.user}" "${postgres.password}"\n`);
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "scram-sha-256",
  };
  const lines = Object.entries({ ...all, auth_file: logins, ...settings }).map(
    ([name, value]) => `${name} = ${value}`,
  );
  const database = `* = host=${postgres.host} port=${postgres.port}`;
  const config = file("pgbouncer.ini", `[databases]\n${database}\n[pgbouncer]\n${lines.join("\n")}\n`);
  const logFile = file("log", "");
  const log = openSync(logFile, "a");
  const child = spawnGuarded(path, [config], { ...user, env, cwd: "/", stdio: ["ignore", log, log] });
  closeSync(log);
  await until("pgbouncer ready", () => {
    const said = readFileSync(logFile, "utf8");
    if (hasEnded(child)) throw new GiveUp(`pgbouncer ended:\n${said}`);
    return said.includes("process up");
  });
  return {
    host: "127.0.0.1",
    port,
    user: postgres.user,
    password: postgres.password,
    version: stdout.split("\n")[0] ?? "",
    async stop() {
      await end(child, "SIGTERM", 2_000);
      folder.remove();
    },
  };
}
