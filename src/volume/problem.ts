import { readlinkSync, statSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { getegid, geteuid } from "node:process";
import { type ProblemError, problem } from "../errors.ts";
import type { Access } from "../messages/volume.ts";
import { type FilePath, folderOf } from "./path.ts";

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
