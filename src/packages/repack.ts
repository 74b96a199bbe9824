import { MAX_ENTRIES, MAX_FILES, MAX_UNPACKED } from "../archive/entries.ts";
import { followLinks, type PlainEntry } from "../archive/links.ts";
import type { Entry } from "../archive/types.ts";
import type { ZipItem } from "../archive/zip-write.ts";
import { problem } from "../errors.ts";
import type { FormReason } from "../messages/archive.ts";
import { madeSize } from "./form.ts";
import { MAX_MADE } from "./one-pass.ts";
import type { Archive, MadeOfArchive, Package } from "./package.ts";
import { isJunk, topFolder } from "./top-folder.ts";

/** The folder that BK-Lite's installers look for. */
const TOP = "fusion-collectors";
/** What runs even where neither the archive nor the file's first bytes say so. */
const RUNS = /(?:^|\/)(?:collector-sidecar|[^/]+\.(?:sh|exe|bat|cmd|ps1))$/i;

/**
 * Why BK-Lite's installer could not unpack an archive as it is (BKLITE.md, "Controller install"): it takes zips with one top folder,
 * regular files and folders; nothing where it could. Pure.
 */
function formReasons({
  format,
  entries,
  rootEntry,
}: Pick<Archive, "format" | "entries" | "rootEntry">): FormReason[] {
  if (format === "other") return [];
  const { top, beside } = topFolder(entries);
  const junk = (path: string) => isJunk(path.split("/")[0] ?? "", () => false);
  const holds: Record<FormReason, boolean> = {
    "repack.tar-gz": format === "tar.gz",
    "repack.no-top-folder": top === "",
    "repack.top-folder": top !== "" && top !== TOP,
    "repack.junk": entries.some(({ path }) => junk(path)),
    "repack.beside": beside,
    "repack.dot-names": format === "zip" && (rootEntry === true || entries.some(hasDots)),
    "repack.folder-names": entries.some(isBareFolder),
    "repack.links": entries.some(({ kind }) => kind === "link"),
  };
  return (Object.keys(holds) as FormReason[]).filter((reason) => holds[reason]);
}

/** A name with `.` or nothing between its slashes. */
function hasDots({ location }: Entry): boolean {
  if (!location) return false;
  const parts = location.rawName.toString("latin1").split("/");
  return parts.some((part, index) => part === "." || (part === "" && index < parts.length - 1));
}

/** A folder whose name says nothing of it: Python's zipfile and unzip take it for a file. */
function isBareFolder({ kind, location }: Entry): boolean {
  return kind === "directory" && location !== undefined && location.rawName.at(-1) !== 0x2f;
}

/**
 * Gives a controller's package the form that a node can install (SPEC §5): an archive in that form already stays as it is. Throws exit 65
 * where it has none.
 */
export function takeForm(pkg: Package, repack: "auto" | "never" = "auto"): void {
  if (pkg.type !== "controller") return;
  const reasons = formReasons(pkg.archive);
  if (reasons.length === 0) return;
  if (repack === "never") {
    pkg.unfit = reasons;
    return;
  }
  pkg.made = repacked(pkg.archive, reasons);
  pkg.name = repackedName(pkg.name);
}

/** The archive as a zip that BK-Lite's installer takes. Throws exit 65 where there can be none. */
export function repacked(archive: Archive, reasons: readonly FormReason[]): MadeOfArchive {
  const items = () => repackedItems(archive);
  const files = items().filter(({ name }) => !name.endsWith("/"));
  const bytes = files.reduce((sum, { from }) => sum + from.size, 0);
  if (files.length > MAX_FILES || bytes > MAX_UNPACKED) {
    throw problem(archive.file, "repack.too-large", { files: files.length, bytes });
  }
  const made: MadeOfArchive = { kind: "repacked", path: "", items, reasons };
  checkLength(archive, made);
  return made;
}

/** Throws exit 65 for a zip that would be longer than BK-Lite's installer takes, where that can be known before it is made. */
export function checkLength(archive: Archive, made: MadeOfArchive): void {
  if ((madeSize(archive, made) ?? 0) > MAX_MADE) throw problem(archive.file, "repack.too-long", {});
}

/** The row's name for such an archive. */
function repackedName(name: string): string {
  return name.replace(/\.(?:zip|tar\.gz|tgz|gz)$/i, "").concat(".zip");
}

function repackedItems({ file, entries }: Archive): ZipItem[] {
  const { top } = topFolder(entries);
  const above = top === "" ? 0 : top.length + 1;
  const own = entries.find(({ path }) => path === top);
  const root: Entry = own?.kind === "directory" ? own : { path: top, kind: "directory", size: 0, mode: 0 };
  const inside = plainEntries(file, entries).filter(({ path }) => top === "" || path.startsWith(`${top}/`));
  return [itemOf(TOP, root), ...inside.map(({ path, from }) => itemOf(`${TOP}/${path.slice(above)}`, from))];
}

/** What an archive holds, links replaced and junk left out; the scan has refused those that nothing can stand in for. */
export function plainEntries(file: string, entries: readonly Entry[]): PlainEntry[] {
  const followed = followLinks(entries, MAX_ENTRIES);
  if (followed.entries.length > MAX_ENTRIES) {
    throw problem(file, "repack.too-large", { files: followed.entries.length, bytes: undefined });
  }
  const paths = new Set(followed.entries.map(({ path }) => path));
  return followed.entries.filter(({ path }) => !isJunk(path, (other) => paths.has(other)));
}

/** Permissions; what anybody may write loses what umask 022 takes: the programs run as root on every node. */
function trusted(permissions: number): number {
  return permissions & 0o002 ? permissions & ~0o022 : permissions;
}

/** A file or folder under its name in the new zip, with its permissions; where the archive has none, with those that it needs. */
export function itemOf(name: string, from: Entry): ZipItem {
  const permissions = trusted(from.mode & 0o777);
  if (from.kind === "directory") return { name: `${name}/`, mode: 0o40000 | (permissions || 0o755), from };
  if (permissions !== 0) return { name, mode: 0o100000 | permissions, from };
  return RUNS.test(name) ? { name, mode: 0o100755, from } : { name, mode: 0o100644, guessMode: true, from };
}
