import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MAX_FILES } from "../archive/contents.ts";
import { isSystemError, printable } from "../archive/problem.ts";
import { problem } from "../errors.ts";
import type { FileStamp, StampedFile, VolumeFile } from "./file.ts";
import { isNowhere, unreadable } from "./problem.ts";

/** Something in a folder that is a package as a whole. */
export interface TreeEntry extends StampedFile {
  /** Below that folder, with `/`. */
  name: string;
  isFolder: boolean;
  /** Permissions. */
  mode: number;
  /** Lower-case hex; undefined until it has been read. */
  sha256: string | undefined;
}

/**
 * Everything below a folder, by name; a link to a file counts as that file. What is neither a file nor a folder, and a link to a folder, is
 * exit 65: no zip that BK-Lite unpacks can hold it.
 */
export async function readTree(root: VolumeFile): Promise<TreeEntry[]> {
  const found: TreeEntry[] = [];
  await descend(root, "", found);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function descend(root: VolumeFile, below: string, found: TreeEntry[]): Promise<void> {
  const path = join(root.path, below);
  const at = below === "" ? root.file : `${root.file}/${below}`;
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    throw isSystemError(error) ? unreadable(at, path, error) : error;
  });
  for (const entry of entries) {
    const name = below === "" ? entry.name : `${below}/${entry.name}`;
    const one = { root, name, path: join(root.path, name) };
    const stats = await look(one);
    const isFolder = stats.isDirectory();
    if (isFolder ? entry.isSymbolicLink() : !stats.isFile()) throw unfit(one);
    const { path: place } = one;
    found.push({
      file: `${root.file}/${name}`,
      path: place,
      name,
      isFolder,
      mode: Number(stats.mode) & 0o777,
      stamp: stampOf(stats),
      sha256: undefined,
    });
    if (found.length > MAX_FILES) throw problem(root.file, "archive.limit.files", { limit: MAX_FILES });
    if (isFolder) await descend(root, name, found);
  }
}

interface Located {
  root: VolumeFile;
  name: string;
  path: string;
}

async function look(one: Located): Promise<BigIntStats> {
  try {
    return await stat(one.path, { bigint: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (isNowhere(error)) throw unfit(one);
    throw unreadable(`${one.root.file}/${one.name}`, one.path, error);
  }
}

function unfit({ root, name }: Located) {
  return problem(root.file, "collector.folder", { entry: printable(name) });
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileStamp {
  return { dev, ino, size, mtimeNs, ctimeNs };
}
