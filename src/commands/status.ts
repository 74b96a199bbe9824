import { toRunError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { readDefinitions } from "../postgres/platform-tables.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";
import { createObserve, type Observe, reportDamage } from "../reconcile/deep.ts";
import { findStale, findUnlisted, findUnreachable, tidyOrphans } from "../reconcile/orphans.ts";
import {
  concludePlatforms,
  type Installable,
  pageStateOf,
  platformsOf,
  storedOf,
} from "../reconcile/platforms.ts";
import { concludeRegions } from "../reconcile/regions.ts";
import { withRetries } from "../reconcile/retries.ts";
import type { ObservedState } from "../reconcile/state.ts";
import { isWhole } from "../store/object.ts";

/** Keys that a warning names; the log has all of them. */
const NAMED = 10;

/**
 * Says what table and bucket hold, without a volume: each row with its object and what an installation of it
 * would come to, objects without a row, orphans, and what can be installed. Writes nothing. Throws exit 76 if
 * a platform or region of REQUIRE is incomplete, or with `--deep` if an object is damaged.
 */
export async function showStatus(job: JobContext): Promise<void> {
  const { log, recorder } = job;
  const first = await recorder.time("wait", () => waitForServers(job, false, job.signal));
  const observe = createObserve(job);
  const { state, lacking } = await withRetries(job, first, async (servers, signal) => {
    const seen = await readAll(job, { servers, observe }, signal);
    const options = { listing: seen.listing, waits: true, signal };
    return { state: seen, lacking: await concludeRegions(job, servers, options) };
  });
  reportRows(job, state);
  reportUnlisted(job, state);
  const { objects, rows } = findStale(state, { packages: [], collectors: [] });
  const stale = { objects: objects.length, rows: rows.length };
  if (objects.length + rows.length > 0) log.warn("staging.found", "staging.found", stale, stale);
  const incomplete = concludePlatforms(job, state, { packages: [], definitions: state.definitions });
  const failure = toRunError(reportDamage(job, state)) ?? incomplete ?? lacking;
  if (failure) throw failure;
}

type Seen = ObservedState & Required<Pick<Installable, "definitions">>;

async function readAll(
  { config, log, recorder }: JobContext,
  { servers, observe }: { servers: Servers; observe: Observe },
  signal: AbortSignal,
): Promise<Seen> {
  return recorder.time("read", async () => {
    const { definitions } = await readDefinitions(servers.postgres.db, config.db.schema);
    const state = await observe(servers, signal);
    const { bucket } = servers.nats;
    const { ofThisJob, ofOthers } = await findUnreachable(bucket, state.listing, signal);
    const options = { purge: false, log, signal };
    const all = [...ofThisJob, ...ofOthers];
    recorder.learn({ orphans: await tidyOrphans(bucket, state.listing, all, options) });
    return { ...state, definitions };
  });
}

function reportRows({ log, recorder }: JobContext, state: Seen): void {
  const platforms = platformsOf(state);
  const rows = state.rows.map(({ id, type, os, arch, object, version, name, ...row }) => {
    const line = { id, type, os, arch, object, version, name, action: "unchanged" } as const;
    const whole = { ...line, ...row };
    return { ...line, stored: storedOf(whole, state), install: pageStateOf(whole, state, platforms) };
  });
  for (const { stored, install, ...line } of rows) {
    recorder.row(line, line.id, "unchanged");
    log.info("status.row", { ...line, stored, install });
  }
}

/** Objects under a package's key that no row is served by. */
function reportUnlisted({ config, log }: JobContext, state: Seen): void {
  const found = findUnlisted(state);
  for (const object of found) {
    const { key, size: bytes } = object;
    log.info("status.object", { key, bytes, stored: isWhole(object) ? "whole" : "damaged" });
  }
  if (found.length === 0) return;
  const { bucket } = config.nats;
  const counts = { count: found.length, bytes: found.reduce((sum, { size }) => sum + size, 0) };
  const keys = found.slice(0, NAMED).map(({ key }) => key);
  log.warn("objects.unlisted", "store.unlisted", { bucket, ...counts, keys }, counts);
}
