import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createGunzip, createInflateRaw } from "node:zlib";
import { problem } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { blocks } from "./blocks.ts";
import { FileReader } from "./reader.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";
import { compare, zlibProblem } from "./verify.ts";
import { checkDescriptor, dataStart, HEADER_WINDOW } from "./zip.ts";

/** Bytes read at once; more than zlib's high water mark, so that it is done with a block before the next is read. */
const READ = 256 * 1024;
/** Each piece is a trip to another thread and back: a quarter of this took a third longer, and more takes more memory. */
const INFLATED = 256 * 1024;

/** What is read from: `file` is for messages, `size` in bytes. */
export interface ArchiveFile {
  file: string;
  size: number;
}

/** Where a zip keeps an entry. */
export function locationOf(file: string, { location, path }: Entry): ZipLocation {
  if (!location) throw new Error(`${file}: no location for ${path}`);
  return location;
}

/** An entry's data as it lies in the zip. A block is valid until the next is asked for. */
export async function* zipData(file: string, handle: OpenFile, entry: Entry, signal: AbortSignal) {
  const at = locationOf(file, entry);
  const start = await dataStart(file, new FileReader(handle, HEADER_WINDOW), at);
  yield* blocks(handle, { start, size: at.compressedSize }, READ, signal);
}

/** An entry's bytes; when the last has been taken, it has been proved as verifyEntries does: exit 65. */
export async function* zipBytes(file: string, handle: OpenFile, entry: Entry, signal: AbortSignal) {
  const at = locationOf(file, entry);
  const reader = new FileReader(handle, HEADER_WINDOW);
  const start = await dataStart(file, reader, at);
  const packed = blocks(handle, { start, size: at.compressedSize }, READ, signal);
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
    await checkDescriptor(file, reader, at, start + at.compressedSize);
  } catch (error) {
    throw zlibProblem(file, at, error);
  }
}

/**
 * Entries of a tar.gz in the order of their offsets. The gzip's checksums and the tar's headers were proved in the scan, and the file is
 * still the same: only places count.
 */
export class TarReader {
  readonly #file: string;
  readonly #tar: AsyncGenerator<Buffer, void, void>;
  readonly #moved: () => void;
  #rest: Buffer = Buffer.alloc(0);
  /** Of `rest`, in the tar. */
  #position = 0;

  /** `moved` is told whenever something has been read. */
  constructor(archive: ArchiveFile, handle: OpenFile, signal: AbortSignal, moved = () => {}) {
    this.#file = archive.file;
    this.#moved = moved;
    this.#tar = through(
      blocks(handle, { size: archive.size }, READ, signal),
      createGunzip({ chunkSize: INFLATED }),
    );
  }

  /** A piece is valid until the next is asked for. */
  async *bytes({ offset, size, path }: Entry): AsyncGenerator<Buffer, void, void> {
    if (size === 0) return;
    if (offset === undefined || offset < this.#position)
      throw new Error(`${this.#file}: no way back to ${path}`);
    while (this.#position + this.#rest.length <= offset) await this.#next();
    if (this.#position < offset) this.#take(offset - this.#position);
    while (this.#position < offset + size) {
      if (this.#rest.length === 0) await this.#next();
      yield this.#take(offset + size - this.#position);
    }
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
      throw code.startsWith("Z_") ? problem(this.#file, "file.changed", {}) : error;
    });
    if (next.done) throw problem(this.#file, "file.changed", {});
    this.#moved();
    this.#rest = next.value;
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
