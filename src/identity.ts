/**
 * A package's identity in BK-Lite, and the one rule for each of its parts: for the command line,
 * configuration, packages.json, packages/ and the platform's tables.
 */
export const PACKAGE_TYPES = ["controller", "collector", "installer", "apm-probe"] as const;
export type PackageType = (typeof PACKAGE_TYPES)[number];
export const OPERATING_SYSTEMS = ["linux", "windows"] as const;
export type Os = (typeof OPERATING_SYSTEMS)[number];
export type Arch = "x86_64" | "arm64";

/** Every name of an architecture that BK-Lite accepts. */
export const ARCH_NAMES = { x86_64: "x86_64", amd64: "x86_64", arm64: "arm64", aarch64: "arm64" } as const;

/** Returns an architecture by any of its names; undefined: the word is none. */
export function archOf(name: string): Arch | undefined {
  const known: Record<string, Arch> = ARCH_NAMES;
  return Object.hasOwn(known, name.toLowerCase()) ? known[name.toLowerCase()] : undefined;
}

/** Languages that BK-Lite has an APM probe for. */
export const PROBE_LANGUAGES = ["java", "python", "nodejs", "go", "dotnet"] as const;
export type ProbeLanguage = (typeof PROBE_LANGUAGES)[number];

/** The parts that make two packages the same; `arch` only if the table has the column. */
export interface Identity {
  type: PackageType;
  os: Os;
  arch: Arch;
  object: string;
  version: string;
}

/** The parts that the command line or packages.json gives for a file, which may have any name. */
export type Declaration = Partial<Identity> & { description?: string };

/** Column lengths of node_mgmt_packageversion, in characters (BK-Lite's migrations). */
export const FIELD_LENGTHS = { object: 100, version: 100, name: 100 } as const;

/**
 * Whether a value can stand in a key `{os}/{arch}/{object}/{version}/{name}` and in its column: 1 to 100
 * characters, no separator, blank, control or format character.
 */
export function isKeyPart(value: string): boolean {
  return /^[^\s/\\\p{C}]{1,100}$/u.test(value) && value !== "." && value !== "..";
}

/** Returns a version as it is stored, wherever it comes from: without a `v` before a digit. */
export function versionOf(text: string): string {
  return /^v\d/i.test(text) ? text.slice(1) : text;
}

/**
 * Whether a file's name can be a row's name, a key's last part and a download: blanks are allowed, invisible
 * characters are not.
 */
export function isRowName(value: string): boolean {
  return !/^\.{0,2}$|[\p{C}\p{Zl}\p{Zp}/\\]/u.test(value);
}

/**
 * Whether a row of the table, which any user may have written, can be the parts of a key. If not, it has no
 * object.
 */
export function isKeyRow(row: {
  os: string;
  arch: string | null;
  object: string;
  version: string;
  name: string;
}): boolean {
  const { os, arch, object, version, name } = row;
  return [os, arch || "generic", object, version].every(isKeyPart) && isRowName(name);
}

/** Whether a text can stand in the description's column: no control character but tab and line feed. */
export function isDescription(value: string): boolean {
  return !/[^\P{Cc}\t\n]|\p{Cs}/u.test(value);
}

/** Parses the id of a cloud region; undefined: it is no plain number. */
export function regionId(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
