import type { ZipItem } from "../archive/zip-writer.ts";
import { ProblemError, problem } from "../errors.ts";
import { builtinDefinitions, definitionsFor, type FoundCollector, findCollectors } from "./collectors.ts";
import type { Archive, MadeOfFolder, Package } from "./package.ts";
import { checkProgram, platformOf } from "./programs.ts";
import type { ResolveOptions } from "./resolve.ts";
import { isJunk } from "./top-folder.ts";
import { checkWindowsNames } from "./windows-names.ts";

/** The bundle has its collectors without a version: the newest counts. */
const NEWEST = "latest";

/**
 * What lies in a collector's place (`collector/linux/telegraf`), after the platform's definitions; nothing where it defines no collector of
 * that name. Throws exit 65 for a program of another platform.
 */
export function looseCollectors(archive: Archive, wanted: ResolveOptions): Package[] {
  const { place, file, size, tree, name, members } = archive;
  if (!place) return [];
  const native = [...members.values()].flatMap(({ kindOfBinary }) => platformOf(kindOfBinary) ?? []);
  const target = { os: place.os, arch: place.arch ?? native[0]?.arch ?? "x86_64" };
  const found = findCollectors(archive, target.os, definitionsFor(target, wanted.definitions));
  if (found.length > 0 && archive.fault) throw new ProblemError(archive.fault);
  if (found.length > 0 && target.os === "windows") checkWindowsNames(archive);
  return found.map(({ object, executable }): Package => {
    if (size === 0) throw problem(file, "archive.empty", {});
    const kind = members.get(executable)?.kindOfBinary;
    checkProgram(file, kind, target, "place", tree && executable.slice("bin/".length));
    const pkg = { type: "collector", ...target, object, version: NEWEST, archive, description: "" } as const;
    return tree ? { ...pkg, name: `${name}.zip`, made: madeOf(archive, executable) } : { ...pkg, name };
  });
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

/** Whether BK-Lite has had a collector of that name, whatever its definitions say now. */
export function isBuiltin(archive: Pick<Archive, "members" | "place">): boolean {
  const { place } = archive;
  return place !== undefined && findCollectors(archive, place.os, builtinDefinitions(place.os)).length > 0;
}

/** Whether it is a program, or a folder with one: most likely meant to be a collector. */
export function holdsProgram({ members }: Archive): boolean {
  return [...members.values()].some(({ kindOfBinary }) => platformOf(kindOfBinary) !== undefined);
}

/** The whole folder as a zip, with the folder on top (SPEC §5); modes are normalized, for a copy may have lost them. */
function madeOf(archive: Archive, executable: FoundCollector["executable"]): MadeOfFolder {
  const { tree = [], name: folder } = archive;
  const names = new Set(tree.map(({ name }) => name));
  const items = tree
    .filter(({ name }) => !isJunk(name, (other) => names.has(other)))
    .map((entry): ZipItem<(typeof tree)[number]> => {
      const name = `${folder}/${entry.name}`;
      if (entry.isFolder) return { name: `${name}/`, mode: 0o40755, from: entry };
      const runs = (entry.mode & 0o111) !== 0 || `bin/${name}` === executable;
      return runs
        ? { name, mode: 0o100755, from: entry }
        : { name, mode: 0o100644, guessMode: true, from: entry };
    });
  return { kind: "loose-folder", path: "", items: () => items };
}
