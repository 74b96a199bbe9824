import { poll } from "../async.ts";
import type { Platform } from "../config/config.ts";
import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { waitForServers } from "../readiness/wait.ts";
import { type ObservedState, observe } from "../reconcile/observed.ts";
import { platformName, platformsOf } from "../reconcile/platforms.ts";
import { withRetries } from "../reconcile/session.ts";

/** Milliseconds between two looks, and between two lines while nothing changes. */
const POLL = 2000;
const LINE = 10_000;

/**
 * For a pod that must not start before the first init: returns as soon as a controller is registered and its object whole, on
 * every platform of REQUIRE, or on any where that is empty. Needs no volume; what somebody deletes or adds later is none of its
 * business. Throws exit 76 when WAIT_TIMEOUT is over.
 */
export async function gate(job: JobContext): Promise<void> {
  const { config, log, recorder } = job;
  const started = performance.now();
  const waited = () => Math.round((performance.now() - started) / 1000);
  const left = () => config.waitTimeout - waited();
  const servers = await recorder.time("wait", () => waitForServers(job, false, job.signal));
  let told = "";
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = (missing: readonly string[]) => {
    const now = missing.join(", ");
    if (now === told && performance.now() - toldAt < LINE) return;
    told = now;
    toldAt = performance.now();
    log.info("gate.waiting", { missing: [...missing], seconds: waited(), left: Math.max(0, left()) });
  };
  const missing = await withRetries(job, servers, false, async (live, signal) => {
    const look = async () => {
      const lacking = missingControllers(await observe(live, recorder), config.require);
      if (lacking.length > 0) tell(lacking);
      return lacking;
    };
    const backoff = () => (left() * 1000 > POLL ? POLL : undefined);
    return poll(look, { until: (lacking) => lacking.length === 0, backoff, signal });
  });
  if (missing.length > 0) throw new JobError("gate.closed", { missing, seconds: config.waitTimeout });
  log.info("gate.open", { seconds: waited() });
}

/** Platforms, as REQUIRE writes them, that lack a controller that can be installed; `*`: none has one. */
function missingControllers(state: ObservedState, require: readonly Platform[]): string[] {
  const there = platformsOf(state).filter(({ controller }) => controller.length > 0);
  if (require.length === 0) return there.length > 0 ? [] : ["*"];
  return require
    .filter(({ os, arch }) => !there.some((one) => one.os === os && (one.arch === null || one.arch === arch)))
    .map(platformName);
}
