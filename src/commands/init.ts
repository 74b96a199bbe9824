import { EXIT, JobError } from "../errors.ts";
import { digest } from "../packages/digest.ts";
import type { Archive } from "../packages/package.ts";
import type { Servers } from "../readiness/wait.ts";
import { type ApplyContext, applyPackages, applyRows, removeObsolete } from "../reconcile/apply.ts";
import { findUnreachable, reclaim, tidyOrphans } from "../reconcile/orphans.ts";
import { pause, readState } from "../reconcile/state.ts";
import { acquireLock } from "../registry/lock.ts";
import type { Run } from "../run.ts";
import { checkArchives, type Desired, decideAll, desire, sourceOf } from "./desired.ts";
import { prepare, withRetries } from "./prepare.ts";
import { complain, findShortcomings } from "./verify.ts";

/** Milliseconds before each further look at what does not seem to be there. */
const READ_BACK_PAUSES = [250, 500, 1000, 2000];

/** Wait, scan, lock, plan, upload, register, verify. */
export async function init(run: Run): Promise<void> {
  const { servers: first, archives } = await prepare(run, true);
  const checked = new Set<Archive>();
  const failure = await withRetries(run, first, true, async (servers, signal) => {
    const desired = await desire(run, archives, servers.postgres);
    await run.recorder.time("lock", () => lock(run, servers, desired, signal));
    return reconcile(run, servers, desired, checked, signal);
  });
  // One bad package does not stop the rest, but it decides the exit.
  if (failure !== undefined) throw failure;
}

async function lock(run: Run, { postgres }: Servers, desired: Desired, signal: AbortSignal): Promise<void> {
  const { config, log } = run;
  await acquireLock(postgres.db, config.nats.bucket, {
    timeout: config.waitTimeout,
    signal,
    log,
    // Whoever holds the lock most likely stores the same archives: know their digests when it is our turn.
    meanwhile: async () => {
      for (const { archive } of desired.packages) await digest(archive, signal);
    },
  });
  log.debug("lock.acquired", "this is the only run on the bucket", { bucket: config.nats.bucket });
}

/** Under the lock: reads the state, makes it what the volume asks for, proves it. Returns the first package's failure, if any. */
async function reconcile(
  run: Run,
  servers: Servers,
  desired: Desired,
  checked: Set<Archive>,
  signal: AbortSignal,
): Promise<unknown> {
  const { config, log, recorder } = run;
  const { bucket } = servers.nats;
  const state = await readState(servers, recorder);
  const plan = await recorder.time("read", () =>
    decideAll(run, desired, state, { allDigests: false, signal }),
  );
  await recorder.time("check", () => checkArchives(run, plan.packages, checked, signal));
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
  const failed = new Set([...failures.keys()].map((decision) => decision.wanted.package));
  await recorder.time("verify", () => prove(run, servers, desired, failed, signal));
  return failures.values().next().value;
}

/** Reads everything back, and plans again: there must be nothing left to do. */
async function prove(
  run: Run,
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
    const state = await readState(servers, run.recorder);
    const plan = await decideAll(run, proven, state, { allDigests: false, signal });
    return { state, left: findShortcomings(plan) };
  };
  let { state, left } = await look();
  // A replica that leads the stream only since a moment ago may still be applying what it has agreed to.
  for (const ms of READ_BACK_PAUSES) {
    if (left.length === 0) break;
    await pause(ms, signal);
    ({ state, left } = await look());
  }
  if (left.length > 0) {
    complain(run.log, left);
    throw new JobError(EXIT.verification, `what was written is not there: ${left[0]?.message}`, {
      hint: "run again; if it stays so, somebody else changes the bucket or the table at the same time",
    });
  }
  run.log.info("verify.done", "read back: every package is whole and every row is there", {
    packages: proven.packages.length,
    rows: proven.packages.length + proven.collectors.length,
    lastSequence: state.listing.info?.state.last_seq ?? 0,
  });
}
