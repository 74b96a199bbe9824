import { createLineClock, poll, until, waited } from "../async.ts";
import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { RegionEntry } from "../messages/region-words.ts";
import type { Log } from "../output/log.ts";
import type { Database } from "../postgres/database.ts";
import { readRegions } from "../postgres/platform-tables.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import { isWhole, type Listing, type StoredObject } from "../store/object.ts";
import { type Mirror, type MirrorFault, REGION_SECONDS, readMirror } from "../store/region.ts";
import { isKeyWithoutRow, parseKey } from "./match.ts";

/** BK-Lite's default region: its nodes install from the bucket itself. */
const HUB = 1;
/** Milliseconds between two readings, while a region of REQUIRE is waited for. */
const POLL = 2000;

type Region = Pick<RegionEntry, "id" | "name">;
type Reading = Region & { mirror: Mirror | MirrorFault };

export interface RegionsOptions {
  /** The bucket's content. */
  listing: Listing;
  /** Whether regions of REQUIRE are waited for; not if the run has failed already. */
  waits: boolean;
  signal: AbortSignal;
}

/**
 * Reads the mirror of the bucket in each cloud region; reports and logs one line for each, with a warning for
 * what is wrong. Returns an error (exit 76) if a region of REQUIRE is not complete when WAIT_TIMEOUT is over.
 */
export async function concludeRegions(
  job: JobContext,
  { postgres, nats }: Servers,
  { listing, waits, signal }: RegionsOptions,
): Promise<JobError | undefined> {
  const { config, log, recorder } = job;
  const regions = await listRegions(job, postgres.db);
  const objects = regions.length === 0 ? [] : [...listing.objects.values()].filter(isPackage);
  const options = { hub: nats.bucket, listing, objects, signal };
  const started = performance.now();
  const isDue = createLineClock();
  const read = async () => {
    const readings = await Promise.all(
      regions.map(
        async (region): Promise<Reading> => ({ ...region, mirror: await readMirror(region.id, options) }),
      ),
    );
    const lacking = readings
      .map(entryOf)
      .filter((entry) => config.requireRegions.includes(entry.id) && !isComplete(entry));
    const ids = lacking.map(({ id }) => id);
    if (waits && lacking.length > 0 && isDue(ids.join()))
      log.info("region.waiting", { regions: ids, ...waited(started, config.waitTimeout) });
    return { readings, lacking };
  };
  const { readings, lacking } = await poll(read, {
    until: (seen) => seen.lacking.length === 0,
    backoff: waits ? until(started + config.waitTimeout * 1000, POLL) : () => undefined,
    signal,
  });
  const entries = readings.map(entryOf);
  recorder.learn({ regions: entries });
  for (const entry of entries) log.info("region.summary", entry);
  for (const reading of readings) warnOf(reading, config.nats.bucket, log);
  return lacking.length > 0 ? new JobError("region.required", { regions: lacking }) : undefined;
}

/** Returns the regions of REGIONS and of REQUIRE, in the order of their ids. */
async function listRegions({ config, log }: JobContext, db: Database): Promise<Region[]> {
  const { regions, requireRegions } = config;
  const isAuto = regions === "auto";
  if (!isAuto && regions.length + requireRegions.length === 0) return [];
  const table = await readRegions(db, config.db.schema);
  if (isAuto && table.unreadable) log.info("regions.unreadable", {});
  if (isAuto && table.unusable > 0) log.warn("region.warning", "region.id", { count: table.unusable });
  const names = new Map(table.regions.map(({ id, name }) => [id, name]));
  const ids = new Set([...(isAuto ? names.keys() : regions), ...requireRegions]);
  return [...ids]
    .filter((id) => id !== HUB)
    .sort((a, b) => a - b)
    .map((id) => ({ id, name: names.get(id) ?? "" }));
}

/** Whether nodes install an object from their region's mirror. Damaged ones are the bucket's own concern. */
function isPackage(object: StoredObject): boolean {
  const { key } = object;
  return isWhole(object) && (parseKey(key) !== undefined || isKeyWithoutRow(key));
}

function entryOf({ id, name, mirror }: Reading): RegionEntry {
  if ("fault" in mirror)
    return { id, name, reachable: false, lag: null, missing: [], damaged: [], deadBytes: null };
  const { lag, missing, damaged, deadBytes = null } = mirror;
  return { id, name, reachable: true, lag, missing, damaged, deadBytes };
}

function isComplete({ reachable, lag, missing, damaged }: RegionEntry): boolean {
  return reachable && lag === 0 && missing.length + damaged.length === 0;
}

function warnOf({ id, name, mirror }: Reading, bucket: string, log: Log): void {
  const region = { id, name, bucket };
  if ("fault" in mirror) {
    const said = "said" in mirror ? mirror.said : "";
    const params = { ...region, said, seconds: REGION_SECONDS };
    log.warn("region.warning", `region.${mirror.fault}`, params, { id, name });
    return;
  }
  const { missing, damaged, dead, deadBytes: bytes = null } = mirror;
  if (missing.length + damaged.length > 0)
    log.warn("region.warning", "region.incomplete", { ...region, missing, damaged }, { id, name });
  if (dead.length > 0)
    log.warn("region.warning", "region.dead", { ...region, bytes, nuids: dead }, { id, name });
}
