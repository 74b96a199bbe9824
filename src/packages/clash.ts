import { finding, type Problem } from "../errors.ts";
import type { Identity } from "../identity.ts";
import type { Archive } from "./package.ts";
import { isMoving } from "./versions.ts";

/** What is stored under one key, or registered in one row. */
type Claimed = Identity & { archive: Pick<Archive, "file">; fixedKey?: string };

/**
 * Returns the problems of two files that claim one identity, each naming the other: files, or collectors in archives. Of two archives that
 * clash themselves nothing more is said.
 */
export function clashes(packages: readonly Claimed[], archColumn: boolean): Problem[] {
  const first = new Map<string, Claimed>();
  const problems = new Map<string, Problem[]>();
  for (const pkg of packages) {
    const words = identityWords(pkg, archColumn);
    const id = words.join("\0");
    const other = first.get(id) ?? pkg;
    first.set(id, other);
    const pair = [other, pkg].map(({ archive }) => archive.file).join("\0");
    if (other !== pkg && !problems.has(pair))
      problems.set(pair, [clash(other, pkg, words), clash(pkg, other, words)]);
  }
  return [...problems.values()].flat();
}

/** What the table's unique constraint compares; the key of what has no row. */
function identityWords({ os, arch, object, version, fixedKey }: Claimed, archColumn: boolean): string[] {
  if (fixedKey !== undefined) return [fixedKey];
  return [os, ...(archColumn ? [arch] : []), object, version];
}

function clash(pkg: Claimed, other: Claimed, words: readonly string[]): Problem {
  const { file } = pkg.archive;
  const both = { other: other.archive.file, identity: words.join(" ") };
  return other.arch === pkg.arch
    ? finding(file, "package.clash", { ...both, moves: isMoving(pkg) && isMoving(other) })
    : finding(file, "package.clash.arch", { ...both, arch: pkg.arch, otherArch: other.arch });
}
