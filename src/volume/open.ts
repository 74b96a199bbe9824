import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { isSystemError } from "../archive/problem.ts";
import type { OpenFile } from "../archive/types.ts";
import { ProblemError } from "../errors.ts";
import type { FileStamp, StampedFile, VolumeFile } from "./file.ts";
import { changed, unreadable } from "./problem.ts";

type Located = Pick<VolumeFile, "file" | "path">;

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

/** The caller closes it. */
export async function openFile(file: Located): Promise<{ handle: OpenFile; stamp: FileStamp }> {
  // without O_NONBLOCK, a FIFO that has taken the file's place would block for ever
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { handle, stamp: await stampOf(handle, file.file) };
  } catch (error) {
    await handle.close();
    throw error;
  }
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
