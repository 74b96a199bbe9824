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

/** Milliseconds that undoing an unfinished upload may take: a stop has five seconds in all. */
const STRAGGLERS = 2000;
const PURGE = 1200;
/** Milliseconds: a proof older than that is repeated, at most PROOFS times in all on a slow connection. */
const FRESH = 1000;
const PROOFS = 3;
/** Messages between two sequences that are read; if there are more, nothing is concluded from them. */
const READ_BETWEEN = 64;

const ID_HEADER = "Nats-Msg-Id";

export interface Upload {
  key: string;
  /** The file's name: BK-Lite offers the object under it as a download. */
  description: string;
  source: Source;
  /** What is stored under the key now, a deletion marker included. */
  replaced: StoredObject | undefined;
  /** Chunks, by nuid, of objects under other keys that this object replaces. */
  supersedes: readonly Nuid[];
  /** Hex, if the file has been read before: other bytes are an error then. */
  sha256: string | undefined;
}

export interface StageOptions {
  signal: AbortSignal;
  /** Seconds without progress after which the upload is given up. */
  stallSeconds: number;
  /** Bytes, as readChunkSize returns them. */
  chunkSize: number;
  /** Shared by the uploads of one connection. */
  budget: InFlightBudget;
  /** Called with the bytes acknowledged so far. */
  onProgress?: (bytes: number) => void;
  /** Called if an unfinished upload could not be undone; the next run does it. */
  onLeftover: (error: unknown) => void;
}

/** An object whose chunks are sent. No metadata names them yet, so no client sees it. */
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
  /** Awaited last before the metadata is published; if it throws, the chunks are purged. */
  prove: () => Promise<void>;
  onLeftover: (error: unknown) => void;
}

/**
 * Sends an object's chunks under a new nuid: the first half of an upload after ADR-20. Throws exit 73 (full,
 * sealed), 74 (the file changed), 77 (denied) or StoreLostError. The chunks are purged then; if that fails,
 * the next run reclaims them by their nuid.
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
    // Chunks in flight would arrive after the purge.
    if (!bucket.nc.isClosed()) await window.waitForStragglers(STRAGGLERS);
    await discard(bucket, nuid, options.onLeftover);
    throw error;
  } finally {
    window.close();
  }
}

/**
 * Publishes a staged object's metadata if all chunks are stored and no other process wrote the key in
 * between, then purges the chunks that it replaces. Throws as `stage` does, or StoreConflictError; the staged
 * chunks are purged then, unless the metadata is live.
 */
export async function publish(bucket: Bucket, staged: Staged, options: PublishOptions): Promise<void> {
  const { upload, nuid } = staged;
  let published: Published | undefined;
  try {
    await checkStored(bucket, staged);
    const meta = metaOf(bucket, staged, options.headers);
    const expected = upload.replaced?.sequence ?? 0;
    published = await publishMeta(bucket, meta, expected, options.prove);
  } catch (error) {
    const isUnanswered = error instanceof StoreLostError && UNANSWERED.has(error.reason);
    // No answer is not a "no": purging the chunks of live metadata would damage the object. If the metadata
    // is not stored yet, the fence keeps it out; if the fence has no answer either, its error is thrown,
    // nothing is purged, and the next attempt looks again.
    if (!isUnanswered || (await fence(bucket, nuid))) {
      await discard(bucket, nuid, options.onLeftover);
      throw error;
    }
  }
  // If we are here, the new object is live: none of its chunks may be purged.
  if (published?.overwrote) throw new StoreConflictError(upload.key);
  await finish(bucket, staged, published?.previous);
}

/** Purges the chunks of an object that will not be published. */
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

/** Stores an object's deletion marker, then purges its chunks. `prove` as in publishMeta. */
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
    // Every client requires one.
    nuid: object.nuid ?? newNuid(),
    size: 0,
    mtime: new Date().toISOString(),
    chunks: 0,
    digest: "",
    deleted: true,
  };
  const { overwrote } = await publishMeta(bucket, marker, object.sequence, prove);
  if (overwrote) throw new StoreConflictError(object.key);
  if (object.nuid !== undefined) await bucket.purgeChunks(object.nuid);
}

/**
 * Keeps an upload's metadata from going live from now on, though it may be in flight: its message id is the
 * nuid, and of two messages with one id the server stores the first. Returns false if the metadata, or a
 * fence, is stored already. It holds for the stream's duplicate window, by default two minutes. The fence is
 * an empty chunk, which is purged with the others.
 */
export async function fence(bucket: Bucket, nuid: Nuid): Promise<boolean> {
  const id = headers();
  id.set(ID_HEADER, nuid);
  const subject = chunkSubject(bucket.name, nuid);
  return !(await bucket.send(subject, new Uint8Array(), id, API_TIMEOUT)).duplicate;
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
    // Not awaited: a read that hangs does not end.
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

/** Counts the chunks through the leader: metadata that names missing chunks would be worse than none. */
async function checkStored(bucket: Bucket, { upload: { key }, nuid, chunks }: Staged): Promise<void> {
  const stored = await bucket.countChunks(nuid);
  if (stored !== chunks) throw new StoreLostError("store.chunks.missing", { key, stored, chunks });
}

function metaOf(
  bucket: Bucket,
  { upload, nuid, chunkSize, size, chunks, sha256 }: Staged,
  more: PublishOptions["headers"],
): ObjectMeta {
  const { replaced, supersedes } = upload;
  const replaces = [...(replaced?.nuid ? [replaced.nuid] : []), ...supersedes];
  return {
    name: upload.key,
    description: upload.description,
    headers: { ...more, ...(replaces.length > 0 && { [REPLACES_HEADER]: replaces }) },
    options: { max_chunk_size: chunkSize },
    bucket: bucket.name,
    nuid,
    size,
    mtime: new Date().toISOString(),
    chunks,
    digest: formatDigest(sha256),
  };
}

/** The reasons of a StoreLostError that leave open whether a message was stored. */
const UNANSWERED: ReadonlySet<string> = new Set(["store.lost", "store.silent"]);

interface Published {
  /** The metadata that was there before, as it was stored. */
  previous: Uint8Array | undefined;
  /** Whether another process wrote the key at the same moment, and this metadata replaced it unseen. */
  overwrote: boolean;
}

/**
 * Publishes metadata, replacing only what was there: throws StoreConflictError if another process wrote the
 * key since it was read. `expected`: the sequence of the metadata to be replaced, 0 for none. `prove`:
 * awaited right before publishing.
 *
 * A `Nats-Expected-*` header would let the server compare, but it is stored with the message, and mirrors on
 * nats-server 2.10 drop such messages (BKLITE.md). So the key is read through the leader last of all. One
 * round trip lies between that and our message; a message that arrives in it shows afterwards as a gap in the
 * sequence, because the rollup has removed it. Our own message may be late by more than that (a connection
 * that stalls, a process that was stopped): its id keeps it out then, see `fence`.
 */
async function publishMeta(
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
    // Before the key: a message that comes later is seen by one of the two readings.
    last = (await bucket.info())?.state.last_seq ?? 0;
    before = await bucket.message({ last_by_subj: subject });
    if (performance.now() - asked < FRESH) break;
  }
  if ((before?.seq ?? 0) !== expected) throw new StoreConflictError(meta.name);
  const id = meta.deleted ? undefined : meta.nuid;
  const { sequence, duplicate } = await publishRaw(bucket, subject, Buffer.from(JSON.stringify(meta)), id);
  if (duplicate) throw new StoreLostError("store.fenced", { key: meta.name });
  return { previous: before?.data, overwrote: await hasGap(bucket, last, sequence) };
}

function publishRaw(bucket: Bucket, subject: string, data: Uint8Array, id?: string): Promise<Ack> {
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  if (id !== undefined) rollup.set(ID_HEADER, id);
  return bucket.send(subject, data, rollup, API_TIMEOUT);
}

/** Whether a message between the two is gone: our rollup removed it, so it had the same key. */
async function hasGap(bucket: Bucket, last: number, ours: number): Promise<boolean> {
  if (ours - last - 1 > READ_BETWEEN) return false;
  for (let sequence = last + 1; sequence < ours; sequence++)
    if (!(await bucket.message({ seq: sequence }))) return true;
  return false;
}

/** Counts the chunks again now that clients see the object, then purges the old, or restores the metadata. */
async function finish(
  bucket: Bucket,
  { upload: { replaced, key }, nuid, chunks }: Staged,
  previous: Uint8Array | undefined,
): Promise<void> {
  const old = replaced && !replaced.deleted ? replaced.nuid : undefined;
  if ((await bucket.countChunks(nuid)) === chunks) {
    if (old !== undefined) await bucket.purgeChunks(old);
    return;
  }
  const current = await bucket.get(key);
  if (current?.nuid !== nuid) {
    // Another process has replaced it: its object stays, and the old chunks go unless that object names them.
    if (old !== undefined) await bucket.purgeChunks(old);
    throw new StoreConflictError(key);
  }
  const oldIsWhole = old !== undefined && (await bucket.countChunks(old)) === replaced?.chunks;
  if (oldIsWhole && previous) await publishRaw(bucket, metaSubject(bucket.name, key), previous);
  const stored = await bucket.countChunks(nuid);
  throw new StoreLostError("store.chunks.missing", { key, stored, chunks });
}
