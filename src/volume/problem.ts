import { statSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { getegid, geteuid } from "node:process";
import { printable } from "../archive/problem.ts";
import { type ProblemError, problem } from "../errors.ts";
import type { Access } from "../reasons/volume.ts";

/** The file is another than the one that was looked at before: exit 74. */
export function changed(file: string): ProblemError {
  return problem(file, "file.changed", {});
}

/** The file could not be read: exit 66 where a permission is missing, else 74. `path` is where it lies, `file` how it is called. */
export function unreadable(file: string, path: string, error: NodeJS.ErrnoException): ProblemError {
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
export function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** The system's own words, without the path, which stands before them. */
export function said({ code, message }: NodeJS.ErrnoException): string {
  return printable(message.replace(/ '.*'$/s, "") || (code ?? ""));
}

/** Who owns it, who may read it, and who tries to. */
export function accessTo(path: string): Access {
  const user = `${geteuid?.() ?? "?"}:${getegid?.() ?? "?"}`;
  try {
    const { uid, gid, mode } = statSync(path);
    return { owner: `${uid}:${gid}`, mode: (mode & 0o7777).toString(8).padStart(4, "0"), user };
  } catch {
    return { owner: "?", mode: "?", user }; // a folder above it is closed as well
  }
}
