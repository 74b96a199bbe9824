import { headers, type StoredMsg } from "nats";
import { type Ack, API_TIMEOUT, type Bucket } from "./bucket.ts";
import { StoreConflictError, StoreLostError } from "./errors.ts";
import { chunkSubject, metaSubject, type Nuid, newNuid, type ObjectMeta, REPLACES_HEADER } from "./meta.ts";
import type { StoredObject } from "./object.ts";

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
