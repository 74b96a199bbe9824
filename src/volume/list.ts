import type { BigIntStats, Dirent } from "node:fs";
import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { MAX_FILES } from "../archive/entries.ts";
import { finding, isSystemError, JobError, type Problem, problem } from "../errors.ts";
import { archOf, type Declaration } from "../identity.ts";
import { LIST } from "./checksums.ts";
import { assertInside, type Located, locate, type StampedFile, toStamp, type VolumeFile } from "./files.ts";
import { formatOf, slotOf, typeByName, VERSION_FILE } from "./name.ts";
import { danglingLink, isPacked, joinCommands, unrecognised } from "./near-misses.ts";
import {
  accessTo,
  type FileName,
  folderOf,
  inFolder,
  isBelow,
  isDenied,
  isNowhere,
  readError,
  readName,
  systemWords,
} from "./paths.ts";

/** Folders below PACKAGES_DIR that are read. */
const DEPTH = 4;
/** Folders that systems keep for themselves: recycle bins, snapshots, indexes. */
const SYSTEM_FOLDER = new RegExp(
  `^(?:${[
    "\\$recycle\\.bin|recycler|recycled|system volume information|found\\..*", // Windows
    "@eadir|#recycle|#snapshot|~snapshot|@gmt-.*|@recycle|@recently-snapshot|@sharesnap|@tmp|_gsdata_", // a NAS
    "lost\\+found",
  ].join("|")})$`,
  "is",
);
/** Endings of unfinished downloads and copies, and of what Windows writes beside a download. */
const UNFINISHED =
  /.(?:\.(?:part|partial|filepart|te?mp|swp|crdownload|opdownload|download|fdmdownload|incomplete|aria2|(?:downloading|td|xltd)(?:\.cfg)?|!qb|!ut|!bt|bc!|jc!)|~|:zone\.identifier)$/is;

/** A file or folder that is left alone. */
export interface Ignored {
  /** Path below the volume. */
  file: string;
  /** The name with its bytes escaped, if they are not UTF-8. */
  bytes?: string;
}

export interface Volume {
  /** Possible packages, by path. */
  files: VolumeFile[];
  /** Everything that is left alone: other names, FIFOs, dangling links, … */
  ignored: Ignored[];
  /** Warnings about ignored files that could be packages. */
  warnings: Problem[];
  /** Every other visible file: companions of packages, unfinished downloads. */
  others: string[];
}

/** `depth`: levels of folders below it that are read. */
type Folder = Located & { depth: number };

/**
 * Lists the possible packages of a volume: regular files with a package's name, or links to one, at most four
 * folders deep, and everything in a collector folder. A folder that may not be read is exit 66, one that
 * cannot be read exit 74.
 */
export async function listVolume(dir: string): Promise<Volume> {
  const root = await realpath(dir).catch(() => dir);
  const volume: Volume = { files: [], ignored: [], warnings: [], others: [] };
  await listFolder({ file: "", path: dir, root, depth: DEPTH }, volume);
  const byPath = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);
  return {
    files: volume.files.sort(byPath),
    ignored: volume.ignored.sort(byPath),
    warnings: volume.warnings.sort(byPath),
    others: volume.others.sort(),
  };
}

/**
 * Returns the file that the command line names, with what it declares. `path` is relative to the working
 * folder, and a bare name is looked for in `dir` too. Exit 66 if it is missing or no regular file.
 */
export async function findFile(path: string, dir: string, declared: Declaration): Promise<VolumeFile> {
  const places = basename(path) === path ? [".", dir] : ["."];
  for (const place of places) {
    const { path: at, ...named } = await locate("/", resolve(place, path));
    const found = await stat(at).catch((error: unknown) => {
      if (!isNowhere(error)) throw readError({ file: path, path: at }, error);
    });
    if (!found) continue;
    const file = named.bytes === undefined ? path : join(dirname(path), named.name);
    if (!found.isFile()) throw new JobError("file.irregular", {}, { file });
    const folder = await realpath(folderOf(at), "buffer");
    const volume = await realpath(dir).catch(() => dir);
    // links beside it must end below the volume, or below its own folder if that is elsewhere
    const root = folder.toString() === volume || isBelow(folder, volume) ? volume : folder;
    return { file, path: at, root, linkAllowed: true, ...named, size: found.size, declared };
  }
  const holds = await readdir(dir).catch(() => []);
  const params = { places: places.map((place) => resolve(place)), dir, holds: holds.sort() };
  throw new JobError("file.missing", params, { file: path });
}

async function listFolder(folder: Folder, volume: Volume): Promise<void> {
  const entries = (await readFolder(folder)).map((entry) => ({ entry, ...readName(entry.name) }));
  const names = entries.map(({ name }) => name);
  const joins = joinCommands(folder.file, names);
  for (const { entry, ...one } of entries) {
    const { name, raw } = one;
    const file = folder.file === "" ? name : `${folder.file}/${name}`;
    if (isHidden(name) || isSystemFolder(name)) continue;
    const located = { file, path: inFolder(folder.path, raw), root: folder.root };
    if (UNFINISHED.test(name)) volume.others.push(file);
    else if (entry.isDirectory()) await listSubfolder({ ...located, depth: folder.depth - 1 }, one, volume);
    else await listFile(entry, located, { ...one, joins }, volume);
  }
}

async function listSubfolder(folder: Folder, { name, bytes }: FileName, volume: Volume): Promise<void> {
  const { depth, ...located } = folder;
  const slot = slotOf(folder.file);
  // collector/linux/arm64 is not a collector: it contains collectors
  if (slot && archOf(name) === undefined) {
    const own = { name, ...(bytes !== undefined && { bytes }) };
    volume.files.push({ ...located, ...own, size: 0, slot, isFolder: true });
    return;
  }
  if (isKnown(name)) volume.warnings.push(finding(folder.file, "volume.near.folder", {}));
  if (depth >= 0) return listFolder(folder, volume);
  volume.ignored.push({ file: folder.file });
  const below = await readdir(folder.path).catch(() => []);
  for (const one of below.filter((child) => !isHidden(child) && !UNFINISHED.test(child))) {
    const file = `${folder.file}/${one}`;
    if (isKnown(one) || slotOf(file)) {
      volume.warnings.push(finding(file, "volume.near.deep", { depth: DEPTH }));
    }
  }
}

function isKnown(name: string): boolean {
  return formatOf(name) !== undefined || typeByName(name) !== undefined;
}

async function listFile(
  entry: Dirent<Buffer>,
  located: Located,
  { name, bytes, joins }: FileName & { joins: ReturnType<typeof joinCommands> },
  volume: Volume,
): Promise<void> {
  const { file } = located;
  const ignored = { file, ...(bytes !== undefined && { bytes }) };
  // companions of the packages beside or below them
  if ([VERSION_FILE, LIST].includes(name) || /.\.sha256$/.test(name) || file === "packages.json") {
    volume.others.push(file);
    return;
  }
  const slot = isKnown(name) || isPacked(name) ? undefined : slotOf(file);
  const isWanted = isKnown(name) || slot !== undefined;
  const found = isWanted
    ? await sizeOf(entry, located)
    : await unrecognised(located, name, joins, entry.isFile());
  if (typeof found === "number") {
    volume.files.push({ ...located, ...ignored, name, size: found, ...(slot && { slot }) });
    return;
  }
  volume.ignored.push(ignored);
  if (found) volume.warnings.push(found);
}

/** Returns the bytes of a regular file, through a link too; else the warning that says what it is. */
async function sizeOf(entry: Dirent<Buffer>, located: Located): Promise<number | Problem> {
  const { file, path } = located;
  try {
    const found = await stat(path);
    if (found.isFile()) return found.size;
    if (found.isDirectory() && entry.isSymbolicLink())
      return finding(file, "volume.near.linked", { target: await readlink(path) });
    return finding(file, found.isDirectory() ? "volume.near.folder" : "volume.near.special", {});
  } catch (error) {
    // a link into a closed folder is checked when it is opened
    if (entry.isSymbolicLink() && isDenied(error)) return 0;
    const dangling = await danglingLink(located);
    if (dangling) return dangling;
    throw readError(located, error);
  }
}

async function readFolder({ file, path: folder }: Folder): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(folder, { withFileTypes: true, encoding: "buffer" });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const path = folder.toString();
    const cause = { cause: error };
    if (file === "" && error.code === "ENOTDIR") throw new JobError("volume.file", { path }, cause);
    if (file === "" && isNowhere(error)) throw new JobError("volume.missing", { path }, cause);
    if (isDenied(error)) throw new JobError("volume.denied", { path, ...accessTo(folder) }, cause);
    const params = { path, code: error.code ?? "", said: systemWords(error) };
    throw new JobError("volume.unreadable", params, cause);
  }
}

/** Whether a folder is the system's own: it contains no packages, and may be closed. */
export function isSystemFolder(name: string): boolean {
  return SYSTEM_FOLDER.test(name);
}

function isHidden(name: string): boolean {
  return name.startsWith(".");
}

/** An entry of a folder that is one package. */
export interface TreeEntry extends StampedFile {
  /** Below that folder, with `/`. */
  name: string;
  /** The last part of the name with its bytes escaped, if they are not UTF-8. */
  bytes?: string;
  isFolder: boolean;
  /** Permissions. */
  mode: number;
}

/**
 * Lists everything below a folder, by name; a link to a file counts as that file. A link to a folder, and
 * anything else that is neither file nor folder, is exit 65: a zip that BK-Lite unpacks cannot contain it.
 */
export async function readTree(root: VolumeFile): Promise<TreeEntry[]> {
  const found: TreeEntry[] = [];
  const add = async (folder: Located, above: string): Promise<void> => {
    const failed = (error: unknown) => {
      throw readError(folder, error);
    };
    const entries = await readdir(folder.path, { withFileTypes: true, encoding: "buffer" }).catch(failed);
    // two names that are not UTF-8 may be shown alike: sorted by their bytes, each run numbers them alike
    const used = new Map<string, number>();
    for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
      const { name: shown, raw, bytes } = readName(entry.name);
      if (entry.isDirectory() && isSystemFolder(shown)) continue;
      const name = above + uniqueName(shown, used);
      const one = { file: `${root.file}/${name}`, path: inFolder(folder.path, raw), root: root.root };
      const stats = await statInside(one);
      const isFolder = stats?.isDirectory() ?? false;
      if (!stats || (isFolder ? entry.isSymbolicLink() : !stats.isFile()))
        throw problem(root.file, "collector.folder", { entry: name });
      const mode = Number(stats.mode) & 0o777;
      const named = { ...one, name, ...(bytes !== undefined && { bytes }) };
      found.push({ ...named, isFolder, mode, stamp: toStamp(stats) });
      if (found.length > MAX_FILES) throw problem(root.file, "archive.limit.files", { limit: MAX_FILES });
      if (isFolder) await add(one, `${name}/`);
    }
  };
  await add(root, "");
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns the name with a number behind it if it is in `used`, and adds it there. */
function uniqueName(name: string, used: Map<string, number>): string {
  let unique = name;
  for (let count = used.get(name) ?? 0; used.has(unique); count += 1) {
    unique = `${name}_${count + 1}`;
    used.set(name, count + 1);
  }
  used.set(unique, used.get(unique) ?? 0);
  return unique;
}

/** Returns what a path is, behind a link too; undefined: it leads nowhere. */
async function statInside(file: Located): Promise<BigIntStats | undefined> {
  try {
    await assertInside(file);
    return await stat(file.path, { bigint: true });
  } catch (error) {
    if (isNowhere(error)) return undefined;
    throw readError(file, error);
  }
}
