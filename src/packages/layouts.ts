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
  type Source,
} from "./definitions.ts";
import {
  type Archive,
  type CollectorDefinition,
  LATEST,
  type MadeOfArchive,
  type MadeOfFolder,
  type Package,
  type ResolveOptions,
  typeOf,
} from "./package.ts";
import { checkLength, isJunk, itemOf, plainEntries } from "./repack.ts";
import { checkProgram, checkWindowsNames, describeProgram, platformOf } from "./validate.ts";

/** Returns the folder of that name beside a file on the volume. */
export type Beside = (file: string, name: string) => Archive | undefined;

export function besideOf(archives: readonly Archive[]): Beside {
  const folders = new Map(archives.filter(({ isFolder }) => isFolder).map((one) => [one.file, one]));
  return (file, name) => folders.get(`${file.slice(0, file.lastIndexOf("/") + 1)}${name}`);
}

/** How a collector that has a file or folder of its own is stored. */
export type OwnShape = Pick<Package, "name" | "made" | "unstartable">;

/**
 * Returns what lies in a collector's place (`collector/linux/telegraf`), after the platform's definitions; nothing where it defines no
 * collector of that name. Throws exit 65 for a program of another platform.
 */
export function looseCollectors(archive: Archive, wanted: ResolveOptions, beside: Beside): Package[] {
  const { place, file, size, tree, members } = archive;
  if (!place) return [];
  const native = [...members.values()].flatMap(({ kindOfBinary }) => platformOf(kindOfBinary) ?? []);
  const target = { os: place.os, arch: place.arch ?? native[0]?.arch ?? "x86_64" };
  const found = findCollectors(archive, target.os, definitionsFor(target, wanted.definitions));
  if (found.length > 0 && archive.fault) throw new ProblemError([archive.fault]);
  if (found.length > 0 && target.os === "windows") checkWindowsNames(archive);
  return found.map(({ object, executable, definition }): Package => {
    if (size === 0) throw problem(file, "archive.empty", {});
    const kind = members.get(executable)?.kindOfBinary;
    checkProgram(file, kind, target, "place", tree && executable.slice("bin/".length));
    const shape = ownShape(archive, definition, { beside, program: executable.slice("bin/".length) });
    return { type: "collector", ...target, object, version: LATEST, archive, description: "", ...shape };
  });
}

/**
 * Returns the shape in which BK-Lite can start a collector's own file, folder or zip: as it is if that will do. A zip has to say itself
 * what runs. `program` is its path, with its folder's name before it.
 */
export function ownShape(
  archive: Archive,
  definition: CollectorDefinition,
  { beside, program }: { beside: Beside; program: string },
): OwnShape {
  const { name, format, entries, tree } = archive;
  if (tree) return folderShape(archive, definition, program);
  if (format === "zip") {
    const runs = ({ mode }: { mode: number }) => definition.os === "windows" || (mode & 0o111) !== 0;
    const files = entries.filter((one) => one.kind === "file" && runs(one)).map(({ path }) => path);
    if (installedPath(definition, { name, files }) !== undefined) return { name };
    const inside = findProgram(definition, entries);
    if (inside === undefined) return { name, unstartable: true };
    const { startable, ...shape } = cut(archive, definition, { program: inside.path, ownFolder: true });
    return startable ? shape : { ...shape, unstartable: true };
  }
  // a node would get one packed file, whatever its name
  if (isPacked(name)) return { name, unstartable: true };
  const libraries = beside(archive.file, LIBRARIES);
  const arranged = arrange(definition, {
    program,
    ownFolder: false,
    hasFolder: (path) => path === LIBRARIES && libraries !== undefined,
  });
  if (!arranged.zip) return judged(definition, arranged, {});
  if (libraries?.fault) throw new ProblemError([libraries.fault]);
  if (libraries && definition.os === "windows") checkWindowsNames(libraries);
  return judged(definition, arranged, { made: madeOf(arranged, program, besideTree(archive, libraries)) });
}

function folderShape(archive: Archive, definition: CollectorDefinition, program: string): OwnShape {
  const { tree = [], name: folder } = archive;
  const names = new Set(tree.map(({ name }) => name));
  const kept = tree
    .filter(({ name }) => !isJunk(name, (other) => names.has(other)))
    .map((entry) => ({ path: `${folder}/${entry.name}`, entry }));
  const hasFolder = (path: string) => kept.some((one) => one.path.startsWith(`${path}/`));
  const arranged = arrange(definition, { program, ownFolder: true, hasFolder });
  return judged(definition, arranged, { made: madeOf(arranged, program, kept) });
}

function judged(
  definition: CollectorDefinition,
  { name, target }: Arranged,
  { made }: Pick<OwnShape, "made">,
): OwnShape {
  const startable = installedPath(definition, { name, files: [target] }) !== undefined;
  return { name, ...(made && { made }), ...(!startable && { unstartable: true }) };
}

interface Placed {
  path: string;
  entry: TreeEntry;
}

/** A program's file and its libraries, as if they lay in a folder. */
function besideTree(archive: Archive, libraries: Archive | undefined): Placed[] {
  const { file, path, stamp, name, sha256 } = archive;
  const own: TreeEntry = { file, path, stamp, name, isFolder: false, mode: 0o755, sha256 };
  const others = libraries?.tree?.map((entry) => ({ path: `${LIBRARIES}/${entry.name}`, entry })) ?? [];
  return [{ path: name, entry: own }, ...others];
}

/** The collector that it is called like, and the program that is looked for in it: a folder, or a file that is none. */
export function calledLike(
  { name, place }: Archive,
  { definitions }: Pick<ResolveOptions, "definitions">,
): { object: string; program: string } | undefined {
  if (!place) return undefined;
  const target = { os: place.os, arch: place.arch ?? "x86_64" };
  for (const { object, executable } of definitionsFor(target, definitions)) {
    const program = executable?.split("/").at(-1);
    if (program?.replace(/\.exe$/i, "").toLowerCase() === name.toLowerCase()) return { object, program };
  }
  return undefined;
}

/** Files as a zip, or the one of them that is started; modes are normalized, for a copy may have lost them. */
function madeOf({ zip, place }: Arranged, program: string, files: readonly Placed[]): MadeOfFolder {
  const items = files.flatMap(({ path, entry }): ZipItem<TreeEntry>[] => {
    const name = place(path);
    if (name === undefined) return [];
    if (entry.isFolder) return [{ name: `${name}/`, mode: 0o40755, from: entry }];
    const runs = (entry.mode & 0o111) !== 0 || path === program;
    return [
      runs ? { name, mode: 0o100755, from: entry } : { name, mode: 0o100644, guessMode: true, from: entry },
    ];
  });
  return { kind: zip ? "loose-folder" : "loose-file", path: "", items: () => items };
}

/** Returns a warning for each collector whose program would not be where BK-Lite starts it. */
export function unstartableWarnings(
  packages: readonly Package[],
  { definitions }: Pick<ResolveOptions, "definitions">,
): Problem[] {
  return packages.flatMap((pkg): Problem[] => {
    const { object, archive } = pkg;
    // another warning says so already
    if (!pkg.unstartable || isPacked(pkg.name)) return [];
    const definition = definitionsFor(pkg, definitions).find((one) => one.object === object);
    const program = definition?.executable ?? definition?.packageName ?? "";
    const params = { object: object, program: program };
    return [finding(archive.file, "collector.unstartable", params)];
  });
}

/** A collector out of a zip or tar.gz, in the shape that BK-Lite can start. */
export interface Cut {
  name: string;
  made: MadeOfArchive;
  /** Whether BK-Lite finds the program after it has unpacked this. */
  startable: boolean;
}

/**
 * Returns a collector of a controller's archive as a package of its own (SPEC §5), links replaced by what they name. Throws exit 65 where
 * that cannot be done.
 */
export function standalone({ object, executable, definition }: FoundCollector, controller: Package): Package {
  const { archive, os, arch, version } = controller;
  // BK-Lite's bin/ is shared; a folder in it is one collector's
  const inFolder = executable.startsWith("bin/") && executable.split("/").length > 2;
  const { name, made, startable } = cut(archive, definition, { program: executable, ownFolder: inFolder });
  const pkg = { type: "collector", os, arch, object, version, archive, name, description: "", made } as const;
  return startable ? pkg : { ...pkg, unstartable: true };
}

/** Cuts a collector out of an archive. `program` is its path below the archive's top folder. */
export function cut(
  archive: Archive,
  definition: CollectorDefinition,
  { program, ownFolder }: Pick<Source, "program" | "ownFolder">,
): Cut {
  const { entries, top } = archive;
  const root = top === "" ? "" : `${top}/`;
  const hasFolder = (path: string) => entries.some((entry) => entry.path.startsWith(`${root}${path}/`));
  const arranged = arrange(definition, { program, ownFolder, hasFolder });
  const { name, zip, target, whole } = arranged;
  const from = entryOf(archive, root + program);
  // BK-Lite makes a plain file executable, but nothing in a zip
  const forced = zip && definition.os === "linux" && (from.mode & 0o777) !== 0 && (from.mode & 0o111) === 0;
  const renamed = `bin/${target}` !== program;
  const path = whole ? program.slice(0, program.lastIndexOf("/")) || program : program;
  const made: MadeOfArchive = {
    kind: zip ? "folder" : "executable",
    path,
    ...(zip && (renamed || forced) && { target }),
    items: () => (zip ? zipItems(archive, arranged, { program, forced }) : [{ name, mode: 0o100755, from }]),
  };
  // a zip that would be too long is found now
  if (zip) checkLength(archive, made);
  return { name, made, startable: installedPath(definition, { name, files: [target] }) !== undefined };
}

/** Whether a package is a collector out of a controller's archive, rather than a file or folder of its own. */
export function isPart({ type, archive }: Package): boolean {
  return type === "collector" && typeOf(archive) === "controller";
}

function entryOf({ file, members, entries, top }: Archive, path: string): ZipItem["from"] {
  const below = top === "" ? path : path.slice(top.length + 1);
  // a link's member is the file that it names
  const from = entries.find((one) => one.path === path && one.kind === "file") ?? members.get(below);
  if (!from) throw new Error(`${file} has no member ${path}`);
  return from;
}

/**
 * Returns the collector's files and folders under their names in its zip. Of a zip by name; a tar.gz has one direction only, so there in
 * its own order.
 */
function zipItems(
  { file, entries, top, format }: Archive,
  { place }: Arranged,
  { program, forced }: { program: string; forced: boolean },
): ZipItem[] {
  const above = top === "" ? 0 : top.length + 1;
  const items = plainEntries(file, entries).flatMap(({ path: whole, from }): ZipItem[] => {
    if (top !== "" && !whole.startsWith(`${top}/`)) return [];
    const path = whole.slice(above);
    const name = place(path);
    if (name === undefined || (path === program && from.kind !== "file")) return [];
    const item = itemOf(name, from);
    const runs = path === program && (forced || item.guessMode);
    return [runs ? { ...item, mode: item.mode | 0o100111 } : item];
  });
  return format === "tar.gz" ? items : items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The key of a platform's installer. */
export function installerKey(os: Os, arch: Arch): string {
  return `installer/${os}/${arch}/${INSTALLER_NAMES[os]}`;
}

/** The key of an APM probe. */
export function probeKey(language: string, name: string): string {
  return `apm/probe/${language}/${name}`;
}

/** The key of the program by which BK-Lite starts the installer on a Windows machine from afar. */
export const BOOTSTRAP_KEY = `installer/windows/x86_64/${BOOTSTRAP_NAME}`;

/**
 * An installer, for the platform that its header says; what somebody said of it, and its name, must agree. Throws exit 65 for what is no
 * program.
 */
export function installerPackage(archive: Archive): Package {
  const { program, file } = archive;
  const found = platformOf(program);
  if (!found) {
    const instead = program?.format === "other" ? program.instead : undefined;
    throw problem(file, "installer.kind", { found: describeProgram(program), ...(instead && { instead }) });
  }
  const said = { ...archive.claim };
  const known = knownName(archive.name);
  const isBootstrap = known === BOOTSTRAP_NAME || said.object?.toLowerCase() === "bootstrap";
  const named = known === INSTALLER_NAMES.linux ? "linux" : known === undefined ? undefined : "windows";
  const os = said.os ?? (isBootstrap ? "windows" : (named ?? found.os));
  const arch = said.arch ?? (isBootstrap ? "x86_64" : found.arch);
  checkProgram(file, program, { os, arch }, "installer");
  return {
    type: "installer",
    os,
    arch,
    object: isBootstrap ? "bootstrap" : "installer",
    version: LATEST,
    archive,
    name: isBootstrap ? BOOTSTRAP_NAME : INSTALLER_NAMES[os],
    description: said.description ?? "",
    fixedKey: isBootstrap ? BOOTSTRAP_KEY : installerKey(os, arch),
  };
}

/** An APM probe. Throws exit 65 for a name that BK-Lite does not know. */
export function probePackage(archive: Archive): Package {
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
    description: archive.claim?.description ?? "",
    fixedKey: probeKey(language, name),
  };
}
