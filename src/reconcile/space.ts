import { JobError } from "../errors.ts";
import { sizeBounds } from "../packages/sources.ts";
import type { Bucket } from "../store/bucket.ts";
import { type Capacity, chunkBytes, type Limit, metadataBytes, readCapacity } from "../store/capacity.ts";
import type { StoredObject } from "../store/object.ts";
import { type Decision, isUploaded } from "./decide.ts";

/** Bytes that a run needs in the bucket beside what is stored, at its peak. */
export interface SpaceNeeded {
  /** It cannot do with less. */
  least: number;
  /** It never needs more, whatever the repacked archives come to. */
  most: number;
}

interface SpaceInput {
  decisions: readonly Decision[];
  /** As stored now, by key. */
  objects: ReadonlyMap<string, StoredObject>;
  bucket: string;
  chunkSize: number;
}

/**
 * Returns the bytes of a run's peak, all archives together. The objects of one archive are stored beside
 * those that they replace, which are purged before the next archive begins.
 */
function peakOf({ decisions, objects, bucket, chunkSize }: SpaceInput, bound: keyof SpaceNeeded): number {
  let stored = 0;
  let peak = 0;
  const uploads = decisions.filter(isUploaded);
  for (const group of Map.groupBy(uploads, ({ desired }) => desired.package.archive).values()) {
    for (const { desired, key } of group) {
      const size = desired.bytes ?? sizeBounds(desired.package)[bound];
      stored += chunkBytes(bucket, size, Math.ceil(size / chunkSize)) + metadataBytes(key);
    }
    peak = Math.max(peak, stored);
    for (const { key } of group) {
      const old = objects.get(key);
      if (old?.nuid === undefined || old.deleted) continue;
      const share = Math.min(1, old.stored / Math.max(1, old.chunks));
      stored -= chunkBytes(bucket, Math.floor(old.size * share), old.stored) + metadataBytes(key);
    }
  }
  return peak;
}

/**
 * Returns what the whole run needs, and the error (exit 73) that names the limit too low for it. `dead`
 * chunks are purged before; their sizes are not known, so each counts as long as one can be.
 */
export async function findSpace(
  bucket: Bucket,
  planned: Pick<SpaceInput, "decisions" | "objects">,
  dead = 0,
): Promise<SpaceNeeded & Pick<Capacity, "used"> & { short: JobError | undefined }> {
  const capacity = await readCapacity(bucket);
  const { chunkSize, used } = capacity;
  const input = { ...planned, bucket: bucket.name, chunkSize };
  const needed = { least: peakOf(input, "least"), most: peakOf(input, "most") };
  return { ...needed, used, short: shortage(bucket.name, capacity, needed, dead * chunkSize) };
}

/** Returns the error that names the limit too low for a run; `reclaimable` bytes go before it. Pure. */
export function shortage(
  bucket: string,
  capacity: Capacity,
  { least, most }: SpaceNeeded,
  reclaimable: number,
): JobError | undefined {
  const isShort = ({ limit, used, copies }: Limit) => used + (least - reclaimable) * copies > limit;
  const { bucket: stream, account } = capacity;
  const enough = ({ used, copies }: Limit) => used + most * copies;
  const paramsOf = (one: Limit) => ({
    bucket,
    limit: one.limit,
    used: one.used,
    needed: least * one.copies,
    enough: enough(one),
  });
  if (least === 0) return undefined;
  const raised = stream && isShort(stream) ? enough(stream) + 1 : undefined;
  // The account has to hold what the bucket is raised to.
  if (account && (isShort(account) || (raised ?? 0) * account.copies > account.limit)) {
    const all = Math.max(enough(account), (raised ?? 0) * account.copies);
    return new JobError("store.full.account", {
      ...paramsOf(account),
      enough: all,
      ...(raised && { raised }),
    });
  }
  if (!stream || raised === undefined) return undefined;
  return new JobError("store.full.bucket", { ...paramsOf(stream), limit: stream.limit + 1, enough: raised });
}
