import type { ZipItem } from "../archive/zip-write.ts";
import type { FoundCollector } from "./collectors.ts";
import { typeOf } from "./kind.ts";
import type { Archive, CollectorDefinition, MadeOfArchive, Package } from "./package.ts";
import { checkLength, itemOf, plainEntries } from "./repack.ts";
import { type Arranged, arrange, installedPath, type Source } from "./shape.ts";

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
