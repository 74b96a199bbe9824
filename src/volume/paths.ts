import { readlinkSync, statSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { getegid, geteuid } from "node:process";
import { decodeText } from "../archive/entries.ts";
import { isSystemError, type ProblemError, problem } from "../errors.ts";
import { isRowName } from "../identity.ts";
import type { Access } from "../messages/volume.ts";

/** A path as the file system has it: a string where its bytes are UTF-8, else the bytes themselves. */
export type FilePath = string | Buffer;

/** A name in a folder. */
export interface FileName {
  /** As it is shown and stored: always UTF-8. */
  name: string;
  /** As the file system has it. */
  raw: FilePath;
  /** The name with `\xHH` for each byte beyond ASCII; only where it is not UTF-8. */
  bytes?: string;
}

/** A UTF-8 sequence, or a byte that begins none, in bytes that are read as Latin-1. */
const SEQUENCE = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|./gs;

/** Returns a name as text: UTF-8, else GBK (a Chinese Windows), else with `_` for each other byte. */
export function readName(raw: Buffer): FileName {
  const name = decodeText(raw, "utf-8");
  if (name !== undefined) return { name, raw: name };
  const latin = raw.toString("latin1");
  const hex = (byte: string) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const bytes = latin.replace(/[^\x20-\x7e]/g, hex);
  const chinese = decodeText(raw, "gbk");
  if (chinese !== undefined && isRowName(chinese)) return { name: chinese, raw, bytes };
  const plain = (one: string) => decodeText(Buffer.from(one, "latin1"), "utf-8") ?? "_".repeat(one.length);
  return { name: latin.replace(SEQUENCE, plain), raw, bytes };
}

/** Returns the path of a name in a folder. */
export function inFolder(folder: FilePath, name: FilePath): FilePath {
  if (typeof folder === "string" && typeof name === "string") return join(folder, name);
  return Buffer.concat([Buffer.from(folder as string), Buffer.from("/"), Buffer.from(name as string)]);
}

/** Returns the folder of a path. */
export function folderOf(path: FilePath): FilePath {
  if (typeof path === "string") return dirname(path);
  const slash = path.lastIndexOf(0x2f);
  return slash > 0 ? path.subarray(0, slash) : "/";
}

/** Whether a path is below a folder; both must be without links. */
export function isBelow(path: FilePath, folder: FilePath): boolean {
  const bytes = Buffer.from(path as string).toString("latin1");
  const outer = Buffer.from(folder as string).toString("latin1");
  return bytes.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}

/** Returns exit 74: the file is no longer the one that was read before. */
export function changed(file: string): ProblemError {
  return problem(file, "file.changed", {});
}

/** Returns exit 66 if the system denies a permission, 74 for its other errors, and any other error itself. */
export function readError({ file, path }: { file: string; path: FilePath }, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  if (isDenied(error)) return problem(file, "file.denied", accessTo(path));
  return problem(file, "file.unreadable", { code: error.code ?? "", said: systemWords(error) });
}

/** Whether the system denies a permission. */
export function isDenied(error: unknown): boolean {
  return isSystemError(error) && ["EACCES", "EPERM"].includes(error.code ?? "");
}

/** Whether the system's error says that there is no such file, or only a dangling link. */
export function isNowhere(error: unknown): boolean {
  return isSystemError(error) && ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(error.code ?? "");
}

/** Whether a path exists, even as a dangling link. */
export function exists(path: FilePath): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Returns the system's own words, without the path. */
export function systemWords({ code, message }: NodeJS.ErrnoException): string {
  return message.replace(/ '.*'$/s, "") || (code ?? "");
}

/** Returns owner and mode of a file, or of the closed folder above it, and the user that reads. */
export function accessTo(path: FilePath): Access {
  const user = `${geteuid?.() ?? "?"}:${getegid?.() ?? "?"}`;
  const target = linkTarget(path) ?? path;
  for (let at = target; ; at = folderOf(at)) {
    try {
      const { uid, gid, mode } = statSync(at);
      const access = { owner: `${uid}:${gid}`, mode: (mode & 0o7777).toString(8).padStart(4, "0"), user };
      return at === target ? access : { ...access, folder: at.toString() };
    } catch {
      if (at === folderOf(at)) return { owner: "?", mode: "?", user };
    }
  }
}

/** Returns the target of a link; undefined if it is no link or cannot be read. */
export function linkTarget(path: FilePath): string | undefined {
  try {
    return resolve(dirname(path.toString()), readlinkSync(path));
  } catch {
    return undefined;
  }
}
