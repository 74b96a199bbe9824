import yauzl from "yauzl";
import { empty, MAX_ENTRIES, tooManyEntries } from "./contents.ts";
import { damaged, invalid, isSystemError, printable } from "./problem.ts";
import { FileReader } from "./reader.ts";
import type { OpenFile, ZipLocation } from "./types.ts";

const WINDOW = 256 * 1024;
const END_RECORD = 22;
const END_RECORD_64 = 56;
const ENTRY_MINIMUM = 46;
const SIGNATURE_64 = 0x06064b50;
const UNICODE_PATH = 0x7075;

export interface ZipEntry {
  name: string;
  /** The name for readers that do not know Info-ZIP's Unicode field, where it has one. */
  otherName: string | undefined;
  /** Unix file type and permissions; 0 where the zip has none. */
  mode: number;
  location: ZipLocation;
}

/** A zip's central directory, read from the end of the file as every reader of zips does. */
export class ZipDirectory {
  /** For messages. */
  readonly file: string;
  readonly count: number;
  /** Where the directory begins: all data lies before it. */
  readonly start: number;
  readonly #zip: yauzl.ZipFile;
  readonly #reader: FileReader;

  private constructor(file: string, zip: yauzl.ZipFile, reader: FileReader) {
    this.file = file;
    this.count = zip.entryCount;
    this.start = cursorOf(zip);
    this.#zip = zip;
    this.#reader = reader;
  }

  /** Reads the end record. Throws exit 65 for none, for an empty directory, and for more than a million entries. */
  static async open(file: string, handle: OpenFile, size: number): Promise<ZipDirectory> {
    const reader = new FileReader(handle, Math.max(Math.min(WINDOW, size), 1));
    const options = { lazyEntries: true, autoClose: false, decodeStrings: false };
    const zip = await yauzl.fromRandomAccessReaderPromise(reader, size, options).catch((error: unknown) => {
      throw directoryProblem(file, error);
    });
    const directory = new ZipDirectory(file, zip, reader);
    if (directory.count === 0) throw empty(file);
    if (directory.count > MAX_ENTRIES) throw tooManyEntries(file);
    if (directory.start + directory.count * ENTRY_MINIMUM > size) {
      throw damaged(file, "has a central directory that is cut short");
    }
    return directory;
  }

  /** Every entry, in the directory's order; then checks that the directory ends where its end record says. */
  async *entries(signal?: AbortSignal): AsyncGenerator<ZipEntry, void, void> {
    const entries = this.#zip.eachEntry();
    for (let index = 0; ; index++) {
      if (index % 1024 === 0) signal?.throwIfAborted();
      const next = await entries.next().catch((error: unknown) => {
        throw directoryProblem(this.file, error);
      });
      if (next.done) break;
      yield this.#entry(next.value);
    }
    await this.#checkEnd();
  }

  #entry(entry: yauzl.Entry): ZipEntry {
    const { fileNameRaw, generalPurposeBitFlag: flags, compressionMethod: method } = entry;
    const name = yauzl.getFileNameLowLevel(flags, fileNameRaw, entry.extraFields, true);
    const renamed = entry.extraFields.some((field) => field.id === UNICODE_PATH);
    if (entry.isEncrypted() || method === 99) throw encrypted(this.file, name);
    if (method !== 0 && method !== 8) {
      throw invalid(
        this.file,
        `packs ${printable(name)} by method ${method}, which BK-Lite's own unzipper does not know`,
        "rebuild the archive with deflate, as zip does by itself",
      );
    }
    const location: ZipLocation = {
      // a copy: the original is a part of a buffer that holds the extra fields too
      rawName: Buffer.from(fileNameRaw),
      offset: entry.relativeOffsetOfLocalHeader,
      flags,
      method,
      crc32: entry.crc32,
      compressedSize: entry.compressedSize,
      uncompressedSize: entry.uncompressedSize,
    };
    const otherName = renamed ? yauzl.getFileNameLowLevel(flags, fileNameRaw, [], true) : undefined;
    return { name, otherName, mode: entry.externalFileAttributes >>> 16, location };
  }

  /** Other readers trust other fields of the end record than yauzl does: all must say the same. */
  async #checkEnd(): Promise<void> {
    const end = cursorOf(this.#zip);
    const endRecord = this.#zip.fileSize - END_RECORD - this.#zip.comment.length;
    const old = Buffer.from(await this.#reader.bytes(endRecord, END_RECORD));
    const said = { count: old.readUInt16LE(10), size: old.readUInt32LE(12), start: old.readUInt32LE(16) };
    const wide = await this.#reader.bytes(end, END_RECORD_64);
    const zip64 = wide.length === END_RECORD_64 && wide.readUInt32LE(0) === SIGNATURE_64;
    const agrees = zip64
      ? end + END_RECORD_64 < endRecord &&
        Number(wide.readBigUInt64LE(32)) === this.count &&
        Number(wide.readBigUInt64LE(40)) === end - this.start &&
        Number(wide.readBigUInt64LE(48)) === this.start
      : end === endRecord;
    const unsaid = (value: number, limit: number) => zip64 && value === limit;
    if (
      !agrees ||
      (said.count !== this.count && !unsaid(said.count, 0xffff)) ||
      (said.size !== end - this.start && !unsaid(said.size, 0xffffffff)) ||
      (said.start !== this.start && !unsaid(said.start, 0xffffffff))
    ) {
      throw damaged(this.file, "has a central directory that is not as long as its end record says");
    }
  }
}

function encrypted(file: string, name: string): Error {
  return invalid(
    file,
    `is encrypted${name === "" ? "" : `: ${printable(name)}`}`,
    "build the archive again without a password: nobody could install from it",
  );
}

/** @types/yauzl has the cursor as a boolean. */
function cursorOf(zip: yauzl.ZipFile): number {
  return Number(zip.readEntryCursor);
}

function directoryProblem(file: string, error: unknown): unknown {
  if (isSystemError(error) || !(error instanceof Error)) return error;
  if (error.message.startsWith("strong encryption")) return encrypted(file, "");
  if (error.message.startsWith("End of central directory record signature not found")) {
    return damaged(file, "is cut short: it has no central directory");
  }
  return damaged(file, `has no intact central directory: ${printable(error.message)}`);
}
