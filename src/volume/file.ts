/**
 * volume/: what lies in PACKAGES_DIR: files with a claim (names, VERSION files, packages.json), their checksum files, and whether
 * they hold still. Knows how to read them, not what BK-Lite makes of them.
 */
import type { Claim } from "../identity.ts";

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

/** A file that has been read once: it must still be the same. */
export interface StampedFile {
  file: string;
  path: string;
  stamp: FileStamp;
}
