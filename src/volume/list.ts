import type { Dirent } from "node:fs";
import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isSystemError, JobError, type Problem } from "../errors.ts";
import { archOf, type Claim } from "../identity.ts";
import type { Located, VolumeFile } from "./file.ts";
import { collectorPlace, typeByName, VERSION_FILE } from "./known.ts";
import { formatOf } from "./name.ts";
import { isLikely, isPacked, suspect, unrecognised } from "./near.ts";
import { locate } from "./open.ts";
import { isHidden, isSystemFolder, isUnfinished } from "./passed-over.ts";
import { type FileName, type FilePath, folderOf, inFolder, isBelow, readName } from "./path.ts";
import { accessTo, isDenied, isNowhere, said, unreadable } from "./problem.ts";
import { Siblings } from "./split.ts";

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
  if (isKnown(name)) volume.suspects.push(suspect(folder.file, "volume.near.folder", {}));
  if (depth >= 0) return walk(folder, volume);
  volume.ignored.push({ file: folder.file });
  // nothing is taken from so far down, but a package there was most likely meant to be found
  const below = await readdir(folder.path).catch(() => []);
  for (const one of below.filter((child) => !isHidden(child) && !isUnfinished(child))) {
    const file = `${folder.file}/${one}`;
    if (isKnown(one) || collectorPlace(file)) {
      volume.suspects.push(suspect(file, "volume.near.deep", { depth: DEPTH }));
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
  return suspect(file, "volume.near.link", { target });
}

/** Bytes of a regular file, through a link too; else why it is none. */
async function follow(entry: Dirent<Buffer>, located: Located): Promise<number | Problem> {
  const { file, path } = located;
  try {
    const found = await stat(path);
    if (found.isFile()) return found.size;
    if (found.isDirectory() && entry.isSymbolicLink())
      return suspect(file, "volume.near.linked", { target: await readlink(path) });
    return suspect(file, found.isDirectory() ? "volume.near.folder" : "volume.near.special", {});
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
