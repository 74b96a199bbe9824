import { type Dirent, existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { isSystemError, printable } from "../archive/problem.ts";
import { EXIT, JobError } from "../errors.ts";
import type { Claim } from "../identity.ts";
import type { VolumeFile } from "./file.ts";
import { formatOf } from "./name.ts";

const DEPTH = 3;
/** What mkfs leaves at the top of a volume, readable for root alone; it says nothing about the packages. */
const FILE_SYSTEM_OWN = "lost+found";

export interface Volume {
  /** The archives, by path. */
  files: VolumeFile[];
  /** What is left alone: other names, FIFOs, dangling links, … as paths below the volume. */
  ignored: string[];
}

/**
 * The archives on a volume: regular files of that name, or links that end at one, at most three folders deep. Only names
 * are looked at, nothing is opened, so a FIFO does not block. A volume or a folder in it that cannot be listed is exit 66;
 * no archive at all is for the caller to judge.
 */
export async function listVolume(dir: string): Promise<Volume> {
  const volume: Volume = { files: [], ignored: [] };
  await walk(dir, "", DEPTH, volume);
  const byPath = (a: VolumeFile, b: VolumeFile) => (a.file < b.file ? -1 : 1);
  return { files: volume.files.sort(byPath), ignored: volume.ignored.sort() };
}

/**
 * A file that somebody named on the command line, with what was said of it there; `path` is relative to the working directory, or the name of a file in `dir`. Exit 66 if it is not there, or
 * is no regular file.
 */
export async function findFile(path: string, claim: Claim, dir: string): Promise<VolumeFile> {
  const absolute = placeOf(path, dir);
  const hint = "give --file the path of a regular file, as seen from inside the container";
  const found = await stat(absolute).catch((error: unknown) => {
    if (!isSystemError(error)) throw error;
    const reason = error.code === "ENOENT" ? "there is no such file" : why(error);
    throw JobError.legacy(EXIT.noInput, `${path}: ${reason}`, { hint, cause: error });
  });
  if (!found.isFile()) throw JobError.legacy(EXIT.noInput, `${path}: is not a regular file`, { hint });
  return { file: path, path: absolute, name: basename(absolute), size: found.size, claim };
}

/** A bare name that is not in the working directory is meant for the volume. */
function placeOf(path: string, dir: string): string {
  return basename(path) === path && !existsSync(path) ? resolve(dir, path) : resolve(path);
}

async function walk(dir: string, below: string, depth: number, volume: Volume): Promise<void> {
  for (const entry of await list(join(dir, below), below === "" ? undefined : below)) {
    if (entry.name.startsWith(".")) continue;
    const file = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      if (depth === 0 || entry.name === FILE_SYSTEM_OWN) volume.ignored.push(file);
      else await walk(dir, file, depth - 1, volume);
      continue;
    }
    const size = formatOf(entry.name) === undefined ? undefined : await sizeOf(entry, join(dir, file), file);
    if (size !== undefined) volume.files.push({ file, path: join(dir, file), name: entry.name, size });
    else if (!isChecksumFile(entry.name)) volume.ignored.push(file);
  }
}

/** Read with the archives that they belong to, so not ignored. */
function isChecksumFile(name: string): boolean {
  return name === "SHA256SUMS" || (name.endsWith(".sha256") && formatOf(name.slice(0, -7)) !== undefined);
}

async function list(path: string, below: string | undefined): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const what = below === undefined ? "the volume" : "a folder of the volume";
    throw JobError.legacy(EXIT.noInput, `${path}: ${what} cannot be read: ${why(error)}`, {
      hint:
        error.code === "EACCES" || error.code === "EPERM"
          ? "make the folder readable for the user that the job runs as (the image's is 65532)"
          : "mount the folder that holds the fusion-collectors archives there, or set PACKAGES_DIR",
      cause: error,
    });
  }
}

/** Bytes of a regular file, through a link too; undefined for anything else. */
async function sizeOf(entry: Dirent, path: string, file: string): Promise<number | undefined> {
  if (!entry.isFile() && !entry.isSymbolicLink()) return undefined;
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === "ENOENT" || error.code === "ELOOP" || error.code === "ENOTDIR") return undefined;
    throw JobError.legacy(EXIT.noInput, `${file}: cannot be looked at: ${why(error)}`, {
      hint: "make the file, or what the link points to, readable for the user that the job runs as",
      cause: error,
    });
  }
}

function why(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "there is no such folder";
  if (error.code === "ENOTDIR") return "it is not a folder";
  if (error.code === "EACCES") return "permission denied";
  return printable(error.message);
}
