import { examineExecutable, HEAD_LENGTH } from "../archive/file-kind.ts";
import type { Entry, ExecutableType } from "../archive/types.ts";
import { readEntryHead } from "../archive/zip-read.ts";
import { finding, type Problem, problem } from "../errors.ts";
import { type Arch, FIELD_LENGTHS, isRowName, OPERATING_SYSTEMS, type Os } from "../identity.ts";
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
  slotPaths,
} from "./definitions.ts";
import type {
  Archive,
  CollectorDefinition,
  CollectorFile,
  CollectorFolder,
  ControllerArchive,
  Package,
  ResolveOptions,
} from "./package.ts";
import { isJunk } from "./repack.ts";

/**
 * Returns a warning if VERSION files exist and none has a version. Throws exit 65 if the first that applies
 * to the os has a line that looks like a version and is none: it must not silently become another version.
 */
export function checkVersion(
  { declared, nameInfo, versions, file }: ControllerArchive,
  os: Os,
  { options, packageVersion }: ResolveOptions,
): Problem[] {
  if ((options.version ?? declared?.version ?? nameInfo.version ?? packageVersion) !== undefined) return [];
  for (const one of versions) {
    if (versionFor([one], os) !== undefined) return [];
    const line = one.unread?.[os] ?? one.unread?.any;
    if (line !== undefined) throw problem(file, "version.unreadable", { from: one.from ?? "", line });
  }
  const [first] = versions;
  if (first?.from === undefined) return [];
  return [finding(file, "version.missing", { from: first.from, os })];
}

/** Throws exit 65 for an archive without a controller and collectors. */
export function checkKnown(archive: ControllerArchive, os: Os, found: readonly FoundCollector[]): void {
  const { members, entries, file } = archive;
  if (sidecarsIn(archive).length > 0 || found.length > 0) return;
  if (findCollectors(members.keys(), os, builtinDefinitions(os)).length > 0) return;
  if (isRelease(entries.map(({ path }) => path))) throw problem(file, "package.release", {});
  const inner = entries.find(({ path }) => formatOf(path.slice(path.lastIndexOf("/") + 1)));
  if (inner) throw problem(file, "package.nested", { entry: inner.path });
  throw problem(file, "package.contents", { os });
}

function sidecarsIn({ members }: ControllerArchive): string[] {
  return ["collector-sidecar", "collector-sidecar.exe"].filter((path) => members.has(path));
}

/** Throws exit 65 for a controller's archive without the files that BK-Lite's installer starts on a node. */
export function checkParts({ members, file }: ControllerArchive, os: Os): void {
  const parts = os === "windows" ? ["collector-sidecar.exe"] : ["install.sh", "collector-sidecar"];
  // file names on Windows are not case-sensitive
  const paths = new Set([...members.keys()].map((path) => (os === "windows" ? path.toLowerCase() : path)));
  const missing = parts.filter((part) => !paths.has(part));
  if (missing.length > 0) throw problem(file, "package.incomplete", { missing });
}

/** Throws exit 65 for a program in an archive that is empty, incomplete, or for another platform. */
export async function checkExecutables(
  archive: ControllerArchive,
  target: Target,
  found: readonly FoundCollector[],
): Promise<void> {
  const { members, file } = archive;
  for (const path of [...sidecarsIn(archive), ...found.map(({ executable }) => executable)]) {
    const entry = members.get(path);
    if (!entry) continue;
    if (entry.size === 0) throw problem(file, "program.kind", { entry: path, found: "empty" });
    const type = await readExecutableType(archive, entry);
    checkExecutable(type, { file, entry: path, target, source: "archive" });
  }
}

/** Returns an entry's type by its first 4 KiB; inflates no more of a zip's. */
export async function readExecutableType(
  archive: ControllerArchive | CollectorFile,
  entry: Entry,
): Promise<ExecutableType> {
  if (entry.executableType) return entry.executableType;
  return withStamped(archive, async (handle) =>
    examineExecutable(await readEntryHead(archive.file, handle, entry, HEAD_LENGTH), entry.size),
  );
}

/**
 * Returns a collector's zip with the type of the program that BK-Lite starts, by the definitions: it decides
 * which platform the zip is for. `object` is set if the collector was declared.
 */
export async function withProgram(
  archive: CollectorFile,
  { os, object }: { os?: Os | undefined; object?: string | undefined },
  definitions: readonly CollectorDefinition[],
): Promise<CollectorFile> {
  const paths = archive.slot ? slotPaths(archive) : [];
  const known = OPERATING_SYSTEMS.filter((one) => one === (os ?? one)).flatMap((one) =>
    definitionsFor({ os: one, arch: null }, definitions),
  );
  const own =
    object === undefined && os !== undefined
      ? findCollectors(paths, os, known).map(({ definition }) => definition)
      : known.filter((one) => one.object === object);
  const program = own.flatMap((one) => findProgram(one, archive.entries) ?? [])[0];
  if (program === undefined) return archive;
  return { ...archive, executable: await readExecutableType(archive, program) };
}

interface Target {
  os: Os;
  arch: Arch;
}

/** Returns a program's platform; undefined if its first bytes do not say, or for another system. */
export function platformOf(type: ExecutableType | undefined): Target | undefined {
  if (type?.format !== "elf" && type?.format !== "pe") return undefined;
  if (type.machine === "other") return undefined;
  // an x86_64 machine also runs 32-bit programs
  return {
    os: type.format === "pe" ? "windows" : "linux",
    arch: type.machine === "arm64" ? "arm64" : "x86_64",
  };
}

/** Throws exit 65 for a program shorter than its header says; `entry`: its path in the archive. */
export function checkComplete(file: string, type: ExecutableType, entry = ""): void {
  if (type.cut) throw problem(file, "program.truncated", { entry, ...type.cut });
}

/** A program to be checked, and the platform that it should be for. */
interface CheckedProgram {
  file: string;
  /** Its path in the archive or folder; "" for the file itself. */
  entry: string;
  target: Target;
  /** Where it comes from, on which the remedy depends. */
  source: "archive" | "installer" | "place";
}

/** Throws exit 65 for a program that is incomplete, for another platform, or no program. */
export function checkExecutable(type: ExecutableType, { file, entry, target, source }: CheckedProgram): void {
  checkComplete(file, type, entry);
  if (type.format === "other" && type.instead !== undefined)
    throw problem(file, "program.kind", { entry, found: type.instead });
  if (contradicts(type, target))
    throw problem(file, "package.program", { ...target, source, entry, found: describeExecutable(type) });
}

/** Scripts, jars and unknown formats pass, and so do 32-bit programs on x86_64, which runs them. */
function contradicts(type: ExecutableType, { os, arch }: Target): boolean {
  if (type.format === "other") return false;
  if (type.format === "macho") return true;
  if (type.format !== (os === "windows" ? "pe" : "elf")) return true;
  return type.machine !== arch && !(type.machine === "x86" && arch === "x86_64");
}

/** Returns the platform of a program for messages: `linux arm64`, `macOS`, `other`. */
export function describeExecutable(type: ExecutableType): string {
  if (type.format === "macho") return "macOS";
  if (type.format === "other") return "other";
  const os = type.format === "pe" ? "windows" : "linux";
  return type.machine === "other" ? `${os}, another architecture` : `${os} ${type.machine}`;
}

/** Whether a slot of the bundle layout has a program, and so most likely a collector. */
export function holdsExecutable(archive: CollectorFile | CollectorFolder): boolean {
  const types = archive.kind === "collector" ? [archive.executable] : [...archive.executables.values()];
  return types.some((type) => platformOf(type) !== undefined);
}

/** Returns warnings for a declared collector that BK-Lite would not find or not unpack. */
export function collectorWarnings(pkg: Package, definitions: ResolveOptions["definitions"]): Problem[] {
  const { object, archive } = pkg;
  const { file, name } = archive;
  const known = definitionsFor(pkg, definitions).map((one) => one.object);
  const meant = known.find((one) => one.toLowerCase() === object.toLowerCase());
  const isMisspelt = meant !== undefined && !known.includes(object);
  return [
    ...(isMisspelt ? [finding(file, "collector.object", { object, meant })] : []),
    ...(isPacked(name) ? [finding(file, "collector.unpacked", {})] : []),
  ];
}

/** Returns warnings for packages whose file names are not UTF-8. */
export function nameWarnings(packages: readonly Package[]): Problem[] {
  const archives = [...new Set(packages.map(({ archive }) => archive))];
  const files = archives.flatMap((archive) => [
    archive,
    ...(archive.kind === "collector-folder" ? archive.tree : []),
  ]);
  return files.flatMap(({ file, name, bytes }) =>
    bytes === undefined ? [] : [finding(file, "name.bytes", { name, bytes })],
  );
}

/** Throws exit 65 for a field that the table's columns cannot hold. Returns the package. */
export function checkFields(pkg: Package): Package {
  if (!isRowName(pkg.name)) throw problem(pkg.archive.file, "name.characters", { name: pkg.name });
  for (const field of Object.keys(FIELD_LENGTHS) as (keyof typeof FIELD_LENGTHS)[]) {
    const length = [...pkg[field]].length;
    const limit = FIELD_LENGTHS[field];
    if (length > limit) throw problem(pkg.archive.file, "package.field.long", { field, length, limit });
  }
  return pkg;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: Windows rejects them
const FORBIDDEN = /[<>:"|?*\x00-\x1f]|[. ]$/;
/** Names of devices, with any ending. */
const RESERVED = /^(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³]|conin\$|conout\$) *(?:\.|$)/i;

/** Throws exit 65 for names that Windows rejects or changes, and for two that differ only in case. */
export function checkWindowsNames(archive: Archive): void {
  const { file } = archive;
  const entries = "entries" in archive ? archive.entries : [];
  const tree = archive.kind === "collector-folder" ? archive.tree : [];
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
    if (other !== undefined) throw problem(file, "package.windows.case", { entry: path, other });
    (isFolder ? folders : files).set(key, path);
    for (let length = parts.length - 1; length > 0; length--) {
      const above = parts.slice(0, length).join("/");
      const taken = files.get(above.toUpperCase());
      if (taken !== undefined) throw problem(file, "package.windows.case", { entry: path, other: taken });
      folders.set(above.toUpperCase(), above);
    }
  }
}
