import { readlinkSync, statSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { getegid, geteuid } from "node:process";
import { decodeText as decoded } from "../archive/entries.ts";
import { type ProblemError, problem } from "../errors.ts";
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

/** Returns a name as text: UTF-8, else GBK, as a Chinese Windows leaves it, else with `_` for each byte that is not UTF-8. */
export function readName(raw: Buffer): FileName {
  const name = decoded(raw, "utf-8");
  if (name !== undefined) return { name, raw: name };
  const chinese = decoded(raw, "gbk");
  const shown = chinese !== undefined && isRowName(chinese) ? chinese : withUnderscores(raw);
  return { name: shown, raw, bytes: withEscapes(raw) };
}

function withUnderscores(raw: Buffer): string {
  let name = "";
  for (let at = 0; at < raw.length; ) {
    const length = sequenceLength(raw[at] as number);
    const text = length === 0 ? undefined : decoded(raw.subarray(at, at + length), "utf-8");
    name += text ?? "_";
    at += text === undefined ? 1 : length;
  }
  return name;
}

/** Bytes of the UTF-8 sequence that begins with this byte; 0 where none does. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function withEscapes(raw: Buffer): string {
  const shown = (byte: number) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  return Array.from(raw, shown).join("");
}

/** The path of a name in a folder. */
export function inFolder(folder: FilePath, name: FilePath): FilePath {
  if (typeof folder === "string" && typeof name === "string") return join(folder, name);
  return Buffer.concat([Buffer.from(folder as string), Buffer.from("/"), Buffer.from(name as string)]);
}

/** The path of the folder that holds a path. */
export function folderOf(path: FilePath): FilePath {
  if (typeof path === "string") return dirname(path);
  const slash = path.lastIndexOf(0x2f);
  return slash > 0 ? path.subarray(0, slash) : "/";
}

/** Whether a path lies in a folder or below it; both without links. */
export function isBelow(path: FilePath, folder: FilePath): boolean {
  const bytes = Buffer.from(path as string).toString("latin1");
  const outer = Buffer.from(folder as string).toString("latin1");
  return bytes.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}

/** The file is another than the one that was looked at before: exit 74. */
export function changed(file: string): ProblemError {
  return problem(file, "file.changed", {});
}

/** The file could not be read: exit 66 where a permission is missing, else 74. `path` is where it lies, `file` how it is called. */
export function unreadable(file: string, path: FilePath, error: NodeJS.ErrnoException): ProblemError {
  if (isDenied(error)) return problem(file, "file.denied", accessTo(path));
  return problem(file, "file.unreadable", { code: error.code ?? "", said: said(error) });
}

/** Whether a permission is what is missing. */
export function isDenied({ code }: NodeJS.ErrnoException): boolean {
  return code === "EACCES" || code === "EPERM";
}

/** Whether a path leads nowhere: no such file, or a link to none. */
export function isNowhere({ code }: NodeJS.ErrnoException): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(code ?? "");
}

/** Whether something is there all the same: a link that leads nowhere. */
export function isThere(path: FilePath): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** The system's own words, without the path, which stands before them. */
export function said({ code, message }: NodeJS.ErrnoException): string {
  return message.replace(/ '.*'$/s, "") || (code ?? "");
}

/** Who owns it, who may read it, and who tries to; of the folder on the way that is closed, where it cannot be looked at itself. */
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

/** Where a link leads, as far as that can be seen; undefined where it is none. */
export function linkTarget(path: FilePath): string | undefined {
  try {
    return resolve(dirname(path.toString()), readlinkSync(path));
  } catch {
    return undefined;
  }
}
