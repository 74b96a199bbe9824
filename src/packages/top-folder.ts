import type { Entry } from "../archive/types.ts";

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
