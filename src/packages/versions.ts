import type { Identity } from "../identity.ts";

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
  if (version === "latest") return { numbers: [Number.MAX_SAFE_INTEGER], pre: undefined };
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
  const isMoving = (part: Part) => moving.some((one) => one.os === part.os && isSameName(one, part));
  const newest = new Map<string, Part>();
  const place = ({ os, arch, object }: Part) => `${os}/${arch}/${object}`;
  for (const part of parts.filter(isMoving)) {
    const other = newest.get(place(part));
    if (!other || compareVersions(part.version, other.version) > 0) newest.set(place(part), part);
  }
  const version = moving[0]?.version ?? "";
  return parts.flatMap((part) => {
    if (!isMoving(part)) return [part];
    return newest.get(place(part)) === part ? [{ ...part, version }] : [];
  });
}

function isSameName(a: Identity, b: Identity): boolean {
  return a.object.toLowerCase() === b.object.toLowerCase();
}
