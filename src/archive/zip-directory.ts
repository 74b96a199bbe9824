import { crc32 } from "node:zlib";
import { problem } from "../errors.ts";
import { MAX_ENTRIES, tooManyFiles } from "./contents.ts";
import { type DecodedName, decoded, decodeName } from "./encoding.ts";
import { type EndRecord, readEndRecord } from "./end-record.ts";
import { printable } from "./problem.ts";
import { FileReader } from "./reader.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";

/** Holds the longest entry that is possible. */
const WINDOW = 256 * 1024;
const HEADER = 46;
const SIGNATURE = 0x02014b50;
const ZIP64 = 1;
const UNICODE_PATH = 0x7075;
const UNSAID = 0xffffffff;
/** 6.3, the newest that says how to read an entry (APPNOTE.TXT 4.4.3); Python refuses a zip that asks for more. */
const MAX_VERSION = 63;
const UNIX = new Set([3, 19]);
const DOS = new Set([0, 10, 11, 14]);
const DOS_FOLDER = 0x10;
const DOS_READ_ONLY = 1;

/** Unix file types; any other value is a file to Go and Python. */
const KINDS = new Map<number, Entry["kind"]>([
  [0o040000, "directory"],
  [0o120000, "link"],
  [0o010000, "fifo"],
  [0o140000, "socket"],
  [0o020000, "device"],
  [0o060000, "device"],
]);

export interface ZipEntry extends DecodedName {
  /** The name for readers that do not know Info-ZIP's Unicode field, where it has one. */
  otherName: string | undefined;
  kind: Entry["kind"];
  /** Unix permissions; 0 where the zip has none. */
  mode: number;
  location: ZipLocation;
}

/** A zip's central directory, read from the end of the file as every reader of zips does. */
export class ZipDirectory {
  /** For messages. */
  readonly file: string;
  /** Where the directory begins: all data lies before it. */
  readonly start: number;
  readonly #end: EndRecord;
  readonly #reader: FileReader;

  private constructor(file: string, end: EndRecord, reader: FileReader) {
    this.file = file;
    this.start = end.start;
    this.#end = end;
    this.#reader = reader;
  }

  /** More entries than this cannot be in it. */
  get capacity(): number {
    return Math.min(Math.floor((this.#end.end - this.start) / HEADER), MAX_ENTRIES);
  }

  /** Reads the end record. Throws exit 65 for none, for an empty directory, and for more entries than anybody takes. */
  static async open(file: string, handle: OpenFile, size: number): Promise<ZipDirectory> {
    const end = await readEndRecord(file, handle, size);
    if (end.end === end.start && end.count === 0) throw problem(file, "archive.empty", {});
    if (end.count > MAX_ENTRIES) throw tooManyFiles(file);
    if (end.count * HEADER > end.end - end.start) throw problem(file, "zip.end", {});
    return new ZipDirectory(file, end, new FileReader(handle, Math.max(Math.min(WINDOW, size), 1)));
  }

  /** Every entry, in the directory's order; then checks that there are as many as its end record says. */
  async *entries(signal?: AbortSignal): AsyncGenerator<ZipEntry, void, void> {
    const { start, end, count, zip64 } = this.#end;
    let found = 0;
    for (let at = start; at < end; found++) {
      if (found % 1024 === 0) signal?.throwIfAborted();
      if (found >= MAX_ENTRIES) throw tooManyFiles(this.file);
      const header = await this.#reader.bytes(at, HEADER);
      if (header.length < HEADER || header.readUInt32LE(0) !== SIGNATURE) throw this.#damaged(at);
      const rest = header.readUInt16LE(28) + header.readUInt16LE(30) + header.readUInt16LE(32);
      if (at + HEADER + rest > end) throw this.#damaged(at);
      yield this.#entry(await this.#reader.bytes(at, HEADER + rest), at);
      at += HEADER + rest;
    }
    // tools without zip64 write down the lower 16 bits of what they have
    if (found !== count && (zip64 || found % 0x10000 !== count)) throw problem(this.file, "zip.end", {});
  }

  #entry(bytes: Buffer, at: number): ZipEntry {
    const flags = bytes.readUInt16LE(8);
    const method = bytes.readUInt16LE(10);
    const nameEnd = HEADER + bytes.readUInt16LE(28);
    // a copy: the window moves on
    const rawName = Buffer.from(bytes.subarray(HEADER, nameEnd));
    const fields = this.#fields(bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(30)), at);
    const raw = this.#decode(rawName, flags);
    const better = unicodePath(fields, rawName);
    const { name, encoding } = better === undefined ? raw : { name: better, encoding: undefined };
    const entry = printable(name);
    const version = bytes.readUInt8(6);
    if (version > MAX_VERSION)
      throw problem(this.file, "zip.version", { entry, version: (version / 10).toFixed(1) });
    if ((flags & 0x41) !== 0 || method === 99) throw problem(this.file, "zip.encrypted", { entry });
    if ((method !== 0 && method !== 8) || (flags & 0x20) !== 0)
      throw problem(this.file, "zip.method", { entry, method });
    const mode = appliedMode(bytes);
    const location: ZipLocation = { rawName, flags, method, mode, ...this.#places(bytes, fields, at) };
    if (method === 0 && location.compressedSize !== location.uncompressedSize)
      throw problem(this.file, "zip.length", { entry });
    const type = this.#type(bytes, name, location);
    const otherName = better === undefined ? undefined : raw.name;
    return { name, ...(encoding && { encoding }), otherName, ...type, location };
  }

  #type(bytes: Buffer, name: string, { uncompressedSize }: ZipLocation): Pick<ZipEntry, "kind" | "mode"> {
    const attributes = bytes.readUInt32LE(38);
    const system = bytes.readUInt8(5);
    const mode = attributes >>> 16;
    const entry = printable(name);
    if (name.endsWith("/")) {
      if (uncompressedSize !== 0) throw problem(this.file, "zip.folder.data", { entry });
      return { kind: "directory", mode };
    }
    // the backslash is the fault, whatever it is the name of
    if (name.includes("\\")) return { kind: "file", mode };
    const kind = KINDS.get(mode & 0o170000) ?? "file";
    const known = UNIX.has(system) ? kind : kind === "link" ? kind : "file";
    if (known === "directory" || (DOS.has(system) && (attributes & DOS_FOLDER) !== 0))
      throw problem(this.file, "zip.folder.slash", { entry });
    return { kind: known, mode };
  }

  #decode(rawName: Buffer, flags: number): DecodedName {
    if ((flags & 0x800) === 0) return decodeName(rawName);
    const name = decoded(rawName, "utf-8");
    if (name === undefined)
      throw problem(this.file, "zip.name", { entry: printable(decodeName(rawName).name) });
    return { name };
  }

  /** The extra fields by their id; of two with one id the first, as Go and Python take it. */
  #fields(extra: Buffer, at: number): Map<number, Buffer> {
    const fields = new Map<number, Buffer>();
    for (let position = 0; position + 4 <= extra.length; ) {
      const end = position + 4 + extra.readUInt16LE(position + 2);
      // Python takes no such file
      if (end > extra.length) throw this.#damaged(at);
      const id = extra.readUInt16LE(position);
      if (!fields.has(id)) fields.set(id, extra.subarray(position + 4, end));
      position = end;
    }
    return fields;
  }

  /** CRC, sizes and place, in zip64's field where the header has no room for them. */
  #places(bytes: Buffer, fields: ReadonlyMap<number, Buffer>, at: number) {
    const wide = fields.get(ZIP64) ?? Buffer.alloc(0);
    let used = 0;
    const value = (position: number, optional = false) => {
      const short = bytes.readUInt32LE(position);
      if (short !== UNSAID) return short;
      if (used + 8 > wide.length) {
        if (optional && !fields.has(ZIP64)) return short;
        throw this.#damaged(at);
      }
      used += 8;
      return Number(wide.readBigUInt64LE(used - 8));
    };
    const uncompressedSize = value(24, true);
    const compressedSize = value(20);
    const offset = value(42) + this.#end.base;
    return { crc32: bytes.readUInt32LE(16), uncompressedSize, compressedSize, offset };
  }

  #damaged(at: number): Error {
    return problem(this.file, "zip.directory", { at });
  }
}

/** Permission bits as Go's archive/zip takes them from a directory entry; 0 for systems that it does not know. */
function appliedMode(header: Buffer): number {
  const system = header.readUInt8(5);
  const attributes = header.readUInt32LE(38);
  if (UNIX.has(system)) return (attributes >>> 16) & 0o7777;
  if (!DOS.has(system) || system === 10) return 0;
  const all = attributes & DOS_FOLDER ? 0o777 : 0o666;
  return attributes & DOS_READ_ONLY ? all & ~0o222 : all;
}

/** Info-ZIP's UTF-8 name, where it belongs to the name that the header has. */
function unicodePath(fields: ReadonlyMap<number, Buffer>, rawName: Buffer): string | undefined {
  const field = fields.get(UNICODE_PATH);
  if (!field || field.length < 5 || field[0] !== 1 || field.readUInt32LE(1) !== crc32(rawName))
    return undefined;
  return decoded(field.subarray(5), "utf-8");
}
