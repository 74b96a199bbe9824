import { toRunError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { Log } from "../output/log.ts";
import { shownPlatform } from "../packages/package.ts";
import { checkArchives } from "../reconcile/checks.ts";
import type { Plan } from "../reconcile/decide.ts";
import { createObserve, reportDamage } from "../reconcile/deep.ts";
import { logPlanWarnings, recordDecision } from "../reconcile/drift.ts";
import { afterPrune, planKeep, reportKept, showRemovals } from "../reconcile/old-versions.ts";
import { findLeftChunks } from "../reconcile/orphans.ts";
import { afterPlan, concludePlatforms } from "../reconcile/platforms.ts";
import { prepare, waitForFirstStart } from "../reconcile/prepare.ts";
import { withRetries } from "../reconcile/retries.ts";
import { findSpace } from "../reconcile/space.ts";
import { decideAll, resolveDesired } from "../reconcile/state.ts";

/** Shows what init would do, refusals included. Writes nothing. */
export async function showPlan(job: JobContext): Promise<void> {
  const { servers: first, archives, deadline } = await prepare(job);
  const { config, log, recorder } = job;
  const observe = createObserve(job);
  const { plan, state, desired, full } = await withRetries(job, first, async (servers, signal) => {
    // The plan is shown even if init would refuse the table.
    const { refusal } = servers.postgres.shape;
    if (refusal) log.warn("plan.warning", refusal.reason, refusal.params);
    await recorder.time("wait", () => waitForFirstStart(job, servers.postgres, deadline, signal));
    const desired = await resolveDesired(job, archives, servers);
    const seen = await observe(servers, signal, desired.packages);
    const decided = await decideAll(job, desired, seen, signal);
    await checkArchives(decided.packages, { full: config.archiveCheck === "full", log, recorder, signal });
    // init purges these first.
    const { objects, chunks } = seen.listing;
    const left = await findLeftChunks(servers.nats.bucket, seen.listing, signal);
    const dead = left.reduce((sum, nuid) => sum + (chunks.get(nuid) ?? 0), 0);
    const space = { decisions: decided.packages, objects };
    const { short: full } = await findSpace(servers.nats.bucket, space, dead);
    return { plan: decided, state: seen, desired, full };
  });
  logPlanWarnings(log, plan);
  for (const decision of plan.packages) recordDecision(decision, decision.conflict, recorder);
  for (const { values, row, action } of plan.rows) recorder.row(values, row?.id, action);
  logPlan(log, plan, state.archColumn);
  const { rows, listing } = afterPlan(state, plan);
  const after = { ...state, rows, listing: { ...state.listing, objects: listing.objects } };
  const old = planKeep(config, { state: after, desired });
  showRemovals(old, state.archColumn, job);
  reportKept(old, { keep: config.keepVersions }, log);
  const incomplete = concludePlatforms(job, afterPrune(after, old), desired);
  const conflicts = [...plan.packages, ...plan.rows].flatMap((decision) => decision.conflict ?? []);
  // What init could not repair.
  const damage = reportDamage(job, state, plan);
  const failure = full ?? toRunError([...conflicts, ...damage]);
  if (failure) throw failure;
  if (incomplete) throw incomplete;
}

function logPlan(log: Log, { packages, rows }: Plan, archColumn: boolean): void {
  for (const { desired, action, conflict, key, obsolete } of packages) {
    const { archive, type, object, version } = desired.package;
    log.info("plan.package", {
      file: archive.file,
      type,
      ...shownPlatform(desired.package, archColumn),
      object,
      version,
      action: conflict ? "conflict" : action,
      key,
      bytes: desired.bytes ?? null,
      sha256: desired.sha256 ?? null,
      ...(obsolete.length > 0 && { removes: obsolete.map((one) => one.key) }),
    });
  }
  for (const { action, values, row } of rows)
    log.info("plan.row", { id: row?.id ?? null, action, ...values });
}
