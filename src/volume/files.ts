/**
 * volume/: what lies in PACKAGES_DIR: files with a claim (names, VERSION files, packages.json), their checksum files, and whether
 * they hold still. Knows how to read them, not what BK-Lite makes of them.
 */

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { blocks, readFully } from "../archive/blocks.ts";
import type { OpenFile, Source } from "../archive/types.ts";
import { isSystemError, ProblemError, problem } from "../errors.ts";
import type { Claim } from "../identity.ts";
import { createSweep } from "../memory.ts";
import type { CollectorPlace } from "./name.ts";
import {
  changed,
  type FileName,
  type FilePath,
  folderOf,
  inFolder,
  isBelow,
  isDenied,
  isNowhere,
  isThere,
  linkTarget,
  readName,
  unreadable,
} from "./paths.ts";

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

const BLOCK = 1024 * 1024;

/** Returns a file's SHA-256 in lower-case hex. Throws exit 74 if it has changed since the scan, or changes now. */
export async function digest(archive: StampedFile, signal?: AbortSignal): Promise<string> {
  return withStamped(archive, async (handle) => {
    const size = Number(archive.stamp.size);
    const hash = createHash("sha256");
    let hashed = 0;
    for await (const block of blocks(handle, { size }, BLOCK, signal)) {
      hash.update(block);
      hashed += block.length;
    }
    // the two buffers that took turns
    createSweep()(2 * Math.min(BLOCK, size));
    if (hashed !== size) throw changed(archive.file);
    return hash.digest("hex");
  });
}

/** A file's own bytes for an upload; readStream says what is checked. */
export function fileSource(file: StampedFile): Source {
  const size = Number(file.stamp.size);
  return {
    size,
    blocks: (blockSize, signal) =>
      readStream(file, async function* (handle) {
        let read = 0;
        for await (const block of blocks(handle, { size }, blockSize, signal)) {
          read += block.length;
          yield block;
        }
        if (read !== size) throw changed(file.file);
      }),
  };
}

/**
 * What `read` makes of a file's bytes. That the file is the one that was scanned is checked when it is opened and when
 * the last byte has been taken, so a consumer that saw the end has seen that very file (else exit 74).
 */
export async function* readStream(
  file: StampedFile,
  read: (handle: OpenFile) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  try {
    const { handle } = await openFile(file);
    try {
      await assertUnchanged(handle, file);
      yield* read(handle);
      await assertUnchanged(handle, file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(file.file, file.path, error) : error;
  }
}

/**
 * The text of a small file, in whatever encoding an editor or a shell has written it: UTF-8 or UTF-16 (with a byte order mark, or by its
 * NULs), else what a Chinese Windows writes. undefined: it is no text.
 */
export function decodeText(bytes: Buffer): string | undefined {
  const text = new TextDecoder(wide(bytes) ?? narrow(bytes)).decode(bytes);
  return text.includes("\0") ? undefined : text;
}

function wide(bytes: Buffer): "utf-16le" | "utf-16be" | undefined {
  const mark = bytes.toString("hex", 0, 2);
  // PowerShell's -Encoding Unicode has a mark, other tools' UTF-16 has none; ASCII in it has a NUL in every second place
  if (mark === "fffe" || (bytes.length >= 4 && bytes[0] !== 0 && bytes[1] === 0 && bytes[3] === 0))
    return "utf-16le";
  return mark === "feff" || (bytes.length >= 4 && bytes[0] === 0 && bytes[2] === 0 && bytes[1] !== 0)
    ? "utf-16be"
    : undefined;
}

function narrow(bytes: Buffer): "utf-8" | "gb18030" {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return "utf-8";
  } catch {
    return "gb18030";
  }
}
