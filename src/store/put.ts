import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Source } from "../archive/types.ts";
import { JobError } from "../errors.ts";
import { createSweep } from "../memory.ts";
import type { Bucket } from "./bucket.ts";
import { StoreConflictError, StoreLostError } from "./errors.ts";
import { chunkSubject, formatDigest, type Nuid, newNuid, type ObjectMeta, REPLACES_HEADER } from "./meta.ts";
import type { StoredObject } from "./object.ts";
import { fence, OverwrittenError, publishMeta, restoreMeta } from "./publish.ts";
import { type InFlightBudget, UploadWindow } from "./window.ts";

/** Milliseconds that undoing an unfinished upload may take; a stop has five seconds in all, and a window's worth takes about one. */
const SETTLE = 2000;
const PURGE = 1200;

export interface Upload {
  key: string;
  /** The file's name: BK-Lite offers it as the download's. */
  description: string;
  source: Source;
  /** What is stored under the key now, a deleted marker included. */
  replaced: StoredObject | undefined;
  /** Chunks, by nuid, of objects under other keys that this one takes the place of. */
  supersedes: readonly Nuid[];
  /** Hex, where the file has been read before: other bytes now are an error. */
  sha256: string | undefined;
}

export interface StageOptions {
  signal: AbortSignal;
  /** Seconds without progress after which the upload is given up. */
  stallSeconds: number;
  /** Bytes, as checkCapacity returns it. */
  chunkSize: number;
  /** Shared by uploads that run at the same time. */
  budget: InFlightBudget;
  onProgress?: (bytes: number) => void;
  /** Called if an unfinished upload could not be undone; the next run does it. */
  onLeftover: (error: unknown) => void;
}

/** An object whose chunks are sent. No metadata names them yet, so nobody sees it. */
export interface Staged extends Sent {
  upload: Upload;
  nuid: Nuid;
  chunkSize: number;
}

interface Sent {
  /** Bytes. */
  size: number;
  chunks: number;
  /** Hex, of the bytes that were sent. */
  sha256: string;
}

export interface PublishOptions {
  headers: Record<string, string[]>;
  /** Awaited last before the metadata is published; what it throws ends the upload, and nothing of it is left. */
  prove: () => Promise<void>;
  onLeftover: (error: unknown) => void;
}

/**
 * Sends an object's chunks under a new nuid: the first half of an upload after ADR-20. Fails with 73 (full, sealed), 74 (the file changed),
 * 77 (denied) or StoreLostError; after each of them its chunks are purged, or the next run recognises them by their nuid and reclaims them.
 */
export async function stage(bucket: Bucket, upload: Upload, options: StageOptions): Promise<Staged> {
  const nuid = newNuid();
  const { chunkSize } = options;
  const window = new UploadWindow({ ...options, closed: bucket.nc.closed() });
  try {
    const blocks = upload.source.blocks(chunkSize, options.signal);
    const sent = await sendChunks(bucket, chunkSubject(bucket.name, nuid), blocks, window);
    checkBytes(upload, sent);
    return { upload, nuid, chunkSize, ...sent };
  } catch (error) {
    // What is on its way arrives after the purge otherwise.
    if (!bucket.nc.isClosed()) await window.waitForStragglers(SETTLE);
    await discard(bucket, nuid, options.onLeftover);
    throw error;
  } finally {
    window.close();
  }
}

/**
 * Publishes a staged object's metadata, provided that all chunks are there and no other process wrote the key in between; then purges the chunks
 * that it replaces. Fails as `stage` does, or with StoreConflictError; after that the staged chunks are purged unless the metadata is live.
 */
export async function publish(bucket: Bucket, staged: Staged, options: PublishOptions): Promise<void> {
  try {
    await checkStored(bucket, staged);
    const previous = await publishObject(bucket, staged, options);
    // If we are here, the new object is live: from now on nothing of it may be purged.
    await finish(bucket, staged, previous);
  } catch (error) {
    if (error instanceof LiveError) throw error.cause;
    await discard(bucket, staged.nuid, options.onLeftover);
    throw error;
  }
}

/** Purges the chunks of an object that is not going to be published. */
export async function discard(
  bucket: Bucket,
  nuid: Nuid,
  onLeftover: (error: unknown) => void,
): Promise<void> {
  if (bucket.nc.isClosed()) return;
  try {
    await Promise.race([
      bucket.purgeChunks(nuid).then(() => bucket.purgeChunks(nuid)),
      sleep(PURGE, undefined, { ref: false }).then(() => {
        throw new Error("NATS did not answer in time");
      }),
    ]);
  } catch (error) {
    onLeftover(error);
  }
}

/** Something failed after the metadata went live. */
class LiveError extends Error {
  override readonly name = "LiveError";
}

async function sendChunks(
  bucket: Bucket,
  subject: string,
  source: AsyncIterable<Uint8Array>,
  window: UploadWindow,
): Promise<Sent> {
  const hash = createHash("sha256");
  const sweep = createSweep();
  let size = 0;
  let chunks = 0;
  const blocks = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value: block } = await window.waitForRead(blocks.next());
      if (done) break;
      await window.reserve(block.length);
      window.add(block.length, bucket.publish(subject, block));
      // The client writes to its socket in a microtask: let it, so that the chunk travels while it is hashed.
      await Promise.resolve();
      hash.update(block);
      sweep(block.length);
      size += block.length;
      chunks += 1;
    }
  } finally {
    // Not waited for: a read that hangs does not end.
    blocks.return?.()?.catch(() => {});
  }
  await window.drain();
  return { size, chunks, sha256: hash.digest("hex") };
}

function checkBytes({ source, sha256, description }: Upload, sent: Sent): void {
  const sizeDiffers = source.size !== undefined && source.size !== sent.size;
  if (sizeDiffers || (sha256 !== undefined && sha256 !== sent.sha256)) {
    throw new JobError("store.bytes.changed", { name: description });
  }
}

/** Counts the chunks through the leader: metadata over holes would be worse than none. */
async function checkStored(bucket: Bucket, { upload: { key }, nuid, chunks }: Staged): Promise<void> {
  const stored = await bucket.countChunks(nuid);
  if (stored !== chunks) throw new StoreLostError("store.chunks.missing", { key, stored, chunks });
}

/** Returns the metadata that was there before, as it was stored. */
async function publishObject(
  bucket: Bucket,
  { upload, nuid, chunkSize, size, chunks, sha256 }: Staged,
  { headers, prove }: PublishOptions,
): Promise<Uint8Array | undefined> {
  const { replaced, supersedes } = upload;
  const replaces = [...(replaced?.nuid ? [replaced.nuid] : []), ...supersedes];
  const meta: ObjectMeta = {
    name: upload.key,
    description: upload.description,
    headers: { ...headers, ...(replaces.length > 0 && { [REPLACES_HEADER]: replaces }) },
    options: { max_chunk_size: chunkSize },
    bucket: bucket.name,
    nuid,
    size,
    mtime: new Date().toISOString(),
    chunks,
    digest: formatDigest(sha256),
  };
  try {
    return (await publishMeta(bucket, meta, replaced?.sequence ?? 0, prove)).previous;
  } catch (error) {
    // Live, but in the place of somebody's who came in the same moment: nothing of it may be purged.
    if (error instanceof OverwrittenError) throw new LiveError("overwritten", { cause: error });
    // No answer is no "no": purging the chunks of metadata that went live would make a lie of it.
    const noAnswer = error instanceof StoreLostError && error.reason !== "store.fenced";
    if (noAnswer && (await isLive(bucket, nuid))) return undefined;
    throw error;
  }
}

/** Whether the metadata that had no answer is stored; if not, it never will be. Where nobody answers it may: LiveError, and the next attempt looks again. */
async function isLive(bucket: Bucket, nuid: Nuid): Promise<boolean> {
  try {
    return !(await fence(bucket, nuid));
  } catch (cause) {
    throw new LiveError("the metadata may be live", { cause });
  }
}

/** Counts every chunk once more now that readers see it, then lets the old ones go; or puts the old metadata back. */
async function finish(
  bucket: Bucket,
  { upload: { replaced, key }, nuid, chunks }: Staged,
  previous: Uint8Array | undefined,
): Promise<void> {
  const old = replaced && !replaced.deleted ? replaced.nuid : undefined;
  try {
    if ((await bucket.countChunks(nuid)) === chunks) {
      if (old !== undefined) await bucket.purgeChunks(old);
      return;
    }
    const current = await bucket.get(key);
    if (current?.nuid !== nuid) {
      // Somebody else replaced it already: theirs stays, and the old chunks go unless it names them.
      if (old !== undefined) await bucket.purgeChunks(old);
      throw new StoreConflictError(key);
    }
    const oldIsWhole = old !== undefined && (await bucket.countChunks(old)) === replaced?.chunks;
    if (oldIsWhole && previous) await restoreMeta(bucket, key, previous);
  } catch (cause) {
    throw new LiveError("failed after the metadata was live", { cause });
  }
  const cause = new StoreLostError("store.chunks.missing", {
    key,
    stored: await bucket.countChunks(nuid),
    chunks,
  });
  throw new LiveError("its chunks were purged", { cause });
}
