/**
 * volume/: what lies in PACKAGES_DIR: files with a claim (names, VERSION files, packages.json), their checksum files, and whether
 * they hold still. Knows how to read them, not what BK-Lite makes of them.
 */
import type { Claim } from "../identity.ts";
import type { CollectorPlace } from "./known.ts";

/** What is to be read: a regular file whose name or claim says what it is, or what lies in a collector's place. Nothing of it has been read yet. */
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
  /** In a collector's place: a package if the platform has a collector of that name. */
  place?: CollectorPlace;
  /** A folder in such a place. */
  isFolder?: boolean;
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
