import type { Entry } from "./types.ts";

/** What APPNOTE.TXT calls version 2.0 (folders, deflate) and 4.5 (zip64), made on Unix: with permissions. */
const VERSION = 20;
const VERSION_64 = 45;
const UNIX = 3 << 8;
/** Sizes and CRC-32 follow the data; names are UTF-8. */
const DESCRIPTOR = 1 << 3;
const UTF8 = 1 << 11;
/** 1 January 1980 in DOS terms, which know no time zone: the same bytes everywhere. */
const DATE = 0x0021;
const LOCAL = 30;
const CENTRAL = 46;
const MAX_32 = 0xffffffff;
const MAX_16 = 0xffff;
/** Unpacked bytes from which an entry gets zip64's fields although its packed size is not known yet: deflate may add a little. */
const WIDE_FROM = 0xf0000000;
const SLAB = 64 * 1024;

/** One entry of a zip that is to be written. */
export interface ZipItem<From = Entry> {
  /** Its path there; a folder's ends in `/`. */
  name: string;
  /** File type and permissions, as Unix has them. */
  mode: number;
  /** Where nobody said what may run: 0755 if the first bytes are a program's or a script's. */
  guessMode?: boolean;
  /** Where a file's bytes come from; a folder has none. */
  from: From;
}

/** An entry's data as it lies in a zip. */
export interface Facts {
  /** 0: stored, 8: deflated. */
  method: number;
  crc32: number;
  compressedSize: number;
  size: number;
}

const NOTHING: Facts = { method: 0, crc32: 0, compressedSize: 0, size: 0 };

interface Begun {
  name: Buffer;
  flags: number;
  /** Of the local header. */
  offset: number;
  wide: boolean;
}

/**
 * The records of a zip around its entries' data, which the caller writes between them. The same entries in the same order give the
 * same bytes. (yazl can neither take over data that is deflated already nor deflate on more than one core.)
 */
export class ZipBuilder {
  readonly #directory: Buffer[] = [];
  #slab = Buffer.alloc(0);
  #used = 0;
  #count = 0;
  #offset = 0;
  #directorySize = 0;
  #begun: Begun | undefined;

  /** Bytes so far, with all data of the entries that are finished. */
  get offset(): number {
    return this.#offset;
  }

  /** The record in front of a folder, or of data of which everything is known; that data, and nothing else, has to follow. */
  entry(text: string, mode: number, facts: Facts = NOTHING): Buffer {
    const name = Buffer.from(text);
    const wide = facts.size >= MAX_32 || facts.compressedSize >= MAX_32;
    const begun: Begun = { name, flags: UTF8, offset: this.#offset, wide };
    const header = local(begun, facts);
    this.#record(begun, mode, facts);
    this.#offset += header.length + facts.compressedSize;
    return header;
  }

  /** The record in front of data that is being deflated: `size` bytes unpacked. */
  begin(text: string, size: number): Buffer {
    const name = Buffer.from(text);
    this.#begun = { name, flags: UTF8 | DESCRIPTOR, offset: this.#offset, wide: size >= WIDE_FROM };
    const header = local(this.#begun, { ...NOTHING, method: 8 });
    this.#offset += header.length;
    return header;
  }

  /** The record behind it. */
  finish(mode: number, facts: Facts): Buffer {
    const begun = this.#begun;
    if (!begun) throw new Error("no entry has been begun");
    this.#begun = undefined;
    const record = descriptor(begun, facts);
    this.#record(begun, mode, facts);
    this.#offset += facts.compressedSize + record.length;
    return record;
  }

  /** The directory and its end records. */
  end(): Buffer[] {
    this.#directory.push(this.#slab.subarray(0, this.#used));
    return [...this.#directory, end(this.#count, this.#directorySize, this.#offset)];
  }

  #record(begun: Begun, mode: number, facts: Facts): void {
    const record = central(begun, mode, facts);
    if (this.#used + record.length > this.#slab.length) {
      this.#directory.push(this.#slab.subarray(0, this.#used));
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB, record.length));
      this.#used = 0;
    }
    this.#used += record.copy(this.#slab, this.#used);
    this.#directorySize += record.length;
    this.#count++;
  }
}

/** The fields that local header and directory entry have in common. */
function writeCommon(header: Buffer, at: number, { name, flags, wide }: Begun, facts: Facts): void {
  header.writeUInt16LE(wide ? VERSION_64 : VERSION, at);
  header.writeUInt16LE(flags, at + 2);
  header.writeUInt16LE(facts.method, at + 4);
  header.writeUInt16LE(DATE, at + 8);
  // still 0 where they follow the data
  header.writeUInt32LE(facts.crc32, at + 10);
  header.writeUInt32LE(wide ? MAX_32 : facts.compressedSize, at + 14);
  header.writeUInt32LE(wide ? MAX_32 : facts.size, at + 18);
  header.writeUInt16LE(name.length, at + 22);
}

/** zip64's field: both sizes. */
function wideSizes({ size, compressedSize }: Facts): Buffer {
  const field = Buffer.alloc(20);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(16, 2);
  field.writeBigUInt64LE(BigInt(size), 4);
  field.writeBigUInt64LE(BigInt(compressedSize), 12);
  return field;
}

function local(begun: Begun, facts: Facts): Buffer {
  const extra = begun.wide ? wideSizes(facts) : Buffer.alloc(0);
  const header = Buffer.alloc(LOCAL);
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, 4, begun, facts);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, begun.name, extra]);
}

function central(begun: Begun, mode: number, facts: Facts): Buffer {
  const extra = begun.wide ? wideSizes(facts) : Buffer.alloc(0);
  const header = Buffer.alloc(CENTRAL);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(UNIX | (begun.wide ? VERSION_64 : VERSION), 4);
  writeCommon(header, 6, begun, facts);
  header.writeUInt16LE(extra.length, 30);
  // 0x10: a folder in DOS's terms too, which some readers go by
  header.writeUInt32LE(((mode << 16) | (mode & 0o40000 ? 0x10 : 0)) >>> 0, 38);
  header.writeUInt32LE(begun.offset, 42);
  return Buffer.concat([header, begun.name, extra]);
}

function descriptor({ wide }: Begun, { crc32, compressedSize, size }: Facts): Buffer {
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

/** The end record; zip64's too where there are more entries than it can count. No zip of ours is as long as 4 GiB. */
function end(count: number, size: number, offset: number): Buffer {
  const old = Buffer.alloc(22);
  old.writeUInt32LE(0x06054b50, 0);
  old.writeUInt16LE(Math.min(count, MAX_16), 8);
  old.writeUInt16LE(Math.min(count, MAX_16), 10);
  old.writeUInt32LE(size, 12);
  old.writeUInt32LE(offset, 16);
  if (count < MAX_16) return old;
  const wide = Buffer.alloc(56 + 20);
  wide.writeUInt32LE(0x06064b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeUInt16LE(UNIX | VERSION_64, 12);
  wide.writeUInt16LE(VERSION_64, 14);
  wide.writeBigUInt64LE(BigInt(count), 24);
  wide.writeBigUInt64LE(BigInt(count), 32);
  wide.writeBigUInt64LE(BigInt(size), 40);
  wide.writeBigUInt64LE(BigInt(offset), 48);
  wide.writeUInt32LE(0x07064b50, 56);
  wide.writeBigUInt64LE(BigInt(offset + size), 64);
  wide.writeUInt32LE(1, 72);
  return Buffer.concat([wide, old]);
}
