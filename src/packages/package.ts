import type { FileHandle } from "node:fs/promises";

export type PackageType = "controller" | "collector";
export type Os = "linux" | "windows";
export type Arch = "x86_64" | "arm64";

/** Every name of an architecture that BK-Lite takes. */
export const ARCH_NAMES = { x86_64: "x86_64", amd64: "x86_64", arm64: "arm64", aarch64: "arm64" } as const;

/** An architecture by any of its names; undefined for a word that is none. */
export function archOf(name: string): Arch | undefined {
  const known: Record<string, Arch> = ARCH_NAMES;
  return known[name.toLowerCase()];
}

/** What makes two packages the same package; `arch` is part of it only where the table has the column. */
export interface Identity {
  type: PackageType;
  os: Os;
  arch: Arch;
  object: string;
  version: string;
}

/** What somebody said of a file by hand, on the command line or in packages.json; such a file may have any name. */
export type Claim = Partial<Identity> & { description?: string };

/** A regular file that is to be read: one that is named like an archive, or one with a claim. Nothing of it has been read yet. */
export interface VolumeFile {
  /** Path below PACKAGES_DIR, with `/`: what messages show. */
  file: string;
  /** Absolute path. */
  path: string;
  /** Base name; becomes the row's name and the object's description. */
  name: string;
  /** Bytes. */
  size: number;
  claim?: Claim;
}

/** What stat says of a file that must not change under our hands. */
export interface FileStamp {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

/** A file inside an archive that may be a collector's executable, a VERSION file or the sidecar. */
export interface Member {
  /** Path below the archive's top folder, with `/`. */
  path: string;
  /** Bytes when unpacked. */
  size: number;
  /** Unix permission bits; 0 where the archive has none. */
  mode: number;
  /** What its first bytes say; here where the scan came past them anyway (tar.gz). */
  kind?: BinaryKind;
  /** Where a zip keeps it: the directory's own word, with its name as it is written there. */
  location?: ZipLocation;
  /** Where a tar.gz keeps its bytes: how far into the unpacked tar. */
  offset?: number;
}

/** What lies below `bin/NAME/`, however deep: a collector that is a folder. */
export interface Folder {
  /** Files, and folders with a `/` at the end; paths below the archive's top folder, in the archive's order. */
  files: Member[];
  /** The first link in it; BK-Lite's own unzipper takes none. */
  link?: string;
  /** Whether there are more files than are remembered. */
  tooMany: boolean;
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
}

/** What the first bytes of an executable say. `other` covers scripts, jars and anything without a known header. */
export type BinaryKind =
  | { format: "elf" | "pe"; machine: "x86_64" | "x86" | "arm64" | "other" }
  | { format: "macho" }
  | { format: "other" };

/** An archive that has been opened and read as the package it claims to be. */
export interface Archive extends VolumeFile {
  /** `other`: a stand-alone collector of any content, which is never opened as an archive. */
  format: "zip" | "tar.gz" | "other";
  stamp: FileStamp;
  /** What the file's name says. */
  named: { os?: Os; arch?: Arch; version?: string };
  /** The folder that everything in it is below; "" where there is no such folder. */
  top: string;
  /** What the VERSION file says: one version, or one for each os. */
  versions: { any?: string } & { [os in Os]?: string };
  /** Whether `collector-sidecar` or `collector-sidecar.exe` is below the top folder. */
  sidecar: boolean;
  /** Files that could be somebody's executable, by path below the top folder. */
  members: ReadonlyMap<string, Member>;
  /** The folders below bin/, by path below the top folder: `bin/filebeat`. */
  folders: ReadonlyMap<string, Folder>;
  /** Lower-case hex; known already where the scan had to read the whole file anyway (tar.gz, checksum files). */
  sha256: string | undefined;
}

/** One package to be stored and registered. */
export interface Package extends Identity {
  archive: Archive;
  /** The row's name and the last part of the key. */
  name: string;
  description: string;
  /** Set where the package is not the archive itself but a collector that is cut out of it. */
  cut?: Cut;
}

/** A collector's own part of an archive. */
export interface Cut {
  /** Below the archive's top folder: the executable, `bin/telegraf`, or its folder, `bin/filebeat`, which becomes a zip. */
  path: string;
  /** The collector's executable, below the top folder. */
  executable: string;
  folder: boolean;
  /** What its bytes come to; unknown until it has been cut once. */
  digest?: { sha256: string; bytes: number };
}

/** A row for a collector that names the archive of its controller: no object of its own. */
export interface Collector extends Identity {
  type: "collector";
  archive: Archive;
  /** The row's name: the archive's. */
  name: string;
  /** The member that makes it a collector: `bin/telegraf`. */
  executable: string;
}

/** A collector as the platform defines it. `executable` is below the top folder, with `/`: `bin/telegraf`. */
export interface CollectorDefinition {
  object: string;
  os: Os;
  /** undefined: whatever the architecture. */
  arch: Arch | undefined;
  executable: string;
}

/** Where an upload's bytes come from. `size` is in bytes, undefined where it is known only at the end. */
export interface Source {
  size: number | undefined;
  /**
   * Blocks of exactly `blockSize` bytes, the last one possibly shorter. A block is valid until the next is asked for.
   * Throws exit 74 if the file changed since it was scanned.
   */
  blocks(blockSize: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export type OpenFile = FileHandle;
