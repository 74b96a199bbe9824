import { constants, createInflateRaw } from "node:zlib";
import { problem } from "../errors.ts";
import { FileReader, type PartReader } from "./blocks.ts";
import { decodeName, Entries } from "./entries.ts";
import type { Entry, InspectOptions, Listing, OpenFile, ZipLocation } from "./types.ts";
import { ZipDirectory, type ZipEntry } from "./zip-directory.ts";

const LOCAL_HEADER = 30;
const LOCAL_SIGNATURE = 0x04034b50;
/** Holds the longest local header that is accepted (a name of 4096 bytes), and the start of a program. */
const HEADER_WINDOW = 8 * 1024;
/** Local headers that the scan reads, each with a seek: all of a usual archive. The full check reads all. */
const SAMPLE = 1024;
const LINK_LENGTH = 4096;
/** The flag for sizes and CRC-32 in a data descriptor behind the data. */
const DESCRIPTOR = 8;
const DESCRIPTOR_SIGNATURE = 0x08074b50;

/** Reads the directory of a package's zip. Throws exit 65 if it breaks a rule for packages (SPEC §3). */
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
    if (end > directory.start) throw problem(file, "zip.data", { entry: entry.name });
    spans.push({ start: offset, end });
    if (index++ % step === 0) sample.push(entry);
    if (entry.otherName !== undefined) entries.checkPath(entry.otherName);
    entries.add(await toEntry(file, reader, entry));
  }
  await checkPlaces(directory, reader, spans, sample);
  return entries.finish();
}

async function toEntry(file: string, reader: FileReader, entry: ZipEntry): Promise<Entry> {
  const { name, kind, mode, location } = entry;
  const { size } = location;
  if (kind !== "link") return { path: name, kind, size, mode, location };
  if (size > LINK_LENGTH) throw problem(file, "archive.link.long", { entry: name });
  const target = await inflateStart(file, reader, { path: name, location }, LINK_LENGTH);
  return { path: name, kind, size, mode, location, target: decodeName(target).name };
}

/** Returns the first `length` bytes of a zip's entry, inflated; reads and inflates no more than that. */
export function readEntryHead(file: string, handle: OpenFile, entry: Entry, length: number): Promise<Buffer> {
  return inflateStart(file, new FileReader(handle, HEADER_WINDOW), entry, length);
}

async function inflateStart(
  file: string,
  reader: FileReader,
  entry: Pick<Entry, "path" | "location">,
  length: number,
): Promise<Buffer> {
  const at = locationOf(file, entry);
  const start = await findData(file, reader, at);
  const packed = await reader.bytes(start, Math.min(at.compressedSize, HEADER_WINDOW));
  if (at.method === 0) return Buffer.from(packed.subarray(0, length));
  const inflate = createInflateRaw({ chunkSize: Math.max(length, 64), finishFlush: constants.Z_SYNC_FLUSH });
  inflate.end(packed);
  const head: Buffer[] = [];
  let filled = 0;
  try {
    for await (const chunk of inflate) {
      head.push(chunk);
      filled += chunk.length;
      if (filled >= length) break;
    }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw problem(file, "zip.inflate", { entry: entry.path, said });
  }
  return Buffer.concat(head).subarray(0, length);
}

/** Returns where a zip keeps an entry. */
export function locationOf(file: string, { location, path }: Pick<Entry, "path" | "location">): ZipLocation {
  if (!location) throw new Error(`${file}: no location for ${path}`);
  return location;
}

/** Returns a reader for one entry's local header and data descriptor, and no more. */
export function headerReader(handle: OpenFile, { rawName }: ZipLocation): FileReader {
  return new FileReader(handle, LOCAL_HEADER + rawName.length);
}

/**
 * Returns where an entry's data begins. Throws exit 65 unless its local header agrees with the directory: a
 * reader that goes through the file from its start believes the local header.
 */
export async function findData(file: string, reader: PartReader, at: ZipLocation): Promise<number> {
  const { rawName, offset } = at;
  const header = await reader.bytes(offset, LOCAL_HEADER + rawName.length);
  if (header.length < LOCAL_HEADER + rawName.length || header.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw problem(file, "zip.header.missing", { entry: decodeName(rawName).name });
  }
  const nameLength = header.readUInt16LE(26);
  // bit 3: sizes and CRC follow the data; all ones: they are in the zip64 field
  const isSame = (position: number, value: number) =>
    (at.flags & DESCRIPTOR) !== 0 || [value, 0xffffffff].includes(header.readUInt32LE(position));
  const agrees =
    nameLength === rawName.length &&
    header.subarray(LOCAL_HEADER).equals(rawName) &&
    header.readUInt16LE(8) === at.method &&
    (header.readUInt16LE(6) & 9) === (at.flags & 9) &&
    isSame(14, at.crc32) &&
    isSame(18, at.compressedSize) &&
    isSame(22, at.size);
  if (!agrees) throw problem(file, "zip.header", { entry: decodeName(rawName).name });
  return offset + LOCAL_HEADER + nameLength + header.readUInt16LE(28);
}

/**
 * Throws exit 65 if a data descriptor that the header announces is missing: Go's archive/zip and unzip read
 * it and compare its CRC-32. Its signature is optional (APPNOTE.TXT 4.3.9). `end` is where the entry's data
 * ends.
 */
export async function checkDescriptor(
  file: string,
  reader: PartReader,
  at: ZipLocation,
  end: number,
): Promise<void> {
  if ((at.flags & DESCRIPTOR) === 0 || at.rawName.at(-1) === 0x2f) return;
  const bytes = await reader.bytes(end, 8);
  const hasSignature = bytes.length === 8 && bytes.readUInt32LE(0) === DESCRIPTOR_SIGNATURE;
  const isFound =
    (bytes.length >= 4 && bytes.readUInt32LE(0) === at.crc32) ||
    (hasSignature && bytes.readUInt32LE(4) === at.crc32);
  if (!isFound) throw problem(file, "zip.descriptor", { entry: decodeName(at.rawName).name });
}

/** Where an entry is in the file, without its extra fields and data descriptor. */
interface Span {
  start: number;
  end: number;
}

/** Throws exit 65 if entries overlap. */
async function checkPlaces(
  { file, start: directoryStart }: ZipDirectory,
  reader: FileReader,
  spans: Span[],
  sample: readonly ZipEntry[],
): Promise<void> {
  spans.sort((a, b) => a.start - b.start);
  const next = new Map<number, number>();
  for (const [index, { start, end }] of spans.entries()) {
    const after = spans[index + 1]?.start ?? directoryStart;
    next.set(start, after);
    if (end <= after) continue;
    const name = sample.find((entry) => entry.location.offset === after)?.name;
    throw problem(file, "zip.overlap", { entry: name ?? `byte ${after}` });
  }
  for (const { name, location } of sample) {
    const end = (await findData(file, reader, location)) + location.compressedSize;
    await checkDescriptor(file, reader, location, end);
    if (end > (next.get(location.offset) ?? directoryStart))
      throw problem(file, "zip.overlap", { entry: name });
  }
}
