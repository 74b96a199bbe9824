import { createLineClock, poll, until, waited } from "../async.ts";
import { type JobError, toRunError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { formatMessage } from "../messages/catalog.ts";
import { JOIN } from "../messages/define.ts";
import { createObserve, findDamage, logDamage } from "../reconcile/deep.ts";
import { type Drift, driftError, findDrift, logDrift, recordVerdict } from "../reconcile/drift.ts";
import { concludePlatforms } from "../reconcile/platforms.ts";
import { prepare } from "../reconcile/prepare.ts";
import { concludeRegions } from "../reconcile/regions.ts";
import { withRetries } from "../reconcile/retries.ts";
import { decideAll, resolveDesired } from "../reconcile/state.ts";

/** What is not as it should be yet. */
type Left = Drift | JobError;

/** Milliseconds between two readings of `verify --wait`. */
const POLL = 2000;

/**
 * Checks that everything on the volume is stored and registered. Writes nothing. Throws exit 76 if it is not.
 */
export async function verify(job: JobContext): Promise<void> {
  const { args, config, log, recorder } = job;
  const started = performance.now();
  const backoff = until(started + config.waitTimeout * 1000, POLL);
  const { servers, archives } = await prepare(job);
  const tell = waitingLine(job, started);
  const observe = createObserve(job);
  const { drift, damage, state, desired, lacking } = await withRetries(job, servers, async (live, signal) => {
    const desired = await resolveDesired(job, archives, live);
    const read = async () => {
      const state = await observe(live, signal, desired.packages);
      const plan = await decideAll(job, desired, state, signal);
      recordVerdict(plan, recorder);
      const drift = findDrift(plan);
      const damage = args.deep ? findDamage(state, plan) : [];
      const left = [...drift, ...damage];
      if (args.wait && left.length > 0) tell(left);
      return { drift, damage, left, state };
    };
    const seen = await poll(read, {
      until: ({ left }) => left.length === 0,
      backoff: () => (args.wait ? backoff() : undefined),
      signal,
    });
    const { listing } = seen.state;
    const options = { listing, waits: seen.left.length === 0, signal };
    return { ...seen, desired, lacking: await concludeRegions(job, live, options) };
  });
  const incomplete = concludePlatforms(job, state, desired);
  logDamage(log, damage);
  if (drift.length > 0) {
    logDrift(log, drift);
    throw driftError(drift);
  }
  const failure = toRunError(damage) ?? incomplete ?? lacking;
  if (failure) throw failure;
  log.info("verify.done", { packages: recorder.packages.length, rows: recorder.rows.length });
}

/** Returns a function that logs what `--wait` waits for, when that changes and every ten seconds. */
function waitingLine({ config, log }: JobContext, started: number): (left: readonly Left[]) => void {
  const isDue = createLineClock();
  return (differences) => {
    const [one] = differences;
    if (!one || !isDue(JSON.stringify(differences.map(({ reason, params }) => [reason, params])))) return;
    const place = one.file === undefined ? "" : `${one.file}${JOIN[log.language].colon}`;
    const first = `${place}${formatMessage(one.reason, one.params, log.language).message}`;
    const time = waited(started, config.waitTimeout);
    log.info("verify.waiting", { differences: differences.length, first, ...time });
  };
}
