import type { ZipItem } from "../archive/zip-write.ts";
import { type Problem, ProblemError, problem } from "../errors.ts";
import type { TreeEntry } from "../volume/list.ts";
import { isPacked } from "../volume/near-misses.ts";
import { definitionsFor, findCollectors } from "./collectors.ts";
import type { Archive, CollectorDefinition, MadeOfFolder, Package, ResolveOptions } from "./package.ts";
import { checkProgram, platformOf } from "./programs.ts";
import { type Arranged, arrange, findProgram, installedPath, LIBRARIES } from "./shape.ts";
import { cut } from "./standalone.ts";
import { isJunk } from "./top-folder.ts";
import { LATEST } from "./versions.ts";
import { checkWindowsNames } from "./windows-names.ts";

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
  if (found.length > 0 && archive.fault) throw new ProblemError(archive.fault);
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
  if (libraries?.fault) throw new ProblemError(libraries.fault);
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
    return [{ file: archive.file, reason: "collector.unstartable", params } as Problem];
  });
}
