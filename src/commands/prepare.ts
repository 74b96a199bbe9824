import { collectProblems, EXIT, JobError, type PackageProblem, PackageProblemsError } from "../errors.ts";
import { verifyEntries } from "../packages/entries.ts";
import { MANIFEST, readManifest } from "../packages/manifest.ts";
import type { Archive, VolumeFile } from "../packages/package.ts";
import { resolvePackages } from "../packages/resolve.ts";
import { inspectVolume } from "../packages/scan.ts";
import { findFile, listVolume } from "../packages/volume.ts";
import { type Servers, waitForServers } from "../readiness/wait.ts";
import { isRetryable } from "../reconcile/apply.ts";
import { pause } from "../reconcile/state.ts";
import { DatabaseLostError, TableChangedError } from "../registry/database.ts";
import { RowConflictError } from "../registry/rows.ts";
import { formatBytes } from "../report/summary.ts";
import type { Run } from "../run.ts";
import { StoreConflictError } from "../store/errors.ts";

/** Clean starts after a lost connection, or after somebody else wrote in between. */
const RETRIES = 3;

/**
 * Waits for the servers and reads the volume, both at once: neither needs the other, and a bad archive should not be heard of
 * only after minutes of waiting. The first failure ends both.
 */
export async function prepare(run: Run, writes: boolean): Promise<{ servers: Servers; archives: Archive[] }> {
  const files = await findFiles(run);
  const sibling = new AbortController();
  const signal = AbortSignal.any([run.signal, sibling.signal]);
  const stop = (error: unknown): never => {
    sibling.abort(error);
    throw error;
  };
  const [servers, archives] = await Promise.allSettled([
    run.recorder.time("wait", () => waitForServers(run, writes, signal)).catch(stop),
    run.recorder.time("scan", () => scan(run, files, signal)).catch(stop),
  ]);
  if (servers.status === "fulfilled" && archives.status === "fulfilled") {
    return { servers: servers.value, archives: archives.value };
  }
  if (servers.status === "fulfilled") await servers.value.close();
  run.signal.throwIfAborted();
  throw sibling.signal.reason;
}

async function findFiles({ args, config, log }: Run): Promise<VolumeFile[]> {
  if (args.file !== undefined) return [await findFile(args.file, args)];
  const [{ files: found, ignored }, named = []] = await Promise.all([
    listVolume(config.packagesDir),
    readManifest(config.packagesDir),
  ]);
  const byName = new Set([MANIFEST, ...named.map(({ file }) => file)]);
  const files = [...found.filter(({ file }) => !byName.has(file)), ...named];
  for (const file of ignored.filter((other) => !byName.has(other)))
    log.debug("scan.ignored", `${file}: not an archive of ours, left alone`, { file });
  if (files.length === 0 && !config.allowEmpty) {
    throw new JobError(EXIT.noInput, `no archive in ${config.packagesDir}`, {
      hint: "put fusion-collectors*.zip or .tar.gz there (at most three folders deep), check the mount, or set ALLOW_EMPTY=true",
    });
  }
  return files;
}

async function scan(run: Run, files: readonly VolumeFile[], signal: AbortSignal): Promise<Archive[]> {
  const { log } = run;
  const started = performance.now();
  const archives = await inspectVolume(files, { signal }).catch(async (error) => {
    if (!(error instanceof PackageProblemsError)) throw error;
    throw new PackageProblemsError([
      ...error.problems,
      ...(await findMore(run, files, error.problems, signal)),
    ]);
  });
  const bytes = archives.reduce((sum, archive) => sum + archive.size, 0);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  log.info(
    "scan.done",
    `on the volume: ${archives.length === 1 ? "1 archive" : `${archives.length} archives`}, ${formatBytes(bytes)}`,
    {
      archives: archives.length,
      bytes,
      seconds,
    },
  );
  return archives;
}

/**
 * What is wrong with the files that can be opened, when the run is lost already: the operator should hear of all in one run. The
 * tables are not known yet, so with the built-in collectors, and without a word on architectures that the table may not tell apart.
 */
async function findMore(
  { args, config }: Run,
  files: readonly VolumeFile[],
  known: readonly PackageProblem[],
  signal: AbortSignal,
): Promise<readonly PackageProblem[]> {
  const bad = new Set(known.map((problem) => problem.file));
  const archives = await inspectVolume(
    files.filter(({ file }) => !bad.has(file)),
    { signal },
  );
  const { packageVersion, archiveCheck } = config;
  const wanted = {
    options: args,
    packageVersion,
    collectors: config.collectors,
    standalone: config.collectorPackages === "standalone",
    definitions: [],
    archColumn: true,
  };
  const more: PackageProblem[] = [];
  await collectProblems(more, () => resolvePackages(archives, wanted));
  if (archiveCheck === "quick") return more;
  for (const archive of archives) await collectProblems(more, () => verifyEntries(archive, signal));
  return more;
}

/** Runs `attempt` with live servers; after a lost connection, or a conflict, again from a clean start, up to three times. Closes the servers. */
export async function withRetries<T>(
  run: Run,
  first: Servers,
  writes: boolean,
  attempt: (servers: Servers, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let servers = first;
  try {
    for (let retries = 0; ; retries += 1) {
      try {
        return await attempt(servers, AbortSignal.any([run.signal, servers.postgres.db.lost]));
      } catch (error) {
        run.signal.throwIfAborted();
        if (!isRetryable(error)) throw error;
        if (retries === RETRIES) throw gaveUp(error as Error);
        run.log.warn(
          "run.retry",
          `${(error as Error).message}: starting again (${retries + 1} of ${RETRIES})`,
          { retry: retries + 1 },
        );
        await servers.close();
        await pause(250 * 2 ** retries, run.signal);
        servers = await run.recorder.time("wait", () => waitForServers(run, writes, run.signal));
      }
    }
  } finally {
    await servers.close();
  }
}

function gaveUp(error: Error): JobError {
  if (error instanceof StoreConflictError || error instanceof RowConflictError) {
    return new JobError(EXIT.tryAgain, `somebody else keeps writing the same packages: ${error.message}`, {
      hint: "find out who uploads at the same time (the web page, another bootstrap), then run again",
      cause: error,
    });
  }
  if (error instanceof TableChangedError) {
    return new JobError(EXIT.config, error.message, {
      hint: "check the table against BK-Lite's migrations (a trigger or column of somebody's own?), or use a newer bklite-package-init",
      cause: error,
    });
  }
  const name = error instanceof DatabaseLostError ? "Postgres" : "NATS";
  return new JobError(
    EXIT.unavailable,
    `${name} was lost during the run, ${RETRIES + 1} times: ${error.message}`,
    {
      hint: `check ${name}'s log and the network; what is stored already will not be sent again`,
      cause: error,
    },
  );
}
