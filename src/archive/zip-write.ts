import { HEAD_LENGTH, isExecutable } from "./file-kind.ts";
import type { Entry } from "./types.ts";
import { locationOf, readEntryHead } from "./zip-read.ts";
import { copyEntry, type OnFile, type ZipFile } from "./zip-verify.ts";

/** APPNOTE.TXT's versions 2.0 (folders, deflate) and 4.5 (zip64), made on Unix: with permissions. */
const VERSION = 20;
const VERSION_64 = 45;
const UNIX = 3 << 8;
/** Sizes and CRC-32 follow the data; names are UTF-8. */
const DESCRIPTOR = 1 << 3;
const UTF8 = 1 << 11;
/** 1 January 1980 as a DOS date, which has no time zone: the same bytes everywhere. */
const DATE = 0x0021;
const LOCAL = 30;
const CENTRAL = 46;
const MAX_32 = 0xffffffff;
const MAX_16 = 0xffff;
/** An entry of unknown packed size has zip64's fields from this size on: deflate may add a little. */
const WIDE_FROM = 0xf0000000;
/** Directory records that are joined into one buffer: a large directory needs less memory. */
const JOINED = 512;

/** One entry of a zip to be written. */
export interface ZipItem<From = Entry> {
  /** Its path in the zip; a folder's ends in `/`. */
  name: string;
  /** File type and permissions, as Unix has them. */
  mode: number;
  /** Makes the mode 0755 if the first bytes are a program's or a script's: the source has no permissions. */
  guessMode?: boolean;
  /** The source of a file's bytes; not read for a folder. */
  from: From;
}

/** An entry's data as it is in a zip. */
export interface PackedData {
  /** 0: stored, 8: deflated. */
  method: number;
  crc32: number;
  compressedSize: number;
  size: number;
}

const NO_DATA: PackedData = { method: 0, crc32: 0, compressedSize: 0, size: 0 };

interface OpenEntry {
  name: Buffer;
  flags: number;
  /** Position of the local header. */
  offset: number;
  /** Whether it has zip64's fields. */
  wide: boolean;
}

/**
 * Makes the records of a zip around its entries' data, which the caller writes between them. The same entries
 * in the same order give the same bytes. (yazl can neither copy deflated data nor deflate on more than one
 * core.)
 */
export class ZipBuilder {
  readonly #directory: Buffer[] = [];
  #records: Buffer[] = [];
  #count = 0;
  #offset = 0;
  #directorySize = 0;
  #open: OpenEntry | undefined;

  /** Bytes so far, with the data of all finished entries. */
  get offset(): number {
    return this.#offset;
  }

  /** Returns the record before a folder, or before data that is known completely and has to follow. */
  entry(text: string, mode: number, data: PackedData = NO_DATA): Buffer {
    const wide = data.size >= MAX_32 || data.compressedSize >= MAX_32;
    const entry: OpenEntry = { name: Buffer.from(text), flags: UTF8, offset: this.#offset, wide };
    const header = makeLocalHeader(entry, data);
    this.#addRecord(entry, mode, data);
    this.#offset += header.length + data.compressedSize;
    return header;
  }

  /** Returns the record before data that is being deflated: `size` bytes unpacked. */
  begin(text: string, size: number): Buffer {
    const wide = size >= WIDE_FROM;
    this.#open = { name: Buffer.from(text), flags: UTF8 | DESCRIPTOR, offset: this.#offset, wide };
    const header = makeLocalHeader(this.#open, { ...NO_DATA, method: 8 });
    this.#offset += header.length;
    return header;
  }

  /** Returns the record behind that data. */
  finish(mode: number, data: PackedData): Buffer {
    const entry = this.#open;
    if (!entry) throw new Error("no entry has been begun");
    this.#open = undefined;
    const descriptor = makeDescriptor(entry, data);
    this.#addRecord(entry, mode, data);
    this.#offset += data.compressedSize + descriptor.length;
    return descriptor;
  }

  /** Returns the directory and its end records. */
  end(): Buffer[] {
    const records = Buffer.concat(this.#records);
    return [...this.#directory, records, makeEnd(this.#count, this.#directorySize, this.#offset)];
  }

  #addRecord(entry: OpenEntry, mode: number, data: PackedData): void {
    const record = makeDirectoryRecord(entry, mode, data);
    this.#records.push(record);
    this.#directorySize += record.length;
    this.#count++;
    if (this.#records.length < JOINED) return;
    this.#directory.push(Buffer.concat(this.#records));
    this.#records = [];
  }
}

/** Writes the fields that a local header and a directory record have in common. */
function writeCommon(header: Buffer, at: number, { name, flags, wide }: OpenEntry, data: PackedData): void {
  header.writeUInt16LE(wide ? VERSION_64 : VERSION, at);
  header.writeUInt16LE(flags, at + 2);
  header.writeUInt16LE(data.method, at + 4);
  header.writeUInt16LE(DATE, at + 8);
  // still 0 if they follow the data
  header.writeUInt32LE(data.crc32, at + 10);
  header.writeUInt32LE(wide ? MAX_32 : data.compressedSize, at + 14);
  header.writeUInt32LE(wide ? MAX_32 : data.size, at + 18);
  header.writeUInt16LE(name.length, at + 22);
}

/** Returns zip64's field with both sizes, if the entry has it. */
function makeExtra({ wide }: OpenEntry, { size, compressedSize }: PackedData): Buffer {
  const field = Buffer.alloc(wide ? 20 : 0);
  if (!wide) return field;
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(16, 2);
  field.writeBigUInt64LE(BigInt(size), 4);
  field.writeBigUInt64LE(BigInt(compressedSize), 12);
  return field;
}

function makeLocalHeader(entry: OpenEntry, data: PackedData): Buffer {
  const extra = makeExtra(entry, data);
  const header = Buffer.alloc(LOCAL);
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, 4, entry, data);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, entry.name, extra]);
}

function makeDirectoryRecord(entry: OpenEntry, mode: number, data: PackedData): Buffer {
  const extra = makeExtra(entry, data);
  const header = Buffer.alloc(CENTRAL);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(UNIX | (entry.wide ? VERSION_64 : VERSION), 4);
  writeCommon(header, 6, entry, data);
  header.writeUInt16LE(extra.length, 30);
  // 0x10 is DOS's mark of a folder, which some readers go by
  header.writeUInt32LE(((mode << 16) | (mode & 0o40000 ? 0x10 : 0)) >>> 0, 38);
  header.writeUInt32LE(entry.offset, 42);
  return Buffer.concat([header, entry.name, extra]);
}

function makeDescriptor({ wide }: OpenEntry, { crc32, compressedSize, size }: PackedData): Buffer {
  const bytes = Buffer.alloc(wide ? 24 : 16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc32, 4);
  if (wide) {
    bytes.writeBigUInt64LE(BigInt(compressedSize), 8);
    bytes.writeBigUInt64LE(BigInt(size), 16);
  } else {
    bytes.writeUInt32LE(compressedSize, 8);
    bytes.writeUInt32LE(size, 12);
  }
  return bytes;
}

/** Returns the end record, with zip64's if there are more entries than the end record can count. */
function makeEnd(count: number, size: number, offset: number): Buffer {
  // the zips that are written here are shorter than 4 GiB: the caller rejects a longer one
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, MAX_16), 8);
  end.writeUInt16LE(Math.min(count, MAX_16), 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  if (count < MAX_16) return end;
  const end64 = Buffer.alloc(56 + 20);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(UNIX | VERSION_64, 12);
  end64.writeUInt16LE(VERSION_64, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(size), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  end64.writeUInt32LE(0x07064b50, 56);
  end64.writeBigUInt64LE(BigInt(offset + size), 64);
  end64.writeUInt32LE(1, 72);
  return Buffer.concat([end64, end]);
}

/** Returns the type and permissions of a file in a zip. */
export function modeOf({ mode, guessMode }: ZipItem<unknown>, isProgram: boolean): number {
  return guessMode && isProgram ? 0o100755 : mode;
}

/**
 * Yields a zip of entries of another zip, in the items' order. Copies their data as it is, neither inflated
 * nor deflated again. The same items give the same bytes. If `onFile` is set it throws exit 65 for an entry
 * that is damaged.
 */
export async function* copyZip(
  zip: ZipFile,
  items: readonly ZipItem[],
  onFile?: OnFile,
): AsyncGenerator<Buffer, void, void> {
  const { file, handle } = zip;
  const builder = new ZipBuilder();
  for (const item of items) {
    const { name, mode, guessMode, from } = item;
    if (name.endsWith("/")) {
      yield builder.entry(name, mode);
      continue;
    }
    const isProgram =
      guessMode === true && isExecutable(await readEntryHead(file, handle, from, HEAD_LENGTH));
    yield builder.entry(name, modeOf(item, isProgram), packedData(file, from));
    yield* copyEntry(zip, from, onFile);
  }
  yield* builder.end();
}

/** Returns the size of such a zip in bytes. */
export function copiedSize(file: string, items: readonly ZipItem[]): number {
  const builder = new ZipBuilder();
  for (const { name, mode, from } of items) {
    builder.entry(name, mode, name.endsWith("/") ? undefined : packedData(file, from));
  }
  return builder.offset + builder.end().reduce((sum, record) => sum + record.length, 0);
}

function packedData(file: string, from: Entry): PackedData {
  const { method, crc32, compressedSize, uncompressedSize: size } = locationOf(file, from);
  return { method, crc32, compressedSize, size };
}
