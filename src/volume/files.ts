/**
 * volume/: what is in PACKAGES_DIR: files and what their names, VERSION files and packages.json say of them,
 * their checksum files, and whether they are complete; not what BK-Lite does with them.
 */
import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { blocks, readFully } from "../archive/blocks.ts";
import { decodeText as decodeBytes } from "../archive/entries.ts";
import type { OpenFile, Source } from "../archive/types.ts";
import { ProblemError, problem } from "../errors.ts";
import type { Declaration } from "../identity.ts";
import { createSweep } from "../memory.ts";
import type { Reading } from "../output/progress.ts";
import type { Slot } from "./name.ts";
import {
  changed,
  exists,
  type FilePath,
  folderOf,
  inFolder,
  isBelow,
  isDenied,
  isNowhere,
  linkTarget,
  readError,
  readName,
} from "./paths.ts";

/** A file that may be read. */
export interface Located {
  /** Path below PACKAGES_DIR, with `/`: what messages show, always UTF-8. */
  file: string;
  /** Absolute path, as the file system has it. */
  path: FilePath;
  /** The folder, without links, below which a link must end. */
  root: FilePath;
  /** The command line names it: it may be a link to anywhere, the files beside it may not. */
  linkAllowed?: true;
  /** Called when the file is opened: what it returns is told how much of the file is read, for progress. */
  watch?: () => Reading;
}

/** A file whose name or declaration says what it is, or an entry of a collector folder; not read yet. */
export interface VolumeFile extends Located {
  /** Base name; becomes the row's name and the object's description. */
  name: string;
  /** The name with its bytes escaped, if they are not UTF-8. */
  bytes?: string;
  /** Bytes. */
  size: number;
  declared?: Declaration;
  /** In a collector folder: a package if the platform defines a collector of that name. */
  slot?: Slot;
  /** A folder in a collector folder. */
  isFolder?: boolean;
}

/** The part of stat that shows whether a file changed. */
export type FileStamp = Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">;

/** A file that has been read once: it must still be the same. */
export interface StampedFile extends Located {
  stamp: FileStamp;
}

/**
 * Returns where a companion of this name may be: in the file's own folder first, then in each folder above
 * it, up to the volume's. For a file from the command line only its own folder counts.
 */
export function besideAndAbove({ file, path, root, linkAllowed }: Located, name: string): Located[] {
  const starts = [0, ...Array.from(file.matchAll(/\//g), ({ index }) => index + 1)].reverse();
  let folder = path;
  return starts.slice(0, linkAllowed ? 1 : undefined).map((start) => {
    folder = folderOf(folder);
    return { file: file.slice(0, start) + name, path: inFolder(folder, name), root };
  });
}

/** Returns the file beside this one whose name has an ending more. */
export function withEnding({ file, path, root }: Located, ending: string): Located {
  const at = typeof path === "string" ? path + ending : Buffer.concat([path, Buffer.from(ending)]);
  return { file: file + ending, path: at, root };
}

/**
 * Opens a file, gives `use` its handle and its stamp, and closes it. If the file changed meanwhile, that is
 * the error (exit 74), whatever else `use` found wrong. A failed read is exit 74 too, or 66 without
 * permission.
 */
export async function withFile<T>(
  file: Located,
  use: (handle: OpenFile, stamp: FileStamp) => Promise<T>,
): Promise<T> {
  try {
    const { handle, stamp } = await openFile(file);
    await using _ = handle;
    const result = await use(handle, stamp).catch(async (error: unknown) => {
      if (error instanceof ProblemError) await assertUnchanged(handle, { ...file, stamp });
      throw error;
    });
    await assertUnchanged(handle, { ...file, stamp });
    return result;
  } catch (error) {
    throw readError(file, error);
  }
}

/** Does the same for a file that was read before: it must still be the same file. */
export function withStamped<T>(archive: StampedFile, use: (handle: OpenFile) => Promise<T>): Promise<T> {
  return withFile(archive, (handle, stamp) => {
    if (!isSame(stamp, archive.stamp)) throw changed(archive.file);
    return use(handle);
  });
}

/**
 * Yields what `read` makes of a file's bytes. The file is compared with its stamp after opening and after the
 * last byte, so a consumer that saw the end has read exactly the scanned file (else exit 74).
 */
export async function* readStream(
  file: StampedFile,
  read: (handle: OpenFile) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  try {
    const { handle } = await openFile(file);
    await using _ = handle;
    await assertUnchanged(handle, file);
    yield* read(handle);
    await assertUnchanged(handle, file);
  } catch (error) {
    throw readError(file, error);
  }
}

/** Returns a file's own bytes for an upload; readStream says what is checked. */
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

/** Throws exit 74 unless the open file is still what its stamp says. */
export async function assertUnchanged(handle: FileHandle, archive: StampedFile): Promise<void> {
  if (!isSame(await stampOf(handle, archive.file), archive.stamp)) throw changed(archive.file);
}

/** Opens a file; the caller closes it. Throws exit 65 for a link that ends outside the volume. */
export async function openFile(file: Located): Promise<{ handle: FileHandle; stamp: FileStamp }> {
  await assertInside(file);
  // O_NONBLOCK: a FIFO that replaced the file must not block
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // a link may have replaced the file since: what counts is where the open file is
    const at = await readlink(`/proc/self/fd/${handle.fd}`, "buffer").catch(() => undefined);
    if (at && !file.linkAllowed && !isBelow(at, file.root)) throw problem(file.file, "file.link", {});
    const stamp = await stampOf(handle, file.file);
    return { handle: file.watch ? watched(handle, file.watch()) : handle, stamp };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Returns the handle, which reports what is read with it, and that it is closed. */
function watched(handle: FileHandle, reading: Reading): FileHandle {
  const [read, close] = [handle.read.bind(handle), handle.close.bind(handle)];
  return Object.assign(handle, {
    async read(buffer: Buffer, offset: number, length: number, position: number) {
      const result = await read(buffer, offset, length, position);
      reading.add(result.bytesRead);
      return result;
    },
    close() {
      reading.end();
      return close();
    },
  });
}

/** Throws exit 65 for a link that ends outside the volume, and the system's error if there is no file. */
export async function assertInside(file: Located): Promise<void> {
  if (file.linkAllowed) return;
  const end = await realpath(file.path, "buffer").catch((error: unknown) => {
    // a link into a folder that this user may not enter
    const target = isDenied(error) ? linkTarget(file.path) : undefined;
    if (target !== undefined && !isBelow(target, file.root)) return target;
    throw error;
  });
  if (!isBelow(end, file.root)) throw problem(file.file, "file.link", {});
}

/** Finds a file by its name as it is shown, or as a shell passes bytes that are not UTF-8. */
export async function locate(
  folder: string,
  file: string,
): Promise<{ path: FilePath; name: string; bytes?: string }> {
  const path = join(folder, file);
  const asGiven = { path, name: basename(path) };
  if (await exists(path)) return asGiven;
  let found: Awaited<ReturnType<typeof locate>> = { ...asGiven, path: folder };
  for (const part of file.split("/").filter((one) => one !== "")) {
    const names = await readdir(found.path, { encoding: "buffer" }).catch(() => []);
    const match = names.find((one) => readName(one).name === part || one.toString() === part);
    if (match === undefined) return asGiven;
    const { raw, ...named } = readName(match);
    found = { path: inFolder(found.path, raw), ...named };
  }
  return found;
}

/** Returns a regular file's size, or why there is none; a dangling link is `irregular`. */
export async function fileSize(file: Located): Promise<number | "missing" | "irregular"> {
  try {
    await assertInside(file);
    const found = await stat(file.path);
    return found.isFile() ? found.size : "irregular";
  } catch (error) {
    if (!isNowhere(error)) throw readError(file, error);
    return (await exists(file.path)) ? "irregular" : "missing";
  }
}

/** Reads the first `limit` bytes of a small file. */
export async function readSmall(
  file: Located,
  limit: number,
): Promise<{ bytes: Buffer; size: number } | "missing" | "irregular"> {
  const found = await fileSize(file);
  if (typeof found !== "number") return found;
  return withFile(file, async (handle, { size }) => {
    const length = Math.min(limit, Number(size));
    return { bytes: await readFully(handle, Buffer.alloc(length), length, 0), size: Number(size) };
  });
}

async function stampOf(handle: FileHandle, file: string): Promise<FileStamp> {
  const stats = await handle.stat({ bigint: true });
  if (!stats.isFile()) throw changed(file);
  return toStamp(stats);
}

/** Returns the part of stat that shows whether a file changed. */
export function toStamp({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileStamp {
  return { dev, ino, size, mtimeNs, ctimeNs };
}

function isSame(a: FileStamp, b: FileStamp): boolean {
  return (Object.keys(a) as (keyof FileStamp)[]).every((part) => a[part] === b[part]);
}

const BLOCK = 1024 * 1024;

/** Returns a file's SHA-256, lower-case hex. Throws exit 74 if it is not as it was in the scan. */
export async function digest(archive: StampedFile, signal = new AbortController().signal): Promise<string> {
  const source = fileSource(archive);
  const hash = createHash("sha256");
  for await (const block of source.blocks(BLOCK, signal)) hash.update(block);
  // two buffers alternate in blocks()
  createSweep()(2 * Math.min(BLOCK, Number(archive.stamp.size)));
  return hash.digest("hex");
}

/**
 * Returns the text of a small file: UTF-8 or UTF-16, or else GB18030, which editors on a Chinese Windows
 * write. undefined: it is not text.
 */
export function decodeText(bytes: Buffer): string | undefined {
  const wide = utf16Of(bytes);
  const text = wide
    ? new TextDecoder(wide).decode(bytes)
    : (decodeBytes(bytes, "utf-8")?.replace(/^\ufeff/, "") ?? new TextDecoder("gb18030").decode(bytes));
  return text.includes("\0") ? undefined : text;
}

/** Returns a text's UTF-16 by its byte order mark, or by ASCII's NUL in every second byte. */
function utf16Of(bytes: Buffer): "utf-16le" | "utf-16be" | undefined {
  const start = bytes.toString("hex", 0, 4);
  if (/^fffe|^(?!00)..00(?!00)..00/.test(start)) return "utf-16le";
  return /^feff|^00(?!00)..00(?!00)../.test(start) ? "utf-16be" : undefined;
}
