import { createLineClock, poll, until } from "../async.ts";
import { JobError, type Problem, ProblemError } from "../errors.ts";
import { type JobContext, type ScanContext, writes } from "../job.ts";
import type { Log } from "../output/log.ts";
import { startReading } from "../output/progress.ts";
import type { Archive } from "../packages/package.ts";
import { emptyVolume, findFiles, type ReadOptions, readFiles } from "../packages/read.ts";
import { judge, type Resolved } from "../packages/resolve.ts";
import { readStartProgress, type StartProgress } from "../postgres/platform-tables.ts";
import type { PostgresReady } from "../readiness/postgres-probe.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";
import { shownKey } from "../sshsig.ts";
import type { VolumeFile } from "../volume/files.ts";
import type { Ignored } from "../volume/list.ts";

/** The connected servers, and the archives on the volume. */
interface Prepared {
  servers: Servers;
  archives: Archive[];
  /** When WAIT_TIMEOUT is over, as by performance.now(). */
  deadline: number;
}

/**
 * Waits for the servers and reads the volume at the same time: neither needs the other, and a bad archive is
 * reported without minutes of waiting. The first failure ends both.
 */
export async function prepare(job: JobContext): Promise<Prepared> {
  const { args, config, recorder } = job;
  const files = args.command === "prune" ? await listFilesIfAny(job) : await listFiles(job);
  const sibling = new AbortController();
  const signal = AbortSignal.any([job.signal, sibling.signal]);
  const stop = (error: unknown): never => {
    sibling.abort(error);
    throw error;
  };
  const deadline = performance.now() + config.waitTimeout * 1000;
  const waiting = recorder.time("wait", () => waitForServers(job, writes(job), signal)).catch(stop);
  const [servers, archives] = await Promise.allSettled([
    waiting,
    recorder.time("scan", () => scanFiles(files, job, signal)).catch(stop),
  ]);
  if (servers.status === "fulfilled" && archives.status === "fulfilled") {
    return { servers: servers.value, archives: archives.value, deadline };
  }
  if (servers.status === "fulfilled") await servers.value.close();
  job.signal.throwIfAborted();
  throw sibling.signal.reason;
}

/** Lists the files to read, and logs the others. Throws as findFiles does, and exit 66 if there is none. */
export async function listFiles(job: ScanContext): Promise<VolumeFile[]> {
  const { args, config, log, signal } = job;
  const found = await findFiles(args, config, readOptions(job, signal));
  reportFindings(log, found);
  return found.files.map((file) => ({ ...file, watch: () => startReading(log, file.file, file.size) }));
}

/** Lists the files of a volume that need not be there. */
async function listFilesIfAny(job: ScanContext): Promise<VolumeFile[]> {
  try {
    return await listFiles(job);
  } catch (error) {
    const isNone = error instanceof JobError && /^volume\.(?:missing|empty)$/.test(error.reason);
    if (isNone) return [];
    throw error;
  }
}

/**
 * Reads the files as the packages that they are declared to be. Throws ProblemError with all problems of all
 * files.
 */
export async function scanFiles(
  files: readonly VolumeFile[],
  job: ScanContext,
  signal: AbortSignal,
): Promise<Archive[]> {
  const { args, config, log, signatures } = job;
  const started = performance.now();
  const { archives, problems, warnings } = await readFiles(files, readOptions(job, signal));
  reportFindings(log, { ignored: [], warnings });
  if (problems.length > 0) {
    const { problems: more } = await judge(archives, args, config, signal);
    rejectFiles(job, files.length, [...problems, ...more]);
  }
  const bytes = archives.reduce((sum, archive) => sum + archive.size, 0);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  log.info("scan.done", { archives: archives.length, bytes, seconds });
  for (const { list, signer } of signatures?.verified ?? [])
    log.info("scan.signed", { list, signer: shownKey(signer) });
  return archives;
}

/** Logs how many files cannot be used. Throws ProblemError. */
export function rejectFiles(job: ScanContext, files: number, problems: readonly Problem[]): never {
  const { args, config, log } = job;
  const bad = new Set(problems.map(({ file }) => file)).size;
  log.info("scan.rejected", { where: args.file ?? config.packagesDir, files, bad });
  throw new ProblemError(problems);
}

/** Waits for files that are still being written, a quarter of WAIT_TIMEOUT in all. */
function readOptions({ config, log, signatures }: ScanContext, signal: AbortSignal): ReadOptions {
  const patience = config.waitTimeout / 4;
  return { signal, patience, onWait: (wait) => log.info("scan.growing", wait), signatures };
}

/**
 * Logs how many files become how many packages, those that become none, and warnings. Throws exit 66 if there
 * is no package.
 */
export function reportResolved(
  { packages, ignored, warnings }: Resolved,
  { args, config: { packagesDir, allowEmpty }, log }: ScanContext,
): void {
  reportFindings(log, { ignored, warnings });
  if (packages.length === 0 && !allowEmpty)
    throw emptyVolume(
      packagesDir,
      warnings,
      ignored.map(({ file }) => file),
    );
  const archives = new Set(packages.map(({ archive }) => archive));
  const bytes = [...archives].reduce((sum, { size }) => sum + size, 0);
  const where = args.file ?? packagesDir;
  log.info("scan.packages", { where, files: archives.size, packages: packages.length, bytes });
}

function reportFindings(
  log: Log,
  {
    ignored,
    warnings,
    error,
  }: { ignored: readonly Ignored[]; warnings: readonly Problem[]; error?: JobError },
): void {
  for (const one of ignored) log.debug("scan.ignored", one);
  for (const { file, reason, params } of warnings) log.warn("scan.suspect", reason, params, { file });
  if (error) throw error;
}

/** Milliseconds between two readings. */
const POLL = 1000;
/** Milliseconds without a further migration after which no more are expected. */
const STILL = 5000;

/**
 * Waits until BK-Lite's first start is over: the number of its migrations no longer grows, and its list of
 * collectors is filled. What is written earlier may not fit the finished tables. At `deadline` (as by
 * performance.now()) the job goes on, with a warning.
 */
export async function waitForFirstStart(
  { config, log }: JobContext,
  { db }: PostgresReady,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const isMigrating = createMigrationWatch();
  const isDue = createLineClock();
  const read = async () => {
    const { migrations, unreadable, definitionsEmpty } = await readStartProgress(db, config.db.schema);
    const migrating = isMigrating(migrations);
    const phase = migrating ? "migrations" : definitionsEmpty ? "definitions" : undefined;
    if (phase && isDue(phase)) {
      const time = {
        seconds: seconds(),
        left: Math.max(0, Math.round((deadline - performance.now()) / 1000)),
      };
      if (migrating) log.info("migrations.waiting", { count: migrations?.count ?? 0, ...time });
      else log.info("definitions.waiting", time);
    }
    return { migrating, unreadable, definitionsEmpty };
  };
  const isOver = (start: Awaited<ReturnType<typeof read>>) => !start.migrating && !start.definitionsEmpty;
  const end = await poll(read, { until: isOver, backoff: until(deadline, POLL), signal });
  if (end.unreadable) log.debug("migrations.unreadable", {});
  if (end.migrating) log.warn("plan.warning", "definitions.migrating", { seconds: seconds() });
  if (end.definitionsEmpty) log.warn("plan.warning", "definitions.empty", { seconds: seconds() });
}

/**
 * Returns whether the server may still be migrating, reading by reading: its newest migration is younger than
 * a minute, and their number has changed within the last STILL milliseconds.
 */
function createMigrationWatch(): (migrations: StartProgress["migrations"]) => boolean {
  let seen: { count: number; since: number } | undefined;
  return (migrations) => {
    if (!migrations?.young) return false;
    if (seen?.count !== migrations.count) seen = { count: migrations.count, since: performance.now() };
    return performance.now() - seen.since < STILL;
  };
}
