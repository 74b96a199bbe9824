import type { ZipItem } from "../archive/zip-writer.ts";
import type { FoundCollector } from "./collectors.ts";
import type { Archive, MadeOfArchive, Package } from "./package.ts";
import { checkLength, itemOf, plainEntries } from "./repack.ts";

/** Programs that are built with a folder of libraries beside them (BKLITE.md); PyInstaller calls it so. */
const WITH_LIBRARIES = /^bin\/ansible-executor(?:\.exe)?$/i;
const LIBRARIES = "bin/_internal";

/**
 * A collector of an archive as a package of its own (SPEC §5). BK-Lite downloads it to bin/ and, where its name ends in
 * `.zip`, unzips it there; so what lies in a folder below bin/ takes that folder along, links replaced by what they name, and a program that
 * needs its libraries takes those. Throws exit 65 where that cannot be done.
 */
export function standalone({ object, executable }: FoundCollector, controller: Package): Package {
  const { archive, os, arch, version } = controller;
  const parts = executable.split("/");
  const inFolder = parts[0] === "bin" && parts.length > 2;
  const path = inFolder ? parts.slice(0, 2).join("/") : executable;
  const paths = inFolder || !hasLibraries(archive, executable) ? [path] : [path, LIBRARIES];
  const folder = inFolder || paths.length > 1;
  const last = path.split("/").at(-1) ?? "";
  const made: MadeOfArchive = {
    kind: folder ? "folder" : "executable",
    path,
    items: () => (folder ? zipItems(archive, paths, executable) : [executableItem(archive, executable)]),
  };
  // what its zip could not hold is found now
  if (folder) checkLength(archive, made);
  const name = folder ? `${inFolder ? last : last.replace(/\.exe$/i, "")}.zip` : last;
  return { type: "collector", os, arch, object, version, archive, name, description: "", made };
}

function hasLibraries({ entries, top }: Archive, executable: string): boolean {
  const root = top === "" ? LIBRARIES : `${top}/${LIBRARIES}`;
  return WITH_LIBRARIES.test(executable) && entries.some(({ path }) => path.startsWith(`${root}/`));
}

/** Whether a package is a collector out of somebody's archive, rather than a file or folder of its own. */
export function isPart({ made }: Package): boolean {
  return made?.kind === "executable" || made?.kind === "folder";
}

function executableItem(archive: Archive, path: string): ZipItem {
  const from = archive.members.get(path);
  if (!from) throw new Error(`${archive.file} has no member ${path}`);
  return { name: path.split("/").at(-1) ?? "", mode: 0o100755, from };
}

/**
 * What lies at these paths below bin/, under its name there. Of a zip by name; a tar.gz has one direction only, so there in its own order.
 */
function zipItems(
  { file, entries, top, format }: Archive,
  paths: readonly string[],
  executable: string,
): ZipItem[] {
  const above = top === "" ? 0 : top.length + 1;
  const items = plainEntries(file, entries).flatMap((entry) => {
    const path = entry.path.slice(above);
    const isIn = (one: string) => path.startsWith(`${one}/`) || (path === one && entry.from.kind === "file");
    if ((top !== "" && !entry.path.startsWith(`${top}/`)) || !paths.some(isIn)) return [];
    const item = itemOf(path.slice("bin/".length), entry.from);
    return [path === executable && item.guessMode ? { ...item, mode: 0o100755 } : item];
  });
  return format === "tar.gz" ? items : items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
