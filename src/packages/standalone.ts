import { invalid, printable } from "../archive/problem.ts";
import type { Entry } from "../archive/types.ts";
import type { ZipItem } from "../archive/zip-writer.ts";
import type { FoundCollector } from "./collectors.ts";
import type { Archive, MadeOfArchive, Package } from "./package.ts";

/** Bytes; a zip's fields without zip64 hold 4 GiB, headers and directory included. */
const MAX_FOLDER_SIZE = 4_000_000_000;

/**
 * A collector of an archive as a package of its own (SPEC §5). BK-Lite downloads it to bin/ and, where its name ends in
 * `.zip`, unzips it there; so what lies in a folder below bin/ takes that folder along. Throws exit 65 for a folder that its
 * unzipper would refuse.
 */
export function standalone({ object, executable }: FoundCollector, controller: Package): Package {
  const { archive, os, arch, version } = controller;
  const parts = executable.split("/");
  const folder = parts[0] === "bin" && parts.length > 2;
  const path = folder ? parts.slice(0, 2).join("/") : executable;
  if (folder) checkFolder(path, archive);
  const last = path.split("/").at(-1) ?? "";
  const made: MadeOfArchive = {
    kind: folder ? "folder" : "executable",
    path,
    items: () => (folder ? folderItems(archive, path, executable) : [executableItem(archive, executable)]),
  };
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
  return { name: path.split("/").at(-1) ?? "", mode: modeOf(from, true), from };
}

/** By name, with the collector's folder on top; a tar.gz has one direction only, so there in its own order. */
function folderItems(archive: Archive, path: string, executable: string): ZipItem[] {
  const above = archive.top === "" ? 0 : archive.top.length + 1;
  const items = (archive.folders.get(path)?.entries ?? []).map((from): ZipItem => {
    const below = from.path.slice(above);
    const name = below.slice(path.lastIndexOf("/") + 1);
    const mode = modeOf(from, below === executable);
    return { name: from.kind === "directory" ? `${name}/` : name, mode, from };
  });
  return archive.format === "tar.gz" ? items : items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** File type and permissions. An archive made on Windows has none: then what runs may run. */
function modeOf({ kind, mode }: Entry, runs: boolean): number {
  const usual = kind === "directory" || runs ? 0o755 : 0o644;
  return (kind === "directory" ? 0o40000 : 0o100000) | (mode === 0 ? usual : mode & 0o777);
}

function checkFolder(path: string, archive: Archive): void {
  const folder = archive.folders.get(path);
  if (folder?.link !== undefined) {
    throw invalid(
      archive.file,
      `holds a link in ${printable(path)}, which BK-Lite's own unzipper refuses: ${printable(folder.link)}`,
      "put the file itself in the link's place, or set COLLECTOR_PACKAGES=shared",
    );
  }
  const size = folder?.entries.reduce((sum, file) => sum + file.size, 0) ?? 0;
  if (size > MAX_FOLDER_SIZE) {
    throw invalid(
      archive.file,
      `holds more in ${printable(path)} than goes into a plain zip: ${size} bytes`,
      "leave out what the collector does not need, or set COLLECTOR_PACKAGES=shared",
    );
  }
}
