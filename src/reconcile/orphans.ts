import type { Log } from "../output/log.ts";
import type { Bucket } from "../store/bucket.ts";
import { isOwnNuid, newNuid, REPLACES_HEADER } from "../store/meta.ts";
import type { Listing } from "../store/object.ts";

const DAY = 24 * 3600 * 1000;

/** Chunk subjects that no live metadata names. */
export interface Unreachable {
  /** Left by a run of ours: our own mark, or named as replaced by metadata that we wrote. */
  ours: string[];
  /** Left by anybody else's crashed upload; or one that is under way. */
  others: string[];
}

export function findUnreachable(listing: Listing): Unreachable {
  const objects = [...listing.objects.values()];
  const live = new Set(objects.filter((object) => !object.deleted).map((object) => object.nuid));
  const replaced = new Set(objects.flatMap((object) => object.headers[REPLACES_HEADER] ?? []));
  const dead = [...listing.chunks.keys()].filter((nuid) => !live.has(nuid));
  const mine = (nuid: string) => isOwnNuid(nuid) || replaced.has(nuid);
  return { ours: dead.filter(mine), others: dead.filter((nuid) => !mine(nuid)) };
}

/** Purges what earlier runs of ours left. Only under the lock: another run's unfinished upload looks the same. */
export async function reclaim(bucket: Bucket, { ours }: Unreachable, log: Log): Promise<void> {
  if (ours.length === 0) return;
  // A cluster's new leader may answer before it has applied all that was agreed on. A purge waits for its turn among that: after one, of
  // nothing, metadata that was on its way is there, and its chunks are no longer taken for unreachable.
  await bucket.purgeChunks(newNuid());
  const now = findUnreachable(await bucket.list());
  let chunks = 0;
  for (const nuid of ours.filter((one) => now.ours.includes(one))) chunks += await bucket.purgeChunks(nuid);
  if (chunks > 0) {
    const message = `purged ${chunks} chunks that an earlier run could not finish or remove`;
    log.legacy("info", "chunks.reclaimed", message, { objects: ours.length, chunks });
  }
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
  if (purged.objects > 0)
    log.legacy("info", "orphans.purged", `purged ${purged.objects} orphans (${purged.bytes} bytes)`, purged);
  if (found.objects > 0) {
    log.legacy(
      "warn",
      "orphans.found",
      `${found.objects} uploads (${found.bytes} bytes) in the bucket belong to no object: crashed, or under way; PURGE_ORPHANS=true removes those over a day old`,
      found,
    );
  }
  return found;
}
