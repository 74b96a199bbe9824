import type { Entry } from "./types.ts";

/** What APPNOTE.TXT calls version 2.0, made on Unix: folders, deflate and permissions. */
const VERSION = 20;
const MADE_BY = (3 << 8) | VERSION;
/** Sizes and CRC-32 follow the data; names are UTF-8. */
const DESCRIPTOR = 1 << 3;
const UTF8 = 1 << 11;
/** 1 January 1980 in DOS terms, which know no time zone: the same bytes everywhere. */
const DATE = 0x0021;
const LOCAL = 30;
const CENTRAL = 46;
const END = 22;
const DESCRIPTOR_LENGTH = 16;

/** An entry's data as it lies in a zip. */
export interface Packed {
  /** 0: stored, 8: deflated. */
  method: number;
  /** false: CRC and sizes are there only when the bytes have ended. */
  known: boolean;
  crc32: number;
  compressedSize: number;
  size: number;
  bytes: AsyncIterable<Buffer>;
}

/** One entry of the zip to be written. */
export interface ZipItem<From = Entry> {
  /** Its path there; a folder's ends in `/`. */
  name: string;
  /** File type and permissions, as Unix has them. */
  mode: number;
  /** Where a file's bytes come from; a folder has none. */
  from: From;
}

/**
 * A zip of entries of another archive, in the items' order. `pack` is asked for one entry after the other. What lies in a zip
 * already goes over as it is, so nothing is inflated or deflated again; yazl cannot do that. The same items give the same bytes.
 */
export async function* writeZip<From>(
  items: readonly ZipItem<From>[],
  pack: (from: From) => Packed,
): AsyncGenerator<Buffer, void, void> {
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name: text, mode, from } of items) {
    const name = Buffer.from(text);
    const packed = text.endsWith("/") ? undefined : pack(from);
    const known = packed?.known ?? true;
    const flags = known ? UTF8 : UTF8 | DESCRIPTOR;
    const local = Buffer.alloc(LOCAL);
    local.writeUInt32LE(0x04034b50, 0);
    writeCommon(local, 4, flags, name, packed);
    yield Buffer.concat([local, name]);
    if (packed) yield* packed.bytes;
    if (packed && !known) yield descriptor(packed);
    directory.push(central(packed, flags, name, mode, offset), name);
    offset += LOCAL + name.length + (packed?.compressedSize ?? 0) + (known ? 0 : DESCRIPTOR_LENGTH);
  }
  const entries = Buffer.concat(directory);
  yield entries;
  yield end(items.length, entries.length, offset);
}

/** Bytes of the zip where all entries lie in one already; undefined where their packed sizes are not known before. */
export function zippedSize(items: readonly ZipItem[]): number | undefined {
  let size = END;
  for (const { name, from } of items) {
    const directory = name.endsWith("/");
    if (!directory && !from.location) return undefined;
    const packed = directory ? 0 : (from.location?.compressedSize ?? 0);
    size += LOCAL + CENTRAL + 2 * Buffer.byteLength(name) + packed;
  }
  return size;
}

/** The fields that local header and directory entry have in common. */
function writeCommon(
  header: Buffer,
  at: number,
  flags: number,
  name: Buffer,
  packed: Packed | undefined,
): void {
  header.writeUInt16LE(VERSION, at);
  header.writeUInt16LE(flags, at + 2);
  header.writeUInt16LE(packed?.method ?? 0, at + 4);
  header.writeUInt16LE(DATE, at + 8);
  // still 0 where they follow the data
  header.writeUInt32LE(packed?.crc32 ?? 0, at + 10);
  header.writeUInt32LE(packed?.compressedSize ?? 0, at + 14);
  header.writeUInt32LE(packed?.size ?? 0, at + 18);
  header.writeUInt16LE(name.length, at + 22);
}

function descriptor({ crc32, compressedSize, size }: Packed): Buffer {
  const bytes = Buffer.alloc(DESCRIPTOR_LENGTH);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc32, 4);
  bytes.writeUInt32LE(compressedSize, 8);
  bytes.writeUInt32LE(size, 12);
  return bytes;
}

function central(
  packed: Packed | undefined,
  flags: number,
  name: Buffer,
  mode: number,
  offset: number,
): Buffer {
  const header = Buffer.alloc(CENTRAL);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(MADE_BY, 4);
  writeCommon(header, 6, flags, name, packed);
  header.writeUInt16LE(mode, 40);
  header.writeUInt32LE(offset, 42);
  return header;
}

function end(count: number, size: number, offset: number): Buffer {
  const record = Buffer.alloc(END);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(count, 8);
  record.writeUInt16LE(count, 10);
  record.writeUInt32LE(size, 12);
  record.writeUInt32LE(offset, 16);
  return record;
}
