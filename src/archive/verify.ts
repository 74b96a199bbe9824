import { createHash, hash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks } from "./blocks.ts";
import { decodeName } from "./encoding.ts";
import { printable } from "./problem.ts";
import { FileReader } from "./reader.ts";
import type { OpenFile, ZipLocation } from "./types.ts";
import { checkDescriptor, dataStart } from "./zip.ts";
import { ZipDirectory } from "./zip-directory.ts";

/** Entries that are inflated at the same time, each on a thread of libuv's, of which there are four. */
const LANES = 3;
/** Packed bytes from which an entry is begun before the small ones: what takes longest must not come last, alone. */
const LARGE = 1024 * 1024;
const READ = 256 * 1024;
const INFLATED = 256 * 1024;
/** Up to here an entry is inflated at once, in less time than a stream takes to set up. */
const SMALL = 64 * 1024;

interface Lane {
  file: string;
  handle: OpenFile;
  reader: FileReader;
  /** Told how many bytes of buffers have been used up. */
  sweep: (bytes: number) => void;
  signal: AbortSignal | undefined;
  onBytes: (bytes: number) => void;
  onFile: VerifyOptions["onFile"];
}

export interface VerifyOptions {
  signal?: AbortSignal | undefined;
  /** Told of packed bytes that have been gone through. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Entries that are left out: somebody else reads them. */
  skip?: ((at: ZipLocation) => boolean) | undefined;
  /** Receives the SHA-256, in hex, of each entry that was found whole. */
  onFile?: ((at: ZipLocation, sha256: string) => void) | undefined;
}

/**
 * Inflates every entry of a zip of `size` bytes and compares its size and CRC-32 with the directory's. Throws exit 65 that names
 * the first damaged entry.
 */
export async function verifyEntries(
  file: string,
  handle: OpenFile,
  size: number,
  { signal, onBytes = () => {}, skip = () => false, onFile }: VerifyOptions = {},
): Promise<void> {
  const directory = await ZipDirectory.open(file, handle, size);
  const entries = inTurn(directory, skip, signal);
  const sweep = createSweep();
  const run = async () => {
    const lane: Lane = { file, handle, reader: new FileReader(handle, READ), sweep, signal, onBytes, onFile };
    for (let next = await entries.next(); !next.done; next = await entries.next()) {
      await verifyEntry(lane, next.value);
    }
  };
  // all lanes are done, or have failed, before the caller closes the file
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, run));
  for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
}

/** The large ones first, the largest first of all; then the others as they stand, which no list has to hold. */
async function* inTurn(
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

async function verifyEntry(lane: Lane, at: ZipLocation): Promise<void> {
  const start = await dataStart(lane.file, lane.reader, at);
  const isSmall = at.compressedSize <= SMALL && at.uncompressedSize <= SMALL;
  const sha256 = await (isSmall ? verifyAtOnce(lane, at, start) : verifyInStream(lane, at, start));
  await checkDescriptor(lane.file, lane.reader, at, start + at.compressedSize);
  if (sha256 !== undefined) lane.onFile?.(at, sha256);
}

/** Returns the entry's SHA-256 if the lane wants it. */
async function verifyAtOnce(lane: Lane, at: ZipLocation, start: number): Promise<string | undefined> {
  const packed = await lane.reader.bytes(start, at.compressedSize);
  lane.onBytes(packed.length);
  if (at.method === 0) {
    compare(lane.file, at, { used: packed.length, size: packed.length, crc: crc32(packed) });
    return lane.onFile && hash("sha256", packed);
  }
  const { buffer, used } = inflateAtOnce(lane.file, at, packed);
  compare(lane.file, at, { used, size: buffer.length, crc: crc32(buffer) });
  return lane.onFile && hash("sha256", buffer);
}

function inflateAtOnce(file: string, at: ZipLocation, packed: Buffer): { buffer: Buffer; used: number } {
  try {
    const options = { info: true, maxOutputLength: Math.max(at.uncompressedSize, 1), chunkSize: SMALL };
    // with `info`, which @types/node does not know, the engine comes along
    const { buffer, engine } = inflateRawSync(packed, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return { buffer, used: engine.bytesWritten };
  } catch (error) {
    throw zlibProblem(file, at, error);
  }
}

async function verifyInStream(lane: Lane, at: ZipLocation, start: number): Promise<string | undefined> {
  const packed = blocks(lane.handle, { start, size: at.compressedSize }, READ, lane.signal);
  const inflate = at.method === 0 ? undefined : createInflateRaw({ chunkSize: INFLATED });
  const sha256 = lane.onFile && createHash("sha256");
  let told = 0;
  const take = async (unpacked: AsyncIterable<Buffer>) => {
    const found: EntryData = { used: 0, size: 0, crc: 0 };
    for await (const block of unpacked) {
      found.size += block.length;
      found.crc = crc32(block, found.crc);
      sha256?.update(block);
      if (inflate) lane.sweep(block.length);
      const used = inflate?.bytesWritten ?? found.size;
      lane.onBytes(used - told);
      told = used;
      // a bomb is not followed beyond what it admits to
      if (found.size > at.uncompressedSize) break;
    }
    compare(lane.file, at, { ...found, used: inflate?.bytesWritten ?? found.size });
  };
  try {
    await (inflate ? pipeline(packed, inflate, take) : take(packed));
    return sha256?.digest("hex");
  } catch (error) {
    throw zlibProblem(lane.file, at, error);
  } finally {
    // the two buffers that took turns
    lane.sweep(2 * READ);
  }
}

/** What an entry's data turned out to be: packed bytes that were of use, unpacked bytes, and their CRC-32. */
export interface EntryData {
  used: number;
  size: number;
  crc: number;
}

/** Throws exit 65 unless the data is what the directory says. */
export function compare(file: string, at: ZipLocation, found: EntryData): void {
  const entry = printable(decodeName(at.rawName).name);
  if (found.size !== at.uncompressedSize || found.used !== at.compressedSize) {
    throw problem(file, "zip.length", { entry });
  }
  if (found.crc !== at.crc32) {
    throw problem(file, "zip.crc", { entry });
  }
}

/** zlib's errors in terms of the archive: exit 65. */
export function zlibProblem(file: string, at: ZipLocation, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!code.startsWith("Z_") && code !== "ERR_BUFFER_TOO_LARGE") return error;
  const entry = printable(decodeName(at.rawName).name);
  if (code === "ERR_BUFFER_TOO_LARGE") return problem(file, "zip.length", { entry });
  return problem(file, "zip.inflate", { entry, said: (error as Error).message });
}
