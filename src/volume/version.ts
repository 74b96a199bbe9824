import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readFully } from "../archive/blocks.ts";
import { isSystemError } from "../archive/problem.ts";
import type { Os } from "../identity.ts";
import type { VolumeFile } from "./file.ts";
import { VERSION_FILE } from "./known.ts";
import { withFile } from "./open.ts";
import { isNowhere, isThere, unreadable } from "./problem.ts";
import { decodeText } from "./text.ts";

/** What a VERSION file says: one version, or one for each os. */
export type Versions = PerOs & {
  /** Where the file is, in words for messages; undefined where there is none. */
  from?: string;
  /** Lines that look like a version and cannot be read as one. */
  unread?: PerOs;
};

type PerOs = { [os in Os | "any"]?: string };

/** `LINUX_SIDECAR_VERSION="1.0.1"`, `WINDOWS_…`, or any other `…VERSION=`: for whatever os. */
const ASSIGNMENT =
  /^(?:export\s+)?["']?(?:(LINUX|WINDOWS)_)?(?:\w*_)?VERSION["']?\s*[=:]\s*(["']?)([^"']*)\2$/i;
const VERSION = /^v?(\d[\w.+-]*|latest)$/i;

/** More than a version file can need; the rest is not read. */
export const VERSION_FILE_LENGTH = 4096;

/**
 * What a VERSION file says: a bare version, or one for each os (BK-Lite writes both forms). The first word on a thing
 * stands; lines that are no version say nothing, but those that seem to be meant as one are kept for who needs it.
 */
export function parseVersionFile(bytes: Buffer, from: string): Versions {
  const versions: Versions = { from };
  const unread: PerOs = {};
  for (const line of (decodeText(bytes) ?? "").split(/\r\n|\r|\n/).map(withoutComment)) {
    const assignment = ASSIGNMENT.exec(line);
    const os = osOf(assignment?.[1]);
    const value = (assignment?.[3] ?? line).trim();
    const version = VERSION.exec(value)?.[1];
    if (version !== undefined) versions[os] ??= version;
    else if ((assignment ? /\d/ : /\d\.\d/).test(value)) unread[os] ??= line;
  }
  return Object.keys(unread).length > 0 ? { ...versions, unread } : versions;
}

function withoutComment(line: string): string {
  return line
    .normalize("NFKC")
    .trim()
    .replace(/(?:^|\s)(?:#|\/\/).*$/, "")
    .replace(/[;,]$/, "")
    .trim();
}

function osOf(word: string | undefined): Os | "any" {
  const os = word?.toLowerCase();
  return os === "linux" || os === "windows" ? os : "any";
}

/** What the VERSION file in an archive's folder says; nothing where there is none. One that cannot be read is exit 66 or 74. */
export async function versionsBeside({ file, path }: Pick<VolumeFile, "file" | "path">): Promise<Versions> {
  const folder = dirname(file);
  const beside = {
    file: folder === "." ? VERSION_FILE : `${folder}/${VERSION_FILE}`,
    path: join(dirname(path), VERSION_FILE),
  };
  try {
    if (!(await stat(beside.path)).isFile()) return {};
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (isNowhere(error)) return (await isThere(beside.path)) ? { from: beside.file } : {};
    throw unreadable(beside.file, beside.path, error);
  }
  return withFile(beside, async (handle, { size }) => {
    const length = Math.min(VERSION_FILE_LENGTH, Number(size));
    const head = await readFully(handle, Buffer.alloc(length), length, 0);
    return parseVersionFile(head, beside.file);
  });
}
