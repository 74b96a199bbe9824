import type { Os } from "../identity.ts";

/** What a VERSION file says: one version, or one for each os. */
export type Versions = { any?: string } & { [os in Os]?: string };

/** `LINUX_SIDECAR_VERSION="1.0.1"`, `WINDOWS_…`, or any other `…VERSION=`: for whatever os. */
const ASSIGNMENT = /^(?:export\s+)?(?:(LINUX|WINDOWS)_)?(?:\w*_)?VERSION\s*=\s*(["']?)([^"'\s]*)\2$/i;
const VERSION = /^v?(\d[\w.+-]*|latest)$/i;

/** More than a version file can need; the rest is not read. */
export const VERSION_FILE_LENGTH = 4096;

/**
 * What a VERSION file says: a bare version, or one for each os (BK-Lite writes both forms). The first word on a thing
 * stands; lines that are no version say nothing.
 */
export function parseVersionFile(text: string): Versions {
  const versions: Versions = {};
  for (const line of text.split(/\r?\n/)) {
    const assignment = ASSIGNMENT.exec(line.trim());
    const version = VERSION.exec(assignment?.[3] ?? line.trim())?.[1];
    if (version === undefined) continue;
    const os = assignment?.[1]?.toLowerCase();
    versions[os === "linux" || os === "windows" ? os : "any"] ??= version;
  }
  return versions;
}
