import { HEAD_LENGTH, examineExecutable as programKind } from "../archive/file-kind.ts";
import type { ExecutableType as BinaryKind, Entry } from "../archive/types.ts";
import { readEntryHead } from "../archive/zip-read.ts";
import { finding, type Problem, problem } from "../errors.ts";
import { type Arch, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import { withStamped } from "../volume/files.ts";
import { formatOf } from "../volume/name.ts";
import { isPacked, isRelease } from "../volume/near-misses.ts";
import { versionFor } from "../volume/version.ts";
import {
  builtinDefinitions,
  definitionsFor,
  type FoundCollector,
  findCollectors,
  findProgram,
} from "./definitions.ts";
import type { Archive, CollectorDefinition, Package, ResolveOptions } from "./package.ts";
import { isJunk } from "./repack.ts";

/**
 * Throws exit 65 where the first VERSION file that says something of the os says what looks like a version and cannot be read as one: it
 * must not become another version unseen. Warns where VERSION files are there and say nothing.
 */
export function checkVersion({ archive, os }: Package, wanted: ResolveOptions, warnings: Problem[]): void {
  const { claim, named, versions, around = [], file } = archive;
  if ((wanted.options.version ?? claim?.version ?? named.version ?? wanted.packageVersion) !== undefined)
    return;
  const files = [versions, ...around].filter((said) => said.from !== undefined);
  for (const said of files) {
    if (versionFor([said], os) !== undefined) return;
    const line = said.unread?.[os] ?? said.unread?.any;
    if (line !== undefined) throw problem(file, "version.unreadable", { from: said.from ?? "", line });
  }
  const [first] = files;
  if (first?.from === undefined) return;
  const params = { from: first.from, os };
  warnings.push(finding(file, "version.missing", params));
}

/** Throws exit 65 for an archive with nothing of BK-Lite's in it. */
export function checkKnown({ archive, os }: Package, found: readonly FoundCollector[]): void {
  if (archive.sidecar || found.length > 0) return;
  if (findCollectors(archive, os, builtinDefinitions(os)).length > 0) return;
  if (isRelease(archive.entries.map(({ path }) => path))) throw problem(archive.file, "package.release", {});
  const inner = archive.entries.find(({ path }) => formatOf(path.slice(path.lastIndexOf("/") + 1)));
  if (inner) throw problem(archive.file, "package.nested", { entry: inner.path });
  throw problem(archive.file, "package.contents", { os });
}

/** Throws exit 65 for a controller's archive without what BK-Lite's installer starts on a node. */
export function checkParts({ archive, os }: Package): void {
  const { members, file } = archive;
  const parts = os === "windows" ? ["collector-sidecar.exe"] : ["install.sh", "collector-sidecar"];
  // Windows does not tell capitals apart
  const held = new Set([...members.keys()].map((path) => (os === "windows" ? path.toLowerCase() : path)));
  const missing = parts.filter((part) => !held.has(part));
  if (missing.length > 0) throw problem(file, "package.incomplete", { missing });
}

/** Returns the warnings for packages whose names are not UTF-8. */
export function nameWarnings(packages: readonly Package[]): Problem[] {
  const archives = new Set(packages.map(({ archive }) => archive));
  const named = [...archives].flatMap((archive) => [archive, ...(archive.tree ?? [])]);
  return named.flatMap(({ file, name, bytes }) =>
    bytes === undefined ? [] : [finding(file, "name.bytes", { name, bytes })],
  );
}

/** Throws exit 65 for a program that is for another platform, or is none. */
export async function checkBinaries(pkg: Package, found: readonly FoundCollector[]): Promise<void> {
  const { archive } = pkg;
  const sidecars = ["collector-sidecar", "collector-sidecar.exe"].filter((path) => archive.members.has(path));
  for (const path of [...sidecars, ...found.map(({ executable }) => executable)]) {
    if (archive.members.get(path)?.size === 0)
      throw problem(archive.file, "program.kind", { entry: path, found: "empty" });
    checkProgram(archive.file, await binaryKind(archive, path), pkg, "archive", path);
  }
}

/**
 * Reads the program that BK-Lite starts in a collector's zip, which the definitions name: it says which platform the zip is for. `object`
 * is set where somebody said which collector it is.
 */
export async function readZipProgram(
  archive: Archive,
  { os, object }: { os: Os | undefined; object: string | undefined },
  definitions: readonly CollectorDefinition[],
): Promise<void> {
  const known = OPERATING_SYSTEMS.filter((one) => one === (os ?? one)).flatMap((one) =>
    definitionsFor({ os: one, arch: null }, definitions),
  );
  const own =
    object === undefined && os !== undefined
      ? findCollectors(archive, os, known).map(({ definition }) => definition)
      : known.filter((one) => one.object === object);
  const program = own.flatMap((one) => findProgram(one, archive.entries) ?? [])[0];
  if (program === undefined) return;
  const kind = await kindOfEntry(archive, program);
  archive.program = kind;
  for (const member of archive.members.values()) member.kindOfBinary = kind;
}

/** What is odd about a collector that somebody has declared: BK-Lite would not find it, or not unpack it. */
export function oddities(pkg: Package, definitions: ResolveOptions["definitions"]): Problem[] {
  const { object, archive } = pkg;
  const { file, name } = archive;
  const known = definitionsFor(pkg, definitions).map((one) => one.object);
  const meant = known.find((one) => one.toLowerCase() === object.toLowerCase());
  const found: Problem[] = [];
  if (meant !== undefined && !known.includes(object))
    found.push({ file, reason: "collector.object", params: { object: object, meant } });
  if (isPacked(name)) found.push({ file, reason: "collector.unpacked", params: {} });
  return found;
}

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

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are among what Windows refuses
const FORBIDDEN = /[<>:"|?*\x00-\x1f]|[. ]$/;
/** Devices, with whatever ending. */
const RESERVED = /^(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³]|conin\$|conout\$) *(?:\.|$)/i;

/**
 * Throws exit 65 for names that a Windows node cannot unpack: characters that it refuses, devices' names, ends that it drops, and two
 * names that are one where capitals do not count.
 */
export function checkWindowsNames({ file, entries, tree = [] }: Archive): void {
  const kept = entries.filter(({ path }) => !isJunk(path, () => false));
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  for (const [path, isFolder] of [
    ...kept.map(({ path, kind }) => [path, kind === "directory"] as const),
    ...tree.map(({ name, isFolder }) => [name, isFolder] as const),
  ]) {
    const parts = path.split("/");
    if (parts.some((part) => FORBIDDEN.test(part) || RESERVED.test(part)))
      throw problem(file, "package.windows.name", { entry: path });
    const key = path.toUpperCase();
    const other = files.get(key) ?? (isFolder ? undefined : folders.get(key));
    if (other !== undefined) throw problem(file, "package.windows.case", { entry: path, other: other });
    (isFolder ? folders : files).set(key, path);
    for (let length = parts.length - 1; length > 0; length--) {
      const above = parts.slice(0, length).join("/");
      const taken = files.get(above.toUpperCase());
      if (taken !== undefined) throw problem(file, "package.windows.case", { entry: path, other: taken });
      folders.set(above.toUpperCase(), above);
    }
  }
}

/** Returns what a program is. `path` is one of `archive.members`. */
export async function binaryKind(archive: Archive, path: string): Promise<BinaryKind> {
  const entry = archive.members.get(path);
  if (!entry) throw new Error(`${archive.file} has no member ${path}`);
  return kindOfEntry(archive, entry);
}

/** Returns what the first 4 KiB of an entry say it is; no more than that is inflated. */
export async function kindOfEntry(archive: Archive, entry: Entry): Promise<BinaryKind> {
  entry.kindOfBinary ??= await withStamped(archive, async (handle) =>
    programKind(await readEntryHead(archive.file, handle, entry, HEAD_LENGTH), entry.size),
  );
  return entry.kindOfBinary;
}
