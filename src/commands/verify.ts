import { createLineClock, poll, until } from "../async.ts";
import type { JobContext } from "../job.ts";
import { JOIN } from "../messages/define.ts";
import {
  type Drift,
  driftError,
  findDrift,
  firstDrift,
  logDrift,
  recordVerdict,
} from "../reconcile/drift.ts";
import { concludePlatforms } from "../reconcile/platforms.ts";
import { prepare } from "../reconcile/prepare.ts";
import { concludeRegions } from "../reconcile/regions.ts";
import { withRetries } from "../reconcile/retries.ts";
import { decideAll, observe, resolveDesired } from "../reconcile/state.ts";

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
  const {
    found: drift,
    state,
    desired,
    lacking,
  } = await withRetries(job, servers, async (live, signal) => {
    const desired = await resolveDesired(job, archives, live);
    const read = async () => {
      const state = await observe(live, recorder);
      const plan = await decideAll(job, desired, state, signal);
      recordVerdict(plan, recorder);
      const found = findDrift(plan);
      if (args.wait && found.length > 0) tell(found);
      return { found, state };
    };
    const seen = await poll(read, {
      until: ({ found }) => found.length === 0,
      backoff: () => (args.wait ? backoff() : undefined),
      signal,
    });
    const { listing } = seen.state;
    const options = { listing, waits: seen.found.length === 0, signal };
    return { ...seen, desired, lacking: await concludeRegions(job, live, options) };
  });
  const incomplete = concludePlatforms(job, state, desired);
  if (drift.length > 0) {
    logDrift(log, drift);
    throw driftError(drift);
  }
  if (incomplete ?? lacking) throw incomplete ?? lacking;
  log.info("verify.done", { packages: recorder.packages.length, rows: recorder.rows.length });
}

/** Returns a function that logs what `--wait` waits for, when that changes and every ten seconds. */
function waitingLine({ config, log }: JobContext, started: number): (drift: readonly Drift[]) => void {
  const isDue = createLineClock();
  return (drift) => {
    if (!isDue(JSON.stringify(drift))) return;
    const seconds = Math.round((performance.now() - started) / 1000);
    const left = Math.max(0, Math.round(config.waitTimeout - seconds));
    const first = `${drift[0]?.file}${JOIN[log.language].colon}${firstDrift(drift)[log.language]}`;
    log.info("verify.waiting", { differences: drift.length, first, seconds, left });
  };
}
