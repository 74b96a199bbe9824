import type { StreamInfo } from "nats";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Bucket } from "./bucket.ts";
import { chunkPrefix } from "./meta.ts";

const MIB = 1024 * 1024;
/**
 * Large chunks make BK-Lite's own downloads several times faster (BKLITE.md); 1 MiB is the server's default
 * max_payload.
 */
const MAX_CHUNK = 1_000_000;
/** Bytes that nats-server's file store adds to a message without headers, beside its subject. */
const MESSAGE = 30;
/** The length of a nuid. */
const NUID = 22;
/** Bytes of a metadata message, beside three times its key: an upper bound. */
const METADATA = 1024;

/** A limit of JetStream, and what counts towards it now. Bytes. */
export interface Limit {
  limit: number;
  used: number;
  /** What one byte in the stream counts. */
  copies: number;
}

/** What limits the size of a bucket. A limit that the server does not tell shows when it is reached. */
export interface Capacity {
  chunkSize: number;
  /** The bytes that the bucket holds now. */
  used: number;
  /** The bucket's max_bytes. */
  bucket?: Limit;
  account?: Limit;
}

/** Reads the limits of a bucket, which need not exist yet, and of its account. */
export async function readCapacity(bucket: Bucket): Promise<Capacity> {
  const info = await bucket.info();
  const used = info?.state.bytes ?? 0;
  const max = info?.config.max_bytes ?? -1;
  const account = await accountLimit(bucket, info);
  return {
    chunkSize: chunkSizeOf(bucket, info),
    used,
    // The server rejects the message with which a stream would have exactly max_bytes.
    ...(max > 0 && { bucket: { limit: max - 1, used, copies: 1 } }),
    ...(account && { account }),
  };
}

/** Reads a bucket's chunk size in bytes. Throws exit 69 if the bucket was deleted. */
export async function readChunkSize(bucket: Bucket): Promise<number> {
  const info = await bucket.info();
  if (!info) throw new JobError("store.gone", { bucket: bucket.name });
  return chunkSizeOf(bucket, info);
}

function chunkSizeOf({ nc }: Bucket, info: StreamInfo | undefined): number {
  return chunkSizeFor(nc.info?.max_payload ?? MIB, info?.config.max_msg_size ?? -1);
}

/** Returns the chunk size in bytes for a server's max_payload and a stream's max_msg_size (-1: none). */
export function chunkSizeFor(maxPayload: number, maxMessage: number): number {
  const limit = Math.min(maxPayload, maxMessage > 0 ? maxMessage : maxPayload);
  // Space for headers, and for what a leaf node or a gateway adds.
  return Math.max(1, Math.min(MAX_CHUNK, limit - Math.min(4096, limit >> 3)));
}

/** Returns the bytes that an object's chunks take in the file store. */
export function chunkBytes(bucket: string, size: number, chunks: number): number {
  return size + chunks * (MESSAGE + chunkPrefix(bucket).length + NUID);
}

/** Returns the bytes that an object's metadata takes at most. */
export function metadataBytes(key: string): number {
  return METADATA + 3 * Buffer.byteLength(key);
}

async function accountLimit(bucket: Bucket, info: StreamInfo | undefined): Promise<Limit | undefined> {
  const account = await bucket.account().catch((error) => {
    // The least privileges do not include it: the limit shows when it is reached.
    if (error instanceof JobError && error.code === EXIT.denied) return undefined;
    throw error;
  });
  if (!account) return undefined;
  const replicas = info?.config.num_replicas ?? 1;
  const tier = (account.tiers as Record<string, typeof account> | undefined)?.[`R${replicas}`];
  const { limits, storage } = tier ?? account;
  if (limits.max_storage <= 0) return undefined;
  // A tier's limit is that of one copy, but what it uses is that of all; without tiers every copy counts.
  const perCopy = tier ? replicas : 1;
  return { limit: limits.max_storage, used: Math.ceil(storage / perCopy), copies: replicas / perCopy };
}
