import { type Os, versionOf } from "../identity.ts";
import { besideAndAbove, decodeText, type Located, readSmall } from "./files.ts";
import { VERSION_FILE } from "./name.ts";
import type { Signatures } from "./signatures.ts";

/** The content of a VERSION file: one version, or one for each os. */
export type Versions = PerOs & {
  /** The file's name in messages; undefined: there is no file. */
  from?: string;
  /** The numbers of lines that look like a version and cannot be read as one. */
  unread?: PerOs<number>;
};

type PerOs<T = string> = { [os in Os | "any"]?: T };

/** `LINUX_SIDECAR_VERSION="1.0.1"`, `WINDOWS_…`, or any other `…VERSION=`, which is for every os. */
const ASSIGNMENT =
  /^(?:export\s+)?["']?(?:(LINUX|WINDOWS)_)?(?:\w*_)?VERSION["']?\s*[=:]\s*(["']?)([^"']*)\2$/i;
const VERSION = /^(?:v?\d[\w.+-]*|latest)$/i;

/** Bytes that are parsed; more than a VERSION file can need. */
export const VERSION_FILE_LENGTH = 4096;
/** Bytes that are compared with a signed list: a longer file does not count as signed. */
const MAX_SIGNED = 1024 * 1024;

/**
 * Parses a VERSION file: a bare version, or one for each os (BK-Lite writes both forms). The first version of
 * an os counts; other lines do not, but the number of one that looks like a version is kept.
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

/** Reads the VERSION files beside and above an archive, the nearest first. Throws exit 65, 66 or 74. */
export async function versionsAround(archive: Located, signatures?: Signatures): Promise<Versions[]> {
  const around: Versions[] = [];
  for (const one of besideAndAbove(archive, VERSION_FILE)) {
    const found = await readSmall(one, MAX_SIGNED);
    if (typeof found === "string") await signatures?.checkAbsent(one);
    if (found === "irregular") around.push({ from: one.file });
    else if (found !== "missing") {
      await signatures?.check(one, found.bytes);
      around.push(parseVersionFile(found.bytes.subarray(0, VERSION_FILE_LENGTH), one.file));
    }
  }
  return around;
}

/** Returns the first version that these files have for an os. */
export function versionFor(files: readonly Versions[], os: Os): string | undefined {
  return files.map((said) => said[os] ?? said.any).find((version) => version !== undefined);
}
