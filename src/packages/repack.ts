import { MAX_ENTRIES, MAX_FILES, MAX_UNPACKED } from "../archive/entries.ts";
import { followLinks, type PlainEntry } from "../archive/links.ts";
import type { Entry } from "../archive/types.ts";
import { copiedSize, type ZipItem } from "../archive/zip-write.ts";
import { problem } from "../errors.ts";
import type { FormReason } from "../messages/archive.ts";
import type { Archive, Contents, Made, MadeOfArchive, MadeOfFolder, Package } from "./package.ts";

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

/** What file managers and archivers leave beside a folder that they pack. */
const LEFT_BEHIND = new Set([
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
/** Folders around folders that somebody has packed. */
const DEPTH = 16;

/** Where an archive's contents begin. */
export interface TopFolder {
  /** The folder that everything of it is below, possibly several levels down; "" where there is no such folder. */
  top: string;
  /** Something else, and no junk, lies beside it. */
  beside: boolean;
}

/**
 * Whether nobody needs a file: macOS' `__MACOSX/` and `.DS_Store`, an AppleDouble file (`._NAME`) beside the one that it is about or at
 * the root, and what other file managers leave at the root.
 */
export function isJunk(path: string, has: (path: string) => boolean): boolean {
  const parts = path.split("/");
  const name = parts.at(-1) ?? "";
  if (parts[0] === "__MACOSX" || name === ".DS_Store") return true;
  if (parts.length === 1 && (name.startsWith("._") || LEFT_BEHIND.has(name))) return true;
  if (parts[0] !== undefined && LEFT_BEHIND.has(parts[0])) return true;
  return name.startsWith("._") && name.length > 2 && has([...parts.slice(0, -1), name.slice(2)].join("/"));
}

/**
 * Finds it: the folder with `collector-sidecar` or `bin/` in it, otherwise the one folder that there is. Where `fusion-collectors` itself
 * is there and whole, what lies beside it does not count.
 */
export function topFolder(entries: readonly Entry[]): TopFolder {
  let first: TopFolder | undefined;
  let top = "";
  let beside = false;
  for (let depth = 0; depth < DEPTH; depth++) {
    const children = childrenOf(entries, top);
    if (isContents(children)) return { top, beside };
    const [name, ...others] = [...children].filter(([, isFolder]) => isFolder).map(([child]) => child);
    const alone = name !== undefined && others.length === 0 && children.size === 1;
    const named = children.get("fusion-collectors") === true && "fusion-collectors";
    const next = alone ? name : named && isContents(childrenOf(entries, join(top, named))) && named;
    if (!next) break;
    beside ||= !alone;
    top = join(top, next);
    first ??= { top, beside };
  }
  return first ?? { top: "", beside: false };
}

function isContents(children: ReadonlyMap<string, boolean>): boolean {
  return (
    children.has("collector-sidecar") || children.has("collector-sidecar.exe") || children.get("bin") === true
  );
}

/** The names in a folder, and whether they are folders; junk at the archive's root does not count. */
function childrenOf(entries: readonly Entry[], folder: string): Map<string, boolean> {
  const children = new Map<string, boolean>();
  const above = folder === "" ? 0 : folder.length + 1;
  for (const { path, kind } of entries) {
    if (folder !== "" && !path.startsWith(`${folder}/`)) continue;
    const slash = path.indexOf("/", above);
    const name = slash < 0 ? path.slice(above) : path.slice(above, slash);
    if (isJunk(folder === "" ? name : path.slice(0, above + name.length), () => false)) continue;
    if (slash >= 0 || kind === "directory") children.set(name, true);
    else if (!children.has(name)) children.set(name, false);
  }
  return children;
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** By which the nodes know NATS' certificate. */
const CA = "certs/ca.crt";

/** Sorts entries by what they may be; a link counts as what it names. */
export function contentsOf(entries: readonly Entry[]): Contents {
  const { top } = topFolder(entries);
  const members = new Map<string, Entry>();
  let authority: Entry | undefined;
  for (const { path: whole, from } of followLinks(entries, MAX_FILES).entries) {
    const path = below(whole, top);
    if (path === undefined) continue;
    const entry = from.path === whole ? from : { ...from, path: whole };
    const isMember = !path.includes("/") || path.startsWith("bin/");
    if (path === CA && entry.kind === "file") authority = entry;
    if (isMember && entry.kind === "file") members.set(path, entry);
  }
  const sidecar = members.has("collector-sidecar") || members.has("collector-sidecar.exe");
  return { top, sidecar, members, authority };
}

/** A path below the top folder; undefined for the folder itself, and for what macOS leaves beside it. */
function below(path: string, top: string): string | undefined {
  if (path === "__MACOSX" || path.startsWith("__MACOSX/")) return undefined;
  if (top === "") return path;
  return path.startsWith(`${top}/`) ? path.slice(top.length + 1) : undefined;
}

/** Bytes of a zip that is made here: no more than BK-Lite's installer takes, and than a zip can have without zip64's places. */
export const MAX_MADE = 4 * 1024 ** 3 - 1;

/** Bytes of what is made; undefined where they are deflated and so not known before. */
export function madeSize(archive: Archive, made: Made): number | undefined {
  if (made.kind === "loose-file") return Number(onlyItem(archive, made).from.stamp.size);
  if (made.kind === "executable") return onlyItem(archive, made).from.size;
  const items = made.items();
  return made.kind === "loose-folder" || archive.format !== "zip"
    ? undefined
    : copiedSize(archive.file, items as readonly ZipItem[]);
}

export function onlyItem<From>(
  { file }: Archive,
  made: { path: string; items(): readonly ZipItem<From>[] },
): ZipItem<From> {
  const [item] = made.items();
  if (!item) throw new Error(`${file} has no member ${made.path}`);
  return item;
}

export function isLoose(made: Made): made is MadeOfFolder {
  return made.kind === "loose-folder" || made.kind === "loose-file";
}
