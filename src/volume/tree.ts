import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { MAX_FILES } from "../archive/entries.ts";
import { isSystemError, problem } from "../errors.ts";
import type { FileStamp, Located, StampedFile, VolumeFile } from "./file.ts";
import { assertInside } from "./open.ts";
import { isSystemFolder } from "./passed-over.ts";
import { type FilePath, inFolder, readName } from "./path.ts";
import { isNowhere, unreadable } from "./problem.ts";

/** Something in a folder that is a package as a whole. */
export interface TreeEntry extends StampedFile {
  /** Below that folder, with `/`. */
  name: string;
  /** The last name's bytes, where they are not UTF-8. */
  bytes?: string;
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
  await descend(root, { name: "", path: root.path }, found);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Folder {
  /** Below the root; "" for the root itself. */
  name: string;
  path: FilePath;
}

async function descend(root: VolumeFile, folder: Folder, found: TreeEntry[]): Promise<void> {
  const at = folder.name === "" ? root.file : `${root.file}/${folder.name}`;
  const entries = await readdir(folder.path, { withFileTypes: true, encoding: "buffer" }).catch(
    (error: unknown) => {
      throw isSystemError(error) ? unreadable(at, folder.path, error) : error;
    },
  );
  // Two names may be one where neither is UTF-8: in order of their bytes they are the same in each run.
  const taken = new Map<string, number>();
  for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
    const { name: shown, raw, bytes } = readName(entry.name);
    if (entry.isDirectory() && isSystemFolder(shown)) continue;
    const last = untaken(shown, taken);
    const name = folder.name === "" ? last : `${folder.name}/${last}`;
    const path = inFolder(folder.path, raw);
    const one: Located = { file: `${root.file}/${name}`, path, ...(root.root && { root: root.root }) };
    const stats = await look(root, one, name);
    const isFolder = stats.isDirectory();
    if (isFolder ? entry.isSymbolicLink() : !stats.isFile()) throw unfit(root, name);
    found.push({
      ...one,
      name,
      ...(bytes !== undefined && { bytes }),
      isFolder,
      mode: Number(stats.mode) & 0o777,
      stamp: stampOf(stats),
      sha256: undefined,
    });
    if (found.length > MAX_FILES) throw problem(root.file, "archive.limit.files", { limit: MAX_FILES });
    if (isFolder) await descend(root, { name, path }, found);
  }
}

/** A name that is not taken, and is from now on. */
function untaken(name: string, taken: Map<string, number>): string {
  let last = name;
  for (let count = taken.get(name) ?? 0; taken.has(last); count += 1) {
    last = `${name}_${count + 1}`;
    taken.set(name, count + 1);
  }
  taken.set(last, taken.get(last) ?? 0);
  return last;
}

async function look(root: VolumeFile, one: Located, name: string): Promise<BigIntStats> {
  try {
    await assertInside(one);
    return await stat(one.path, { bigint: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (isNowhere(error)) throw unfit(root, name);
    throw unreadable(one.file, one.path, error);
  }
}

function unfit(root: VolumeFile, name: string) {
  return problem(root.file, "collector.folder", { entry: name });
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileStamp {
  return { dev, ino, size, mtimeNs, ctimeNs };
}
