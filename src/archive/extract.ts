import { createGunzip } from "node:zlib";
import { problem } from "../errors.ts";
import { blocks, pipeThrough } from "./blocks.ts";
import type { Entry, OpenFile } from "./types.ts";

export { readVerified as zipBytes } from "./zip-verify.ts";

/** Bytes read at once; more than zlib's high water mark, so that it is done with a block before the next is read. */
const READ = 256 * 1024;
/** Each piece is a trip to another thread and back: a quarter of this took a third longer, and more takes more memory. */
const INFLATED = 256 * 1024;

/** What is read from: `file` is for messages, `size` in bytes. */
export interface ArchiveFile {
  file: string;
  size: number;
}

/**
 * Entries of a tar.gz in the order of their offsets. The gzip's checksums and the tar's headers were proved in the scan, and the file is
 * still the same: only places count.
 */
export class TarReader {
  readonly #file: string;
  readonly #open: () => AsyncGenerator<Buffer, void, void>;
  #tar: AsyncGenerator<Buffer, void, void>;
  readonly #moved: () => void;
  #rest: Buffer = Buffer.alloc(0);
  /** Of `rest`, in the tar. */
  #position = 0;

  /** `moved` is told whenever something has been read. */
  constructor(archive: ArchiveFile, handle: OpenFile, signal: AbortSignal, moved = () => {}) {
    this.#file = archive.file;
    this.#moved = moved;
    const { size } = archive;
    this.#open = () =>
      pipeThrough(blocks(handle, { size }, READ, signal), createGunzip({ chunkSize: INFLATED }));
    this.#tar = this.#open();
  }

  /** A piece is valid until the next is asked for. */
  async *bytes({ offset, size, path }: Entry): AsyncGenerator<Buffer, void, void> {
    if (size === 0) return;
    if (offset === undefined) throw new Error(`${this.#file}: no place for ${path}`);
    if (offset < this.#position) await this.#restart();
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

  async #restart(): Promise<void> {
    await this.close();
    this.#tar = this.#open();
    this.#rest = Buffer.alloc(0);
    this.#position = 0;
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
