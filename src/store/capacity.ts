import type { StreamInfo } from "nats";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Bucket } from "./bucket.ts";

const MIB = 1024 * 1024;
/**
 * Large chunks make BK-Lite's own downloads several times faster (BKLITE.md); 1 MiB is the server's default
 * max_payload.
 */
const MAX_CHUNK = 1_000_000;
/** Bytes that the file store adds to each message, beside its subject: an upper bound. */
const MESSAGE_OVERHEAD = 128;

/**
 * Checks, before the first chunk is sent, that objects of these sizes fit into the bucket together, beside
 * the objects that they replace. Throws exit 73 that names the limit. The server's own limits show only when
 * they are reached.
 */
export async function checkCapacity(
  bucket: Bucket,
  sizes: readonly (number | undefined)[],
): Promise<{ chunkSize: number }> {
  const info = await bucket.info();
  if (!info) throw new JobError("store.gone", { bucket: bucket.name });
  const chunkSize = chunkSizeFor(bucket.nc.info?.max_payload ?? MIB, info.config.max_msg_size);
  const need = sizes.reduce<number>((sum, size = 0) => {
    return sum + size + (Math.ceil(size / chunkSize) + 1) * MESSAGE_OVERHEAD;
  }, 0);
  const { max_bytes: max } = info.config;
  if (max > 0 && info.state.bytes + need > max) {
    throw new JobError("store.full.bucket", {
      bucket: bucket.name,
      limit: max,
      used: info.state.bytes,
      needed: need,
    });
  }
  await checkAccount(bucket, info, need);
  return { chunkSize };
}

/** Returns the chunk size in bytes for a server's max_payload and a stream's max_msg_size (-1: none). */
export function chunkSizeFor(maxPayload: number, maxMessage: number): number {
  const limit = Math.min(maxPayload, maxMessage > 0 ? maxMessage : maxPayload);
  // Space for headers, and for what a leaf node or a gateway adds.
  return Math.max(1, Math.min(MAX_CHUNK, limit - Math.min(4096, limit >> 3)));
}

async function checkAccount(bucket: Bucket, info: StreamInfo, need: number): Promise<void> {
  const account = await bucket.account().catch((error) => {
    // The least privileges do not include it: the limit shows when it is reached.
    if (error instanceof JobError && error.code === EXIT.denied) return undefined;
    throw error;
  });
  if (!account) return;
  const tier = (account.tiers as Record<string, typeof account> | undefined)?.[
    `R${info.config.num_replicas}`
  ];
  const { limits, storage } = tier ?? account;
  if (limits.max_storage > 0 && storage + need > limits.max_storage) {
    throw new JobError("store.full.account", {
      bucket: bucket.name,
      limit: limits.max_storage,
      used: storage,
      needed: need,
    });
  }
}
