import { createHash, hash } from "node:crypto";
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks, FileReader, Handoff, pipeThrough, readFully } from "./blocks.ts";
import { decodeName } from "./entries.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";
import { ZipDirectory } from "./zip-directory.ts";
import { checkDescriptor, findData, headerReader, locationOf } from "./zip-read.ts";

/** Large entries that are inflated at the same time, each on a thread of libuv's, which has four. */
const LANES = 3;
/** Exceeds zlib's high water mark, so that zlib has used up a block before the next one is read. */
const READ = 256 * 1024;
const INFLATED = 256 * 1024;
/** Up to this size one synchronous call inflates an entry faster than a stream is set up. */
const SMALL = 64 * 1024;

/** A zip whose entries are read. */
export interface ZipFile {
  file: string;
  handle: OpenFile;
  signal?: AbortSignal | undefined;
}

/** Receives the SHA-256, in hex, of an entry that is whole. */
export type OnFile = (at: ZipLocation, sha256: string) => void;

export interface VerifyOptions {
  signal?: AbortSignal | undefined;
  /** Receives the number of packed bytes that have been read since the last call. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Whether to leave out an entry: another consumer verifies it. */
  skip?: ((at: ZipLocation) => boolean) | undefined;
  onFile?: OnFile | undefined;
}

function isSmall({ compressedSize, size }: ZipLocation): boolean {
  return compressedSize <= SMALL && size <= SMALL;
}

/** Inflates every entry of a zip of `size` bytes. Throws exit 65 that names a damaged one. */
export async function verifyEntries(
  file: string,
  handle: OpenFile,
  size: number,
  { signal, onBytes = () => {}, skip = () => false, onFile }: VerifyOptions = {},
): Promise<void> {
  const directory = await ZipDirectory.open(file, handle, size);
  const large: ZipLocation[] = [];
  for await (const { location } of directory.entries(signal))
    if (!isSmall(location) && !skip(location)) large.push(location);
  // the longest must not be last, alone
  const next = large.sort((a, b) => b.size - a.size).values();
  const inflateLarge = async () => {
    for (const at of next)
      await verifyLarge(readLarge({ file, handle, signal }, at, { onBytes }), at, onFile);
  };
  const inflateSmall = async () => {
    const reader = new FileReader(handle, READ);
    for await (const { location: at } of directory.entries(signal)) {
      if (!isSmall(at) || skip(at)) continue;
      const start = await findData(file, reader, at);
      verifySmall(file, at, await reader.bytes(start, at.compressedSize), onFile);
      onBytes(at.compressedSize);
      await checkDescriptor(file, reader, at, start + at.compressedSize);
    }
  };
  // every lane has ended before the caller closes the file
  const lanes = await Promise.allSettled([...Array.from({ length: LANES }, inflateLarge), inflateSmall()]);
  for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
}

async function verifyLarge(
  pieces: AsyncIterable<Buffer>,
  at: ZipLocation,
  onFile: OnFile | undefined,
): Promise<void> {
  const sha256 = onFile && createHash("sha256");
  for await (const piece of pieces) sha256?.update(piece);
  if (sha256) onFile?.(at, sha256.digest("hex"));
}

function verifySmall(file: string, at: ZipLocation, packed: Buffer, onFile: OnFile | undefined): void {
  const { bytes, read } =
    at.method === 0 ? { bytes: packed, read: packed.length } : inflate(file, at, packed);
  checkData(file, at, { packed: read, size: bytes.length, crc: crc32(bytes) });
  onFile?.(at, hash("sha256", bytes));
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

/** Yields an entry's bytes. Throws exit 65, at the latest at the end, if verifyEntries would reject it. */
export function readVerified(zip: ZipFile, entry: Entry): AsyncGenerator<Buffer, void, void> {
  return readLarge(zip, locationOf(zip.file, entry), {});
}

/** Yields an entry's data as it is in the zip. With `onFile` it throws as readVerified does. */
export async function* copyEntry(
  zip: ZipFile,
  entry: Entry,
  onFile: OnFile | undefined,
): AsyncGenerator<Buffer, void, void> {
  const { file, handle, signal } = zip;
  const at = locationOf(file, entry);
  const size = at.compressedSize;
  const reader = headerReader(handle, at);
  const start = await findData(file, reader, at);
  const packed = blocks(handle, { start, size }, READ, signal);
  if (!onFile) return yield* packed;
  if (isSmall(at)) {
    const data = await readFully(handle, Buffer.allocUnsafe(size), size, start);
    verifySmall(file, at, data, onFile);
    await checkDescriptor(file, reader, at, start + size);
    return yield data;
  }
  const handoff = new Handoff();
  const verified = verifyLarge(readLarge(zip, at, { packed: handoff.pieces() }), at, onFile);
  // thrown at the end
  verified.catch(() => {});
  try {
    for await (const block of packed) {
      const used = handoff.write(block);
      yield block;
      await used;
    }
    handoff.end();
    await verified;
  } finally {
    handoff.close();
    await verified.catch(() => {});
  }
}

/** Yields all bytes of a zip; throws behind the first of these stored entries that is damaged. */
export async function* passStored(
  { file, handle }: ZipFile,
  bytes: AsyncIterable<Buffer>,
  entries: readonly ZipLocation[],
  onFile: OnFile,
): AsyncGenerator<Buffer, void, void> {
  const found = [];
  for (const at of entries) {
    const reader = headerReader(handle, at);
    const start = await findData(file, reader, at);
    found.push({ at, reader, start, end: start + at.size, crc: 0, sha256: createHash("sha256") });
  }
  let position = 0;
  for await (const block of bytes) {
    yield block;
    const blockEnd = position + block.length;
    for (const one of found) {
      if (one.start >= blockEnd || one.end <= position) continue;
      const data = block.subarray(Math.max(one.start - position, 0), one.end - position);
      one.crc = crc32(data, one.crc);
      one.sha256.update(data);
      if (one.end > blockEnd) continue;
      checkData(file, one.at, { packed: one.at.size, size: one.at.size, crc: one.crc });
      await checkDescriptor(file, one.reader, one.at, one.end);
      onFile(one.at, one.sha256.digest("hex"));
    }
    position = blockEnd;
  }
}

/** `packed`: the entry's data, if another reader reads it already. */
async function* readLarge(
  { file, handle, signal }: ZipFile,
  at: ZipLocation,
  options: { onBytes?: (bytes: number) => void; packed?: AsyncIterable<Buffer> },
): AsyncGenerator<Buffer, void, void> {
  const reader = headerReader(handle, at);
  const start = await findData(file, reader, at);
  const { packed = blocks(handle, { start, size: at.compressedSize }, READ, signal), onBytes } = options;
  const chunkSize = Math.max(Math.min(at.size, INFLATED), 64);
  const zlib = at.method === 0 ? undefined : createInflateRaw({ chunkSize });
  const sweep = createSweep();
  const found = { packed: 0, size: 0, crc: 0 };
  try {
    for await (const piece of zlib ? pipeThrough(packed, zlib) : packed) {
      found.size += piece.length;
      const read = zlib?.bytesWritten ?? found.size;
      onBytes?.(read - found.packed);
      found.packed = read;
      // stop as soon as an entry inflates to more than its declared size (zip bomb)
      if (found.size > at.size) break;
      found.crc = crc32(piece, found.crc);
      yield piece;
    }
    checkData(file, at, { ...found, packed: zlib?.bytesWritten ?? found.size });
    await checkDescriptor(file, reader, at, start + at.compressedSize);
  } catch (error) {
    throw toZipProblem(file, at, error);
  } finally {
    // the two buffers of `blocks`
    sweep(2 * READ);
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
