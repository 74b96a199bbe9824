import { type Os, versionOf } from "../identity.ts";
import { besideAndAbove, decodeText, type Located, readSmall } from "./files.ts";
import { VERSION_FILE } from "./name.ts";

/** What a VERSION file says: one version, or one for each os. */
export type Versions = PerOs & {
  /** Where the file is, in words for messages; undefined where there is none. */
  from?: string;
  /** The numbers of lines that look like a version and cannot be read as one. */
  unread?: PerOs<number>;
};

type PerOs<T = string> = { [os in Os | "any"]?: T };

/** `LINUX_SIDECAR_VERSION="1.0.1"`, `WINDOWS_…`, or any other `…VERSION=`: for whatever os. */
const ASSIGNMENT =
  /^(?:export\s+)?["']?(?:(LINUX|WINDOWS)_)?(?:\w*_)?VERSION["']?\s*[=:]\s*(["']?)([^"']*)\2$/i;
const VERSION = /^(?:v?\d[\w.+-]*|latest)$/i;

/** More than a version file can need; the rest is not read. */
export const VERSION_FILE_LENGTH = 4096;

/**
 * What a VERSION file says: a bare version, or one for each os (BK-Lite writes both forms). The first word on a thing
 * stands; lines that are no version say nothing, but those that seem to be meant as one are kept for who needs it.
 */
export function parseVersionFile(bytes: Buffer, from: string): Versions {
  const versions: Versions = { from };
  const unread: PerOs<number> = {};
  const lines = (decodeText(bytes) ?? "").split(/\r\n|\r|\n/).map(withoutComment);
  for (const [index, line] of lines.entries()) {
    const assignment = ASSIGNMENT.exec(line);
    const os = osOf(assignment?.[1]);
    const value = (assignment?.[3] ?? line).trim();
    const version = VERSION.test(value) ? versionOf(value) : undefined;
    if (version !== undefined) versions[os] ??= version;
    else if ((assignment ? /\d/ : /\d\.\d/).test(value)) unread[os] ??= index + 1;
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

/** Returns what the VERSION files beside and above an archive say, the nearest first. One that cannot be read is exit 65, 66 or 74. */
export async function versionsAround(archive: Located): Promise<Versions[]> {
  const around: Versions[] = [];
  for (const one of besideAndAbove(archive, VERSION_FILE)) {
    const found = await readSmall(one, VERSION_FILE_LENGTH);
    if (found === "irregular") around.push({ from: one.file });
    else if (found !== "missing") around.push(parseVersionFile(found.bytes, one.file));
  }
  return around;
}

/** Returns the version that the first of these files has for an os. */
export function versionFor(files: readonly Versions[], os: Os): string | undefined {
  return files.map((said) => said[os] ?? said.any).find((version) => version !== undefined);
}
