import type { ZipItem } from "../archive/zip-writer.ts";
import type { FoundCollector } from "./collectors.ts";
import type { Archive, MadeOfArchive, Package } from "./package.ts";
import { checkLength, itemOf, plainEntries } from "./repack.ts";

/**
 * A collector of an archive as a package of its own (SPEC §5). BK-Lite downloads it to bin/ and, where its name ends in
 * `.zip`, unzips it there; so what lies in a folder below bin/ takes that folder along, links replaced by what they name. Throws exit 65 where
 * that cannot be done.
 */
export function standalone({ object, executable }: FoundCollector, controller: Package): Package {
  const { archive, os, arch, version } = controller;
  const parts = executable.split("/");
  const folder = parts[0] === "bin" && parts.length > 2;
  const path = folder ? parts.slice(0, 2).join("/") : executable;
  const last = path.split("/").at(-1) ?? "";
  const made: MadeOfArchive = {
    kind: folder ? "folder" : "executable",
    path,
    items: () => (folder ? folderItems(archive, path, executable) : [executableItem(archive, executable)]),
  };
  // what its zip could not hold is found now
  if (folder) checkLength(archive, made);
  const name = folder ? `${last}.zip` : last;
  return { type: "collector", os, arch, object, version, archive, name, description: "", made };
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

/** With the collector's folder on top. Of a zip by name; a tar.gz has one direction only, so there in its own order. */
function folderItems({ file, entries, top, format }: Archive, path: string, executable: string): ZipItem[] {
  const root = top === "" ? path : `${top}/${path}`;
  const name = path.slice(path.lastIndexOf("/") + 1);
  const items = plainEntries(file, entries)
    .filter((entry) => entry.path.startsWith(`${root}/`))
    .map((entry) => {
      const below = entry.path.slice(root.length);
      const item = itemOf(`${name}${below}`, entry.from);
      return `${path}${below}` === executable && item.guessMode ? { ...item, mode: 0o100755 } : item;
    });
  return format === "tar.gz" ? items : items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
