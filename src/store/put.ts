import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Source } from "../archive/source.ts";
import { abortable } from "../async.ts";
import { JobError } from "../errors.ts";
import { createSweep } from "../memory.ts";
import type { Bucket } from "./bucket.ts";
import { checkCapacity } from "./capacity.ts";
import { StoreConflictError, StoreLostError } from "./errors.ts";
import { Flight } from "./flight.ts";
import { chunkSubject, formatDigest, type Nuid, newNuid, type ObjectMeta, REPLACES_HEADER } from "./meta.ts";
import type { StoredObject } from "./object.ts";
import { fence, OverwrittenError, publishMeta, restoreMeta } from "./publish.ts";
import { Window } from "./window.ts";

/** Milliseconds that undoing an unfinished upload may take; a stop has five seconds in all, and a window's worth takes about one. */
const SETTLE = 2500;
const PURGE = 1500;

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
  /** Asked for when all chunks are stored: what they say may be known no sooner. */
  headers?: () => Promise<Record<string, string[]>>;
}

export interface UploadOptions {
  signal: AbortSignal;
  /** Seconds without progress after which the upload is given up. */
  stallSeconds: number;
  /** Bounds the bytes in flight; shared by uploads that run at the same time. */
  flight?: Flight;
  onProgress?: (bytes: number) => void;
  /** Awaited last before the metadata is published; what it throws ends the upload, and nothing of it is left. */
  prove?: () => Promise<void>;
  /** Told when an unfinished upload could not be undone; the next run does it. */
  onLeftover: (error: unknown) => void;
}

export interface Uploaded {
  nuid: Nuid;
  /** Bytes. */
  size: number;
  /** Hex, of the bytes that were sent. */
  sha256: string;
}

/**
 * Stores one object after ADR-20: chunks first, the metadata last and only if nobody else wrote in between, then the old chunks go. Fails with
 * 73 (no room, sealed), 74 (the file changed), 77 (denied), StoreConflictError or StoreLostError; after each of them nothing of
 * this upload is left, or is recognised by its nuid and reclaimed by the next run.
 */
export async function put(bucket: Bucket, upload: Upload, options: UploadOptions): Promise<Uploaded> {
  try {
    await abortable(upload.source.turn?.() ?? Promise.resolve(), options.signal);
    return await store(bucket, upload, options);
  } finally {
    upload.source.release?.();
  }
}

async function store(bucket: Bucket, upload: Upload, options: UploadOptions): Promise<Uploaded> {
  const { source } = upload;
  const { chunkSize } = await checkCapacity(bucket, source.size);
  const nuid = newNuid();
  const { flight = new Flight() } = options;
  const window = new Window({ ...options, flight, readAt: source.readAt, closed: bucket.nc.closed() });
  try {
    const sent = await sendChunks(bucket, nuid, source, chunkSize, window, options.signal);
    checkBytes(upload, sent);
    await checkStored(bucket, upload.key, nuid, sent.chunks);
    const previous = await publish(
      bucket,
      upload,
      { nuid, chunkSize, ...sent },
      { prove: options.prove ?? (async () => {}), isOwn: (sequence) => flight.holds(sequence) },
    );
    // If we are here, the new object is live: from now on nothing of it may be purged.
    await finish(bucket, upload, nuid, sent.chunks, previous);
    return { nuid, size: sent.size, sha256: sent.sha256 };
  } catch (error) {
    if (!(error instanceof LiveError)) await undo(bucket, nuid, window, options);
    throw error instanceof LiveError ? error.cause : error;
  } finally {
    window.close();
  }
}

/** Something failed after the metadata went live. */
class LiveError extends Error {
  override readonly name = "LiveError";
}

interface Sent {
  size: number;
  chunks: number;
  sha256: string;
}

async function sendChunks(
  bucket: Bucket,
  nuid: Nuid,
  source: Source,
  chunkSize: number,
  window: Window,
  signal: AbortSignal,
): Promise<Sent> {
  const subject = chunkSubject(bucket.name, nuid);
  const hash = createHash("sha256");
  const sweep = createSweep();
  let size = 0;
  let chunks = 0;
  const blocks = source.blocks(chunkSize, signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value: block } = await window.guard(blocks.next());
      if (done) break;
      await window.admit(block.length);
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
async function checkStored(bucket: Bucket, key: string, nuid: Nuid, chunks: number): Promise<void> {
  const stored = await bucket.countChunks(nuid);
  if (stored !== chunks) throw new StoreLostError("store.chunks.missing", { key, stored, chunks });
}

async function publish(
  bucket: Bucket,
  upload: Upload,
  sent: Sent & { nuid: Nuid; chunkSize: number },
  { prove, isOwn }: { prove: () => Promise<void>; isOwn: (sequence: number) => boolean },
): Promise<Uint8Array | undefined> {
  const { replaced, supersedes } = upload;
  const replaces = [...(replaced?.nuid ? [replaced.nuid] : []), ...supersedes];
  const meta: ObjectMeta = {
    name: upload.key,
    description: upload.description,
    headers: { ...(await upload.headers?.()), ...(replaces.length > 0 && { [REPLACES_HEADER]: replaces }) },
    options: { max_chunk_size: sent.chunkSize },
    bucket: bucket.name,
    nuid: sent.nuid,
    size: sent.size,
    mtime: new Date().toISOString(),
    chunks: sent.chunks,
    digest: formatDigest(sent.sha256),
  };
  try {
    return (await publishMeta(bucket, meta, replaced?.sequence ?? 0, prove, isOwn)).previous;
  } catch (error) {
    // Live, but in the place of somebody's who came in the same moment: nothing of it may be purged.
    if (error instanceof OverwrittenError) throw new LiveError("overwritten", { cause: error });
    // No answer is no "no": purging the chunks of metadata that went live would make a lie of it.
    if (
      error instanceof StoreLostError &&
      error.reason !== "store.fenced" &&
      (await isLive(bucket, sent.nuid))
    )
      return undefined;
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
  { replaced, key }: Upload,
  nuid: Nuid,
  chunks: number,
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

async function undo(bucket: Bucket, nuid: Nuid, window: Window, options: UploadOptions): Promise<void> {
  if (bucket.nc.isClosed()) return;
  // What is on its way arrives after the purge otherwise.
  await window.settle(SETTLE);
  try {
    await Promise.race([
      bucket.purgeChunks(nuid).then(() => bucket.purgeChunks(nuid)),
      sleep(PURGE, undefined, { ref: false }).then(() => {
        throw new Error("NATS did not answer in time");
      }),
    ]);
  } catch (error) {
    options.onLeftover(error);
  }
}
