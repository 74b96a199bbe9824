import { pause } from "../async.ts";
import type { Log } from "../output/log.ts";
import type { Lock } from "../registry/lock.ts";
import type { Bucket } from "../store/bucket.ts";
import { isOwnNuid, newNuid, REPLACES_HEADER } from "../store/meta.ts";
import type { Listing } from "../store/object.ts";
import { fence } from "../store/publish.ts";

const DAY = 24 * 3600 * 1000;
/**
 * Milliseconds from taking the lock until another holder's chunks may be purged. A run that lost the lock without hearing of it may be
 * about to publish: it proved the lock at most a second before (publish.ts), so before we took it. What is later than that is fenced.
 */
const SETTLED = 2000;

/** Chunk subjects that no live metadata names. */
export interface Unreachable {
  /** Left by a run of this job: with its mark, or named as replaced by metadata that it wrote. */
  own: string[];
  /** Left by anybody else's crashed upload; or one that is under way. */
  others: string[];
}

/** Chunks that no live metadata names, and whose they are. */
export function findUnreachable(listing: Listing): Unreachable {
  const objects = [...listing.objects.values()];
  const live = new Set(objects.filter((object) => !object.deleted).map((object) => object.nuid));
  const replaced = new Set(objects.flatMap((object) => object.headers[REPLACES_HEADER] ?? []));
  const dead = [...listing.chunks.keys()].filter((nuid) => !live.has(nuid));
  const isOwn = (nuid: string) => isOwnNuid(nuid) || replaced.has(nuid);
  return { own: dead.filter(isOwn), others: dead.filter((nuid) => !isOwn(nuid)) };
}

export interface ReclaimOptions {
  lock: Lock;
  log: Log;
  signal: AbortSignal;
}

/**
 * Purges what earlier runs of this job left. Only under the lock, proved, and held for a moment: another run's unfinished upload looks
 * the same.
 */
export async function reclaim(
  bucket: Bucket,
  { own }: Unreachable,
  { lock, log, signal }: ReclaimOptions,
): Promise<void> {
  if (own.length === 0) return;
  const early = lock.acquiredAt + SETTLED - performance.now();
  if (early > 0) await pause(early, signal);
  // A cluster's new leader may answer before it has applied all that was agreed on. A purge waits for its turn among that: after one, of
  // nothing, metadata that was on its way is there, and its chunks are no longer taken for unreachable.
  await bucket.purgeChunks(newNuid());
  for (const nuid of own) await fence(bucket, nuid);
  const now = findUnreachable(await bucket.list());
  await lock.prove();
  let chunks = 0;
  for (const nuid of own.filter((one) => now.own.includes(one))) chunks += await bucket.purgeChunks(nuid);
  if (chunks > 0) log.info("chunks.reclaimed", { objects: own.length, chunks });
}

/** Counts others' orphans, and with `purge` removes those whose last chunk is over a day old. */
export async function tidyOrphans(
  bucket: Bucket,
  listing: Listing,
  { others }: Unreachable,
  purge: boolean,
  log: Log,
): Promise<{ objects: number; bytes: number }> {
  const found = { objects: 0, bytes: 0 };
  const purged = { objects: 0, bytes: 0 };
  for (const nuid of others) {
    const ends = await bucket.chunkEnds(nuid);
    if (!ends) continue; // its owner was faster
    // Every client cuts equal chunks but for the last.
    const bytes = ends.first * ((listing.chunks.get(nuid) ?? 1) - 1) + ends.last;
    const old = Date.now() - ends.lastAt.getTime() > DAY;
    if (purge && old) await bucket.purgeChunks(nuid);
    const sum = purge && old ? purged : found;
    sum.objects += 1;
    sum.bytes += bytes;
  }
  if (purged.objects > 0) log.info("orphans.purged", purged);
  if (found.objects > 0) log.warn("orphans.found", "orphans.found", found, found);
  return found;
}
