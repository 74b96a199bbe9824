import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Source } from "../archive/source.ts";
import { EXIT, JobError } from "../errors.ts";
import { createSweep } from "../memory.ts";
import type { Bucket } from "./bucket.ts";
import { checkCapacity } from "./capacity.ts";
import { StoreLostError } from "./errors.ts";
import { chunkSubject, formatDigest, newNuid, type ObjectMeta, REPLACES_HEADER } from "./meta.ts";
import type { StoredObject } from "./object.ts";
import { Window } from "./window.ts";

/** Bytes in flight unless the caller says otherwise: chosen with `npm run bench`, see the README's table. */
const IN_FLIGHT = 8 * 1024 * 1024;
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
  supersedes: readonly string[];
  /** Hex, where the file has been read before: other bytes now are an error. */
  sha256: string | undefined;
  headers?: Record<string, string[]>;
}

export interface UploadOptions {
  signal: AbortSignal;
  /** Seconds without progress after which the upload is given up. */
  stallSeconds: number;
  /** Bytes that may be sent and not yet acknowledged. */
  inFlight?: number;
  onProgress?: (bytes: number) => void;
  /** Told when an unfinished upload could not be undone; the next run does it. */
  onLeftover: (error: unknown) => void;
}

export interface Uploaded {
  nuid: string;
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
  const { chunkSize } = await checkCapacity(bucket, upload.source.size);
  const nuid = newNuid();
  const window = new Window({ ...options, limit: options.inFlight ?? IN_FLIGHT, closed: bucket.nc.closed() });
  try {
    const sent = await sendChunks(bucket, nuid, upload.source, chunkSize, window, options.signal);
    checkBytes(upload, sent);
    await publish(bucket, upload, { nuid, chunkSize, ...sent });
    // If we are here, the new object is live: from now on nothing of it may be purged.
    await finish(bucket, upload, nuid, sent.chunks);
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
  nuid: string,
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
      await window.admit();
      window.add(block.length, bucket.publishChunk(subject, block));
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
    throw JobError.legacy(EXIT.fileRead, `${description} changed while it was read`, {
      hint: "wait until nothing writes to the volume any more, then run again",
    });
  }
}

async function publish(
  bucket: Bucket,
  upload: Upload,
  sent: Sent & { nuid: string; chunkSize: number },
): Promise<void> {
  const { replaced, supersedes } = upload;
  const replaces = [...(replaced?.nuid ? [replaced.nuid] : []), ...supersedes];
  const meta: ObjectMeta = {
    name: upload.key,
    description: upload.description,
    headers: { ...upload.headers, ...(replaces.length > 0 && { [REPLACES_HEADER]: replaces }) },
    options: { max_chunk_size: sent.chunkSize },
    bucket: bucket.name,
    nuid: sent.nuid,
    size: sent.size,
    mtime: new Date().toISOString(),
    chunks: sent.chunks,
    digest: formatDigest(sent.sha256),
  };
  try {
    await bucket.publishMeta(meta, replaced?.sequence ?? 0);
  } catch (error) {
    // No answer is no "no": purging the chunks of metadata that went live would make a lie of it.
    if (error instanceof StoreLostError && (await isLive(bucket, upload.key, sent.nuid))) return;
    throw error;
  }
}

/** Whether the metadata names this upload. Where nobody answers it may: LiveError, and the next attempt looks again. */
async function isLive(bucket: Bucket, key: string, nuid: string): Promise<boolean> {
  try {
    return (await bucket.get(key))?.nuid === nuid;
  } catch (cause) {
    throw new LiveError("the metadata may be live", { cause });
  }
}

/** Proves that every chunk is stored, then lets the old ones go. */
async function finish(
  bucket: Bucket,
  { replaced, key }: Upload,
  nuid: string,
  chunks: number,
): Promise<void> {
  try {
    const stored = await bucket.countChunks(nuid);
    if (stored !== chunks) throw new StoreLostError(`${key}: ${stored} of ${chunks} chunks are stored`);
    if (replaced && replaced.nuid !== "" && !replaced.deleted) await bucket.purgeChunks(replaced.nuid);
  } catch (cause) {
    throw new LiveError("failed after the metadata was live", { cause });
  }
}

async function undo(bucket: Bucket, nuid: string, window: Window, options: UploadOptions): Promise<void> {
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
