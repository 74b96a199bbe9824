/**
 * archive/: untrusted containers. Reads, checks, verifies and writes zip and tar.gz, whatever they contain.
 * Knows nothing of BK-Lite, of the volume or of the servers, so that it can be read, fuzzed and reviewed
 * alone.
 */

/** An open file; node's FileHandle is one. */
export interface OpenFile {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** One entry of an archive, in the terms that zip and tar share. */
export interface Entry {
  /** Its name's components joined by `/`; before `Entries` has checked it, the name as the archive has it. */
  path: string;
  kind: "file" | "directory" | "link" | "hardlink" | "device" | "fifo" | "socket";
  /** Bytes when unpacked. */
  size: number;
  /** Unix permission bits; 0 if the archive has none. */
  mode: number;
  /** A link's target as the archive has it, from its own folder; a hard link's is a path from the root. */
  target?: string;
  /** Where a zip keeps it. */
  location?: ZipLocation;
  /** Where a tar.gz keeps its bytes: a position in the unpacked tar. */
  offset?: number;
  /** The type by its first bytes, if the scan has passed them (tar.gz). */
  executableType?: ExecutableType;
  /** Its first 4 KiB, if `InspectOptions.keeps` asked for them (tar.gz). */
  firstBytes?: Buffer;
}

/** An entry's data as it is in a zip. */
export interface PackedData {
  /** 0: stored, 8: deflated. */
  method: number;
  crc32: number;
  compressedSize: number;
  size: number;
}

/** A zip's central directory on one entry; the local header at `offset` must agree with it. */
export interface ZipLocation extends PackedData {
  rawName: Buffer;
  /** Position of the local header, from the start of the file. */
  offset: number;
  flags: number;
  /** Permission bits as Go's archive/zip, and so BK-Lite's installer, reads them. */
  mode: number;
}

/** The type in a program's header. `other` covers scripts, jars and everything without a known header. */
export type ExecutableType = (
  | { format: "elf" | "pe"; machine: "x86_64" | "x86" | "arm64" | "other" }
  | { format: "macho" }
  | {
      format: "other";
      /** The format of a file with a program's name that cannot be one: `lfs`, `html`, … */
      instead?: string;
    }
) & {
  /** Set for a program that is shorter than its header says. */
  cut?: { bytes: number; needed: number };
};

/** Everything in an archive, in its own order. */
export interface Listing {
  entries: readonly Entry[];
  /** Whether it has an entry for its own root (`./`), which `entries` leaves out. */
  rootEntry: boolean;
  /** Paths of several files of a tar: the last entry of a path counts. */
  repeated: readonly string[];
  /** Lower-case hex of the file; only if the scan read all of it (tar.gz). */
  sha256?: string;
  fileDigests?: FileDigests;
}

/** SHA-256 in hex of all files in a sound archive, by position: a zip's local header, a tar's bytes. */
export type FileDigests = ReadonlyMap<number, string>;

export interface InspectOptions {
  signal?: AbortSignal | undefined;
  /** Whether to keep the first bytes of a tar.gz's file with this path, as the archive has it. */
  keeps?: (path: string) => boolean;
  /** Whether to compute the digests of a tar.gz's files, which are read anyway. */
  digests?: boolean;
}

/** A one-shot byte stream: a file, or something generated from it. */
export interface Source {
  /** Bytes; undefined: known only at the end. */
  size: number | undefined;
  /**
   * Blocks of exactly `blockSize` bytes, the last one possibly shorter. A block is valid until the next is
   * asked for. Throws exit 74 if the file changed since it was scanned.
   */
  blocks(blockSize: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
