import type { BigIntStats, Dirent } from "node:fs";
import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { MAX_FILES } from "../archive/entries.ts";
import { finding, isSystemError, JobError, type Problem, problem } from "../errors.ts";
import { archOf, type Claim } from "../identity.ts";
import {
  assertInside,
  type FileStamp,
  type Located,
  locate,
  type StampedFile,
  type VolumeFile,
} from "./files.ts";
import { collectorPlace, formatOf, typeByName, VERSION_FILE } from "./name.ts";
import { isLikely, isPacked, Siblings, unrecognised } from "./near-misses.ts";
import {
  accessTo,
  type FileName,
  type FilePath,
  folderOf,
  inFolder,
  isBelow,
  isDenied,
  isNowhere,
  readName,
  said,
  unreadable,
} from "./paths.ts";

const DEPTH = 4;

/** Something that is left alone. */
export interface Ignored {
  /** Path below the volume. */
  file: string;
  /** The name's bytes, where they are not UTF-8. */
  bytes?: string;
}

export interface Volume {
  /** What may be a package, by path. */
  files: VolumeFile[];
  /** What is left alone: other names, FIFOs, dangling links, … */
  ignored: Ignored[];
  /** Which of those look like a mistake, and why. */
  suspects: Problem[];
  /** Every other file that somebody would see there: what belongs to packages, unfinished downloads. */
  others: string[];
}

/** A folder on the way. */
interface Folder extends Located {
  root: FilePath;
  /** Folders that may lie below it. */
  depth: number;
}

/**
 * What may be a package on a volume: regular files of such a name, or links that end at one, at most four folders deep, and whatever lies
 * in a collector's place. Names are looked at, and the first bytes of what has no package's name, so a FIFO does not block. A volume or a
 * folder in it that may not be read is exit 66, one that cannot be exit 74; nothing at all is for the caller to judge.
 */
export async function listVolume(dir: string): Promise<Volume> {
  const root = await realpath(dir).catch(() => dir);
  const volume: Volume = { files: [], ignored: [], suspects: [], others: [] };
  await walk({ file: "", path: dir, root, depth: DEPTH }, volume);
  const byPath = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);
  return {
    files: volume.files.sort(byPath),
    ignored: volume.ignored.sort(byPath),
    suspects: volume.suspects.sort(byPath),
    others: volume.others.sort(),
  };
}

/**
 * A file that somebody named on the command line, with what was said of it there; `path` is relative to the working directory, and a bare
 * name is looked for in `dir` as well. It may be a link to anywhere. Exit 66 if it is not there, or is no regular file.
 */
export async function findFile(path: string, dir: string, claim: Claim): Promise<VolumeFile> {
  const places = basename(path) === path ? [".", dir] : ["."];
  for (const place of places) {
    const { path: at, name } = await locate("/", resolve(place, path));
    const found = await stat(at).catch((error: unknown) => {
      if (!isSystemError(error)) throw error;
      if (isNowhere(error)) return undefined;
      throw unreadable(path, at, error);
    });
    if (!found) continue;
    const { bytes } = name;
    const file = bytes === undefined ? path : join(dirname(path), name.name);
    if (!found.isFile()) throw new JobError("file.irregular", {}, { file });
    const folder = await realpath(folderOf(at), "buffer");
    const volume = await realpath(dir).catch(() => dir);
    // links beside it end below the volume, or below its own folder where that lies elsewhere
    const root = folder.toString() === volume || isBelow(folder, volume) ? volume : folder;
    const located = { file, path: at, root, linkAllowed: true } as const;
    return { ...located, name: name.name, ...(bytes !== undefined && { bytes }), size: found.size, claim };
  }
  throw new JobError("file.missing", {}, { file: path });
}

async function walk(folder: Folder, volume: Volume): Promise<void> {
  const entries = (await list(folder)).map((entry) => ({ entry, ...readName(entry.name) }));
  const siblings = new Siblings(entries.map(({ name }) => name));
  for (const { entry, ...named } of entries) {
    const { name, raw } = named;
    const file = folder.file === "" ? name : `${folder.file}/${name}`;
    if (isHidden(name) || isSystemFolder(name)) continue;
    const located = { file, path: inFolder(folder.path, raw), root: folder.root };
    if (isUnfinished(name)) volume.others.push(file);
    else if (entry.isDirectory()) await enter({ ...located, depth: folder.depth - 1 }, named, volume);
    else await look(entry, located, { ...named, siblings }, volume);
  }
}

async function enter(folder: Folder, { name, bytes }: FileName, volume: Volume): Promise<void> {
  const { depth, ...located } = folder;
  const place = collectorPlace(folder.file);
  // a folder that is named like an architecture holds collectors
  if (place && archOf(name) === undefined) {
    const extra = { ...(bytes !== undefined && { bytes }), place, isFolder: true };
    volume.files.push({ ...located, name, size: 0, ...extra });
    return;
  }
  if (isKnown(name)) volume.suspects.push(finding(folder.file, "volume.near.folder", {}));
  if (depth >= 0) return walk(folder, volume);
  volume.ignored.push({ file: folder.file });
  // nothing is taken from so far down, but a package there was most likely meant to be found
  const below = await readdir(folder.path).catch(() => []);
  for (const one of below.filter((child) => !isHidden(child) && !isUnfinished(child))) {
    const file = `${folder.file}/${one}`;
    if (isKnown(one) || collectorPlace(file)) {
      volume.suspects.push(finding(file, "volume.near.deep", { depth: DEPTH }));
    }
  }
}

function isKnown(name: string): boolean {
  return formatOf(name) !== undefined || typeByName(name) !== undefined;
}

/** Whether a file belongs to the packages beside or below it. */
function isCompanion(file: string, name: string): boolean {
  return [VERSION_FILE, "SHA256SUMS"].includes(name) || /.\.sha256$/.test(name) || file === "packages.json";
}

/** Takes what may be a package, or says what else it is. */
async function look(
  entry: Dirent<Buffer>,
  located: Located,
  { name, bytes, siblings }: FileName & { siblings: Siblings },
  volume: Volume,
): Promise<void> {
  const { file } = located;
  const shown = bytes === undefined ? {} : { bytes };
  if (isCompanion(file, name)) {
    volume.others.push(file);
    return;
  }
  const known = isKnown(name);
  const place = known || isPacked(name) ? undefined : collectorPlace(file);
  if (known || place) {
    const found = await follow(entry, located);
    if (typeof found === "number") {
      volume.files.push({ ...located, name, ...shown, size: found, ...(place && { place }) });
      return;
    }
    volume.ignored.push({ file, ...shown });
    volume.suspects.push(found);
    return;
  }
  volume.ignored.push({ file, ...shown });
  const dangling = entry.isSymbolicLink() && isLikely(name) ? await danglingLink(located) : undefined;
  const found = dangling ?? (await unrecognised(located, name, siblings, !entry.isFile()));
  if (found) volume.suspects.push(found);
}

async function danglingLink({ file, path }: Located): Promise<Problem | undefined> {
  const isDangling = await stat(path).then(
    () => false,
    (error) => isSystemError(error) && isNowhere(error),
  );
  if (!isDangling) return undefined;
  const target = await readlink(path).catch(() => "?");
  return finding(file, "volume.near.link", { target });
}

/** Bytes of a regular file, through a link too; else why it is none. */
async function follow(entry: Dirent<Buffer>, located: Located): Promise<number | Problem> {
  const { file, path } = located;
  try {
    const found = await stat(path);
    if (found.isFile()) return found.size;
    if (found.isDirectory() && entry.isSymbolicLink())
      return finding(file, "volume.near.linked", { target: await readlink(path) });
    return finding(file, found.isDirectory() ? "volume.near.folder" : "volume.near.special", {});
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // a link into a folder that is closed is judged when it is opened
    if (entry.isSymbolicLink() && isDenied(error)) return 0;
    const dangling = entry.isSymbolicLink() ? await danglingLink(located) : undefined;
    if (dangling) return dangling;
    throw unreadable(file, path, error);
  }
}

async function list({ file, path: folder }: Folder): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(folder, { withFileTypes: true, encoding: "buffer" });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const path = folder.toString();
    if (file === "" && error.code === "ENOTDIR")
      throw new JobError("volume.file", { path }, { cause: error });
    if (file === "" && isNowhere(error)) throw new JobError("volume.missing", { path }, { cause: error });
    if (isDenied(error)) throw new JobError("volume.denied", { path, ...accessTo(folder) }, { cause: error });
    const params = { path, code: error.code ?? "", said: said(error) };
    throw new JobError("volume.unreadable", params, { cause: error });
  }
}

/** Folders that systems keep for themselves, by name in small letters: recycle bins, snapshots, indexes. */
const SYSTEM_FOLDERS: ReadonlySet<string> = new Set([
  "$recycle.bin",
  "recycler",
  "recycled",
  "system volume information",
  "@eadir",
  "#recycle",
  "#snapshot",
  "~snapshot",
  "@recycle",
  "@recently-snapshot",
  "@sharesnap",
  "@tmp",
  "lost+found",
  "_gsdata_",
]);
/** The same, by how their names begin. */
const SYSTEM_PREFIXES = ["@gmt-", "found."];
/** How names end that downloads and editors use until a file is complete. */
const UNFINISHED = [
  ".part",
  ".partial",
  ".filepart",
  ".tmp",
  ".temp",
  ".swp",
  ".crdownload",
  ".opdownload",
  ".download",
  ".fdmdownload",
  ".downloading",
  ".downloading.cfg",
  ".incomplete",
  ".aria2",
  ".td",
  ".td.cfg",
  ".xltd",
  ".xltd.cfg",
  ".!qb",
  ".!ut",
  ".!bt",
  ".bc!",
  ".jc!",
  "~",
  // what Windows writes beside a file that was downloaded
  ":zone.identifier",
];

/** Whether a folder is the system's own: its content says nothing about packages, and may be closed. */
export function isSystemFolder(name: string): boolean {
  const lower = name.toLowerCase();
  return SYSTEM_FOLDERS.has(lower) || SYSTEM_PREFIXES.some((start) => lower.startsWith(start));
}

/** Whether a file is a download or a copy that is not complete, or belongs to one. */
export function isUnfinished(name: string): boolean {
  const lower = name.toLowerCase();
  return UNFINISHED.some((end) => lower.endsWith(end) && lower.length > end.length);
}

/** Whether a name is hidden. */
export function isHidden(name: string): boolean {
  return name.startsWith(".");
}

/** Something in a folder that is a package as a whole. */
export interface TreeEntry extends StampedFile {
  /** Below that folder, with `/`. */
  name: string;
  /** The last name's bytes, where they are not UTF-8. */
  bytes?: string;
  isFolder: boolean;
  /** Permissions. */
  mode: number;
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

interface TreeFolder {
  /** Below the root; "" for the root itself. */
  name: string;
  path: FilePath;
}

async function descend(root: VolumeFile, folder: TreeFolder, found: TreeEntry[]): Promise<void> {
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
    const stats = await statInside(root, one, name);
    const isFolder = stats.isDirectory();
    if (isFolder ? entry.isSymbolicLink() : !stats.isFile()) throw unfit(root, name);
    found.push({
      ...one,
      name,
      ...(bytes !== undefined && { bytes }),
      isFolder,
      mode: Number(stats.mode) & 0o777,
      stamp: stampOf(stats),
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

async function statInside(root: VolumeFile, one: Located, name: string): Promise<BigIntStats> {
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
