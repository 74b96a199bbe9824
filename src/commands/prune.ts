import { JobError, ProblemError } from "../errors.ts";
import { type JobContext, writes } from "../job.ts";
import type { Archive } from "../packages/package.ts";
import { acquireLock } from "../postgres/lock.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import {
  findLeftovers,
  planPrune,
  type Removals,
  removeVersions,
  reportKept,
  showRemovals,
} from "../reconcile/old-versions.ts";
import { findLeftChunks, reclaim } from "../reconcile/orphans.ts";
import { prepare } from "../reconcile/prepare.ts";
import { withRetries } from "../reconcile/retries.ts";
import { observe, resolveArchives } from "../reconcile/state.ts";

/** Removes old versions, or without --yes shows which would go. What lies on a mounted volume stays. */
export async function prune(job: JobContext): Promise<void> {
  const { servers: first, archives } = await prepare(job);
  const begun: Removals = new Map();
  const show = await withRetries(job, first, async (servers, signal) => {
    const onVolume = await packagesOf(job, archives, servers);
    if (!writes(job)) return preview(job, servers, onVolume, signal);
    const { config, log } = job;
    const { bucket } = config.nats;
    const options = { timeout: config.waitTimeout, signal, log, meanwhile: async () => {} };
    const lock = await job.recorder.time("lock", () => acquireLock(servers.postgres.db, bucket, options));
    try {
      const context = { servers, lock, log, recorder: job.recorder, begun };
      await remove(job, onVolume, { ...context, signal: AbortSignal.any([signal, lock.lost]) });
    } finally {
      await lock.release();
    }
    return () => {};
  });
  show();
}

type OnVolume = Parameters<typeof planPrune>[0]["onVolume"];

async function packagesOf(
  job: JobContext,
  archives: readonly Archive[],
  servers: Servers,
): Promise<OnVolume> {
  const { packages, collectors, problems } = await resolveArchives(job, archives, servers.postgres);
  // What cannot be read could be what must stay.
  if (problems.length > 0) throw new ProblemError(problems);
  return [...packages.filter(({ keyWithoutRow }) => keyWithoutRow === undefined), ...collectors];
}

/** Reads what would go. Returns how to show it: once, after the last attempt. */
async function preview(
  job: JobContext,
  servers: Servers,
  onVolume: OnVolume,
  signal: AbortSignal,
): Promise<() => void> {
  const rule = ruleOf(job);
  const state = await observe(servers, job, signal);
  const plan = planPrune({ state, rule, onVolume, leftovers: await findLeftovers(servers, state) });
  return () => {
    showRemovals(plan, state.archColumn, job);
    reportKept(plan, rule, job.log);
  };
}

async function remove(
  job: JobContext,
  onVolume: OnVolume,
  context: Parameters<typeof removeVersions>[1],
): Promise<void> {
  const { servers, begun, signal } = context;
  const { bucket } = servers.nats;
  const rule = ruleOf(job);
  const state = await observe(servers, job, signal);
  // Chunks whose object a run removed before it was killed.
  await reclaim(bucket, await findLeftChunks(bucket, state.listing, signal), context);
  const leftovers = await findLeftovers(servers, state);
  const plan = planPrune({ state, rule, onVolume, leftovers, begun: begun.values() });
  await removeVersions(plan, context);
  reportKept(plan, rule, job.log);
}

function ruleOf({ args }: JobContext) {
  const { prune: rule } = args;
  if (!rule) throw new JobError("usage.needs", { option: "prune", needs: "--keep N (or --version VERSION)" });
  return rule;
}
