/** commands/: one short story for each command, in terms of the other folders. No command imports another. */
import { poll } from "../async.ts";
import { JobError, toRunError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { fileDigest, packageOrigin } from "../packages/sources.ts";
import { acquireLock, type Lock } from "../postgres/lock.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import {
  type ApplyContext,
  applyPackages,
  applyRows,
  removeObsolete,
  tryRowDefaults,
} from "../reconcile/apply.ts";
import { createObserve, type Observe, reportDamage } from "../reconcile/deep.ts";
import { findDrift, firstDrift, isSettled, logDrift, logPlanWarnings } from "../reconcile/drift.ts";
import {
  afterPrune,
  NOTHING_OLD,
  planKeep,
  type Removals,
  removeVersions,
  reportKept,
} from "../reconcile/old-versions.ts";
import {
  findLeftChunks,
  findStale,
  findUnreachable,
  reclaim,
  tidyOrphans,
  tidyStale,
} from "../reconcile/orphans.ts";
import { concludePlatforms, incompleteOf } from "../reconcile/platforms.ts";
import { prepare, waitForFirstStart } from "../reconcile/prepare.ts";
import { concludeRegions } from "../reconcile/regions.ts";
import { withRetries } from "../reconcile/retries.ts";
import { findSpace } from "../reconcile/space.ts";
import { type Desired, decideAll, type ObservedState, resolveDesired } from "../reconcile/state.ts";
import type { Listing } from "../store/object.ts";

/** Milliseconds before each further reading, if something seems to be missing. */
const READ_BACK_PAUSES = [250, 500, 1000, 2000];

/** Wait, scan, lock, plan, upload, register, verify; then remove old versions (KEEP_VERSIONS). */
export async function init(job: JobContext): Promise<void> {
  const { servers: first, archives, deadline } = await prepare(job);
  const observe = createObserve(job);
  const begun: Removals = new Map();
  const failure = await withRetries(job, first, async (servers, signal) => {
    await job.recorder.time("wait", () => waitForFirstStart(job, servers.postgres, deadline, signal));
    const desired = await resolveDesired(job, archives, servers);
    const lock = await job.recorder.time("lock", () => takeLock(job, servers, desired, signal));
    let done: Done;
    try {
      const held = AbortSignal.any([signal, lock.lost]);
      done = await reconcile(job, { servers, lock, desired, observe, begun }, held);
    } finally {
      await lock.release();
    }
    // Without the lock: a region may need long to catch up.
    const options = { listing: done.listing, waits: done.failure === undefined, signal };
    const lacking = await concludeRegions(job, servers, options);
    return done.failure ?? lacking;
  });
  // A bad package does not stop the others, but it decides the exit code.
  if (failure !== undefined) throw failure;
}

async function takeLock(
  job: JobContext,
  { postgres }: Servers,
  desired: Desired,
  signal: AbortSignal,
): Promise<Lock> {
  const { config, log } = job;
  const lock = await acquireLock(postgres.db, config.nats.bucket, {
    timeout: config.waitTimeout,
    signal,
    log,
    // The holder of the lock probably stores the same archives: read their digests while waiting.
    meanwhile: async () => {
      for (const pkg of desired.packages)
        await (pkg.derived ? packageOrigin(pkg, signal) : fileDigest(pkg.archive, signal));
    },
  });
  log.debug("lock.acquired", { bucket: config.nats.bucket });
  return lock;
}

interface Attempt {
  servers: Servers;
  lock: Lock;
  desired: Desired;
  observe: Observe;
  begun: Removals;
}

interface Done {
  /** What ends the run, if anything: the first package's failure, or an incomplete platform of REQUIRE. */
  failure: unknown;
  /** The bucket's content at the end. */
  listing: Listing;
}

/** Under the lock: reads the state, makes it what the volume asks for, and proves it. */
async function reconcile(
  job: JobContext,
  { servers, lock, desired, observe, begun }: Attempt,
  signal: AbortSignal,
): Promise<Done> {
  const { config, log, recorder } = job;
  const { bucket } = servers.nats;
  const seen = await observe(servers, signal, desired.packages);
  const stale = findStale(seen, desired);
  const state = await tidyStale(stale, seen, { servers, lock, log, purge: config.purgeOrphans });
  const plan = await recorder.time("read", () => decideAll(job, desired, state, signal));
  logPlanWarnings(log, plan);
  await tryRowDefaults(plan, servers.postgres);
  const { ofThisJob, ofOthers } = await findUnreachable(bucket, state.listing, signal);
  await reclaim(bucket, ofThisJob, { lock, log, signal });
  const tidy = { purge: config.purgeOrphans, log, signal };
  recorder.learn({ orphans: await tidyOrphans(bucket, state.listing, ofOthers, tidy) });

  const { objects } = state.listing;
  const { short, ...space } = await findSpace(bucket, { decisions: plan.packages, objects });
  if (short) throw short;
  const context: ApplyContext = {
    servers,
    lock,
    objects,
    space,
    stallSeconds: config.natsTimeout,
    full: config.archiveCheck === "full",
    signatures: job.signatures,
    log,
    recorder,
    signal,
  };
  const { failures, digests } = await recorder.time("upload", () => applyPackages(plan, context));
  const stored = plan.packages.filter((decision) => !failures.has(decision));
  const rows = plan.rows.filter((row) => stored.includes(row.after));
  await recorder.time("rows", () => applyRows(rows, digests, context));
  await removeObsolete(stored, context);
  const failed = new Set([...failures.keys()].map((decision) => decision.desired.package));
  // A run that changes nothing has just read, under the lock, what it would read again.
  const isRead = stale.objects.length + stale.rows.length + ofThisJob.length === 0 && isSettled(plan);
  const look: Observe = isRead ? async () => state : observe;
  const proven = await recorder.time("verify", () =>
    prove(job, { servers, desired, observe: look, failed }, signal),
  );
  // A server that lost power in between may have restored purged chunks.
  await reclaim(bucket, await findLeftChunks(bucket, proven.listing, signal), { lock, log, signal });
  const stuck = rows.flatMap(({ conflict }) => conflict ?? []);
  const damage = reportDamage(job, proven, plan);
  // An archive that fails as a whole counts once.
  const failure =
    toRunError([...new Set([...failures.values(), ...stuck, ...damage])]) ?? incompleteOf(config, proven);
  const old = failure ? NOTHING_OLD : planKeep(config, { state: proven, desired, begun: begun.values() });
  concludePlatforms(job, afterPrune(proven, old), desired);
  const done = { failure, listing: proven.listing };
  if (failure) return done;
  await removeVersions(old, { servers, lock, log, recorder, signal, begun });
  reportKept(old, { keep: config.keepVersions }, log);
  return done;
}

/** Reads everything back and plans again: nothing may be left to do. Returns the state that was read. */
async function prove(
  job: JobContext,
  { servers, desired, observe, failed }: Omit<Attempt, "lock" | "begun"> & { failed: ReadonlySet<unknown> },
  signal: AbortSignal,
): Promise<ObservedState> {
  const proven = {
    packages: desired.packages.filter((pkg) => !failed.has(pkg)),
    collectors: desired.collectors.filter((collector) => !failed.has(collector.controller)),
  };
  const read = async () => {
    const state = await observe(servers, signal, desired.packages);
    const plan = await decideAll(job, proven, state, signal);
    // A row that may not be changed is reported as a failure by itself.
    return { left: findDrift(plan).filter(({ reason }) => reason !== "row.not-ready"), state };
  };
  // A replica that has just become the stream's leader may still be applying messages.
  const { left, state } = await poll(read, {
    until: (seen) => seen.left.length === 0,
    backoff: (turn) => READ_BACK_PAUSES[turn - 1],
    signal,
  });
  if (left.length > 0) {
    logDrift(job.log, left);
    throw new JobError("verification.unstable", { first: firstDrift(left) });
  }
  const { packages, collectors } = proven;
  // If every package failed, nothing was read back.
  if (packages.length + collectors.length === 0) return state;
  job.log.info("verify.done", {
    packages: packages.length,
    rows: packages.filter(({ keyWithoutRow }) => keyWithoutRow === undefined).length + collectors.length,
  });
  return state;
}
