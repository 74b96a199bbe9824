import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createDeflateRaw, createGunzip, createInflateRaw } from "node:zlib";
import { createSweep } from "../memory.ts";
import { blocks } from "./blocks.ts";
import { changed } from "./problem.ts";
import { FileReader } from "./reader.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";
import { compare, zlibProblem } from "./verify.ts";
import { dataStart, HEADER_WINDOW } from "./zip.ts";
import type { Packed } from "./zip-writer.ts";

/** Bytes read at once; more than zlib's high water mark, so that it is done with a block before the next is read. */
const READ = 128 * 1024;
/** What waits for the garbage collector is a multiple of this, so less than where speed is all. */
const INFLATED = 64 * 1024;
const LEVEL = 6;

/** What is read from: `file` is for messages, `size` in bytes. */
export interface ArchiveFile {
  file: string;
  format: "zip" | "tar.gz";
  size: number;
}

/** Hands out entries' bytes. A piece is valid until the next is asked for. */
export interface Unpacker {
  /** Of a tar.gz only in the order of their offsets. */
  bytes(entry: Entry): AsyncGenerator<Buffer, void, void>;
  /** The same bytes as a zip has them. */
  packed(entry: Entry): Packed;
  close(): Promise<void>;
}

/** Entries of an open archive. A zip is read where each lies, a tar.gz from its start, once. */
export function unpacker(archive: ArchiveFile, handle: OpenFile, signal: AbortSignal): Unpacker {
  if (archive.format !== "zip") return new TarUnpacker(archive, handle, signal);
  const { file } = archive;
  return {
    bytes: (entry) => zipBytes(file, handle, entry, signal),
    packed(entry) {
      const { method, crc32, compressedSize, uncompressedSize: size } = locationOf(file, entry);
      return {
        method,
        known: true,
        crc32,
        compressedSize,
        size,
        bytes: zipData(file, handle, entry, signal),
      };
    },
    close: async () => {},
  };
}

function locationOf(file: string, { location, path }: Entry): ZipLocation {
  if (!location) throw new Error(`${file}: no location for ${path}`);
  return location;
}

async function* zipData(file: string, handle: OpenFile, entry: Entry, signal: AbortSignal) {
  const at = locationOf(file, entry);
  const start = await dataStart(file, new FileReader(handle, HEADER_WINDOW), at);
  yield* blocks(handle, { start, size: at.compressedSize }, READ, signal);
}

/** Compares size and CRC-32 with the directory's when the last byte has been taken: exit 65. */
async function* zipBytes(file: string, handle: OpenFile, entry: Entry, signal: AbortSignal) {
  const at = locationOf(file, entry);
  const packed = zipData(file, handle, entry, signal);
  const chunkSize = Math.max(Math.min(at.uncompressedSize, INFLATED), 64);
  const inflate = at.method === 0 ? undefined : createInflateRaw({ chunkSize });
  let size = 0;
  let crc = 0;
  try {
    for await (const piece of inflate ? through(packed, inflate) : packed) {
      size += piece.length;
      // a bomb is not followed beyond what it admits to
      if (size > at.uncompressedSize) break;
      crc = crc32(piece, crc);
      yield piece;
    }
    compare(file, at, { used: inflate?.bytesWritten ?? size, size, crc });
  } catch (error) {
    throw zlibProblem(file, at, error);
  }
}

/** The gzip's checksums and the tar's headers were proved in the scan, and the file is still the same: only places count. */
class TarUnpacker implements Unpacker {
  readonly #file: string;
  readonly #tar: AsyncGenerator<Buffer, void, void>;
  #rest: Buffer = Buffer.alloc(0);
  /** Of `rest`, in the tar. */
  #position = 0;

  constructor(archive: ArchiveFile, handle: OpenFile, signal: AbortSignal) {
    this.#file = archive.file;
    this.#tar = through(
      blocks(handle, { size: archive.size }, READ, signal),
      createGunzip({ chunkSize: INFLATED }),
    );
  }

  async *bytes({ offset, size, path }: Entry): AsyncGenerator<Buffer, void, void> {
    if (offset === undefined || offset < this.#position)
      throw new Error(`${this.#file}: no way back to ${path}`);
    while (this.#position + this.#rest.length <= offset && size > 0) await this.#next();
    if (this.#position < offset) this.#take(offset - this.#position);
    while (this.#position < offset + size) {
      if (this.#rest.length === 0) await this.#next();
      yield this.#take(offset + size - this.#position);
    }
  }

  packed(entry: Entry): Packed {
    return packedOf(this.bytes(entry));
  }

  async close(): Promise<void> {
    await this.#tar.return();
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }

  async #next(): Promise<void> {
    this.#position += this.#rest.length;
    const next = await this.#tar.next().catch((error: unknown) => {
      // the scan has unpacked all of it
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      throw code.startsWith("Z_") ? changed(this.#file) : error;
    });
    if (next.done) throw changed(this.#file);
    this.#rest = next.value;
  }
}

/** A file's bytes, deflated. */
export function packedOf(pieces: AsyncIterable<Buffer>): Packed {
  const packed = { method: 8, known: false, crc32: 0, compressedSize: 0, size: 0 };
  return Object.assign(packed, { bytes: deflated(pieces, packed) });
}

/** Counts in `packed` what comes and what becomes of it. */
async function* deflated(pieces: AsyncIterable<Buffer>, packed: Omit<Packed, "bytes">) {
  const counted = async function* () {
    for await (const piece of pieces) {
      packed.crc32 = crc32(piece, packed.crc32);
      packed.size += piece.length;
      yield piece;
    }
  };
  for await (const piece of through(counted(), createDeflateRaw({ level: LEVEL, chunkSize: INFLATED }))) {
    packed.compressedSize += piece.length;
    yield piece;
  }
}

/** What zlib makes of `packed`; both are done with at the end, and a failure of either is thrown. */
async function* through(packed: AsyncIterable<Buffer>, zlib: Transform): AsyncGenerator<Buffer, void, void> {
  const fed = pipeline(packed, zlib);
  // its failure is thrown by the stream; where nobody listens any more it must not count as unhandled
  fed.catch(() => {});
  const sweep = createSweep();
  try {
    for await (const piece of zlib) {
      yield piece;
      sweep(piece.length);
    }
  } finally {
    zlib.destroy();
    await fed.catch(() => {});
  }
}
