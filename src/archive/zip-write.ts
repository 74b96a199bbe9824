import { blocks } from "./blocks.ts";
import { HEAD_LENGTH, isExecutable } from "./file-kind.ts";
import type { Entry, OpenFile, PackedData, ZipLocation } from "./types.ts";
import { findData, headerReader, locationOf, readEntryHead } from "./zip-read.ts";

/** APPNOTE.TXT's versions 2.0 (folders, deflate) and 4.5 (zip64), made on Unix: with permissions. */
const VERSION = 20;
const VERSION_64 = 45;
const UNIX = 3 << 8;
/** Sizes and CRC-32 follow the data; names are UTF-8. */
const DESCRIPTOR = 1 << 3;
const UTF8 = 1 << 11;
/** 1 January 1980 as a DOS date, which has no time zone: the same bytes everywhere. */
const DATE = 0x0021;
const MAX_32 = 0xffffffff;
const MAX_16 = 0xffff;
/** An entry of unknown packed size has zip64's fields from this size on: deflate may add a little. */
const WIDE_FROM = 0xf0000000;
/** Directory records that are joined into one buffer: a large directory needs less memory. */
const JOINED = 512;
/** Bytes of an entry's data that are copied at a time. */
const READ = 256 * 1024;

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

// typed arrays have the byte order of the machine, which is a zip's on x86_64 and arm64
function u16(...values: number[]): Buffer {
  return bytesOf(new Uint16Array(values), values);
}

function u32(...values: number[]): Buffer {
  return bytesOf(new Uint32Array(values), values);
}

/** Throws if a number does not fit: cut off, it would make a zip that is damaged. */
function bytesOf(fields: Uint16Array | Uint32Array, values: readonly number[]): Buffer {
  if (values.some((value, index) => value !== fields[index])) throw new RangeError(`not a field: ${values}`);
  return Buffer.from(fields.buffer);
}

function u64(...values: number[]): Buffer {
  return Buffer.from(new BigUint64Array(values.map(BigInt)).buffer);
}

/** Returns the fields that a local header and a directory record have in common, and those behind them. */
function common({ name, flags, wide }: OpenEntry, data: PackedData): { head: Buffer; extra: Buffer } {
  const { method, crc32, compressedSize, size } = data;
  // zip64's field has both sizes; sizes and CRC-32 are still 0 if they follow the data
  const extra = wide ? Buffer.concat([u16(1, 16), u64(size, compressedSize)]) : Buffer.alloc(0);
  const sizes = wide ? u32(crc32, MAX_32, MAX_32) : u32(crc32, compressedSize, size);
  const version = wide ? VERSION_64 : VERSION;
  const head = [u16(version, flags, method, 0, DATE), sizes, u16(name.length, extra.length)];
  return { head: Buffer.concat(head), extra };
}

function makeLocalHeader(entry: OpenEntry, data: PackedData): Buffer {
  const { head, extra } = common(entry, data);
  return Buffer.concat([u32(0x04034b50), head, entry.name, extra]);
}

function makeDirectoryRecord(entry: OpenEntry, mode: number, data: PackedData): Buffer {
  const { head, extra } = common(entry, data);
  const madeBy = UNIX | (entry.wide ? VERSION_64 : VERSION);
  // 0x10 is DOS's mark of a folder, which some readers go by
  const attributes = ((mode << 16) | (mode & 0o40000 ? 0x10 : 0)) >>> 0;
  const tail = [u16(0, 0, 0), u32(attributes, entry.offset)];
  return Buffer.concat([u32(0x02014b50), u16(madeBy), head, ...tail, entry.name, extra]);
}

function makeDescriptor({ wide }: OpenEntry, { crc32, compressedSize, size }: PackedData): Buffer {
  return Buffer.concat([u32(0x08074b50, crc32), (wide ? u64 : u32)(compressedSize, size)]);
}

/** Returns the end record, with zip64's if there are more entries than the end record can count. */
function makeEnd(count: number, size: number, offset: number): Buffer {
  const short = Math.min(count, MAX_16);
  // the zips that are written here are shorter than 4 GiB: the caller rejects a longer one
  const end = [u32(0x06054b50), u16(0, 0, short, short), u32(size, offset), u16(0)];
  if (count < MAX_16) return Buffer.concat(end);
  const end64 = [u32(0x06064b50), u64(44), u16(UNIX | VERSION_64, VERSION_64), u32(0, 0)];
  const places = [u64(count, count, size, offset), u32(0x07064b50, 0), u64(offset + size), u32(1)];
  return Buffer.concat([...end64, ...places, ...end]);
}

/** Returns the type and permissions of a file in a zip. */
export function modeOf({ mode, guessMode }: ZipItem<unknown>, isProgram: boolean): number {
  return guessMode && isProgram ? 0o100755 : mode;
}

/** A zip whose entries are read. */
interface ZipFile {
  file: string;
  handle: OpenFile;
  signal?: AbortSignal | undefined;
}

/**
 * Yields a zip of entries of another zip, in the items' order. Copies their data as it is, neither inflated
 * nor deflated again. The same items give the same bytes. `dataOf` returns an entry's data if another reader
 * has it; else it is read here.
 */
export async function* copyZip(
  zip: ZipFile,
  items: readonly ZipItem[],
  dataOf: (at: ZipLocation) => AsyncIterable<Buffer> | undefined,
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
    const at = locationOf(file, from);
    yield builder.entry(name, modeOf(item, isProgram), at);
    yield* dataOf(at) ?? readData(zip, at);
  }
  yield* builder.end();
}

/** Yields an entry's data as it is in the zip. */
async function* readData({ file, handle, signal }: ZipFile, at: ZipLocation) {
  const start = await findData(file, headerReader(handle, at), at);
  yield* blocks(handle, { start, size: at.compressedSize }, READ, signal);
}

/** Returns the size of such a zip in bytes. */
export function copiedSize(file: string, items: readonly ZipItem[]): number {
  const builder = new ZipBuilder();
  for (const { name, mode, from } of items) {
    builder.entry(name, mode, name.endsWith("/") ? undefined : locationOf(file, from));
  }
  return builder.offset + builder.end().reduce((sum, record) => sum + record.length, 0);
}
