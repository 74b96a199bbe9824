import { constants, createInflateRaw } from "node:zlib";
import { problem } from "../errors.ts";
import { Entries } from "./contents.ts";
import { decodeName } from "./encoding.ts";
import { printable } from "./problem.ts";
import { FileReader } from "./reader.ts";
import type { Entry, InspectOptions, Listing, OpenFile, ZipLocation } from "./types.ts";
import { ZipDirectory, type ZipEntry } from "./zip-directory.ts";

const LOCAL_HEADER = 30;
const LOCAL_SIGNATURE = 0x04034b50;
/** Holds the longest local header that is accepted (a name of 4096 bytes), and the start of a program. */
export const HEADER_WINDOW = 8 * 1024;
/** Local headers read in the scan: all of a usual archive's. More would cost a seek each; ARCHIVE_CHECK=full reads all. */
const SAMPLE = 1024;
const LINK_LENGTH = 4096;
/** The flag that says that sizes and CRC-32 follow the data. */
const DESCRIPTOR = 8;
const DESCRIPTOR_SIGNATURE = 0x08074b50;

/** Reads a zip's directory as a package's. Throws exit 65 for all that a package must not be (SPEC §3). */
export async function inspectZip(
  file: string,
  handle: OpenFile,
  size: number,
  { signal }: InspectOptions = {},
): Promise<Listing> {
  const directory = await ZipDirectory.open(file, handle, size);
  const reader = new FileReader(handle, HEADER_WINDOW);
  const entries = new Entries(file);
  const spans: Span[] = [];
  const sample: ZipEntry[] = [];
  const step = Math.max(1, Math.ceil(directory.capacity / SAMPLE));
  let index = 0;
  for await (const entry of directory.entries(signal)) {
    const { offset, rawName, compressedSize } = entry.location;
    const end = offset + LOCAL_HEADER + rawName.length + compressedSize;
    if (end > directory.start) throw problem(file, "zip.data", { entry: printable(entry.name) });
    spans.push({ start: offset, end });
    if (index++ % step === 0) sample.push(entry);
    if (entry.otherName !== undefined) entries.check(entry.otherName);
    entries.add(await describe(file, reader, entry));
  }
  await checkPlaces(file, reader, { spans, sample, directoryStart: directory.start });
  return { entries: entries.finish(), rootEntry: entries.root };
}

/** The first `length` bytes of a zip's entry, inflated; no more than that is read or inflated. */
export function readEntryHead(file: string, handle: OpenFile, entry: Entry, length: number): Promise<Buffer> {
  return readHead(file, new FileReader(handle, HEADER_WINDOW), entry, length);
}

/**
 * Where an entry's data begins: its local header is read, and must say what the directory says, for a reader that goes
 * from the front believes that one.
 */
export async function dataStart(file: string, reader: FileReader, at: ZipLocation): Promise<number> {
  const { rawName, offset } = at;
  const entry = () => printable(decodeName(rawName).name);
  const header = await reader.bytes(offset, LOCAL_HEADER + rawName.length);
  if (header.length < LOCAL_HEADER + rawName.length || header.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw problem(file, "zip.header.missing", { entry: entry() });
  }
  const nameLength = header.readUInt16LE(26);
  const sameName = nameLength === rawName.length && header.subarray(LOCAL_HEADER).equals(rawName);
  // bit 3: sizes and CRC follow the data; all ones: they are in zip64's field
  const same = (position: number, value: number) =>
    (at.flags & DESCRIPTOR) !== 0 || [value, 0xffffffff].includes(header.readUInt32LE(position));
  const agrees =
    sameName &&
    header.readUInt16LE(8) === at.method &&
    (header.readUInt16LE(6) & 9) === (at.flags & 9) &&
    same(14, at.crc32) &&
    same(18, at.compressedSize) &&
    same(22, at.uncompressedSize);
  if (!agrees) throw problem(file, "zip.header", { entry: entry() });
  return offset + LOCAL_HEADER + nameLength + header.readUInt16LE(28);
}

/**
 * A data descriptor that the header announces has to be there: Go's archive/zip and unzip read it, and compare its CRC-32. Its signature
 * is optional (APPNOTE.TXT 4.3.9). `end`: where the entry's data ends.
 */
export async function checkDescriptor(
  file: string,
  reader: FileReader,
  at: ZipLocation,
  end: number,
): Promise<void> {
  if ((at.flags & DESCRIPTOR) === 0 || at.rawName.at(-1) === 0x2f) return;
  const bytes = await reader.bytes(end, 8);
  const found =
    (bytes.length >= 4 && bytes.readUInt32LE(0) === at.crc32) ||
    (bytes.length >= 8 &&
      bytes.readUInt32LE(0) === DESCRIPTOR_SIGNATURE &&
      bytes.readUInt32LE(4) === at.crc32);
  if (!found) throw problem(file, "zip.descriptor", { entry: printable(decodeName(at.rawName).name) });
}

async function describe(file: string, reader: FileReader, entry: ZipEntry): Promise<Entry> {
  const { name, kind, mode, location } = entry;
  const size = location.uncompressedSize;
  if (kind !== "link") return { path: name, kind, size, mode, location };
  if (size > LINK_LENGTH) throw problem(file, "archive.link.long", { entry: printable(name) });
  const target = await readHead(file, reader, { path: name, location }, LINK_LENGTH);
  return { path: name, kind, size, mode, location, target: decodeName(target).name };
}

/** Where an entry lies in the file, its extra fields and data descriptor not counted. */
interface Span {
  start: number;
  end: number;
}

interface Places {
  spans: Span[];
  sample: readonly ZipEntry[];
  directoryStart: number;
}

/** Throws exit 65 for entries that overlap. */
async function checkPlaces(
  file: string,
  reader: FileReader,
  { spans, sample, directoryStart }: Places,
): Promise<void> {
  spans.sort((a, b) => a.start - b.start);
  const next = new Map<number, number>();
  for (const [index, { start, end }] of spans.entries()) {
    const after = spans[index + 1]?.start ?? directoryStart;
    next.set(start, after);
    if (end <= after) continue;
    const name = sample.find((entry) => entry.location.offset === after)?.name;
    throw overlapping(file, name ?? `byte ${after}`);
  }
  for (const { name, location } of sample) {
    const end = (await dataStart(file, reader, location)) + location.compressedSize;
    await checkDescriptor(file, reader, location, end);
    if (end > (next.get(location.offset) ?? directoryStart)) throw overlapping(file, name);
  }
}

function overlapping(file: string, what: string): Error {
  return problem(file, "zip.overlap", { entry: printable(what) });
}

async function readHead(
  file: string,
  reader: FileReader,
  entry: Pick<Entry, "path" | "location">,
  length: number,
): Promise<Buffer> {
  const at = entry.location;
  if (!at) throw new Error(`${file}: no location for ${entry.path}`);
  const start = await dataStart(file, reader, at);
  const packed = await reader.bytes(start, Math.min(at.compressedSize, HEADER_WINDOW));
  if (at.method === 0) return Buffer.from(packed.subarray(0, length));
  try {
    return await inflateHead(packed, length);
  } catch (error) {
    const said = printable(error instanceof Error ? error.message : String(error));
    throw problem(file, "zip.inflate", { entry: printable(entry.path), said });
  }
}

async function inflateHead(packed: Buffer, length: number): Promise<Buffer> {
  const inflate = createInflateRaw({ chunkSize: Math.max(length, 64), finishFlush: constants.Z_SYNC_FLUSH });
  inflate.end(packed);
  const head: Buffer[] = [];
  let filled = 0;
  for await (const chunk of inflate) {
    head.push(chunk);
    filled += chunk.length;
    if (filled >= length) break;
  }
  return Buffer.concat(head).subarray(0, length);
}
