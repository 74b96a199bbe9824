import { constants } from "node:fs";
import { open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { readFully } from "../archive/blocks.ts";
import type { OpenFile } from "../archive/types.ts";
import { isSystemError, ProblemError, problem } from "../errors.ts";
import type { FileStamp, Located, StampedFile } from "./file.ts";
import { type FileName, type FilePath, inFolder, isBelow, readName } from "./path.ts";
import { changed, isDenied, isNowhere, isThere, linkTarget, unreadable } from "./problem.ts";

/**
 * Opens a file of the volume, gives `use` its handle and its stamp, and closes it. If the file changed meanwhile that is the
 * error (exit 74, worth another run), whatever else `use` found wrong with it; so is a read that failed.
 */
export async function withFile<T>(
  file: Located,
  use: (handle: OpenFile, stamp: FileStamp) => Promise<T>,
): Promise<T> {
  try {
    const { handle, stamp } = await openFile(file);
    try {
      const result = await use(handle, stamp).catch(async (error: unknown) => {
        if (error instanceof ProblemError) await assertUnchanged(handle, { ...file, stamp });
        throw error;
      });
      await assertUnchanged(handle, { ...file, stamp });
      return result;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(file.file, file.path, error) : error;
  }
}

/** The same for a file that has been read before: it must still be the same file. */
export function withStamped<T>(archive: StampedFile, use: (handle: OpenFile) => Promise<T>): Promise<T> {
  return withFile(archive, (handle, stamp) => {
    if (!same(stamp, archive.stamp)) throw changed(archive.file);
    return use(handle);
  });
}

/** Throws exit 74 unless the open file is still what its stamp says. */
export async function assertUnchanged(handle: OpenFile, archive: StampedFile): Promise<void> {
  if (!same(await stampOf(handle, archive.file), archive.stamp)) throw changed(archive.file);
}

/** Opens a file; the caller closes it. Throws exit 65 for a link that ends outside the volume. */
export async function openFile(file: Located): Promise<{ handle: OpenFile; stamp: FileStamp }> {
  await assertInside(file);
  // without O_NONBLOCK, a FIFO that has taken the file's place would block for ever
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // a link may have taken the file's place since: what counts is where the open file lies
    const place = await readlink(`/proc/self/fd/${handle.fd}`, "buffer").catch(() => undefined);
    if (place && !isInside(file, place)) throw problem(file.file, "file.link", {});
    return { handle, stamp: await stampOf(handle, file.file) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Throws exit 65 for a symbolic link that ends outside the volume; the system's error for a path that leads nowhere. */
export async function assertInside(file: Located): Promise<void> {
  if (file.root === undefined || file.linkAllowed) return;
  const place = await realpath(file.path, "buffer").catch((error: unknown) => {
    // a link into a folder that is closed to this user
    const target = isSystemError(error) && isDenied(error) ? linkTarget(file.path) : undefined;
    if (target !== undefined && !isInside(file, target)) return Buffer.from(target);
    throw error;
  });
  if (!isInside(file, place)) throw problem(file.file, "file.link", {});
}

function isInside({ root, linkAllowed }: Located, place: string | Buffer): boolean {
  return root === undefined || linkAllowed === true || isBelow(place, root);
}

/**
 * Returns where a file lies below a folder that somebody named as it is shown, or whose bytes Node could not read as an argument: names on
 * the volume need not be UTF-8.
 */
export async function locate(folder: string, file: string): Promise<{ path: FilePath; name: FileName }> {
  const path = join(folder, file);
  const asItIs = { path, name: { name: basename(path), raw: basename(path) } };
  if (await isThere(path)) return asItIs;
  let found: { path: FilePath; name: FileName } = { ...asItIs, path: folder };
  for (const part of file.split("/").filter((one) => one !== "")) {
    const names = await readdir(found.path, { encoding: "buffer" }).catch(() => []);
    const raw = names.find((one) => readName(one).name === part || one.toString() === part);
    if (raw === undefined) return asItIs;
    const name = readName(raw);
    found = { path: inFolder(found.path, name.raw), name };
  }
  return found;
}

/** Returns a regular file's size; why there is none: nothing lies there, or something else does, or a link that leads nowhere. */
export async function fileSize(file: Located): Promise<number | "missing" | "irregular"> {
  try {
    await assertInside(file);
    const found = await stat(file.path);
    return found.isFile() ? found.size : "irregular";
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (!isNowhere(error)) throw unreadable(file.file, file.path, error);
    return (await isThere(file.path)) ? "irregular" : "missing";
  }
}

/** Reads a small file, `limit` bytes of it at most. */
export async function readSmall(
  file: Located,
  limit: number,
): Promise<{ bytes: Buffer; size: number } | "missing" | "irregular"> {
  const size = await fileSize(file);
  if (typeof size !== "number") return size;
  return withFile(file, async (handle, stamp) => {
    const length = Math.min(limit, Number(stamp.size));
    const bytes = await readFully(handle, Buffer.alloc(length), length, 0);
    return { bytes, size: Number(stamp.size) };
  });
}

async function stampOf(handle: OpenFile, file: string): Promise<FileStamp> {
  const stats = await handle.stat({ bigint: true });
  if (!stats.isFile()) throw changed(file);
  return {
    dev: stats.dev,
    ino: stats.ino,
    size: stats.size,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
  };
}

function same(a: FileStamp, b: FileStamp): boolean {
  return (
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  );
}
