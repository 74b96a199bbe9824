import { once } from "node:events";
import { type ExtractEvents, extract, type Header } from "tar-stream";
import { HEAD_LENGTH, kindOf } from "./binary.ts";
import { Entries } from "./contents.ts";
import { damaged, isSystemError, printable } from "./problem.ts";
import type { Entry, InspectOptions } from "./types.ts";

const TAR_BLOCK = 512;
const KINDS: Partial<Record<Header["type"], Entry["kind"]>> = {
  directory: "directory",
  symlink: "link",
  link: "hardlink",
  "character-device": "device",
  "block-device": "device",
  fifo: "fifo",
};

type EntryArguments = ExtractEvents["entry"];

/** What tar-stream's own types leave out. */
const OPTIONS = { highWaterMark: 1, allowUnknownFormat: true };
const offsetOf = (header: Header) => (header as Header & { byteOffset: number }).byteOffset;

/**
 * Reads a tar's headers from its bytes as they come. tar-stream skips blocks of zeros and takes any end for the end; here
 * there must be an end-of-archive marker (POSIX ustar), with no entry behind it, or the tar has been cut short.
 */
export class TarScan {
  readonly #file: string;
  readonly #entries: Entries;
  // a high water mark of 1: one chunk at a time, so that `#chunk` is what the entries are read from
  readonly #tar = extract(OPTIONS);
  readonly #head: (path: string) => boolean;
  #chunk: Buffer = Buffer.alloc(0);
  /** Of the chunk, in the tar. */
  #position = 0;
  /** Where the next header, or the marker, begins. */
  #boundary = 0;
  /** Whether the marker is there; undefined while its byte has not come. */
  #ended: boolean | undefined;

  constructor(file: string, { head }: InspectOptions) {
    this.#file = file;
    this.#head = head ?? (() => false);
    this.#entries = new Entries(file);
    this.#tar.on("entry", (header, content, next) => {
      // a stream that is destroyed with its tar says so too
      content.on("error", () => {});
      try {
        this.#entry(header, content, next);
      } catch (error) {
        this.#tar.destroy(error as Error);
      }
    });
  }

  /** Resolves when the chunk has been read and may be used again. */
  async write(chunk: Buffer): Promise<void> {
    this.#position += this.#chunk.length;
    this.#chunk = chunk;
    this.#lookForMarker();
    try {
      if (!this.#tar.write(chunk)) await once(this.#tar, "drain");
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /** All bytes have come. */
  async end(): Promise<void> {
    try {
      this.#tar.end(null);
      await once(this.#tar, "finish");
    } catch (error) {
      throw this.#translate(error);
    }
    if (this.#ended !== true && this.#boundary > 0) {
      throw damaged(this.#file, "is cut short: its tar has no end-of-archive marker");
    }
  }

  finish(): Entry[] {
    return this.#entries.finish();
  }

  #entry(...[header, content, next]: EntryArguments): void {
    if (this.#ended) throw damaged(this.#file, `holds entries behind its end: ${printable(header.name)}`);
    const { name, size, mode } = header;
    const kind = KINDS[header.type] ?? "file";
    const stored = kind === "directory" ? 0 : Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    this.#boundary = offsetOf(header) + stored;
    this.#ended = undefined;
    this.#lookForMarker();
    const isLink = kind === "link" || kind === "hardlink";
    const entry = this.#entries.add({
      path: name,
      kind,
      size,
      mode,
      offset: offsetOf(header),
      ...(isLink && { target: header.linkname ?? "" }),
    });
    if (entry?.kind !== "file") {
      content.on("end", next);
      content.resume();
      return;
    }
    const head: Buffer[] = [];
    let filled = 0;
    content.on("data", (data) => {
      if (filled >= HEAD_LENGTH) return;
      const bytes = data as Buffer;
      // a copy: the buffer is used again
      head.push(Buffer.from(bytes.subarray(0, HEAD_LENGTH - filled)));
      filled += bytes.length;
    });
    content.on("end", () => {
      const bytes = head.length === 1 ? (head[0] as Buffer) : Buffer.concat(head);
      entry.kindOfBinary = kindOf(bytes);
      if (this.#head(entry.path)) entry.head = bytes;
      next();
    });
  }

  /** The marker is a block of zeros; a header begins with a name, so its first byte tells. */
  #lookForMarker(): void {
    if (this.#ended !== undefined || this.#boundary < this.#position) return;
    const byte = this.#chunk[this.#boundary - this.#position];
    if (byte !== undefined) this.#ended = byte === 0;
  }

  #translate(error: unknown): unknown {
    if (!(error instanceof Error) || error.name !== "Error" || isSystemError(error)) return error;
    return damaged(this.#file, `holds no intact tar: ${printable(error.message)}`);
  }
}
