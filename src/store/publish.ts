import { headers } from "nats";
import { API_TIMEOUT, type Bucket } from "./bucket.ts";
import { StoreConflictError } from "./errors.ts";
import { metaSubject, type ObjectMeta, REPLACES_HEADER } from "./meta.ts";
import type { StoredObject } from "./object.ts";

/** Messages that are looked at one by one; more have come only while others upload, and then nothing is concluded. */
const LOOKED_AT = 64;

export interface Published {
  /** Stream sequence. */
  sequence: number;
  /** The metadata that was there before, as it was stored. */
  previous: Uint8Array | undefined;
}

/**
 * Publishes metadata, replacing what was there, and only that: StoreConflictError where somebody else wrote the key since it was read.
 * `expected`: the sequence of the metadata that is replaced, 0 for none. `prove`: awaited last before publishing.
 *
 * A `Nats-Expected-*` header would let the server compare, but it is stored with the message, and mirrors on nats-server 2.10 then
 * drop it (BKLITE.md). So the key is read through the leader right before. Between that and our own message there is one round trip; what
 * came in it is seen afterwards by a gap in the sequence, because the rollup has taken it away.
 */
export async function publishMeta(
  bucket: Bucket,
  meta: ObjectMeta,
  expected: number,
  prove: () => Promise<void>,
): Promise<Published> {
  const subject = metaSubject(bucket.name, meta.name);
  const last = (await bucket.info())?.state.last_seq ?? 0;
  const before = await bucket.message({ last_by_subj: subject });
  if ((before?.seq ?? 0) !== expected) throw new StoreConflictError(meta.name);
  await prove();
  const sequence = await publishRaw(bucket, subject, Buffer.from(JSON.stringify(meta)));
  if (await wasOverwritten(bucket, last, sequence)) throw new OverwrittenError(meta.name);
  return { sequence, previous: before?.data };
}

/** Our metadata is live, and took the place of somebody's that came in the same moment: the plan has to be made anew. */
export class OverwrittenError extends StoreConflictError {}

/** Puts back metadata as it was stored before. */
export async function restoreMeta(bucket: Bucket, key: string, data: Uint8Array): Promise<void> {
  await publishRaw(bucket, metaSubject(bucket.name, key), data);
}

function publishRaw(bucket: Bucket, subject: string, data: Uint8Array): Promise<number> {
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  return bucket.publish(subject, data, rollup, API_TIMEOUT);
}

/** Whether a message between the two sequences is gone already: a rollup, and so metadata, under the same key. */
async function wasOverwritten(bucket: Bucket, last: number, ours: number): Promise<boolean> {
  if (ours - last - 1 > LOOKED_AT) return false;
  for (let sequence = last + 1; sequence < ours; sequence++) {
    if (!(await bucket.message({ seq: sequence }))) return true;
  }
  return false;
}

/** Marks an object as deleted, as every client does, then purges its chunks. `prove` as in publishMeta. */
export async function removeObject(
  bucket: Bucket,
  object: StoredObject,
  prove: () => Promise<void>,
): Promise<void> {
  const marker: ObjectMeta = {
    name: object.key,
    description: "",
    headers: { [REPLACES_HEADER]: [object.nuid] },
    options: { max_chunk_size: 0 },
    bucket: bucket.name,
    nuid: object.nuid,
    size: 0,
    mtime: new Date().toISOString(),
    chunks: 0,
    digest: "",
    deleted: true,
  };
  await publishMeta(bucket, marker, object.sequence, prove);
  if (object.nuid !== "") await bucket.purgeChunks(object.nuid);
}
