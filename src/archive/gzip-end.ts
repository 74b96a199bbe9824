import { createInflateRaw } from "node:zlib";
import { blocks, readFully } from "./blocks.ts";
import type { OpenFile } from "./types.ts";

const READ = 256 * 1024;
/** A header with names and comments as long as anybody's. */
const MAX_HEADER = 128 * 1024;
const FIXED = 10;
/** CRC-32 and length, behind the data. */
const TRAILER = 8;
/** RFC 1952, 2.3.1: the header's optional parts. */
const FLAGS = { checksum: 2, extra: 4, name: 8, comment: 16 };

/**
 * Where the last of a file's gzip members ends: what lies behind it is no gzip. For a file whose members have been read before, so that
 * they are known to be sound.
 */
export async function gzipEnd(handle: OpenFile, size: number, signal?: AbortSignal): Promise<number> {
  for (let start = 0; ; ) {
    const length = Math.min(MAX_HEADER, size - start);
    const header = headerLength(await readFully(handle, Buffer.alloc(length), length, start));
    if (header === undefined) return start;
    const data = start + header;
    start = data + (await deflatedLength(handle, data, size, signal)) + TRAILER;
  }
}

/** Bytes of a member's header; undefined where none begins. */
function headerLength(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED || bytes.readUInt16BE(0) !== 0x1f8b) return undefined;
  const flags = bytes[3] ?? 0;
  let at = FIXED;
  if (flags & FLAGS.extra) at += 2 + (at + 2 <= bytes.length ? bytes.readUInt16LE(at) : 0);
  for (const text of [FLAGS.name, FLAGS.comment]) {
    if (!(flags & text)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  return flags & FLAGS.checksum ? at + 2 : at;
}

async function deflatedLength(
  handle: OpenFile,
  start: number,
  size: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const inflate = createInflateRaw({ chunkSize: READ });
  const ended = new Promise<void>((done, failed) => {
    inflate.once("end", done).once("error", failed);
  });
  // its failure is thrown below
  ended.catch(() => {});
  inflate.resume();
  for await (const block of blocks(handle, { start, size: size - start }, READ, signal)) {
    // a block is valid until the next, so it is waited for; the end comes in the middle of one
    const taken = new Promise<void>((done) => inflate.write(block, () => done()));
    await Promise.race([taken, ended]);
    if (inflate.readableEnded) break;
  }
  await ended;
  return inflate.bytesWritten;
}
