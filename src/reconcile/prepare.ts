import { poll } from "../async.ts";
import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { Archive } from "../packages/package.ts";
import { findFiles, scan } from "../packages/read.ts";
import { readStartProgress, type StartProgress } from "../postgres/platform-tables.ts";
import type { PostgresReady } from "../readiness/postgres-probe.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";

/** The servers and what lies on the volume. */
export interface Prepared {
  servers: Servers;
  archives: Archive[];
  /** When WAIT_TIMEOUT is over, as by performance.now(). */
  deadline: number;
}

/**
 * Waits for the servers and reads the volume, both at once: neither needs the other, and a bad archive should not be heard of
 * only after minutes of waiting. The first failure ends both.
 */
export async function prepare(job: JobContext, writes: boolean): Promise<Prepared> {
  const { args, config, log, recorder } = job;
  const { requireRegions: regions } = config;
  // nothing that is required may pass unseen
  if (regions.length > 0) throw new JobError("config.regions", { name: "REQUIRE", regions });
  const files = await findFiles(args, config, log, job.signal);
  const sibling = new AbortController();
  const signal = AbortSignal.any([job.signal, sibling.signal]);
  const stop = (error: unknown): never => {
    sibling.abort(error);
    throw error;
  };
  const deadline = performance.now() + config.waitTimeout * 1000;
  const waiting = recorder.time("wait", () => waitForServers(job, writes, signal)).catch(stop);
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

/** Milliseconds between two looks, and between two lines. */
const POLL = 1000;
const LINE = 10_000;
/** Milliseconds without a further migration after which there are no more to come. */
const STILL = 5000;

/** What the start has yet to do. */
interface Unfinished {
  migrating: boolean;
  definitionsEmpty: boolean;
}

/**
 * Waits until BK-Lite's first start is over: its migrations no longer grow, and its list of collectors is filled. What is written
 * before that may not fit the finished tables. At `deadline` (as by performance.now()) the job goes on, with a warning.
 */
export async function waitForFirstStart(
  { config, log }: JobContext,
  { db }: PostgresReady,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const left = () => Math.max(0, Math.round((deadline - performance.now()) / 1000));
  const isMigrating = growthWatch();
  let toldAt = Number.NEGATIVE_INFINITY;
  let isFirst = true;
  const look = async (): Promise<Unfinished> => {
    const progress = await readStartProgress(db, config.db.schema);
    if (progress.unreadable && isFirst) log.debug("migrations.unreadable", {});
    isFirst = false;
    const found = { migrating: isMigrating(progress), definitionsEmpty: progress.definitionsEmpty };
    if (performance.now() - toldAt >= LINE && !isOver(found)) {
      toldAt = performance.now();
      const { count = 0 } = progress.migrations ?? {};
      if (found.migrating) log.info("migrations.waiting", { count, seconds: seconds(), left: left() });
      else log.info("definitions.waiting", { seconds: seconds(), left: left() });
    }
    return found;
  };
  const backoff = () => (deadline - performance.now() > POLL ? POLL : undefined);
  const end = await poll(look, { until: isOver, backoff, signal });
  if (end.migrating) log.warn("plan.warning", "definitions.migrating", { seconds: seconds() });
  if (end.definitionsEmpty) log.warn("plan.warning", "definitions.empty", { seconds: seconds() });
}

function isOver({ migrating, definitionsEmpty }: Unfinished): boolean {
  return !migrating && !definitionsEmpty;
}

/** Says, look by look, whether the server may still be migrating: a migration is younger than a minute, and the last look that saw fewer was a moment ago. */
function growthWatch(): (progress: StartProgress) => boolean {
  let seen: { count: number; since: number } | undefined;
  return ({ migrations }) => {
    if (!migrations?.young) return false;
    if (seen?.count !== migrations.count) seen = { count: migrations.count, since: performance.now() };
    return performance.now() - seen.since < STILL;
  };
}
