/**
 * volume/: what lies in PACKAGES_DIR: files with a claim (names, VERSION files, packages.json), their checksum files, and whether
 * they hold still. Knows how to read them, not what BK-Lite makes of them.
 */
import type { Claim } from "../identity.ts";
import type { CollectorPlace } from "./known.ts";
import { type FilePath, folderOf, inFolder } from "./path.ts";

/** A file that may be read. */
export interface Located {
  /** Path below PACKAGES_DIR, with `/`: what messages show, always UTF-8. */
  file: string;
  /** Absolute path, as the file system has it. */
  path: FilePath;
  /** The folder, without links, below which a link must end; undefined: anywhere. */
  root?: FilePath;
  /** The command line names it: it may be a link to anywhere, the files beside it may not. */
  linkAllowed?: true;
}

/** What is to be read: a regular file whose name or claim says what it is, or what lies in a collector's place. Nothing of it has been read yet. */
export interface VolumeFile extends Located {
  /** Base name; becomes the row's name and the object's description. */
  name: string;
  /** The name's bytes, where they are not UTF-8. */
  bytes?: string;
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
export interface StampedFile extends Located {
  stamp: FileStamp;
}

/**
 * Returns where files of this name would lie that belong to a file: in its own folder first, then in the folders above it, up to the
 * volume's. Of a file from the command line its own folder alone counts.
 */
export function besideAndAbove(of: Located, name: string): [Located, ...Located[]] {
  const parts = of.linkAllowed ? [] : of.file.split("/").slice(0, -1);
  const own = of.file.slice(0, of.file.lastIndexOf("/") + 1);
  const root = of.root === undefined ? {} : { root: of.root };
  let folder = folderOf(of.path);
  const found: [Located, ...Located[]] = [{ file: `${own}${name}`, path: inFolder(folder, name), ...root }];
  for (let depth = parts.length - 1; depth >= 0; depth -= 1) {
    folder = folderOf(folder);
    const above = parts.slice(0, depth);
    found.push({ file: [...above, name].join("/"), path: inFolder(folder, name), ...root });
  }
  return found;
}
