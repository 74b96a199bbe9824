import { poll } from "../async.ts";
import type { JobContext } from "../job.ts";
import type { Log } from "../output/log.ts";
import { needsDefinitions } from "../packages/kind.ts";
import type { Archive, CollectorDefinition } from "../packages/package.ts";
import type { PostgresReady } from "../readiness/postgres.ts";
import { type Definitions, readDefinitions } from "../registry/collectors.ts";

/** Milliseconds between two looks, and between two lines. */
const POLL = 1000;
const LINE = 10_000;

/** When each job began to wait: once, however often it starts anew. */
const begun = new WeakMap<JobContext, number>();

/**
 * The platform's collectors. On today's BK-Lite (state C) an empty table means that its first start is not over: it is waited for, up
 * to a quarter of WAIT_TIMEOUT; then there are none, and the built-in ones count, with a warning.
 */
export async function platformDefinitions(
  job: JobContext,
  archives: readonly Archive[],
  { db, shape }: PostgresReady,
  signal: AbortSignal,
): Promise<readonly CollectorDefinition[]> {
  const { config, log } = job;
  const read = () => readDefinitions(db, config.db.schema);
  const first = await read();
  const wanted = config.collectors !== "none" && archives.some(needsDefinitions);
  if (!first.pending || !shape.archColumn || !wanted) return usable(first, log);
  const limit = config.waitTimeout / 4;
  const started = begun.get(job) ?? performance.now();
  begun.set(job, started);
  const waited = () => (performance.now() - started) / 1000;
  let toldAt = Number.NEGATIVE_INFINITY;
  const look = async () => {
    const found = await read();
    if (found.pending && performance.now() - toldAt >= LINE) {
      toldAt = performance.now();
      const seconds = Math.round(waited());
      log.info("definitions.waiting", { seconds, left: Math.max(0, Math.round(limit - waited())) });
    }
    return found;
  };
  const backoff = () => (waited() + POLL / 1000 < limit ? POLL : undefined);
  const found = await poll(look, { until: ({ pending }) => !pending, backoff, signal });
  if (found.pending) log.warn("plan.warning", "definitions.empty", { seconds: Math.round(limit) });
  return usable(found, log);
}

/** The definitions that can be used; the others are named. */
function usable({ definitions, unusable }: Definitions, log: Log): readonly CollectorDefinition[] {
  if (unusable.length > 0) log.warn("plan.warning", "definitions.name", { names: unusable });
  return definitions;
}
