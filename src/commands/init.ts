/** commands/: one short story for each command, told in terms of the other rooms. None imports another. */
import { poll } from "../async.ts";
import { EXIT, JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { Archive } from "../packages/package.ts";
import type { Servers } from "../readiness/wait.ts";
import { type ApplyContext, applyPackages, applyRows, removeObsolete } from "../reconcile/apply.ts";
import { checkArchives, type Desired, decideAll, resolveDesired, sourceOf } from "../reconcile/desired.ts";
import { findDrift, logDrift, logPlanWarnings } from "../reconcile/drift.ts";
import { observe } from "../reconcile/observed.ts";
import { findUnreachable, reclaim, tidyOrphans } from "../reconcile/orphans.ts";
import { prepare } from "../reconcile/prepare.ts";
import { withRetries } from "../reconcile/session.ts";
import { acquireLock } from "../registry/lock.ts";
import { digest } from "../volume/digest.ts";

/** Milliseconds before each further look at what does not seem to be there. */
const READ_BACK_PAUSES = [250, 500, 1000, 2000];

/** Wait, scan, lock, plan, upload, register, verify. */
export async function init(job: JobContext): Promise<void> {
  const { servers: first, archives } = await prepare(job, true);
  const checked = new Set<Archive>();
  const failure = await withRetries(job, first, true, async (servers, signal) => {
    const desired = await resolveDesired(job, archives, servers.postgres);
    await job.recorder.time("lock", () => lock(job, servers, desired, signal));
    return reconcile(job, servers, desired, checked, signal);
  });
  // One bad package does not stop the rest, but it decides the exit.
  if (failure !== undefined) throw failure;
}

async function lock(
  job: JobContext,
  { postgres }: Servers,
  desired: Desired,
  signal: AbortSignal,
): Promise<void> {
  const { config, log } = job;
  await acquireLock(postgres.db, config.nats.bucket, {
    timeout: config.waitTimeout,
    signal,
    log,
    // Whoever holds the lock most likely stores the same archives: know their digests when it is our turn.
    meanwhile: async () => {
      for (const { archive } of desired.packages) await digest(archive, signal);
    },
  });
  log.legacy("debug", "lock.acquired", "this is the only run on the bucket", { bucket: config.nats.bucket });
}

/** Under the lock: reads the state, makes it what the volume asks for, proves it. Returns the first package's failure, if any. */
async function reconcile(
  job: JobContext,
  servers: Servers,
  desired: Desired,
  checked: Set<Archive>,
  signal: AbortSignal,
): Promise<unknown> {
  const { config, log, recorder } = job;
  const { bucket } = servers.nats;
  const state = await observe(servers, recorder);
  const plan = await recorder.time("read", () =>
    decideAll(job, desired, state, { allDigests: false, signal }),
  );
  logPlanWarnings(log, plan);
  await recorder.time("check", () => checkArchives(job, plan.packages, checked, signal));
  const unreachable = findUnreachable(state.listing);
  await reclaim(bucket, unreachable, log);
  recorder.orphans = await tidyOrphans(bucket, state.listing, unreachable, config.purgeOrphans, log);

  const context: ApplyContext = {
    servers,
    objects: state.listing.objects,
    source: sourceOf,
    stallSeconds: config.natsTimeout,
    log,
    recorder,
    signal,
  };
  const failures = await recorder.time("upload", () => applyPackages(plan, context));
  const stored = plan.packages.filter((decision) => !failures.has(decision));
  const rows = plan.rows.filter((row) => stored.includes(row.after));
  await recorder.time("rows", () => applyRows(rows, context));
  await removeObsolete(stored, context);
  const failed = new Set([...failures.keys()].map((decision) => decision.desired.package));
  await recorder.time("verify", () => prove(job, servers, desired, failed, signal));
  return failures.values().next().value;
}

/** Reads everything back, and plans again: there must be nothing left to do. */
async function prove(
  job: JobContext,
  servers: Servers,
  desired: Desired,
  failed: ReadonlySet<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const proven = {
    packages: desired.packages.filter((pack) => !failed.has(pack)),
    collectors: desired.collectors.filter((collector) => !failed.has(collector.controller)),
  };
  const look = async () => {
    const state = await observe(servers, job.recorder);
    const plan = await decideAll(job, proven, state, { allDigests: false, signal });
    return { state, left: findDrift(plan) };
  };
  // A replica that leads the stream only since a moment ago may still be applying what it has agreed to.
  const { state, left } = await poll(look, {
    until: (seen) => seen.left.length === 0,
    backoff: (turn) => READ_BACK_PAUSES[turn - 1],
    signal,
  });
  if (left.length > 0) {
    logDrift(job.log, left);
    throw JobError.legacy(EXIT.verification, `what was written is not there: ${left[0]?.message}`, {
      hint: "run again; if it stays so, somebody else changes the bucket or the table at the same time",
    });
  }
  job.log.legacy("info", "verify.done", "read back: every package is whole and every row is there", {
    packages: proven.packages.length,
    rows: proven.packages.length + proven.collectors.length,
    lastSequence: state.listing.info?.state.last_seq ?? 0,
  });
}
