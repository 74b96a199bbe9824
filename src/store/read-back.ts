import { createHash } from "node:crypto";
import { abortable } from "../async.ts";
import { createSweep } from "../memory.ts";
import type { Bucket } from "./bucket.ts";
import type { Nuid } from "./meta.ts";
import type { Content, ObjectFacts } from "./object.ts";

export interface ReadBackOptions {
  signal: AbortSignal;
  /** Called with the bytes of each chunk. */
  onBytes: (bytes: number) => void;
}

/**
 * Reads all chunks of an upload in the stream's order, as every client does, and returns what they contain.
 * One chunk at a time is in memory.
 */
export async function readBack(
  bucket: Bucket,
  nuid: Nuid,
  { signal, onBytes }: ReadBackOptions,
): Promise<Content> {
  const hash = createHash("sha256");
  const sweep = createSweep();
  let bytes = 0;
  let chunks = 0;
  for (let last = 0; ; ) {
    const chunk = await abortable(bucket.chunkAfter(nuid, last), signal);
    if (!chunk) return { bytes, chunks, sha256: hash.digest("hex") };
    last = chunk.sequence;
    hash.update(chunk.data);
    bytes += chunk.data.length;
    chunks += 1;
    onBytes(chunk.data.length);
    // The answer was there in base64, as bytes and as text.
    sweep(4 * chunk.data.length);
  }
}

/** Whether the bytes that were read are those that the metadata names. */
export function isContentOf({ size, sha256 }: ObjectFacts, read: Content): boolean {
  return read.bytes === size && (sha256 === undefined || read.sha256 === sha256);
}
