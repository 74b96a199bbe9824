import type { Identity } from "../identity.ts";

/** Stands for whatever is there: each upload replaces the last. Installers, APM probes and the bundle's collectors have no other version. */
export const LATEST = "latest";

/** Whether a package is replaced by each upload, whatever it holds. */
export function isMoving({ version }: Pick<Identity, "version">): boolean {
  return version === LATEST;
}

const NUMBERED = /^(\d+(?:\.\d+)*)(?:-([^+]+))?/;
const NATURAL = new Intl.Collator("en", { numeric: true });

/**
 * Compares two versions, the newer being the greater: by number, a pre-release before its release. `latest` is the newest; a version
 * without a number is the oldest.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  const length = Math.max(left.numbers.length, right.numbers.length);
  for (let index = 0; index < length; index++) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.pre === undefined || right.pre === undefined)
    return Number(left.pre === undefined) - Number(right.pre === undefined);
  return NATURAL.compare(left.pre, right.pre);
}

function parse(version: string): { numbers: number[]; pre: string | undefined } {
  if (version === LATEST) return { numbers: [Number.MAX_SAFE_INTEGER], pre: undefined };
  const [, numbers, pre] = NUMBERED.exec(version) ?? [];
  return { numbers: numbers?.split(".").map(Number) ?? [-1], pre };
}

/**
 * Gives a collector one version on every architecture of an os: BK-Lite offers a node the version that it has, whatever its architecture
 * (BKLITE.md). If one has a file of its own without a version (`moving`), what archives hold of it for other architectures has none
 * either, and comes from the newest archive.
 */
export function alignVersions<Part extends Identity>(
  parts: readonly Part[],
  moving: readonly Identity[],
): Part[] {
  const moves = (part: Part) => moving.some((one) => isSameCollector(one, part));
  const newest = new Map<string, Part>();
  const place = ({ os, arch, object }: Part) => `${os}/${arch}/${object}`;
  for (const part of parts.filter(moves)) {
    const other = newest.get(place(part));
    if (!other || compareVersions(part.version, other.version) > 0) newest.set(place(part), part);
  }
  return parts.flatMap((part) => {
    if (!moves(part)) return [part];
    return newest.get(place(part)) === part ? [{ ...part, version: LATEST }] : [];
  });
}

/** Whether two packages are one collector of an os, whatever their versions and architectures. */
export function isSameCollector(a: Identity, b: Identity): boolean {
  return a.os === b.os && a.object.toLowerCase() === b.object.toLowerCase();
}
