import { crc32 } from "node:zlib";
import { problem } from "../errors.ts";
import { FileReader, readFully } from "./blocks.ts";
import { type DecodedName, decodeName, decodeText, MAX_ENTRIES, tooManyFiles } from "./entries.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";

const END = 22;
const END_64 = 56;
const LOCATOR_64 = 20;
/** The length that a zip64 end record states for itself: without its first two fields. */
const STATED_LENGTH_64 = 44n;
const END_SIGNATURE = 0x06054b50;
const END_64_SIGNATURE = 0x06064b50;
const LOCATOR_SIGNATURE = 0x07064b50;
/** Python's zipfile and Go's archive/zip search the end record this far from the end of the file. */
const SEARCHED = END + 65_536;

/** Holds the longest directory entry that is possible. */
const WINDOW = 256 * 1024;
const HEADER = 46;
const HEADER_SIGNATURE = 0x02014b50;
/** These values mean that the real one is in a zip64 field or record. */
const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;
const ZIP64 = 1;
const UNICODE_PATH = 0x7075;
/** 6.3, the newest version that says how to read an entry (APPNOTE.TXT 4.4.3); Python rejects a newer one. */
const MAX_VERSION = 63;
const UNIX = new Set([3, 19]);
const DOS = new Set([0, 10, 11, 14]);
const DOS_FOLDER = 0x10;
const DOS_READ_ONLY = 1;

/** Unix file types; Go and Python treat any other value as a file. */
const KINDS = new Map<number, Entry["kind"]>([
  [0o040000, "directory"],
  [0o120000, "link"],
  [0o010000, "fifo"],
  [0o140000, "socket"],
  [0o020000, "device"],
  [0o060000, "device"],
]);

/** A zip's end record; all positions count from the start of the file. */
interface EndRecord {
  /** Number of entries; without zip64 only its lower 16 bits. */
  count: number;
  zip64: boolean;
  /** Where the central directory begins and ends. */
  start: number;
  end: number;
  /** Bytes before the zip (a self-extractor's program) that its own offsets do not count. */
  base: number;
}

interface RawEnd {
  count: number;
  size: number;
  offset: number;
}

export interface ZipEntry extends DecodedName {
  /** The name for readers that ignore Info-ZIP's Unicode field, if the entry has that field. */
  otherName: string | undefined;
  kind: Entry["kind"];
  /** Unix permissions; 0 if the zip has none. */
  mode: number;
  location: ZipLocation;
}

/** A zip's central directory, read from the end of the file as every reader of zips does. */
export class ZipDirectory {
  /** The file's name, for messages. */
  readonly file: string;
  /** Where the directory begins: all data is before it. */
  readonly start: number;
  readonly #end: EndRecord;
  readonly #reader: FileReader;

  private constructor(file: string, end: EndRecord, reader: FileReader) {
    this.file = file;
    this.start = end.start;
    this.#end = end;
    this.#reader = reader;
  }

  /** The directory has no more entries than this. */
  get capacity(): number {
    return Math.min(Math.floor((this.#end.end - this.start) / HEADER), MAX_ENTRIES);
  }

  /** Reads the end record. Throws exit 65 if it is missing, or the directory is empty or too large. */
  static async open(file: string, handle: OpenFile, size: number): Promise<ZipDirectory> {
    const end = await readEndRecord(file, handle, size);
    if (end.end === end.start && end.count === 0) throw problem(file, "archive.empty", {});
    if (end.count > MAX_ENTRIES) throw tooManyFiles(file);
    if (end.count * HEADER > end.end - end.start) throw problem(file, "zip.end", {});
    return new ZipDirectory(file, end, new FileReader(handle, Math.max(Math.min(WINDOW, size), 1)));
  }

  /** Yields every entry in the directory's order, then compares their number with the end record's. */
  async *entries(signal?: AbortSignal): AsyncGenerator<ZipEntry, void, void> {
    const { start, end, count, zip64 } = this.#end;
    let found = 0;
    for (let at = start; at < end; found++) {
      if (found % 1024 === 0) signal?.throwIfAborted();
      if (found >= MAX_ENTRIES) throw tooManyFiles(this.file);
      const header = await this.#reader.bytes(at, HEADER);
      if (header.length < HEADER || header.readUInt32LE(0) !== HEADER_SIGNATURE) throw this.#damaged(at);
      const rest = header.readUInt16LE(28) + header.readUInt16LE(30) + header.readUInt16LE(32);
      if (at + HEADER + rest > end) throw this.#damaged(at);
      yield this.#parse(await this.#reader.bytes(at, HEADER + rest), at);
      at += HEADER + rest;
    }
    // tools without zip64 write the lower 16 bits of the number
    if (found !== count && (zip64 || found % 0x10000 !== count)) throw problem(this.file, "zip.end", {});
  }

  #parse(bytes: Buffer, at: number): ZipEntry {
    const flags = bytes.readUInt16LE(8);
    const method = bytes.readUInt16LE(10);
    const nameEnd = HEADER + bytes.readUInt16LE(28);
    // a copy: the window moves on
    const rawName = Buffer.from(bytes.subarray(HEADER, nameEnd));
    const fields = this.#fields(bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(30)), at);
    const raw = this.#decode(rawName, flags);
    const better = unicodePath(fields, rawName);
    const { name: entry, encoding } = better === undefined ? raw : { name: better, encoding: undefined };
    const version = bytes.readUInt8(6);
    if (version > MAX_VERSION)
      throw problem(this.file, "zip.version", { entry, version: (version / 10).toFixed(1) });
    if ((flags & 0x41) !== 0 || method === 99) throw problem(this.file, "zip.encrypted", { entry });
    if ((method !== 0 && method !== 8) || (flags & 0x20) !== 0)
      throw problem(this.file, "zip.method", { entry, method });
    const mode = appliedMode(bytes);
    const location: ZipLocation = { rawName, flags, method, mode, ...this.#places(bytes, fields, at) };
    if (method === 0 && location.compressedSize !== location.size)
      throw problem(this.file, "zip.length", { entry });
    const type = this.#type(bytes, entry, location);
    const otherName = better === undefined ? undefined : raw.name;
    return { name: entry, ...(encoding && { encoding }), otherName, ...type, location };
  }

  #type(bytes: Buffer, entry: string, { size }: ZipLocation): Pick<ZipEntry, "kind" | "mode"> {
    const attributes = bytes.readUInt32LE(38);
    const system = bytes.readUInt8(5);
    const mode = attributes >>> 16;
    if (entry.endsWith("/")) {
      if (size !== 0) throw problem(this.file, "zip.folder.data", { entry });
      return { kind: "directory", mode };
    }
    // the backslash is the fault, whatever the entry is
    if (entry.includes("\\")) return { kind: "file", mode };
    const kind = KINDS.get(mode & 0o170000) ?? "file";
    const known = UNIX.has(system) || kind === "link" ? kind : "file";
    if (known === "directory" || (DOS.has(system) && (attributes & DOS_FOLDER) !== 0))
      throw problem(this.file, "zip.folder.slash", { entry });
    return { kind: known, mode };
  }

  #decode(rawName: Buffer, flags: number): DecodedName {
    const decoded = decodeName(rawName);
    if ((flags & 0x800) === 0) return decoded;
    if (decoded.encoding) throw problem(this.file, "zip.name", { entry: decoded.name });
    return decoded;
  }

  /** The extra fields by their id; the first of two with one id, as Go and Python read it. */
  #fields(extra: Buffer, at: number): Map<number, Buffer> {
    const fields = new Map<number, Buffer>();
    for (let position = 0; position + 4 <= extra.length; ) {
      const end = position + 4 + extra.readUInt16LE(position + 2);
      // Python rejects such a file
      if (end > extra.length) throw this.#damaged(at);
      const id = extra.readUInt16LE(position);
      if (!fields.has(id)) fields.set(id, extra.subarray(position + 4, end));
      position = end;
    }
    return fields;
  }

  /** Returns CRC, sizes and offset, each from the zip64 field if the header has no space for it. */
  #places(bytes: Buffer, fields: ReadonlyMap<number, Buffer>, at: number) {
    const wide = fields.get(ZIP64) ?? Buffer.alloc(0);
    let read = 0;
    const value = (position: number, optional = false) => {
      const short = bytes.readUInt32LE(position);
      if (short !== MAX_32 || (optional && !fields.has(ZIP64))) return short;
      if (read + 8 > wide.length) throw this.#damaged(at);
      read += 8;
      return Number(wide.readBigUInt64LE(read - 8));
    };
    const size = value(24, true);
    const compressedSize = value(20);
    const offset = value(42) + this.#end.base;
    return { crc32: bytes.readUInt32LE(16), size, compressedSize, offset };
  }

  #damaged(at: number): Error {
    return problem(this.file, "zip.directory", { at });
  }
}

/** Permission bits as Go's archive/zip reads them from an entry; 0 for a system that it does not know. */
function appliedMode(header: Buffer): number {
  const system = header.readUInt8(5);
  const attributes = header.readUInt32LE(38);
  if (UNIX.has(system)) return (attributes >>> 16) & 0o7777;
  if (!DOS.has(system) || system === 10) return 0;
  const all = attributes & DOS_FOLDER ? 0o777 : 0o666;
  return attributes & DOS_READ_ONLY ? all & ~0o222 : all;
}

/** Info-ZIP's UTF-8 name, if it belongs to the name in the header. */
function unicodePath(fields: ReadonlyMap<number, Buffer>, rawName: Buffer): string | undefined {
  const field = fields.get(UNICODE_PATH);
  if (!field || field.length < 5 || field[0] !== 1 || field.readUInt32LE(1) !== crc32(rawName))
    return undefined;
  return decodeText(field.subarray(5), "utf-8");
}

/** Whether a zip's end record is where readers search it. */
export async function hasEndRecord(handle: OpenFile, size: number): Promise<boolean> {
  return (await findEnd(handle, size)) !== undefined;
}

/**
 * Reads the end record as Go's archive/zip and Python's zipfile find it: the last one in the file, with
 * padding, junk or a comment behind it, and with a prefix before the zip, whether the offsets count it or
 * not. Throws exit 65 if the two would read different directories.
 */
async function readEndRecord(file: string, handle: OpenFile, size: number): Promise<EndRecord> {
  const found = await findEnd(handle, size);
  if (!found) throw problem(file, "zip.truncated", {});
  const { position, record } = found;
  const disks = [record.readUInt16LE(4), record.readUInt16LE(6)];
  if (disks.some((disk) => disk !== 0 && disk !== MAX_16)) throw problem(file, "zip.split", {});
  const old = {
    count: record.readUInt16LE(10),
    size: record.readUInt32LE(12),
    offset: record.readUInt32LE(16),
  };
  const wide = await readEnd64(file, handle, position);
  const end = wide ? position - LOCATOR_64 - END_64 : position;
  const { count, size: length, offset } = wide ?? old;
  const start = end - length;
  const base = start - offset;
  const isClear =
    // unzip goes by the number of entries on this disk
    record.readUInt16LE(8) === old.count &&
    start >= 0 &&
    base >= 0 &&
    (!wide || (agree(old, wide) && goReadsEnd64(old, base))) &&
    // Go believes the offset if it points to a directory anyway, Python believes the sizes
    (base === 0 || (await signatureAt(handle, offset)) !== HEADER_SIGNATURE);
  if (!isClear) throw problem(file, "zip.end", {});
  return { count, zip64: wide !== undefined, start, end, base };
}

async function findEnd(handle: OpenFile, size: number) {
  const length = Math.min(size, SEARCHED);
  const tail = await readFully(handle, Buffer.alloc(length), length, size - length);
  for (let at = tail.length - END; at >= 0; at--) {
    if (tail[at] !== 0x50 || tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    // Go rejects a comment that is cut short
    if (at + END + tail.readUInt16LE(at + 20) > tail.length) return undefined;
    return { position: size - tail.length + at, record: tail.subarray(at, at + END) };
  }
  return undefined;
}

/** Reads zip64's own record, which is directly before its locator, as Python wants it. */
async function readEnd64(file: string, handle: OpenFile, position: number): Promise<RawEnd | undefined> {
  const before = position - LOCATOR_64 - END_64;
  if (before < 0) return undefined;
  const both = await readFully(handle, Buffer.alloc(END_64 + LOCATOR_64), END_64 + LOCATOR_64, before);
  if (both.readUInt32LE(END_64) !== LOCATOR_SIGNATURE) return undefined;
  const isWhole =
    both.readUInt32LE(0) === END_64_SIGNATURE &&
    Number(both.readBigUInt64LE(END_64 + 8)) === before &&
    both.readBigUInt64LE(4) === STATED_LENGTH_64 &&
    // entries on this disk, and in all
    both.readBigUInt64LE(24) === both.readBigUInt64LE(32);
  if (!isWhole) throw problem(file, "zip.end", {});
  const disks = [both.readUInt32LE(16), both.readUInt32LE(20), both.readUInt32LE(END_64 + 4)];
  if (disks.some((disk) => disk !== 0) || both.readUInt32LE(END_64 + 16) > 1)
    throw problem(file, "zip.split", {});
  return {
    count: Number(both.readBigUInt64LE(32)),
    size: Number(both.readBigUInt64LE(40)),
    offset: Number(both.readBigUInt64LE(48)),
  };
}

/** Readers trust one record or the other: the old one's fields must be the same, or point to zip64's. */
function agree(old: RawEnd, wide: RawEnd): boolean {
  return (
    [wide.count, MAX_16].includes(old.count) &&
    [wide.size, MAX_32].includes(old.size) &&
    [wide.offset, MAX_32].includes(old.offset)
  );
}

/**
 * Whether Go's archive/zip reads the same directory: it looks for zip64's record only if the old record's
 * count or offset sends it there. With a complete old record it looks for a prefix elsewhere, and finds a
 * directory only if there is no prefix.
 */
function goReadsEnd64(old: RawEnd, base: number): boolean {
  return old.count === MAX_16 || old.offset === MAX_32 || (base === 0 && old.size !== MAX_32);
}

async function signatureAt(handle: OpenFile, position: number): Promise<number> {
  const bytes = await readFully(handle, Buffer.alloc(4), 4, position);
  return bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
}
