import type { Dirent } from "node:fs";
import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { isSystemError, printable } from "../archive/problem.ts";
import { JobError, type Problem } from "../errors.ts";
import { archOf, type Claim } from "../identity.ts";
import type { VolumeFile } from "./file.ts";
import { collectorPlace, typeByName, VERSION_FILE } from "./known.ts";
import { formatOf } from "./name.ts";
import {
  isChecksumFile,
  isPassedOver,
  nearCollector,
  nearMiss,
  nearSpecial,
  strayChecksum,
  suspect,
} from "./near.ts";
import { accessTo, isDenied, isNowhere, said, unreadable } from "./problem.ts";

const DEPTH = 4;
/** What mkfs leaves at the top of a volume, readable for root alone; it says nothing about the packages. */
const FILE_SYSTEM_OWN = "lost+found";

interface Walked extends Volume {
  /** The volume's folder itself, links followed. */
  root: string;
}

export interface Volume {
  /** What may be a package, by path. */
  files: VolumeFile[];
  /** What is left alone: other names, FIFOs, dangling links, … as paths below the volume. */
  ignored: string[];
  /** Which of those look like a mistake, and why. */
  suspects: Problem[];
}

/**
 * What may be a package on a volume: regular files of such a name, or links that end at one, at most four folders deep, and whatever lies
 * in a collector's place. Only names are looked at, nothing is opened, so a FIFO does not block. A volume or a folder in it that may not be
 * read is exit 66, one that cannot be exit 74; nothing at all is for the caller to judge.
 */
export async function listVolume(dir: string): Promise<Volume> {
  const root = await realpath(dir).catch(() => dir);
  const volume: Walked = { root, files: [], ignored: [], suspects: [] };
  await walk(dir, "", DEPTH, volume);
  const byPath = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);
  return {
    files: volume.files.sort(byPath),
    ignored: volume.ignored.sort(),
    suspects: volume.suspects.sort(byPath),
  };
}

/**
 * A file that somebody named on the command line, with what was said of it there; `path` is relative to the working directory, and a bare
 * name is looked for in `dir` as well. Exit 66 if it is not there, or is no regular file.
 */
export async function findFile(path: string, dir: string, claim: Claim): Promise<VolumeFile> {
  const places = basename(path) === path ? [resolve(path), resolve(dir, path)] : [resolve(path)];
  for (const absolute of places) {
    const found = await stat(absolute).catch((error: unknown) => {
      if (!isSystemError(error)) throw error;
      if (isNowhere(error)) return undefined;
      throw unreadable(path, absolute, error);
    });
    if (!found) continue;
    if (!found.isFile()) throw new JobError("file.irregular", {}, { file: path });
    return { file: path, path: absolute, name: basename(absolute), size: found.size, claim };
  }
  throw new JobError("file.missing", {}, { file: path });
}

async function walk(dir: string, below: string, depth: number, volume: Walked): Promise<void> {
  const entries = await list(join(dir, below), below);
  const names = entries.map(({ name }) => name);
  for (const entry of entries) {
    if (isPassedOver(entry.name)) continue;
    const file = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      const place = collectorPlace(file);
      // a folder that is named like an architecture holds collectors
      if (place && archOf(entry.name) === undefined) {
        volume.files.push({ file, path: join(dir, file), name: entry.name, size: 0, place, isFolder: true });
        continue;
      }
      const misplaced = nearCollector(file, true);
      if (misplaced) volume.suspects.push(misplaced);
      if (isKnown(entry.name)) volume.suspects.push(suspect(file, "volume.near.folder", {}));
      if (depth > 0 && entry.name !== FILE_SYSTEM_OWN) {
        await walk(dir, file, depth - 1, volume);
        continue;
      }
      volume.ignored.push(file);
      if (depth === 0) await lookDeeper(dir, file, volume);
      continue;
    }
    const stray = isChecksumFile(entry.name)
      ? strayChecksum(file, names)
      : nearSpecial(file, entry.name, names);
    if (stray) volume.suspects.push(stray);
    await look(entry, join(dir, file), file, volume);
  }
}

/** Nothing is taken from so far down, but a package there was most likely meant to be found. */
async function lookDeeper(dir: string, below: string, { suspects }: Volume): Promise<void> {
  const names = await readdir(join(dir, below)).catch(() => []);
  const isMeant = (name: string) => isKnown(name) || collectorPlace(`${below}/${name}`) !== undefined;
  for (const name of names.filter((one) => !isPassedOver(one) && isMeant(one)))
    suspects.push(suspect(`${below}/${name}`, "volume.near.deep", { depth: DEPTH }));
}

function isKnown(name: string): boolean {
  return formatOf(name) !== undefined || typeByName(name) !== undefined;
}

/** Takes what may be a package, or says what else it is. */
async function look(entry: Dirent, path: string, file: string, volume: Walked): Promise<void> {
  const { name } = entry;
  if (isChecksumFile(name) || name === VERSION_FILE) return;
  const known = isKnown(name);
  const near = known ? undefined : (nearMiss(file, name) ?? nearCollector(file, false));
  if (near) volume.suspects.push(near);
  const place = known || near ? undefined : collectorPlace(file);
  if (!known && !place) {
    volume.ignored.push(file);
    const linked = entry.isSymbolicLink() && !near && (await linkedFolder(path, file, volume.root));
    if (linked) volume.suspects.push(linked);
    return;
  }
  const found = await follow(entry, path, file);
  if (typeof found === "number") {
    volume.files.push({ file, path, name, size: found, ...(place && { place }) });
    return;
  }
  volume.ignored.push(file);
  volume.suspects.push(found);
}

/** A link to a folder that is not on the volume: nobody looks into it. One on the volume is gone through under its own name. */
async function linkedFolder(path: string, file: string, root: string): Promise<Problem | undefined> {
  try {
    const target = await realpath(path);
    if (!(await stat(target)).isDirectory() || `${target}/`.startsWith(`${root}/`)) return undefined;
    // a circle, up and back again
    if (root.startsWith(`${target}/`)) return undefined;
    return suspect(file, "volume.near.linked", { target: printable(await readlink(path)) });
  } catch {
    return undefined; // it leads nowhere, and its name is no package's
  }
}

/** Bytes of a regular file, through a link too; else why it is none. */
async function follow(entry: Dirent, path: string, file: string): Promise<number | Problem> {
  try {
    const found = await stat(path);
    if (found.isFile()) return found.size;
    if (found.isDirectory() && entry.isSymbolicLink())
      return suspect(file, "volume.near.linked", { target: printable(await readlink(path)) });
    return suspect(file, found.isDirectory() ? "volume.near.folder" : "volume.near.special", {});
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (entry.isSymbolicLink() && isNowhere(error)) {
      const target = await readlink(path).catch(() => "?");
      return suspect(file, "volume.near.link", { target: printable(target) });
    }
    throw unreadable(file, path, error);
  }
}

async function list(path: string, below: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (below === "" && error.code === "ENOTDIR")
      throw new JobError("volume.file", { path }, { cause: error });
    if (below === "" && isNowhere(error))
      throw new JobError("volume.missing", { path: printable(path) }, { cause: error });
    if (isDenied(error)) throw new JobError("volume.denied", { path, ...accessTo(path) }, { cause: error });
    const params = { path, code: error.code ?? "", said: said(error) };
    throw new JobError("volume.unreadable", params, { cause: error });
  }
}
