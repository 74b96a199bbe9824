import { poll } from "../async.ts";
import type { Platform } from "../config/config.ts";
import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { GateHint } from "../messages/run.ts";
import { type Servers, waitForServers } from "../readiness/wait.ts";
import { parseKey, rowKeys } from "../reconcile/key.ts";
import { type ObservedState, observe } from "../reconcile/observed.ts";
import { platformName, platformsOf } from "../reconcile/platforms.ts";
import { withRetries } from "../reconcile/session.ts";
import { isLockHeld } from "../registry/lock.ts";
import { isUnreadable } from "../store/object.ts";

/** Milliseconds between two looks, and between two lines while nothing changes. */
const POLL = 2000;
const LINE = 10_000;

/** What one look found. */
interface Look {
  /** Platforms, as REQUIRE writes them, that lack a controller; `*`: none has one. */
  missing: string[];
  hint: GateHint;
}

/**
 * For a pod that must not start before the first init: returns as soon as a controller is registered and its object whole, or was once, on
 * every platform of REQUIRE, or on any where that is empty. Needs no volume. Throws exit 76 when WAIT_TIMEOUT is over.
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
  const { missing, hint } = await withRetries(job, servers, false, async (live, signal) => {
    const look = async () => {
      const found = await lookOnce(job, live);
      if (found.missing.length > 0) tell(found.missing);
      return found;
    };
    const backoff = () => (left() * 1000 > POLL ? POLL : undefined);
    return poll(look, { until: (found) => found.missing.length === 0, backoff, signal });
  });
  if (missing.length > 0) throw new JobError("gate.closed", { missing, seconds: config.waitTimeout, hint });
  log.info("gate.open", { seconds: waited() });
}

async function lookOnce({ config, recorder }: JobContext, servers: Servers): Promise<Look> {
  const state = await observe(servers, recorder);
  // After the bucket: whatever wrote an object that was seen there, without its row, has ended by then or holds the lock still.
  const running = await isLockHeld(servers.postgres.db, config.nats.bucket);
  const there = controllersOf(state, running);
  const missing = config.require
    .filter((one) => !there.some((found) => covers(found, one)))
    .map(platformName);
  const none = config.require.length === 0 && there.length === 0;
  const registered = state.rows.some(({ type }) => type === "controller");
  return { missing: none ? ["*"] : missing, hint: running ? "running" : registered ? "object" : "init" };
}

/** The platform of a controller; `arch` null: any. */
interface Found {
  os: string;
  arch: string | null;
}

function covers({ os, arch }: Found, platform: Platform): boolean {
  return os === platform.os && (arch === null || arch === platform.arch);
}

/** The platforms of controllers that can be installed, or that were once: what somebody deleted since is no outage. */
function controllersOf(state: ObservedState, running: boolean): Found[] {
  const { rows, listing, archColumn } = state;
  const now = platformsOf(state).filter(({ controller }) => controller.length > 0);
  const registered = new Set(rows.flatMap((row) => rowKeys(row, archColumn)));
  const once = [...listing.objects.values()].flatMap((object): Found[] => {
    const { key, deleted } = object;
    const parsed = parseKey(key);
    const counts = deleted || (!running && !registered.has(key) && !isUnreadable(object));
    if (parsed?.object !== "Controller" || key.includes(".staging-") || !counts) return [];
    return [{ os: parsed.os, arch: parsed.arch ?? null }];
  });
  return [...now, ...once];
}
