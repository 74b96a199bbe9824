import { MAX_ENTRIES, MAX_FILES, MAX_UNPACKED } from "../archive/entries.ts";
import { followLinks, type PlainEntry } from "../archive/links.ts";
import type { Entry } from "../archive/types.ts";
import { copiedSize, type ZipItem } from "../archive/zip-write.ts";
import { problem } from "../errors.ts";
import type { FormReason } from "../messages/archive.ts";
import {
  type Archive,
  type ControllerArchive,
  type Derived,
  type DerivedFromFolder,
  isZip,
  type Package,
  type Repacked,
} from "./package.ts";

/** The folder that BK-Lite's installers look for. */
const TOP = "fusion-collectors";
/** Files that run, even if neither the archive nor their first bytes say so. */
const RUNS = /(?:^|\/)(?:collector-sidecar|[^/]+\.(?:sh|exe|bat|cmd|ps1))$/i;
/** BK-Lite's certificate of NATS' issuer. */
const CA = "certs/ca.crt";
/** Bytes of the longest zip that BK-Lite's installer accepts, and that needs no zip64 fields. */
export const MAX_ZIP = 4 * 1024 ** 3 - 1;

/** Files that file managers and archivers leave beside a folder that they pack. */
const LEFT_BEHIND = new Set([
  "__MACOSX",
  ".DS_Store",
  ".Spotlight-V100",
  ".Trashes",
  ".fseventsd",
  ".TemporaryItems",
  ".apdisk",
  ".directory",
  "@eaDir",
  "Thumbs.db",
  "desktop.ini",
  "pax_global_header",
]);
/** Levels of nested folders in which the top folder is looked for. */
const DEPTH = 16;

/** Whether a file is left behind by macOS or, at the root, by another file manager. */
export function isJunk(path: string, has: (path: string) => boolean): boolean {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  if (name === ".DS_Store" || LEFT_BEHIND.has(firstOf(path))) return true;
  if (!name.startsWith("._")) return false;
  return slash < 0 || (name.length > 2 && has(path.slice(0, slash + 1) + name.slice(2)));
}

function firstOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash);
}

/** Where an archive's contents begin. */
interface TopFolder {
  /** The folder that contains everything, possibly several levels down; "" if there is none. */
  top: string;
  /** Whether anything but junk lies beside it. */
  hasOthers: boolean;
}

/**
 * Returns the folder with `collector-sidecar` or `bin/` in it, else the only folder. Other files beside a
 * complete `fusion-collectors` do not count.
 */
function findTopFolder(entries: readonly Entry[]): TopFolder {
  let first: TopFolder | undefined;
  let top = "";
  let hasOthers = false;
  for (let depth = 0; depth < DEPTH; depth++) {
    const children = childrenOf(entries, top);
    if (isContents(children)) return { top, hasOthers };
    const [name, ...others] = [...children].filter(([, isFolder]) => isFolder).map(([child]) => child);
    const isAlone = name !== undefined && others.length === 0 && children.size === 1;
    const isUsual = children.get(TOP) === true && isContents(childrenOf(entries, prefixOf(top) + TOP));
    const next = isAlone ? name : isUsual ? TOP : undefined;
    if (next === undefined) break;
    hasOthers ||= !isAlone;
    top = prefixOf(top) + next;
    first ??= { top, hasOthers };
  }
  return first ?? { top: "", hasOthers: false };
}

function isContents(children: ReadonlyMap<string, boolean>): boolean {
  return (
    children.has("collector-sidecar") || children.has("collector-sidecar.exe") || children.get("bin") === true
  );
}

/** Returns the names in a folder, and whether they are folders; junk at the archive's root does not count. */
function childrenOf(entries: readonly Entry[], folder: string): Map<string, boolean> {
  const children = new Map<string, boolean>();
  const prefix = prefixOf(folder);
  const above = prefix.length;
  for (const { path, kind } of entries) {
    if (!path.startsWith(prefix)) continue;
    const slash = path.indexOf("/", above);
    const name = slash < 0 ? path.slice(above) : path.slice(above, slash);
    if (children.get(name) || isJunk(prefix + name, () => false)) continue;
    if (slash >= 0 || kind === "directory") children.set(name, true);
    else if (!children.has(name)) children.set(name, false);
  }
  return children;
}

/** Returns how the paths in a folder begin. */
export function prefixOf(folder: string): string {
  return folder === "" ? "" : `${folder}/`;
}

/** Returns the parts of an archive that matter to BK-Lite; a link counts as the file that it names. */
export function contentsOf(
  entries: readonly Entry[],
): Pick<ControllerArchive, "topFolder" | "members"> & { ca: Entry | undefined } {
  const { top } = findTopFolder(entries);
  const prefix = prefixOf(top);
  const members = new Map<string, Entry>();
  let ca: Entry | undefined;
  for (const { path: whole, from } of followLinks(entries, MAX_FILES).entries) {
    if (from.kind !== "file" || whole.startsWith("__MACOSX/") || !whole.startsWith(prefix)) continue;
    const path = whole.slice(prefix.length);
    const entry = from.path === whole ? from : { ...from, path: whole };
    if (path === CA) ca = entry;
    if (path.startsWith("bin/") || !path.includes("/")) members.set(path, entry);
  }
  return { topFolder: top, members, ca };
}

/** Returns why BK-Lite's installer could not unpack an archive. */
function repackReasons({ format, entries, rootEntry }: ControllerArchive): FormReason[] {
  const { top, hasOthers } = findTopFolder(entries);
  const roots = new Set(entries.map(({ path }) => firstOf(path)));
  const holds: Record<FormReason, boolean> = {
    "repack.tar-gz": format === "tar.gz",
    "repack.no-top-folder": top === "",
    "repack.top-folder": top !== "" && top !== TOP,
    "repack.junk": [...roots].some((root) => isJunk(root, () => false)),
    "repack.beside": hasOthers,
    "repack.dot-names": format === "zip" && (rootEntry === true || entries.some(hasDots)),
    "repack.folder-names": entries.some(isBareFolder),
    "repack.links": entries.some(({ kind }) => kind === "link"),
  };
  return (Object.keys(holds) as FormReason[]).filter((reason) => holds[reason]);
}

/** Whether a name has `.` or nothing between two slashes. */
function hasDots({ location }: Entry): boolean {
  if (!location) return false;
  const parts = location.rawName.toString("latin1").split("/");
  return parts.some((part, index) => part === "." || (part === "" && index < parts.length - 1));
}

/** Whether a folder's name does not end in a slash: Python's zipfile and unzip read it as a file. */
function isBareFolder({ kind, location }: Entry): boolean {
  return kind === "directory" && location !== undefined && location.rawName.at(-1) !== 0x2f;
}

/**
 * Returns a controller's package in the form that a node can install (SPEC §5): repacked if it is not in that
 * form already. Throws exit 65 if it cannot be repacked.
 */
export function repackIfNeeded(
  pkg: Package,
  archive: ControllerArchive,
  repack: "auto" | "never" = "auto",
): Package {
  const reasons = repackReasons(archive);
  if (reasons.length === 0) return pkg;
  if (repack === "never") return { ...pkg, repackNeeded: reasons };
  const name = pkg.name.replace(/\.(?:zip|tar\.gz|tgz|gz)$/i, "").concat(".zip");
  return { ...pkg, name, derived: repacked(archive, reasons) };
}

function repacked(archive: ControllerArchive, reasons: readonly FormReason[]): Repacked {
  const items = () => repackedItems(archive);
  const files = items().filter(({ name }) => !name.endsWith("/"));
  const bytes = files.reduce((sum, { from }) => sum + from.size, 0);
  if (files.length > MAX_FILES || bytes > MAX_UNPACKED) {
    throw problem(archive.file, "repack.too-large", { files: files.length, bytes });
  }
  const derived: Repacked = { kind: "repacked", path: "", items, reasons };
  checkLength(archive, derived);
  return derived;
}

/** Throws exit 65 if a zip is known beforehand to be longer than BK-Lite's installer accepts. */
export function checkLength(archive: Archive, derived: Derived): void {
  if ((derivedSize(archive, derived) ?? 0) > MAX_ZIP) throw problem(archive.file, "repack.too-long", {});
}

function repackedItems({ file, entries, topFolder: top }: ControllerArchive): ZipItem[] {
  const above = prefixOf(top).length;
  const own = entries.find(({ path }) => path === top);
  const root: Entry = own?.kind === "directory" ? own : { path: top, kind: "directory", size: 0, mode: 0 };
  const inside = plainEntries(file, entries).filter(({ path }) => path.startsWith(prefixOf(top)));
  return [itemOf(TOP, root), ...inside.map(({ path, from }) => itemOf(`${TOP}/${path.slice(above)}`, from))];
}

/** Returns an archive's files and folders without junk, links replaced by the files that they name. */
export function plainEntries(file: string, entries: readonly Entry[]): PlainEntry[] {
  const followed = followLinks(entries, MAX_ENTRIES);
  if (followed.entries.length > MAX_ENTRIES) {
    throw problem(file, "repack.too-large", { files: followed.entries.length, bytes: undefined });
  }
  const paths = new Set(followed.entries.map(({ path }) => path));
  return followed.entries.filter(({ path }) => !isJunk(path, (other) => paths.has(other)));
}

/** Returns a file or folder for the new zip, with its permissions, or usual ones if it has none. */
export function itemOf(name: string, from: Entry): ZipItem {
  const permissions = safePermissions(from.mode & 0o777);
  if (from.kind === "directory") return { name: `${name}/`, mode: 0o40000 | (permissions || 0o755), from };
  if (permissions !== 0) return { name, mode: 0o100000 | permissions, from };
  return RUNS.test(name) ? { name, mode: 0o100755, from } : { name, mode: 0o100644, guessMode: true, from };
}

/** Removes the write permission of all: the programs run as root on every node. */
function safePermissions(permissions: number): number {
  return permissions & 0o002 ? permissions & ~0o022 : permissions;
}

/** Returns the bytes of a derived package; undefined if they are deflated and so not known beforehand. */
export function derivedSize(archive: Archive, derived: Derived): number | undefined {
  if (derived.kind === "loose-file") return Number(onlyItem(archive, derived).from.stamp.size);
  if (derived.kind === "executable") return onlyItem(archive, derived).from.size;
  if (isFromFolder(derived) || !isZip(archive)) return undefined;
  return copiedSize(archive.file, derived.items());
}

/** Whether a package is derived from files on the volume, not from an archive's entries. */
export function isFromFolder(derived: Derived): derived is DerivedFromFolder {
  return derived.kind === "loose-folder" || derived.kind === "loose-file";
}

/** Returns the one file that a package consists of. */
export function onlyItem<From>(
  { file }: Archive,
  derived: { path: string; items(): readonly ZipItem<From>[] },
): ZipItem<From> {
  const [item] = derived.items();
  if (!item) throw new Error(`${file} has no member ${derived.path}`);
  return item;
}
