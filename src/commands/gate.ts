import { createLineClock, poll, until, waited } from "../async.ts";
import type { Platform } from "../config/job-settings.ts";
import { JobError } from "../errors.ts";
import { archOf } from "../identity.ts";
import type { JobContext } from "../job.ts";
import type { GateHint } from "../messages/run.ts";
import { isLockHeld } from "../postgres/lock.ts";
import type { Row } from "../postgres/rows.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";
import { parseKey, rowKeys } from "../reconcile/match.ts";
import { installStateOf, platformName } from "../reconcile/platforms.ts";
import { withRetries } from "../reconcile/retries.ts";
import { type ObservedState, observe } from "../reconcile/state.ts";
import { isUnreadable } from "../store/object.ts";

/** Milliseconds between two readings. */
const POLL = 2000;

/** The status of a row whose package BK-Lite is deleting. */
const DELETING = "deleting";

/** The result of one reading. */
interface Reading {
  /** Platforms without a controller, as in REQUIRE; `*`: no platform has one. */
  missing: string[];
  hint: GateHint;
}

/**
 * Blocks a pod until the first init is done: returns as soon as a controller is registered with a whole
 * object, or once was, on every platform of REQUIRE, or on any if that is empty. Needs no volume. Throws exit
 * 76 when WAIT_TIMEOUT is over.
 */
export async function gate(job: JobContext): Promise<void> {
  const { config, log, recorder } = job;
  const started = performance.now();
  const time = () => waited(started, config.waitTimeout);
  const servers = await recorder.time("wait", () => waitForServers(job, false, job.signal));
  const isDue = createLineClock();
  const { missing, hint } = await withRetries(job, servers, async (live, signal) => {
    const read = async () => {
      const found = await readOnce(job, live, signal);
      const { missing } = found;
      if (missing.length > 0 && isDue(missing.join())) log.info("gate.waiting", { missing, ...time() });
      return found;
    };
    const backoff = until(started + config.waitTimeout * 1000, POLL);
    return poll(read, { until: (found) => found.missing.length === 0, backoff, signal });
  });
  const { seconds } = time();
  if (missing.length > 0) throw new JobError("gate.closed", { missing, seconds, hint });
  log.info("gate.open", { seconds });
}

async function readOnce(job: JobContext, servers: Servers, signal: AbortSignal): Promise<Reading> {
  const { config } = job;
  const state = await observe(servers, job, signal);
  // After the bucket: a run that wrote an object without its row has ended by now or still holds the lock.
  const running = await isLockHeld(servers.postgres.db, config.nats.bucket);
  const controllers = state.rows.filter(({ type }) => type === "controller");
  const registered = controllers.map((row) => platformOf(row, state));
  const whole = controllers.filter((row) => installStateOf(row, state) === "installable");
  const there = [...whole.map((row) => platformOf(row, state)), ...storedOnce(state, running)];
  const { require } = config;
  const lacking = require.filter((one) => !there.some((found) => covers(found, one)));
  const missing = new Set(lacking.map(platformName));
  if (require.length === 0 && there.length === 0) missing.add("*");
  return { missing: [...missing], hint: running ? "running" : hintFor(lacking, registered, there) };
}

/** Returns the hint for a closed gate while no init is running. */
function hintFor(
  lacking: readonly Platform[],
  registered: readonly Found[],
  there: readonly Found[],
): GateHint {
  const isLacking = (found: Found) => lacking.length === 0 || lacking.some((one) => covers(found, one));
  if (registered.some(isLacking)) return "object";
  return registered.length + there.length > 0 ? "platform" : "init";
}

/** The platform of a controller; `arch` null: any. */
interface Found {
  os: string;
  arch: string | null;
}

function covers({ os, arch }: Found, platform: Platform): boolean {
  return os === platform.os && (arch === null || arch === platform.arch);
}

function platformOf({ os, arch }: Row, { archColumn }: ObservedState): Found {
  return { os, arch: archColumn ? (archOf(arch || "x86_64") ?? "") : null };
}

/** Returns the platforms that once had a controller: its object or its deletion marker is still stored. */
function storedOnce({ rows, listing, archColumn }: ObservedState, running: boolean): Found[] {
  // The row of a package that is being deleted was ready before.
  const kept = rows.filter(({ status }) => status !== DELETING);
  const keys = new Set(kept.flatMap((row) => rowKeys(row, archColumn)));
  return [...listing.objects.values()].flatMap((object): Found[] => {
    const { key, deleted } = object;
    const parsed = parseKey(key);
    const counts = deleted || (!running && !keys.has(key) && !isUnreadable(object));
    if (parsed?.object !== "Controller" || key.includes(".staging-") || !counts) return [];
    return [{ os: parsed.os, arch: parsed.arch ?? null }];
  });
}
