import { crc32 } from "node:zlib";

/** One entry of a zip that is put together by hand; what is not given is as an honest zip has it. */
export interface RawEntry {
  name: string | Buffer;
  data?: Buffer | string;
  method?: number;
  flags?: number;
  /** Unix file type and permissions. */
  mode?: number;
  crc?: number;
  /** Bytes unpacked; the length of `data` otherwise. */
  size?: number;
  packedSize?: number;
  /** Where the directory says that the local header is. */
  offset?: number;
  extra?: Buffer;
  /** The local header's name and extra field, if they differ from the directory's. */
  localName?: string;
  localExtra?: Buffer;
  /** Only the directory knows it. */
  withoutLocal?: boolean;
}

export interface RawEnd {
  count?: number;
  directorySize?: number;
  directoryStart?: number;
  /**
   * zip64's end record too, with the true numbers or these; the old record then has its "see there" values.
   */
  zip64?: { count?: number; directorySize?: number };
}

/** A zip's bytes, honest or not. */
export function rawZip(entries: readonly RawEntry[], end: RawEnd = {}): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const entry of entries) {
    const local = entry.withoutLocal ? Buffer.alloc(0) : localHeader(entry);
    directory.push(directoryEntry(entry, entry.offset ?? position));
    locals.push(local);
    position += local.length;
  }
  const size = directory.reduce((sum, one) => sum + one.length, 0);
  return Buffer.concat([...locals, ...directory, endRecords(entries.length, size, position, end)]);
}

export function localHeader(entry: RawEntry): Buffer {
  const name = Buffer.from((entry.localName ?? entry.name) as string);
  const extra = entry.localExtra ?? entry.extra ?? Buffer.alloc(0);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  common(entry, header, 6);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra, Buffer.from((entry.data ?? "") as string)]);
}

export function directoryEntry(entry: RawEntry, offset: number): Buffer {
  const name = Buffer.from(entry.name as string);
  const extra = entry.extra ?? Buffer.alloc(0);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 20, 4);
  header.writeUInt16LE(20, 6);
  common(entry, header, 8);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38);
  header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, name, extra]);
}

/** Flags to unpacked size: the same fourteen fields' bytes in both headers. */
function common(entry: RawEntry, header: Buffer, at: number): void {
  const data = Buffer.from((entry.data ?? "") as string);
  header.writeUInt16LE(entry.flags ?? 0x800, at);
  header.writeUInt16LE(entry.method ?? 0, at + 2);
  header.writeUInt32LE(entry.crc ?? crc32(data), at + 8);
  header.writeUInt32LE(entry.packedSize ?? data.length, at + 12);
  header.writeUInt32LE(entry.size ?? data.length, at + 16);
}

export function endRecords(count: number, size: number, start: number, end: RawEnd = {}): Buffer {
  const old = Buffer.alloc(22);
  const wide = end.zip64 !== undefined;
  old.writeUInt32LE(0x06054b50, 0);
  old.writeUInt16LE(wide ? 0xffff : (end.count ?? count), 8);
  old.writeUInt16LE(wide ? 0xffff : (end.count ?? count), 10);
  old.writeUInt32LE(wide ? 0xffffffff : (end.directorySize ?? size), 12);
  old.writeUInt32LE(wide ? 0xffffffff : (end.directoryStart ?? start), 16);
  if (!wide) return old;
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(end.zip64?.count ?? count), 24);
  record.writeBigUInt64LE(BigInt(end.zip64?.count ?? count), 32);
  record.writeBigUInt64LE(BigInt(end.zip64?.directorySize ?? size), 40);
  record.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + size), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator, old]);
}
