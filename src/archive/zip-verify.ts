import { createHash, hash } from "node:crypto";
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks, FileReader, pipeThrough } from "./blocks.ts";
import { decodeName } from "./entries.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";
import { ZipDirectory } from "./zip-directory.ts";
import { checkDescriptor, findData, HEADER_WINDOW, locationOf } from "./zip-read.ts";

/** Entries that are inflated at the same time, each on a thread of libuv's, which has four. */
const LANES = 3;
/** Packed bytes from which an entry comes before the small ones: the longest must not be last, alone. */
const LARGE = 1024 * 1024;
/** Exceeds zlib's high water mark, so that zlib has used up a block before the next one is read. */
const READ = 256 * 1024;
const INFLATED = 256 * 1024;
/** Up to this size one synchronous call inflates an entry faster than a stream is set up. */
const SMALL = 64 * 1024;

/** Where entries are read from. */
interface ZipFile {
  file: string;
  handle: OpenFile;
  reader: FileReader;
  signal: AbortSignal | undefined;
  /** Receives the number of packed bytes that have been read since the last call. */
  onBytes: (bytes: number) => void;
}

export interface VerifyOptions {
  signal?: AbortSignal | undefined;
  /** Receives the number of packed bytes that have been read since the last call. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Whether to leave out an entry: another consumer verifies it. */
  skip?: ((at: ZipLocation) => boolean) | undefined;
  /** Receives the SHA-256, in hex, of each entry that is whole. */
  onFile?: ((at: ZipLocation, sha256: string) => void) | undefined;
}

/**
 * Inflates every entry of a zip of `size` bytes and compares its size and CRC-32 with the directory's. Throws
 * exit 65 that names the first damaged entry.
 */
export async function verifyEntries(
  file: string,
  handle: OpenFile,
  size: number,
  { signal, onBytes = () => {}, skip = () => false, onFile }: VerifyOptions = {},
): Promise<void> {
  const directory = await ZipDirectory.open(file, handle, size);
  const entries = largestFirst(directory, skip, signal);
  const run = async () => {
    const zip: ZipFile = { file, handle, reader: new FileReader(handle, READ), signal, onBytes };
    for (let next = await entries.next(); !next.done; next = await entries.next()) {
      const sha256 = await verifyEntry(zip, next.value, onFile !== undefined);
      if (sha256 !== undefined) onFile?.(next.value, sha256);
    }
  };
  // every lane has ended before the caller closes the file
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, run));
  for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
}

/** Yields the large entries, the largest first, then the others in the directory's order, without a list. */
async function* largestFirst(
  directory: ZipDirectory,
  skip: (at: ZipLocation) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<ZipLocation> {
  const large: ZipLocation[] = [];
  for await (const { location } of directory.entries(signal))
    if (location.compressedSize >= LARGE && !skip(location)) large.push(location);
  yield* large.sort((a, b) => b.uncompressedSize - a.uncompressedSize);
  for await (const { location } of directory.entries(signal))
    if (location.compressedSize < LARGE && !skip(location)) yield location;
}

/** Returns the entry's SHA-256 if it is wanted. */
async function verifyEntry(zip: ZipFile, at: ZipLocation, isWanted: boolean): Promise<string | undefined> {
  if (at.compressedSize <= SMALL && at.uncompressedSize <= SMALL) return verifySmall(zip, at, isWanted);
  const sha256 = isWanted ? createHash("sha256") : undefined;
  for await (const piece of readLarge(zip, at)) sha256?.update(piece);
  return sha256?.digest("hex");
}

async function verifySmall(
  { file, reader, onBytes }: ZipFile,
  at: ZipLocation,
  isWanted: boolean,
): Promise<string | undefined> {
  const start = await findData(file, reader, at);
  const packed = await reader.bytes(start, at.compressedSize);
  onBytes(packed.length);
  const { bytes, read } =
    at.method === 0 ? { bytes: packed, read: packed.length } : inflate(file, at, packed);
  checkData(file, at, { packed: read, size: bytes.length, crc: crc32(bytes) });
  const sha256 = isWanted ? hash("sha256", bytes) : undefined;
  await checkDescriptor(file, reader, at, start + at.compressedSize);
  return sha256;
}

function inflate(file: string, at: ZipLocation, packed: Buffer): { bytes: Buffer; read: number } {
  try {
    const options = { info: true, maxOutputLength: Math.max(at.uncompressedSize, 1), chunkSize: SMALL };
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
export function readVerified(file: string, handle: OpenFile, entry: Entry, signal: AbortSignal) {
  const reader = new FileReader(handle, HEADER_WINDOW);
  return readLarge({ file, handle, reader, signal, onBytes: () => {} }, locationOf(file, entry));
}

async function* readLarge(
  { file, handle, reader, signal, onBytes }: ZipFile,
  at: ZipLocation,
): AsyncGenerator<Buffer, void, void> {
  const start = await findData(file, reader, at);
  const packed = blocks(handle, { start, size: at.compressedSize }, READ, signal);
  const chunkSize = Math.max(Math.min(at.uncompressedSize, INFLATED), 64);
  const zlib = at.method === 0 ? undefined : createInflateRaw({ chunkSize });
  const sweep = createSweep();
  const found = { packed: 0, size: 0, crc: 0 };
  try {
    for await (const piece of zlib ? pipeThrough(packed, zlib) : packed) {
      found.size += piece.length;
      const read = zlib?.bytesWritten ?? found.size;
      onBytes(read - found.packed);
      found.packed = read;
      // stop as soon as an entry inflates to more than its declared size (zip bomb)
      if (found.size > at.uncompressedSize) break;
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

/** The measured data of an entry: packed bytes that zlib used, unpacked bytes, and their CRC-32. */
interface EntryData {
  packed: number;
  size: number;
  crc: number;
}

/** Throws exit 65 unless the data agrees with the directory. */
function checkData(file: string, at: ZipLocation, { packed, size, crc }: EntryData): void {
  const entry = decodeName(at.rawName).name;
  if (size !== at.uncompressedSize || packed !== at.compressedSize)
    throw problem(file, "zip.length", { entry });
  if (crc !== at.crc32) throw problem(file, "zip.crc", { entry });
}

/** Turns an error of zlib into one that names the entry (exit 65). */
function toZipProblem(file: string, at: ZipLocation, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!code.startsWith("Z_") && code !== "ERR_BUFFER_TOO_LARGE") return error;
  const entry = decodeName(at.rawName).name;
  if (code === "ERR_BUFFER_TOO_LARGE") return problem(file, "zip.length", { entry });
  return problem(file, "zip.inflate", { entry, said: (error as Error).message });
}
