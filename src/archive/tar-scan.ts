import { createHash } from "node:crypto";
import { type ProblemError, problem } from "../errors.ts";

import { decodeName, Entries } from "./entries.ts";
import { contentFormat, examineExecutable, HEAD_LENGTH } from "./file-kind.ts";
import { printable } from "./problem.ts";
import { BLOCK, isZero, parseHeader, type TarHeader } from "./tar-header.ts";
import { isSparse, PaxHeaders } from "./tar-pax.ts";
import type { Entry, InspectOptions, Listing } from "./types.ts";

/** Bytes of an extended header that are worth reading: a path of 4096 bytes, a link of the same length, and plenty more. */
const MAX_EXTENDED = 1024 * 1024;

const KINDS: Record<string, Entry["kind"]> = {
  "1": "hardlink",
  "2": "link",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "fifo",
};
/** Extended headers: of GNU tar (a long name, a long link), and pax's. */
const EXTENDED = new Set(["L", "K", "x", "g", "X"]);
/** Of incremental and multi-volume backups: what is in them is no file of its own. */
const BACKUP = new Set(["D", "M", "N"]);
/** A label for the whole archive (GNU tar -V). */
const LABEL = "V";

/** What is gone through now: the content of a file or of an extended header. */
interface Content {
  left: number;
  padding: number;
  /** Bytes to keep from here on. */
  keep: number;
  kept: Buffer[];
  /** Receives the content, not what is added to fill its last block. */
  onData?: ((data: Buffer) => void) | undefined;
  done: (kept: Buffer) => void;
}

/**
 * Reads a tar's headers from its bytes as they come (POSIX ustar and pax, GNU). There must be an end-of-archive marker, with no entry
 * behind it, or the tar has been cut short. Names are decoded from their bytes, and sparse files are told from others, neither of
 * which the usual libraries do.
 */
export class TarScan {
  readonly #file: string;
  readonly #entries: Entries;
  readonly #head: (path: string) => boolean;
  readonly #digests: Map<number, string> | undefined;
  readonly #pax = new PaxHeaders();
  readonly #block = Buffer.alloc(BLOCK);
  #filled = 0;
  /** Of the next byte, in the tar. */
  #position = 0;
  #content: Content | undefined;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  #ended = false;

  constructor(file: string, { head, digests }: InspectOptions) {
    this.#file = file;
    this.#head = head ?? (() => false);
    this.#digests = digests ? new Map() : undefined;
    this.#entries = new Entries(file, { lastCounts: true });
  }

  /** The chunk has been read and may be used again. */
  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const taken = this.#content ? this.#take(this.#content, chunk, at) : this.#fill(chunk, at);
      at += taken;
      this.#position += taken;
      if (this.#filled === BLOCK) {
        this.#filled = 0;
        this.#header();
      }
    }
  }

  /** All bytes have come. */
  end(): void {
    if (this.#position === 0) throw problem(this.#file, "archive.empty", {});
    if (this.#position < BLOCK) throw this.#noTar(this.#block.subarray(0, this.#position), 0);
    if (!this.#ended) throw problem(this.#file, "tar.truncated", {});
  }

  finish(): Omit<Listing, "sha256"> {
    const fileDigests = this.#digests;
    const repeated = [...this.#entries.repeated];
    return {
      entries: this.#entries.finish(),
      rootEntry: this.#entries.root,
      ...(repeated.length > 0 && { repeated }),
      ...(fileDigests && { fileDigests }),
    };
  }

  #fill(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#block, this.#filled, at);
    this.#filled += taken;
    return taken;
  }

  #take(content: Content, chunk: Buffer, at: number): number {
    const data = Math.min(content.left, chunk.length - at);
    if (content.keep > 0 && data > 0) {
      // a copy: the chunk is used again
      const bytes = Buffer.from(chunk.subarray(at, at + Math.min(content.keep, data)));
      content.kept.push(bytes);
      content.keep -= bytes.length;
    }
    if (data > 0) content.onData?.(chunk.subarray(at, at + data));
    content.left -= data;
    const padding = content.left > 0 ? 0 : Math.min(content.padding, chunk.length - at - data);
    content.padding -= padding;
    if (content.left === 0 && content.padding === 0) {
      this.#content = undefined;
      content.done(content.kept.length === 1 ? (content.kept[0] as Buffer) : Buffer.concat(content.kept));
    }
    return data + padding;
  }

  #expect(size: number, keep: number, done: (kept: Buffer) => void, onData?: Content["onData"]): void {
    if (size === 0) done(Buffer.alloc(0));
    else
      this.#content = { left: size, padding: (BLOCK - (size % BLOCK)) % BLOCK, keep, kept: [], onData, done };
  }

  #header(): void {
    const at = this.#position - BLOCK;
    if (isZero(this.#block)) {
      // Python refuses a header of something that does not come
      if (this.#longName || this.#longLink || this.#pax.pending)
        throw problem(this.#file, "tar.extension", { at });
      this.#ended = true;
      return;
    }
    const header = parseHeader(this.#block);
    if (this.#ended) {
      // whatever else lies behind the end is padding to every reader
      if (header) throw problem(this.#file, "tar.behind", { entry: printable(decodeName(header.name).name) });
      return;
    }
    if (!header) throw this.#noTar(this.#block, at);
    if (EXTENDED.has(header.type)) this.#extended(header, at);
    else this.#member(header);
  }

  /** What is no header; at the start it may say what was packed in a tar's place. */
  #noTar(bytes: Buffer, at: number): ProblemError {
    const kind = at === 0 ? contentFormat(bytes) : undefined;
    return kind ? problem(this.#file, "gzip.content", { kind }) : problem(this.#file, "tar.header", { at });
  }

  #extended({ type, size }: TarHeader, at: number): void {
    const bad = (): ProblemError => problem(this.#file, "tar.extension", { at });
    if (size > MAX_EXTENDED) throw bad();
    const isLong = type === "L" || type === "K";
    // with what fills the last block
    const whole = isLong ? Math.ceil(size / BLOCK) * BLOCK : size;
    this.#expect(whole, whole, (bytes) => {
      if (!isLong) {
        const isGlobal = type === "g";
        // of two, readers do not agree which counts
        if ((!isGlobal && this.#pax.pending) || !this.#pax.read(bytes, isGlobal)) throw bad();
        return;
      }
      const name = longName(bytes);
      if (!name || (type === "L" ? this.#longName : this.#longLink)) throw bad();
      if (type === "L") this.#longName = name;
      else this.#longLink = name;
    });
  }

  #member(header: TarHeader): void {
    const pax = this.#pax.take();
    const said = pax.get("path");
    // of two that differ, readers do not agree which counts
    if (said && this.#longName && !said.equals(this.#longName))
      throw problem(this.#file, "tar.extension", { at: this.#position - BLOCK });
    const rawName = said ?? this.#longName ?? header.name;
    const rawLink = pax.get("linkpath") ?? this.#longLink ?? header.link;
    this.#longName = undefined;
    this.#longLink = undefined;
    const { name } = decodeName(rawName);
    const shown = printable(name);
    if (header.type === "S" || isSparse(pax, name)) {
      throw problem(this.#file, "tar.sparse", {
        entry: printable(pax.get("GNU.sparse.name")?.toString() ?? name),
      });
    }
    if (BACKUP.has(header.type)) throw problem(this.#file, "tar.type", { entry: shown, type: header.type });
    if (header.type === LABEL) {
      this.#expect(header.size, 0, () => {});
      return;
    }
    // the old format marks a folder by its name alone
    const old = name.endsWith("/") && (header.type === "0" || header.type === "\0");
    const kind = old ? "directory" : (KINDS[header.type] ?? "file");
    if (header.mode === undefined) throw problem(this.#file, "tar.header", { at: this.#position - BLOCK });
    const long = pax.get("size");
    const size = kind === "file" ? (long ? Number(long.toString()) : header.size) : 0;
    if (!Number.isSafeInteger(size)) throw problem(this.#file, "tar.extension", { at: this.#position });
    const isLink = kind === "link" || kind === "hardlink";
    const entry = this.#entries.add({
      path: name,
      kind,
      size,
      mode: header.mode,
      offset: this.#position,
      ...(isLink && { target: decodeName(rawLink).name }),
    });
    if (kind !== "file") return;
    const offset = this.#position;
    const sha256 = this.#digests && createHash("sha256");
    const done = (head: Buffer) => {
      if (sha256) this.#digests?.set(offset, sha256.digest("hex"));
      if (!entry) return;
      entry.kindOfBinary = examineExecutable(head, size);
      if (this.#head(entry.path)) entry.head = head;
    };
    this.#expect(size, HEAD_LENGTH, done, sha256 && ((data) => sha256.update(data)));
  }
}

/** A long name, up to its NUL. GNU tar and Python look for that in whole blocks, whatever its size. undefined: an empty one. */
function longName(blocks: Buffer): Buffer | undefined {
  const end = blocks.indexOf(0);
  return end === 0 || blocks.length === 0 ? undefined : blocks.subarray(0, end < 0 ? blocks.length : end);
}
