import { createLineClock, poll, until } from "../async.ts";
import { JobError } from "../errors.ts";
import { type JobContext, writes } from "../job.ts";
import type { Archive } from "../packages/package.ts";
import { findFiles, scan } from "../packages/read.ts";
import { readStartProgress, type StartProgress } from "../postgres/platform-tables.ts";
import type { PostgresReady } from "../readiness/postgres-probe.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";

/** The connected servers, and the archives on the volume. */
export interface Prepared {
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
  const { args, config, log, recorder } = job;
  const { requireRegions: regions } = config;
  // No requirement may be ignored silently.
  if (regions.length > 0) throw new JobError("config.regions", { name: "REQUIRE", regions });
  const files = await findFiles(args, config, log, job.signal);
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
    recorder.time("scan", () => scan(files, args, config, log, signal)).catch(stop),
  ]);
  if (servers.status === "fulfilled" && archives.status === "fulfilled") {
    return { servers: servers.value, archives: archives.value, deadline };
  }
  if (servers.status === "fulfilled") await servers.value.close();
  job.signal.throwIfAborted();
  throw sibling.signal.reason;
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
