import { createHash, hash } from "node:crypto";
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks, FileReader, pipeThrough } from "./blocks.ts";
import { decodeName } from "./entries.ts";
import type { OpenFile, ZipLocation } from "./types.ts";
import { ZipDirectory } from "./zip-directory.ts";
import { checkDescriptor, findData, headerReader } from "./zip-read.ts";

/** Large entries that are inflated at the same time, each on a thread of libuv's, which has four. */
const LANES = 3;
const READ = 256 * 1024;
const INFLATED = 256 * 1024;
/** Up to this size one synchronous call inflates an entry faster than a stream is set up. */
const SMALL = 64 * 1024;

/** Receives the SHA-256, in hex, of an entry that is whole. */
export type OnFile = (at: ZipLocation, sha256: string) => void;

export interface VerifyOptions {
  signal?: AbortSignal | undefined;
  /** Receives the number of packed bytes that have been read since the last call. */
  onBytes?: ((bytes: number) => void) | undefined;
  onFile?: OnFile | undefined;
}

export function isSmall({ compressedSize, size }: ZipLocation): boolean {
  return compressedSize <= SMALL && size <= SMALL;
}

/** Inflates every entry of a zip of `size` bytes. Throws exit 65 that names a damaged one. */
export async function verifyEntries(
  file: string,
  handle: OpenFile,
  size: number,
  { signal, onBytes = () => {}, onFile }: VerifyOptions = {},
): Promise<void> {
  const directory = await ZipDirectory.open(file, handle, size);
  const large: ZipLocation[] = [];
  for await (const { location } of directory.entries(signal)) if (!isSmall(location)) large.push(location);
  // the longest must not be last, alone
  const next = large.sort((a, b) => b.size - a.size).values();
  const sweep = createSweep();
  const inflateLarge = async () => {
    for (const at of next) {
      const reader = headerReader(handle, at);
      const start = await findData(file, reader, at);
      const packed = blocks(handle, { start, size: at.compressedSize }, READ, signal);
      const sha256 = onFile && createHash("sha256");
      for await (const piece of unpackLarge(file, at, packed, onBytes)) sha256?.update(piece);
      await checkDescriptor(file, reader, at, start + at.compressedSize);
      if (sha256) onFile(at, sha256.digest("hex"));
      // the two buffers of `blocks`
      sweep(2 * READ);
    }
  };
  const inflateSmall = async () => {
    const reader = new FileReader(handle, READ);
    for await (const { location: at } of directory.entries(signal)) {
      if (!isSmall(at)) continue;
      const start = await findData(file, reader, at);
      const bytes = unpackSmall(file, at, await reader.bytes(start, at.compressedSize));
      onFile?.(at, hash("sha256", bytes));
      onBytes(at.compressedSize);
      await checkDescriptor(file, reader, at, start + at.compressedSize);
    }
  };
  // every lane has ended before the caller closes the file
  const lanes = await Promise.allSettled([...Array.from({ length: LANES }, inflateLarge), inflateSmall()]);
  for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
}

/** Returns a small entry's bytes, made of its data in the zip. Throws exit 65 if it is damaged. */
export function unpackSmall(file: string, at: ZipLocation, packed: Buffer): Buffer {
  const { bytes, read } =
    at.method === 0 ? { bytes: packed, read: packed.length } : inflate(file, at, packed);
  checkData(file, at, { packed: read, size: bytes.length, crc: crc32(bytes) });
  return bytes;
}

function inflate(file: string, at: ZipLocation, packed: Buffer): { bytes: Buffer; read: number } {
  try {
    const options = { info: true, maxOutputLength: Math.max(at.size, 1), chunkSize: SMALL };
    // `info`, which @types/node does not know, adds the engine to the result
    const { buffer, engine } = inflateRawSync(packed, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return { bytes: buffer, read: engine.bytesWritten };
  } catch (error) {
    throw toZipProblem(file, at, error);
  }
}

/** Yields the bytes of an entry of any size. Throws exit 65, at the latest at the end, if it is damaged. */
export async function* unpackLarge(
  file: string,
  at: ZipLocation,
  packed: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<Buffer, void, void> {
  const chunkSize = Math.max(Math.min(at.size, INFLATED), 64);
  // zlib has used up a piece before it asks for the next one, however short it is
  const options = { chunkSize, writableHighWaterMark: 1 };
  const zlib = at.method === 0 ? undefined : createInflateRaw(options);
  const found = { packed: 0, size: 0, crc: 0 };
  try {
    for await (const piece of zlib ? pipeThrough(packed, zlib) : packed) {
      found.size += piece.length;
      const read = zlib?.bytesWritten ?? found.size;
      onBytes(read - found.packed);
      found.packed = read;
      // stop as soon as an entry inflates to more than its declared size (zip bomb)
      if (found.size > at.size) break;
      found.crc = crc32(piece, found.crc);
      yield piece;
    }
    checkData(file, at, { ...found, packed: zlib?.bytesWritten ?? found.size });
  } catch (error) {
    throw toZipProblem(file, at, error);
  }
}

/** Throws exit 65 unless the directory has these numbers: packed bytes that zlib used, bytes, CRC-32. */
function checkData(
  file: string,
  at: ZipLocation,
  found: { packed: number; size: number; crc: number },
): void {
  const hasLength = found.size === at.size && found.packed === at.compressedSize;
  if (hasLength && found.crc === at.crc32) return;
  throw problem(file, hasLength ? "zip.crc" : "zip.length", { entry: decodeName(at.rawName).name });
}

/** Turns an error of zlib into one that names the entry (exit 65). */
function toZipProblem(file: string, at: ZipLocation, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!code.startsWith("Z_") && code !== "ERR_BUFFER_TOO_LARGE") return error;
  const entry = decodeName(at.rawName).name;
  if (code === "ERR_BUFFER_TOO_LARGE") return problem(file, "zip.length", { entry });
  return problem(file, "zip.inflate", { entry, said: (error as Error).message });
}
