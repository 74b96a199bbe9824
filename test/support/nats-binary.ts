import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The release that production runs (BK-Lite fact). */
const VERSION = "2.10.25";

/** From nats-io/nats-docker at v2.10.25; for other platforms the release's own list is all there is. */
const SHA256: Record<string, string> = {
  "linux-amd64": "8a54ebad5f08311257e4267a96c5333ae58667c3ef50a7897bce00e01f6d8d6c",
  "linux-arm64": "7e73452331bb348c64ea1029f0fba479c7076db5225b7c76aa0e48671f924e0e",
};

const RELEASES = "https://github.com/nats-io/nats-server/releases/download";

const HINT = `nats-server is needed. Any one of these will do:
  - set NATS_SERVER_BIN to the path of one;
  - put one on the PATH (https://github.com/nats-io/nats-server/releases);
  - be connected to the internet, so that the tests can fetch release ${VERSION} into the cache;
  - on Debian or Ubuntu: apt-get update, and apt-get install nats-server (or leave that to the tests).`;

export interface FindOptions {
  env?: Readonly<Record<string, string | undefined>>;
  /** Where releases are; tests of this module give their own. */
  releases?: string;
  /** SHA-256 by platform, such as `linux-amd64`. */
  checksums?: Record<string, string>;
}

/**
 * Path of a nats-server: NATS_SERVER_BIN, the PATH, the cache, or fetched into the cache: the pinned release,
 * or else Debian's package. Throws with an install hint and with why each way failed.
 */
export async function findNatsServer(options: FindOptions = {}): Promise<string> {
  const { env = process.env, releases = RELEASES, checksums = SHA256 } = options;
  const given = env.NATS_SERVER_BIN;
  if (given) {
    if (await isProgram(given)) return given;
    throw new Error(`NATS_SERVER_BIN=${given} is not a program\n${HINT}`);
  }
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    const path = join(folder, "nats-server");
    if (folder && (await isProgram(path))) return path;
  }
  const cache = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "bklite-package-init");
  const reasons: string[] = [];
  // More than once: apt-get in another test process may hold the lock, and fill the cache meanwhile. ENOENT:
  // no apt-get.
  for (let attempt = 0; attempt < 3; attempt++) {
    if (attempt > 0) await sleep(2_000);
    for (const name of ["release", "debian"]) {
      const path = join(cache, `nats-server-${name}-${process.arch}`, "nats-server");
      if (await isProgram(path)) return path;
    }
    try {
      return await store(cache, "release", (aside) => fetchRelease(aside, releases, checksums));
    } catch (error) {
      reasons.push(`release ${VERSION}: ${describe(error)}`);
    }
    try {
      return await store(cache, "debian", (aside) => fetchDebian(aside, env));
    } catch (error) {
      reasons.push(`Debian's package: ${describe(error)}`);
      if ((error as NodeJS.ErrnoException).code === "ENOENT") break;
    }
  }
  throw new Error(`${HINT}\n${[...new Set(reasons)].join("\n")}`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Lets `get` leave a nats-server in a folder of its own, then moves the folder into place in one step. */
async function store(cache: string, name: string, get: (aside: string) => Promise<string>): Promise<string> {
  await mkdir(cache, { recursive: true });
  const target = join(cache, `nats-server-${name}-${process.arch}`);
  const aside = await mkdtemp(`${target}-`);
  try {
    const program = await get(aside);
    const clean = join(aside, "done");
    await mkdir(clean);
    await copyFile(program, join(clean, "nats-server"));
    await chmod(join(clean, "nats-server"), 0o755);
    await run(join(clean, "nats-server"), ["--version"]);
    await rename(clean, target).catch(async (error: unknown) => {
      // Another test process was first.
      if (!(await isProgram(join(target, "nats-server")))) throw error;
    });
    return join(target, "nats-server");
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function fetchRelease(
  aside: string,
  releases: string,
  checksums: Record<string, string>,
): Promise<string> {
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch as string];
  if (!arch || !["linux", "darwin"].includes(process.platform)) {
    throw new Error(`none is pinned for ${process.platform} ${process.arch}`);
  }
  const platform = `${process.platform}-${arch}`;
  const file = `nats-server-v${VERSION}-${platform}.tar.gz`;
  const base = `${releases}/v${VERSION}`;
  const expected = checksums[platform] ?? listed(String(await download(`${base}/SHA256SUMS`)), file);
  const archive = await download(`${base}/${file}`);
  const digest = createHash("sha256").update(archive).digest("hex");
  if (digest !== expected) throw new Error(`${file}: SHA-256 is ${digest}, not ${expected}`);
  await writeFile(join(aside, file), archive);
  await run("tar", ["-xzf", file], { cwd: aside });
  return findProgram(aside);
}

function listed(sums: string, file: string): string {
  const line = sums.split("\n").find((entry) => entry.trim().split(/\s+\*?/)[1] === file);
  if (!line) throw new Error(`SHA256SUMS of ${VERSION} does not list ${file}`);
  return line.trim().split(/\s+/)[0] as string;
}

/**
 * The body at `url`. Four seconds for an answer: where there is no internet, this must not hold up the tests.
 */
async function download(url: string): Promise<Buffer> {
  const answered = new AbortController();
  const timer = setTimeout(() => answered.abort(new Error(`no answer from ${new URL(url).host}`)), 4_000);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([answered.signal, AbortSignal.timeout(120_000)]),
    });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } finally {
    clearTimeout(timer);
  }
}

async function fetchDebian(aside: string, env: NodeJS.ProcessEnv): Promise<string> {
  const patience = ["-o", "Acquire::http::Timeout=10", "-o", "Acquire::Retries=1"];
  const apt = (...args: string[]) => run("apt-get", ["-qq", ...patience, ...args], { cwd: aside, env });
  await apt("download", "nats-server").catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw error;
    // The lists of a fresh container are empty.
    await apt("update");
    await apt("download", "nats-server");
  });
  const archive = (await readdir(aside)).find((name) => name.endsWith(".deb"));
  if (!archive) throw new Error("apt-get download left no package");
  await run("dpkg-deb", ["-x", archive, "unpacked"], { cwd: aside });
  return findProgram(aside);
}

async function findProgram(folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const program = files.find((file) => file.isFile() && file.name === "nats-server");
  if (!program) throw new Error("the archive holds no nats-server");
  return join(program.parentPath, program.name);
}
