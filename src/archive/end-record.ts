import { problem } from "../errors.ts";
import { readFully } from "./blocks.ts";
import type { OpenFile } from "./types.ts";

const END = 22;
const END_64 = 56;
/** What the record says of its own length: without its first two fields. */
const LENGTH_64 = 44n;
const LOCATOR_64 = 20;
const SIGNATURE = 0x06054b50;
const SIGNATURE_64 = 0x06064b50;
const LOCATOR_SIGNATURE = 0x07064b50;
const DIRECTORY_SIGNATURE = 0x02014b50;
/** How far from its end Python's zipfile and Go's archive/zip look for the record: a comment, or what was left behind it. */
const SEARCHED = END + 65_536;

/** What a zip's end record says, with all places counted from the start of the file. */
export interface EndRecord {
  /** Entries; without zip64 only their number's lower 16 bits. */
  count: number;
  zip64: boolean;
  /** Where the central directory begins and ends. */
  start: number;
  end: number;
  /** Bytes before the zip (a self-extractor's program) that its own offsets do not count. */
  base: number;
}

interface Raw {
  count: number;
  size: number;
  offset: number;
}

/** Whether a zip's end record is where readers look for it. */
export async function hasEndRecord(handle: OpenFile, size: number): Promise<boolean> {
  return (await findEnd(handle, size)) !== undefined;
}

/**
 * The end record as Go's archive/zip and Python's zipfile find it: the last one in the file, with padding, junk or a comment behind
 * it, and with a prefix before the zip, whether the offsets count it or not. Where the two would read different directories it is
 * refused (exit 65).
 */
export async function readEndRecord(file: string, handle: OpenFile, size: number): Promise<EndRecord> {
  const found = await findEnd(handle, size);
  if (!found) throw problem(file, "zip.truncated", {});
  const { position, record } = found;
  const disks = [record.readUInt16LE(4), record.readUInt16LE(6)];
  if (disks.some((disk) => disk !== 0 && disk !== 0xffff)) throw problem(file, "zip.split", {});
  const old = {
    count: record.readUInt16LE(10),
    size: record.readUInt32LE(12),
    offset: record.readUInt32LE(16),
  };
  const wide = await readWide(file, handle, position);
  // of a zip that is not split; unzip goes by the first
  if (record.readUInt16LE(8) !== old.count) throw problem(file, "zip.end", {});
  if (wide && !agree(old, wide)) throw problem(file, "zip.end", {});
  const end = wide ? position - LOCATOR_64 - END_64 : position;
  const said = wide ?? old;
  const start = end - said.size;
  const base = start - said.offset;
  if (base < 0 || start < 0) throw problem(file, "zip.end", {});
  if (wide && !isWideToGo(old, base)) throw problem(file, "zip.end", {});
  // Go believes the offset where it points to a directory anyway, Python the sizes
  if (base > 0 && (await signatureAt(handle, said.offset)) === DIRECTORY_SIGNATURE)
    throw problem(file, "zip.end", {});
  return { count: said.count, zip64: wide !== undefined, start, end, base };
}

async function findEnd(handle: OpenFile, size: number) {
  const length = Math.min(size, SEARCHED);
  const tail = await readFully(handle, Buffer.alloc(length), length, size - length);
  for (let at = tail.length - END; at >= 0; at--) {
    if (tail[at] !== 0x50 || tail.readUInt32LE(at) !== SIGNATURE) continue;
    // a comment that is cut short: Go takes no such file
    if (at + END + tail.readUInt16LE(at + 20) > tail.length) return undefined;
    return { position: size - tail.length + at, record: tail.subarray(at, at + END) };
  }
  return undefined;
}

/** zip64's own record, which lies right before its locator, as Python wants it. */
async function readWide(file: string, handle: OpenFile, position: number): Promise<Raw | undefined> {
  const before = position - LOCATOR_64 - END_64;
  if (before < 0) return undefined;
  const both = await readFully(handle, Buffer.alloc(END_64 + LOCATOR_64), END_64 + LOCATOR_64, before);
  if (both.readUInt32LE(END_64) !== LOCATOR_SIGNATURE) return undefined;
  const where = Number(both.readBigUInt64LE(END_64 + 8));
  const length = both.readBigUInt64LE(4);
  // of a zip that is not split: entries on this disk, and at all
  const counts = [both.readBigUInt64LE(24), both.readBigUInt64LE(32)];
  if (
    both.readUInt32LE(0) !== SIGNATURE_64 ||
    where !== before ||
    length !== LENGTH_64 ||
    counts[0] !== counts[1]
  )
    throw problem(file, "zip.end", {});
  const disks = [both.readUInt32LE(16), both.readUInt32LE(20), both.readUInt32LE(END_64 + 4)];
  if (disks.some((disk) => disk !== 0) || both.readUInt32LE(END_64 + 16) > 1)
    throw problem(file, "zip.split", {});
  return {
    count: Number(both.readBigUInt64LE(32)),
    size: Number(both.readBigUInt64LE(40)),
    offset: Number(both.readBigUInt64LE(48)),
  };
}

/** Readers trust one record or the other: the old one must say the same, or that it cannot say it. */
function agree(old: Raw, wide: Raw): boolean {
  const fits = (said: number, true_: number, unsaid: number) => said === true_ || said === unsaid;
  return (
    fits(old.count, wide.count, 0xffff) &&
    fits(old.size, wide.size, 0xffffffff) &&
    fits(old.offset, wide.offset, 0xffffffff)
  );
}

/**
 * Whether Go's archive/zip reads the same directory: it looks for zip64's record only where the old one sends it there by its count or its
 * offset. By a complete old record it looks for a prefix at another place, and then finds a directory only where there is none.
 */
function isWideToGo(old: Raw, base: number): boolean {
  return old.count === 0xffff || old.offset === 0xffffffff || (base === 0 && old.size !== 0xffffffff);
}

async function signatureAt(handle: OpenFile, position: number): Promise<number> {
  const bytes = await readFully(handle, Buffer.alloc(4), 4, position);
  return bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
}
