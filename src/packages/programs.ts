import type { ExecutableType as BinaryKind } from "../archive/types.ts";
import { problem } from "../errors.ts";
import type { Arch, Os } from "../identity.ts";
import type { Archive } from "./package.ts";

interface Target {
  os: Os;
  arch: Arch;
}

/** The platform that a program is for; undefined where its first bytes do not say, or it is for another system. */
export function platformOf(kind: BinaryKind | undefined): Target | undefined {
  if (kind?.format !== "elf" && kind?.format !== "pe") return undefined;
  if (kind.machine === "other") return undefined;
  // 32-bit programs are what an x86_64 machine runs too
  return {
    os: kind.format === "pe" ? "windows" : "linux",
    arch: kind.machine === "arm64" ? "arm64" : "x86_64",
  };
}

/** Where a program comes from: what somebody can do about a wrong one depends on it. */
export type ProgramSource = "archive" | "installer" | "place";

/** Throws exit 65 for a program that is cut short; `entry` is its path in the archive, or folder. */
export function checkWhole(file: string, kind: BinaryKind | undefined, entry = ""): void {
  if (kind?.cut) throw problem(file, "program.truncated", { entry: entry, ...kind.cut });
}

/**
 * Throws exit 65 for a program that is cut short, or for another platform, or for something else in its place; `entry` is its path in the archive, or
 * folder.
 */
export function checkProgram(
  file: string,
  kind: BinaryKind | undefined,
  { os, arch }: Target,
  source: ProgramSource,
  entry = "",
): void {
  if (kind === undefined) return;
  checkWhole(file, kind, entry);
  const place = entry;
  if (kind.format === "other" && kind.instead !== undefined)
    throw problem(file, "program.kind", { entry: place, found: kind.instead });
  if (contradicts(kind, os, arch))
    throw problem(file, "package.program", { os, arch, source, entry: place, found: describeProgram(kind) });
}

/** Scripts, jars and formats without a known header pass, and so do 32-bit programs on x86_64, which runs them. */
function contradicts(kind: BinaryKind, os: Os, arch: Arch): boolean {
  if (kind.format === "other") return false;
  if (kind.format === "macho") return true;
  if (kind.format !== (os === "windows" ? "pe" : "elf")) return true;
  return kind.machine !== arch && !(kind.machine === "x86" && arch === "x86_64");
}

/** What a program is for, as the catalog's words take it: `linux arm64`, `macOS`, `other`. */
export function describeProgram(kind: BinaryKind | undefined): string {
  if (kind?.format === "macho") return "macOS";
  if (kind === undefined || kind.format === "other") return "other";
  const os = kind.format === "pe" ? "windows" : "linux";
  return kind.machine === "other" ? `${os}, another architecture` : `${os} ${kind.machine}`;
}

/** Whether it is a program, or a folder with one: most likely meant to be a collector. */
export function holdsProgram({ members }: Archive): boolean {
  return [...members.values()].some(({ kindOfBinary }) => platformOf(kindOfBinary) !== undefined);
}
