import { poll } from "../async.ts";
import type { JobContext } from "../job.ts";
import { decideAll, resolveDesired } from "../reconcile/desired.ts";
import { driftError, findDrift, logDrift, recordVerdict } from "../reconcile/drift.ts";
import { observe } from "../reconcile/observed.ts";
import { prepare } from "../reconcile/prepare.ts";
import { withRetries } from "../reconcile/session.ts";

/** Milliseconds between two looks of `verify --wait`. */
const POLL = 2000;

/** Checks that everything on the volume is stored and registered. Writes nothing; exit 76 if not. */
export async function verify(job: JobContext): Promise<void> {
  const { args, config, log, recorder } = job;
  const deadline = performance.now() + config.waitTimeout * 1000;
  const { servers, archives } = await prepare(job, false);
  const drift = await withRetries(job, servers, false, async (live, signal) => {
    const desired = await resolveDesired(job, archives, live.postgres);
    const look = async () => {
      const plan = await decideAll(job, desired, await observe(live, recorder), { allDigests: true, signal });
      recordVerdict(plan, recorder);
      return findDrift(plan);
    };
    return poll(look, {
      until: (left) => left.length === 0,
      backoff: () => (args.wait && performance.now() + POLL <= deadline ? POLL : undefined),
      signal,
    });
  });
  if (drift.length > 0) {
    logDrift(log, drift);
    throw driftError(drift);
  }
  log.legacy("info", "verify.done", "every package is whole and every row is there", {
    rows: recorder.rows.length,
  });
}
