import { poll } from "../async.ts";
import type { JobContext } from "../job.ts";
import { readStartProgress, type StartProgress } from "../postgres/platform-tables.ts";
import type { PostgresReady } from "../readiness/postgres-probe.ts";

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
