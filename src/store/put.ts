import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { headers, type StoredMsg } from "nats";
import type { Source } from "../archive/types.ts";
import { JobError } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { type Ack, API_TIMEOUT, type Bucket } from "./bucket.ts";
import {
  chunkSubject,
  formatDigest,
  metaSubject,
  type Nuid,
  newNuid,
  type ObjectMeta,
  REPLACES_HEADER,
} from "./meta.ts";
import type { StoredObject } from "./object.ts";
import { StoreConflictError, StoreLostError } from "./store-errors.ts";
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

/** Milliseconds: what was proved longer ago is proved again, a few times on a line as slow as that. */
const FRESH = 1000;
const PROOFS = 3;
/** Messages of others that are looked at one by one; more have come only while they upload, and then nothing is concluded. */
const LOOKED_AT = 64;

const ID_HEADER = "Nats-Msg-Id";

export interface Published {
  /** Stream sequence. */
  sequence: number;
  /** The metadata that was there before, as it was stored. */
  previous: Uint8Array | undefined;
}

/**
 * Publishes metadata, replacing what was there, and only that: StoreConflictError where somebody else wrote the key since it was read.
 * `expected`: the sequence of the metadata that is replaced, 0 for none. `prove`: awaited right before publishing.
 *
 * A `Nats-Expected-*` header would let the server compare, but it is stored with the message, and mirrors on nats-server 2.10 then
 * drop it (BKLITE.md). So the key is read through the leader last of all. Between that and our own message there is one round trip; what
 * came in it is seen afterwards by a gap in the sequence, because the rollup has taken it away. A message of ours that is late for
 * longer than that (a line that stalls, a process that was stopped) is kept out by its id: see `fence`.
 */
export async function publishMeta(
  bucket: Bucket,
  meta: ObjectMeta,
  expected: number,
  prove: () => Promise<void>,
): Promise<Published> {
  const subject = metaSubject(bucket.name, meta.name);
  let last = 0;
  let before: StoredMsg | undefined;
  for (let turn = 0, asked = 0; turn < PROOFS; turn += 1) {
    asked = performance.now();
    await prove();
    // before the key: whatever comes after this is seen by one or the other
    last = (await bucket.info())?.state.last_seq ?? 0;
    before = await bucket.message({ last_by_subj: subject });
    if (performance.now() - asked < FRESH) break;
  }
  if ((before?.seq ?? 0) !== expected) throw new StoreConflictError(meta.name);
  const id = meta.deleted ? undefined : meta.nuid;
  const { sequence, duplicate } = await publishRaw(bucket, subject, Buffer.from(JSON.stringify(meta)), id);
  if (duplicate) throw new StoreLostError("store.fenced", { key: meta.name });
  if (await wasOverwritten(bucket, last, sequence)) throw new OverwrittenError(meta.name);
  return { sequence, previous: before?.data };
}

/**
 * Keeps an upload's metadata from going live later than now, though it may be on its way: it carries the nuid as its message's id, and of two
 * messages with one id the server stores the first. False: it is stored already, or a fence is. Holds for the stream's duplicate
 * window, two minutes unless somebody set it. The fence is an empty chunk, to be purged with the others.
 */
export async function fence(bucket: Bucket, nuid: Nuid): Promise<boolean> {
  const id = headers();
  id.set(ID_HEADER, nuid);
  const subject = chunkSubject(bucket.name, nuid);
  return !(await bucket.send(subject, new Uint8Array(), id, API_TIMEOUT)).duplicate;
}

/** Our metadata is live, and took the place of somebody's that came in the same moment: the plan has to be made anew. */
export class OverwrittenError extends StoreConflictError {}

/** Puts back metadata as it was stored before. */
export async function restoreMeta(bucket: Bucket, key: string, data: Uint8Array): Promise<void> {
  await publishRaw(bucket, metaSubject(bucket.name, key), data);
}

function publishRaw(bucket: Bucket, subject: string, data: Uint8Array, id?: string): Promise<Ack> {
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  if (id !== undefined) rollup.set(ID_HEADER, id);
  return bucket.send(subject, data, rollup, API_TIMEOUT);
}

/** Whether a message between the two sequences is gone already: a rollup, and so metadata, under the same key. */
async function wasOverwritten(bucket: Bucket, last: number, ours: number): Promise<boolean> {
  if (ours - last - 1 > LOOKED_AT) return false;
  for (let sequence = last + 1; sequence < ours; sequence++)
    if (!(await bucket.message({ seq: sequence }))) return true;
  return false;
}

/** Marks an object as deleted, as every client does, then purges its chunks if nothing else names them. `prove` as in publishMeta. */
export async function removeObject(
  bucket: Bucket,
  object: StoredObject,
  prove: () => Promise<void>,
): Promise<void> {
  const marker: ObjectMeta = {
    name: object.key,
    description: "",
    ...(object.nuid !== undefined && { headers: { [REPLACES_HEADER]: [object.nuid] } }),
    options: { max_chunk_size: 0 },
    bucket: bucket.name,
    // Every client wants one.
    nuid: object.nuid ?? newNuid(),
    size: 0,
    mtime: new Date().toISOString(),
    chunks: 0,
    digest: "",
    deleted: true,
  };
  await publishMeta(bucket, marker, object.sequence, prove);
  if (object.nuid !== undefined) await bucket.purgeChunks(object.nuid);
}
