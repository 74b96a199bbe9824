import { inParallel, pause } from "../async.ts";
import type { Log } from "../output/log.ts";
import type { Lock } from "../postgres/lock.ts";
import { deleteStale, isSystemRow, PENDING, type Row } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import type { Bucket } from "../store/bucket.ts";
import { isNuidOfThisJob, metaSubject, type Nuid, newNuid, REPLACES_HEADER } from "../store/meta.ts";
import type { Listing, StoredObject } from "../store/object.ts";
import { fence, removeObject } from "../store/put.ts";
import { findRow, isStaged, parseKey, rowKeys, served } from "./match.ts";
import { type Desired, type ObservedState, without } from "./state.ts";

const DAY = 24 * 3600 * 1000;
/**
 * Milliseconds after taking the lock until another holder's chunks may be purged. A run that lost the lock
 * unnoticed may be about to publish: it proved the lock at most a second earlier (put.ts), so before we took
 * it. Later metadata is fenced.
 */
const SETTLED = 2000;
/** Requests at the same time: an answer may contain a whole chunk. */
const LANES = 32;
/** Orphans whose bytes are read; further ones are only counted. */
const SIZED = 10_000;

/** Chunk subjects that no live metadata names. */
interface Unreachable {
  /** Left by a run of this job: they have its mark, or metadata that it wrote names them as replaced. */
  ofThisJob: Nuid[];
  /** Left by another client's crashed upload, or by one that is still running. */
  ofOthers: Nuid[];
}

/** Returns the chunks that no live metadata names, and whose they are. */
export async function findUnreachable(
  bucket: Bucket,
  listing: Listing,
  signal: AbortSignal,
): Promise<Unreachable> {
  const isOfThisJob = createIsOfThisJob(listing);
  const dead = await bucket.unnamed([...listing.chunks.keys()], signal);
  return { ofThisJob: dead.filter(isOfThisJob), ofOthers: dead.filter((nuid) => !isOfThisJob(nuid)) };
}

/** Returns the chunks of this job's runs that no live metadata names. Often no metadata has to be read. */
export async function findLeftChunks(bucket: Bucket, listing: Listing, signal: AbortSignal): Promise<Nuid[]> {
  return bucket.unnamed([...listing.chunks.keys()].filter(createIsOfThisJob(listing)), signal);
}

function createIsOfThisJob({ objects }: Listing): (nuid: Nuid) => boolean {
  const replaced = new Set<string>(
    [...objects.values()].flatMap(({ headers }) => headers[REPLACES_HEADER] ?? []),
  );
  return (nuid) => isNuidOfThisJob(nuid) || replaced.has(nuid);
}

interface ReclaimOptions {
  lock: Lock;
  log: Log;
  signal: AbortSignal;
}

/**
 * Purges the chunks that runs of this job left. Only under the lock, which is proved and was held for a
 * moment: another run's unfinished upload looks the same.
 */
export async function reclaim(
  bucket: Bucket,
  nuids: readonly Nuid[],
  { lock, log, signal }: ReclaimOptions,
): Promise<void> {
  if (nuids.length === 0) return;
  const early = lock.acquiredAt + SETTLED - performance.now();
  if (early > 0) await pause(early, signal);
  // A cluster's new leader may answer before it has applied everything that was agreed on, but a purge is
  // applied in order. So after a purge of nothing, metadata that was in flight is stored, and its chunks do
  // not count as unreachable.
  await bucket.purgeChunks(newNuid());
  const dead = await bucket.unnamed(nuids, signal);
  // Only metadata of this job has its nuid as the message id.
  await inParallel(dead.filter(isNuidOfThisJob), LANES, async (nuid) => {
    signal.throwIfAborted();
    await fence(bucket, nuid);
  });
  await lock.prove();
  let chunks = 0;
  await inParallel(dead, LANES, async (nuid) => {
    signal.throwIfAborted();
    // Does not purge what was published before it was fenced.
    const purged = await bucket.purgeChunks(nuid);
    chunks += purged;
  });
  if (chunks > 0) log.info("chunks.reclaimed", { objects: nuids.length, chunks });
}

interface TidyOptions {
  purge: boolean;
  log: Log;
  signal: AbortSignal;
}

/**
 * Counts the orphans of others, and with `purge` removes those whose last chunk is over a day old. The bytes
 * of at most 10,000 of the remaining ones are counted: if there are more, the sum is a lower bound.
 */
export async function tidyOrphans(
  bucket: Bucket,
  listing: Listing,
  ofOthers: readonly Nuid[],
  { purge, log, signal }: TidyOptions,
): Promise<{ objects: number; bytes: number }> {
  const unsized = purge ? 0 : Math.max(0, ofOthers.length - SIZED);
  const found = { objects: unsized, bytes: 0 };
  const purged = { objects: 0, bytes: 0 };
  await inParallel(ofOthers.slice(0, ofOthers.length - unsized), LANES, async (nuid) => {
    signal.throwIfAborted();
    const count = listing.chunks.get(nuid) ?? 1;
    const ends = await bucket.chunkEnds(nuid, count);
    if (!ends) return; // its owner has purged it
    // Every client sends equal chunks but for the last.
    const bytes = ends.first * (count - 1) + ends.last;
    const old = purge && Date.now() - ends.lastAt.getTime() > DAY;
    if (old && (await bucket.purgeChunks(nuid)) === 0) return; // metadata names it by now
    const sum = old ? purged : found;
    sum.objects += 1;
    sum.bytes += bytes;
  });
  if (purged.objects > 0) log.info("orphans.purged", purged);
  if (found.objects > 0)
    log.warn("orphans.found", "orphans.found", { ...found, atLeast: unsized > 0 }, found);
  return found;
}

/** BK-Lite's own uploads that have not ended: interrupted, or still running. */
interface Stale {
  /** Under `{os}/{arch}/{object}/{version}/.staging-{uuid}/{name}`: BK-Lite copies them from there. */
  objects: readonly StoredObject[];
  /** Their rows, which are not ready, without those that this run finishes. */
  rows: readonly Row[];
}

/** Returns staged objects, and rows that wait for one. */
export function findStale(
  { rows, listing, archColumn }: ObservedState,
  desired: Pick<Desired, "packages" | "collectors">,
): Stale {
  const finished = new Set(
    [...desired.packages, ...desired.collectors].map((identity) => findRow(identity, rows, archColumn)),
  );
  return {
    objects: [...listing.objects.values()].filter(({ key, deleted }) => !deleted && isStaged(key)),
    rows: rows.filter((row) => row.status === PENDING && !(isSystemRow(row) && finished.has(row))),
  };
}

/** Whether an object is the one that was listed, and was stored over a day ago by the server's clock. */
export async function isOverADay(
  bucket: Bucket,
  { key, sequence }: StoredObject,
  stream: Listing["stream"],
): Promise<boolean> {
  const message = await bucket.message({ last_by_subj: metaSubject(bucket.name, key) });
  return message?.seq === sequence && (stream?.time ?? Number.NaN) - message.time.getTime() > DAY;
}

/**
 * Finds objects under a package's key that no row is served by. What other applications store has other keys.
 */
export function findUnlisted({ rows, listing, archColumn }: ObservedState): StoredObject[] {
  const inUse = new Set(rows.map((row) => served(rowKeys(row, archColumn), listing.objects)));
  return [...listing.objects.values()].filter(
    (object) =>
      !object.deleted && !inUse.has(object) && !isStaged(object.key) && parseKey(object.key) !== undefined,
  );
}

interface TidyContext {
  servers: Servers;
  lock: Lock;
  log: Log;
  /** PURGE_ORPHANS */
  purge: boolean;
}

/**
 * Counts what BK-Lite's own uploads left, and with `purge` removes what is over a day old by the servers'
 * clocks; rows only if their key holds no object. Returns the state without the removed objects and rows.
 */
export async function tidyStale(
  { objects, rows }: Stale,
  state: ObservedState,
  { servers, lock, log, purge }: TidyContext,
): Promise<ObservedState> {
  const { bucket } = servers.nats;
  const { db, shape } = servers.postgres;
  const removed = new Set<unknown>();
  if (purge && objects.length + rows.length > 0) {
    for (const object of objects) {
      if (!(await isOverADay(bucket, object, state.listing.stream))) continue;
      await removeObject(bucket, object, () => lock.prove());
      removed.add(object.key);
    }
    for (const row of rows) {
      if (served(rowKeys(row, state.archColumn), state.listing.objects)) continue;
      await lock.prove();
      if (await deleteStale(db, shape, row)) removed.add(row);
    }
    const left = objects.filter(({ key }) => removed.has(key)).length;
    if (removed.size > 0) log.info("staging.purged", { objects: left, rows: removed.size - left });
  }
  const found = {
    objects: objects.filter(({ key }) => !removed.has(key)).length,
    rows: rows.filter((row) => !removed.has(row)).length,
  };
  if (found.objects + found.rows > 0) log.warn("staging.found", "staging.found", found, found);
  return without(state, removed);
}
