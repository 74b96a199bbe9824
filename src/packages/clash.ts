import { type Problem, printable, problem } from "../errors.ts";
import type { Identity } from "../identity.ts";
import type { Package } from "./package.ts";

/** What the table's unique constraint compares; the key of what has no row. */
export function identityWords(
  { os, arch, object, version, fixedKey }: Identity & { fixedKey?: string },
  archColumn: boolean,
): string[] {
  if (fixedKey !== undefined) return [fixedKey];
  return [os, ...(archColumn ? [arch] : []), object, version];
}

/** Two files that claim one identity: a problem of both, each naming the other. */
export function clashes(packages: readonly Package[], archColumn: boolean): Problem[] {
  const first = new Map<string, Package>();
  const problems: Problem[] = [];
  for (const pkg of packages) {
    const words = identityWords(pkg, archColumn);
    const other = first.get(words.join("\0"));
    if (!other) first.set(words.join("\0"), pkg);
    else problems.push(clash(other, pkg, words), clash(pkg, other, words));
  }
  return problems;
}

function clash(pkg: Package, other: Package, words: readonly string[]): Problem {
  const { file } = pkg.archive;
  const both = { other: other.archive.file, identity: printable(words.join(" ")) };
  const { problem: found } =
    other.arch === pkg.arch
      ? problem(file, "package.clash", { ...both, moves: isMoving(pkg) && isMoving(other) })
      : problem(file, "package.clash.arch", { ...both, arch: pkg.arch, otherArch: other.arch });
  return found;
}

/** What has no version of its own: there is one of it. */
function isMoving({ fixedKey, version }: Package): boolean {
  return fixedKey !== undefined || version === "latest";
}
