import { createHash, type Hash, hash } from "node:crypto";
import { createGunzip } from "node:zlib";
import { type ProblemError, problem } from "../errors.ts";
import { blocks, ForwardReader, pipeThrough } from "./blocks.ts";
import { decodeName, Entries } from "./entries.ts";
import { contentFormat, examineExecutable, HEAD_LENGTH } from "./file-kind.ts";
import { BLOCK, isSparse, isZero, PaxHeaders, parseHeader, type TarHeader } from "./tar-header.ts";
import type { Entry, InspectOptions, Listing, OpenFile } from "./types.ts";

/** Exceeds zlib's high water mark, so that zlib has used up a block before the next one is read. */
const READ = 256 * 1024;
/** Each piece is a trip to another thread and back: a quarter of this took a third longer. */
const INFLATED = 256 * 1024;
const NOTHING = Buffer.alloc(0);
/** The longest extended header that is read: a path and a link of 4096 bytes each, and plenty more. */
const MAX_EXTENDED = 1024 * 1024;

const KINDS: Record<string, Entry["kind"]> = {
  "1": "hardlink",
  "2": "link",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "fifo",
};
/** Extended headers: GNU tar's (a long name, a long link), and pax's. */
const EXTENDED = new Set(["L", "K", "x", "g", "X"]);
/** Members of incremental and multi-volume backups: their content is no file of its own. */
const BACKUP = new Set(["D", "M", "N"]);
/** A label for the whole archive (GNU tar -V). */
const LABEL = "V";

/**
 * Reads a tar.gz to its end, once: the gzip's own checksums, every header, the first bytes of what may be a
 * program, the digests of its files if they are wanted, and the file's SHA-256. NULs after the gzip are
 * padding, as to gzip itself. Throws exit 65 for all that a package must not be (SPEC §3).
 */
export async function inspectTarGz(
  file: string,
  handle: OpenFile,
  size: number,
  options: InspectOptions = {},
): Promise<Listing & { sha256: string }> {
  const { signal } = options;
  const sha256 = createHash("sha256");
  const gunzip = createGunzip({ chunkSize: INFLATED });
  const tar = new TarScan(file, options);
  let read = 0;
  const hashed = async function* () {
    for await (const block of blocks(handle, { size }, READ, signal)) {
      sha256.update(block);
      read += block.length;
      yield block;
    }
  };
  try {
    for await (const chunk of pipeThrough(hashed(), gunzip)) {
      signal?.throwIfAborted();
      tar.write(chunk);
    }
    tar.end();
  } catch (error) {
    throw toGzipProblem(file, error);
  }
  // zlib stops at the first NUL after a member: the rest is read here
  const start = gunzip.bytesWritten;
  const nuls = Buffer.alloc(Math.min(READ, size - start));
  let at = start;
  for await (const block of blocks(handle, { start, size: size - start }, READ, signal)) {
    if (!block.equals(nuls.subarray(0, block.length))) throw problem(file, "gzip.behind", {});
    if (at + block.length > read) sha256.update(block.subarray(Math.max(read - at, 0)));
    at += block.length;
  }
  return { ...tar.finish(), sha256: sha256.digest("hex") };
}

function toGzipProblem(file: string, error: unknown): unknown {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code === "Z_BUF_ERROR") return problem(file, "gzip.truncated", {});
  if (code !== "Z_DATA_ERROR" || message === undefined) return error;
  // the start of the file has been checked: zlib says this of bytes after a member that are no other member
  if (message === "incorrect header check") return problem(file, "gzip.behind", {});
  return problem(file, "gzip.damaged", { said: message });
}

/** What the scan reads now: the content of a file or of an extended header. */
interface Content {
  left: number;
  padding: number;
  /** Receives the content, without the padding that fills its last block. */
  onData: (data: Buffer) => void;
  onEnd: () => void;
}

/**
 * Reads a tar's headers from its bytes as they come (POSIX ustar and pax, GNU). A tar without an
 * end-of-archive marker, or with an entry after it, is rejected. Decodes names from their bytes and
 * recognises sparse files: the usual libraries do neither.
 */
class TarScan {
  readonly #file: string;
  readonly #entries: Entries;
  readonly #keeps: (path: string) => boolean;
  readonly #digests: Map<number, string> | undefined;
  readonly #pax = new PaxHeaders();
  /** The start of a header that continues in the next chunk. */
  readonly #block = Buffer.alloc(BLOCK);
  #filled = 0;
  /** Position of the next byte in the tar. */
  #position = 0;
  #content: Content | undefined;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  #hasEnded = false;

  constructor(file: string, { keeps = () => false, digests }: InspectOptions) {
    this.#file = file;
    this.#keeps = keeps;
    this.#digests = digests ? new Map() : undefined;
    this.#entries = new Entries(file, { lastCounts: true });
  }

  /** Reads a chunk; afterwards it may be used again. */
  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#content) {
        const taken = this.#pass(this.#content, chunk.subarray(at));
        at += taken;
        this.#position += taken;
        continue;
      }
      const isWhole = this.#filled === 0 && chunk.length - at >= BLOCK;
      const taken = isWhole ? BLOCK : chunk.copy(this.#block, this.#filled, at);
      const block = isWhole ? chunk.subarray(at, at + BLOCK) : this.#block;
      at += taken;
      this.#position += taken;
      this.#filled = (this.#filled + taken) % BLOCK;
      if (this.#filled === 0) this.#readHeader(block);
    }
  }

  /** Throws exit 65 if the tar is not complete after all bytes have come. */
  end(): void {
    if (this.#position === 0) throw problem(this.#file, "archive.empty", {});
    if (this.#position < BLOCK) throw this.#noHeader(this.#block.subarray(0, this.#position), 0);
    if (!this.#hasEnded) throw problem(this.#file, "tar.truncated", {});
  }

  finish(): Omit<Listing, "sha256"> {
    return { ...this.#entries.finish(), ...(this.#digests && { fileDigests: this.#digests }) };
  }

  #pass(content: Content, chunk: Buffer): number {
    const data = Math.min(content.left, chunk.length);
    if (data > 0) content.onData(chunk.subarray(0, data));
    content.left -= data;
    const padding = content.left > 0 ? 0 : Math.min(content.padding, chunk.length - data);
    content.padding -= padding;
    if (content.left === 0 && content.padding === 0) {
      this.#content = undefined;
      content.onEnd();
    }
    return data + padding;
  }

  #expect(size: number, onData: Content["onData"], onEnd: () => void): void {
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) onEnd();
    else this.#content = { left: size, padding, onData, onEnd };
  }

  #readHeader(block: Buffer): void {
    const at = this.#position - BLOCK;
    if (isZero(block)) {
      // Python rejects an extended header without its member
      if (this.#longName || this.#longLink || this.#pax.pending)
        throw problem(this.#file, "tar.extension", { at });
      this.#hasEnded = true;
      return;
    }
    const header = parseHeader(block);
    if (this.#hasEnded) {
      // anything else after the end is padding to every reader
      if (header) throw problem(this.#file, "tar.behind", { entry: decodeName(header.name).name });
      return;
    }
    if (!header) throw this.#noHeader(block, at);
    if (EXTENDED.has(header.type)) this.#readExtended(header, at);
    else this.#readMember(header, at);
  }

  /** Makes the error for bytes that are no header; at the start they may show what was packed instead. */
  #noHeader(bytes: Buffer, at: number): ProblemError {
    const kind = at === 0 ? contentFormat(bytes) : undefined;
    return kind ? problem(this.#file, "gzip.content", { kind }) : problem(this.#file, "tar.header", { at });
  }

  #readExtended({ type, size }: TarHeader, at: number): void {
    const bad = () => problem(this.#file, "tar.extension", { at });
    if (size > MAX_EXTENDED) throw bad();
    const isLong = type === "L" || type === "K";
    const pieces: Buffer[] = [];
    const onEnd = () => {
      const bytes = Buffer.concat(pieces);
      if (!isLong) {
        const isGlobal = type === "g";
        // readers disagree which of two counts
        if ((!isGlobal && this.#pax.pending) || !this.#pax.read(bytes, isGlobal)) throw bad();
        return;
      }
      const name = longName(bytes);
      if (!name || (type === "L" ? this.#longName : this.#longLink)) throw bad();
      if (type === "L") this.#longName = name;
      else this.#longLink = name;
    };
    // a long name with the padding of its last block
    const whole = isLong ? Math.ceil(size / BLOCK) * BLOCK : size;
    this.#expect(whole, (data) => pieces.push(Buffer.from(data)), onEnd);
  }

  #readMember(header: TarHeader, at: number): void {
    const pax = this.#pax.take();
    const paxName = pax.get("path");
    // readers disagree which of two different names counts
    if (paxName && this.#longName && !paxName.equals(this.#longName))
      throw problem(this.#file, "tar.extension", { at });
    const { name } = decodeName(paxName ?? this.#longName ?? header.name);
    const target = decodeName(pax.get("linkpath") ?? this.#longLink ?? header.link).name;
    this.#longName = undefined;
    this.#longLink = undefined;
    if (header.type === "S" || isSparse(pax, name))
      throw problem(this.#file, "tar.sparse", { entry: pax.get("GNU.sparse.name")?.toString() ?? name });
    if (BACKUP.has(header.type)) throw problem(this.#file, "tar.type", { entry: name, type: header.type });
    if (header.type === LABEL) {
      const ignore = () => {};
      this.#expect(header.size, ignore, ignore);
      return;
    }
    // the old format marks a folder by its name alone
    const isOldFolder = name.endsWith("/") && (header.type === "0" || header.type === "\0");
    const kind = isOldFolder ? "directory" : (KINDS[header.type] ?? "file");
    if (header.mode === undefined) throw problem(this.#file, "tar.header", { at });
    const paxSize = pax.get("size");
    const size = kind === "file" ? (paxSize ? Number(paxSize.toString()) : header.size) : 0;
    const offset = this.#position;
    if (!Number.isSafeInteger(size)) throw problem(this.#file, "tar.extension", { at: offset });
    const isLink = kind === "link" || kind === "hardlink";
    const { mode } = header;
    if (kind === "file") this.#readFile({ path: name, kind, size, mode, offset });
    else this.#entries.add({ path: name, kind, size, mode, offset, ...(isLink && { target }) });
  }

  /** Passes a file's bytes. Adds its entry as soon as its first bytes are there. */
  #readFile(file: Entry & { offset: number }): void {
    const { path, size, offset } = file;
    const needed = Math.min(size, HEAD_LENGTH);
    let first: Buffer | undefined = NOTHING;
    let sha256: Hash | undefined;
    const onData = (data: Buffer) => {
      if (first) {
        const more = data.subarray(0, needed - first.length);
        // a copy if it has to wait: the chunk is used again
        first = more.length === needed ? more : Buffer.concat([first, more]);
        if (first.length === needed) {
          const executableType = examineExecutable(first, size);
          this.#entries.add({
            ...file,
            executableType,
            ...(this.#keeps(path) && { firstBytes: Buffer.from(first) }),
          });
          first = undefined;
        }
      }
      // one call for a whole file costs a third of a stream
      if (data.length === size) this.#digests?.set(offset, hash("sha256", data));
      else if (this.#digests) sha256 = (sha256 ?? createHash("sha256")).update(data);
    };
    if (size === 0) onData(NOTHING);
    else this.#expect(size, onData, () => sha256 && this.#digests?.set(offset, sha256.digest("hex")));
  }
}

/** Returns a long name up to its NUL; GNU tar and Python search whole blocks. undefined if it is empty. */
function longName(blocks: Buffer): Buffer | undefined {
  const end = blocks.indexOf(0);
  return end === 0 || blocks.length === 0 ? undefined : blocks.subarray(0, end < 0 ? blocks.length : end);
}

/** An archive to read: `file` is for messages, `size` in bytes. */
export interface ArchiveFile {
  file: string;
  size: number;
}

/**
 * Reads entries of a tar.gz in the order of their offsets; for an earlier one it starts again. Trusts the
 * entries' offsets: the scan has verified the gzip's checksums and the tar's headers, and the file is still
 * the same.
 */
export class TarReader {
  readonly #file: string;
  readonly #open: () => ForwardReader;
  #tar: ForwardReader;

  /** Calls `onRead` whenever it has read something. */
  constructor({ file, size }: ArchiveFile, handle: OpenFile, signal: AbortSignal, onRead = () => {}) {
    this.#file = file;
    const unpacked = async function* () {
      const gunzip = createGunzip({ chunkSize: INFLATED });
      try {
        for await (const piece of pipeThrough(blocks(handle, { size }, READ, signal), gunzip)) {
          onRead();
          yield piece;
        }
      } catch (error) {
        // the scan could inflate all of it
        const code = error instanceof Error && "code" in error ? String(error.code) : "";
        throw code.startsWith("Z_") ? problem(file, "file.changed", {}) : error;
      }
    };
    this.#open = () => new ForwardReader(unpacked());
    this.#tar = this.#open();
  }

  /** Yields an entry's bytes. A piece is valid until the next one is requested. */
  async *bytes({ offset, size, path }: Entry): AsyncGenerator<Buffer, void, void> {
    if (size === 0) return;
    if (offset === undefined) throw new Error(`${this.#file}: no offset for ${path}`);
    if (offset < this.#tar.position) {
      await this.close();
      this.#tar = this.#open();
    }
    yield* this.#tar.pieces(offset, size);
    if (this.#tar.position < offset + size) throw problem(this.#file, "file.changed", {});
  }

  async close(): Promise<void> {
    await this.#tar.close();
  }
}
