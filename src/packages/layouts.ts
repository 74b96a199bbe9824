import type { Entry } from "../archive/types.ts";
import type { ZipItem } from "../archive/zip-write.ts";
import { finding, type Problem, ProblemError, problem } from "../errors.ts";
import type { Arch, Os } from "../identity.ts";
import type { TreeEntry } from "../volume/list.ts";
import { BOOTSTRAP_NAME, INSTALLER_NAMES, knownName, PROBES } from "../volume/name.ts";
import { isPacked } from "../volume/near-misses.ts";
import {
  type Arranged,
  arrange,
  definitionsFor,
  type FoundCollector,
  findCollectors,
  findProgram,
  installedPath,
  LIBRARIES,
  type ProgramSource,
  slotPaths,
} from "./definitions.ts";
import {
  type Archive,
  type CollectorDefinition,
  type CollectorFile,
  type CollectorFolder,
  type ControllerArchive,
  type CutOut,
  type DerivedFromFolder,
  type InstallerFile,
  LATEST,
  type Package,
  type ProbeFile,
  type ResolveOptions,
} from "./package.ts";
import { checkLength, isJunk, itemOf, plainEntries, prefixOf } from "./repack.ts";
import { checkExecutable, checkWindowsNames, describeExecutable, platformOf } from "./validate.ts";

/** Returns the folder of that name beside a file on the volume. */
export type FindSibling = (file: string, name: string) => CollectorFolder | undefined;

/** Makes the function that finds a folder beside a file. */
export function siblingsIn(archives: readonly Archive[]): FindSibling {
  const folders = new Map(
    archives.flatMap((one) => (one.kind === "collector-folder" ? [[one.file, one] as const] : [])),
  );
  return (file, name) => folders.get(`${file.slice(0, file.lastIndexOf("/") + 1)}${name}`);
}

/** How a collector with a file or folder of its own is stored. */
type Stored = Pick<Package, "name" | "derived" | "unstartable">;

/** Returns the defined collectors in a slot. Throws exit 65 for a program of another platform. */
export function slotCollectors(
  archive: CollectorFile | CollectorFolder,
  wanted: ResolveOptions,
  findSibling: FindSibling,
): Package[] {
  const { slot, file, size } = archive;
  if (!slot) return [];
  const isFile = archive.kind === "collector";
  const types = isFile ? [archive.executable] : [...archive.executables.values()];
  const native = types.flatMap((type) => platformOf(type) ?? []);
  const target = { os: slot.os, arch: slot.arch ?? native[0]?.arch ?? "x86_64" };
  const found = findCollectors(slotPaths(archive), target.os, definitionsFor(target, wanted.definitions));
  if (found.length > 0 && archive.problem) throw new ProblemError([archive.problem]);
  if (found.length > 0 && target.os === "windows") checkWindowsNames(archive);
  return found.map(({ object, executable, definition }): Package => {
    if (size === 0) throw problem(file, "archive.empty", {});
    const program = executable.slice("bin/".length);
    const type = isFile ? archive.executable : archive.executables.get(executable);
    if (type) checkExecutable(type, { file, entry: isFile ? "" : program, target, source: "place" });
    const stored = storedForm(archive, definition, { findSibling, program });
    return { type: "collector", ...target, object, version: LATEST, archive, description: "", ...stored };
  });
}

/**
 * Returns the form in which BK-Lite can start a collector's own file, folder or zip: unchanged if possible.
 * `program` is the path of a plain program, with its folder's name.
 */
export function storedForm(
  archive: CollectorFile | CollectorFolder,
  definition: CollectorDefinition,
  { findSibling, program }: { findSibling: FindSibling; program: string },
): Stored {
  if (archive.kind === "collector-folder") return folderForm(archive, definition, program);
  const { name, format, entries } = archive;
  if (format === "zip") {
    const runs = ({ mode }: Entry) => definition.os === "windows" || (mode & 0o111) !== 0;
    const files = entries.filter((one) => one.kind === "file" && runs(one)).map(({ path }) => path);
    if (installedPath(definition, { name, files }) !== undefined) return { name };
    const inside = findProgram(definition, entries);
    if (inside === undefined) return { name, unstartable: true };
    return cutOut(archive, definition, { program: inside.path, ownFolder: true });
  }
  // a node would get one packed file, under any name
  if (isPacked(name)) return { name, unstartable: true };
  const libraries = findSibling(archive.file, LIBRARIES);
  const hasFolder = (path: string) => path === LIBRARIES && libraries !== undefined;
  const arranged = arrange(definition, { program, ownFolder: false, hasFolder });
  if (!arranged.zip) return withStart(definition, arranged);
  if (libraries?.problem) throw new ProblemError([libraries.problem]);
  if (libraries && definition.os === "windows") checkWindowsNames(libraries);
  // the scan's progress is over
  const { watch: _, ...unwatched } = archive;
  const own: TreeEntry = { ...unwatched, isFolder: false, mode: 0o755 };
  const others = libraries?.tree.map((entry) => ({ path: `${LIBRARIES}/${entry.name}`, entry })) ?? [];
  const files = [{ path: name, entry: own }, ...others];
  return withStart(definition, arranged, deriveFromFiles(arranged, program, files));
}

function folderForm(
  { tree, name: folder }: CollectorFolder,
  definition: CollectorDefinition,
  program: string,
): Stored {
  const names = new Set(tree.map(({ name }) => name));
  const files = tree
    .filter(({ name }) => !isJunk(name, (other) => names.has(other)))
    .map((entry) => ({ path: `${folder}/${entry.name}`, entry }));
  const hasFolder = (path: string) => files.some((one) => one.path.startsWith(`${path}/`));
  const arranged = arrange(definition, { program, ownFolder: true, hasFolder });
  return withStart(definition, arranged, deriveFromFiles(arranged, program, files));
}

/** Returns how a collector is stored, marked if BK-Lite would not find its program. */
function withStart(
  definition: CollectorDefinition,
  { name, target }: Arranged,
  derived?: Package["derived"],
): Stored {
  const isStartable = installedPath(definition, { name, files: [target] }) !== undefined;
  return { name, ...(derived && { derived }), ...(!isStartable && { unstartable: true }) };
}

/** A file on the volume, and its path in a collector's folder. */
interface PlacedFile {
  path: string;
  entry: TreeEntry;
}

/** Returns files as a zip, or the one that is started. A copy may have lost their modes. */
function deriveFromFiles(
  { zip, pathOf }: Arranged,
  program: string,
  files: readonly PlacedFile[],
): DerivedFromFolder {
  const items = files.flatMap(({ path, entry }): ZipItem<TreeEntry>[] => {
    const name = pathOf(path);
    if (name === undefined) return [];
    if (entry.isFolder) return [{ name: `${name}/`, mode: 0o40755, from: entry }];
    const runs = (entry.mode & 0o111) !== 0 || path === program;
    return [
      runs ? { name, mode: 0o100755, from: entry } : { name, mode: 0o100644, guessMode: true, from: entry },
    ];
  });
  return { kind: zip ? "loose-folder" : "loose-file", path: "", items: () => items };
}

/** Returns a collector of a controller's archive as a package of its own (SPEC §5), or throws exit 65. */
export function standalone(
  { object, executable, definition }: FoundCollector,
  { os, arch, version }: Package,
  archive: ControllerArchive,
): Package {
  // all collectors share BK-Lite's bin/; a folder in it is one collector's
  const ownFolder = executable.startsWith("bin/") && executable.split("/").length > 2;
  const stored = cutOut(archive, definition, { program: executable, ownFolder });
  return { type: "collector", os, arch, object, version, archive, description: "", ...stored };
}

/** Cuts a collector out of an archive; `program` is its path below the top folder. */
function cutOut(
  archive: ControllerArchive | CollectorFile,
  definition: CollectorDefinition,
  { program, ownFolder }: Pick<ProgramSource, "program" | "ownFolder">,
): Stored {
  const { file, entries, format } = archive;
  const root = archive.kind === "controller" ? prefixOf(archive.topFolder) : "";
  const hasFolder = (path: string) => entries.some((entry) => entry.path.startsWith(`${root}${path}/`));
  const arranged = arrange(definition, { program, ownFolder, hasFolder });
  const { name, zip, target, whole, pathOf } = arranged;
  // a link counts as the file that it names
  const member = archive.kind === "controller" ? archive.members.get(program) : undefined;
  const from = entries.find((one) => one.path === root + program && one.kind === "file") ?? member;
  if (!from) throw new Error(`${file} has no member ${program}`);
  // BK-Lite makes a plain file executable, but nothing in a zip
  const forced = zip && definition.os === "linux" && (from.mode & 0o777) !== 0 && (from.mode & 0o111) === 0;
  const zipItems = () => {
    const items = plainEntries(file, entries).flatMap((one): ZipItem[] => {
      if (!one.path.startsWith(root)) return [];
      const path = one.path.slice(root.length);
      const inZip = pathOf(path);
      if (inZip === undefined || (path === program && one.from.kind !== "file")) return [];
      const item = itemOf(inZip, one.from);
      const runs = path === program && (forced || item.guessMode);
      return [runs ? { ...item, mode: item.mode | 0o100111 } : item];
    });
    // a tar.gz can only be read in its own order
    return format === "tar.gz" ? items : items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  };
  const isMoved = `bin/${target}` !== program;
  const derived: CutOut = {
    kind: zip ? "folder" : "executable",
    path: whole ? program.slice(0, program.lastIndexOf("/")) || program : program,
    ...(zip && (isMoved || forced) && { target }),
    items: () => (zip ? zipItems() : [{ name, mode: 0o100755, from }]),
  };
  if (zip) checkLength(archive, derived);
  return withStart(definition, arranged, derived);
}

/** Whether a package is a collector out of a controller's archive, not a file or folder of its own. */
export function isPart({ type, archive }: Package): boolean {
  return type === "collector" && archive.kind === "controller";
}

/** Returns the collector that a slot's folder is named after, and the program that is missing in it. */
export function collectorNamed(
  { name, slot }: CollectorFolder,
  { definitions }: Pick<ResolveOptions, "definitions">,
): { object: string; program: string } | undefined {
  if (!slot) return undefined;
  const target = { os: slot.os, arch: slot.arch ?? "x86_64" };
  for (const { object, executable } of definitionsFor(target, definitions)) {
    const program = executable?.split("/").at(-1);
    if (program?.replace(/\.exe$/i, "").toLowerCase() === name.toLowerCase()) return { object, program };
  }
  return undefined;
}

/** Returns a warning for each collector whose program would not be where BK-Lite starts it. */
export function startWarnings(
  packages: readonly Package[],
  { definitions }: Pick<ResolveOptions, "definitions">,
): Problem[] {
  return packages.flatMap((pkg): Problem[] => {
    const { object, archive } = pkg;
    // another warning says so already
    if (!pkg.unstartable || isPacked(pkg.name)) return [];
    const definition = definitionsFor(pkg, definitions).find((one) => one.object === object);
    const program = definition?.executable ?? definition?.packageName ?? "";
    return [finding(archive.file, "collector.unstartable", { object, program })];
  });
}

/** Returns the key of a platform's installer. */
export function installerKey(os: Os, arch: Arch): string {
  return `installer/${os}/${arch}/${INSTALLER_NAMES[os]}`;
}

/** Returns the key of an APM probe. */
export function probeKey(language: string, name: string): string {
  return `apm/probe/${language}/${name}`;
}

/** The key of the program by which BK-Lite starts the installer on a remote Windows machine. */
export const BOOTSTRAP_KEY = `installer/windows/x86_64/${BOOTSTRAP_NAME}`;

/** Returns an installer's package. Throws exit 65 if its name or declaration contradicts its header. */
export function installerPackage(archive: InstallerFile): Package {
  const { executable, file, declared } = archive;
  const found = platformOf(executable);
  if (!found) {
    const instead = executable.format === "other" ? executable.instead : undefined;
    const params = { found: describeExecutable(executable), ...(instead && { instead }) };
    throw problem(file, "installer.kind", params);
  }
  const known = knownName(archive.name);
  const isBootstrap = known === BOOTSTRAP_NAME || declared?.object?.toLowerCase() === "bootstrap";
  const namedOs = known === INSTALLER_NAMES.linux ? "linux" : known === undefined ? undefined : "windows";
  const os = declared?.os ?? (isBootstrap ? "windows" : (namedOs ?? found.os));
  const arch = declared?.arch ?? (isBootstrap ? "x86_64" : found.arch);
  checkExecutable(executable, { file, entry: "", target: { os, arch }, source: "installer" });
  return {
    type: "installer",
    os,
    arch,
    object: isBootstrap ? "bootstrap" : "installer",
    version: LATEST,
    archive,
    name: isBootstrap ? BOOTSTRAP_NAME : INSTALLER_NAMES[os],
    description: declared?.description ?? "",
    keyWithoutRow: isBootstrap ? BOOTSTRAP_KEY : installerKey(os, arch),
  };
}

/** Returns an APM probe's package. Throws exit 65 for a name that BK-Lite does not know. */
export function probePackage(archive: ProbeFile): Package {
  const name = knownName(archive.name);
  const language = name === undefined ? undefined : PROBES[name];
  if (name === undefined || language === undefined)
    throw problem(archive.file, "probe.unknown", { names: Object.keys(PROBES) });
  return {
    type: "apm-probe",
    os: "linux",
    arch: "x86_64",
    anywhere: true,
    object: language,
    version: LATEST,
    archive,
    name,
    description: archive.declared?.description ?? "",
    keyWithoutRow: probeKey(language, name),
  };
}
