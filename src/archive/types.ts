/**
 * archive/: hostile containers. Reads, judges, verifies, unpacks and writes zip and tar.gz, whatever is in them. Knows nothing of
 * BK-Lite, of the volume or of the servers, so that it can be read, fuzzed and reviewed alone.
 */
import type { FileHandle } from "node:fs/promises";

export type OpenFile = FileHandle;

/** One entry of an archive, in the words that zip and tar share. */
export interface Entry {
  /** Its name's components joined by `/`; of a reader, before `Entries` has checked it, the name as the archive has it. */
  path: string;
  kind: "file" | "directory" | "link" | "hardlink" | "device" | "fifo" | "socket";
  /** Bytes when unpacked. */
  size: number;
  /** Unix permission bits; 0 where the archive has none. */
  mode: number;
  /** Where a link points, as the archive has it, from its own folder. Of a reader also a tar's hard link, which names a path from the root. */
  target?: string;
  /** Where a zip keeps it: the directory's own word, with its name as it is written there. */
  location?: ZipLocation;
  /** Where a tar.gz keeps its bytes: how far into the unpacked tar. */
  offset?: number;
  /** What its first bytes say; here where the reader came past them anyway (tar.gz). */
  kindOfBinary?: BinaryKind;
  /** Its first 4 KiB, where `InspectOptions.head` asked for them (tar.gz). */
  head?: Buffer;
}

/** What a zip's central directory says of one entry; the local header at `offset` must say the same. */
export interface ZipLocation {
  rawName: Buffer;
  /** Of the local header, from the start of the file. */
  offset: number;
  flags: number;
  method: number;
  crc32: number;
  compressedSize: number;
  uncompressedSize: number;
  /** Permission bits as Go's archive/zip, and so BK-Lite's installer, reads them: other systems than Unix have their own. */
  mode: number;
}

/** What the first bytes of an executable say. `other` covers scripts, jars and anything without a known header. */
export type BinaryKind = (
  | { format: "elf" | "pe"; machine: "x86_64" | "x86" | "arm64" | "other" }
  | { format: "macho" }
  | {
      format: "other";
      /** What stands in a program's place and can be none: `lfs`, `html`, … */
      instead?: string;
    }
) & {
  /** Set for a program that is shorter than its header says. */
  cut?: { bytes: number; needed: number };
};

/** Everything in an archive, in its own order. */
export interface Listing {
  entries: Entry[];
  /** Whether it has an entry for its own root (`./`), which is none of `entries`. */
  rootEntry?: boolean;
  /** Names that a tar has more than once: the last of them counts. */
  repeated?: readonly string[];
  /** Lower-case hex of the file; only where the reader had to read all of it (tar.gz). */
  sha256?: string;
  fileDigests?: FileDigests;
}

/**
 * SHA-256 in hex of each file in an archive, by where the archive keeps it: a zip's local header, a tar's bytes. Complete: every entry was
 * read and found whole.
 */
export type FileDigests = ReadonlyMap<number, string>;

export interface InspectOptions {
  signal?: AbortSignal | undefined;
  /** Whether the first bytes of a file with this path, as the archive has it, are to be kept. */
  head?: (path: string) => boolean;
  /** Whether the digests of a tar.gz's files are wanted, which are read anyway. */
  digests?: boolean;
}
