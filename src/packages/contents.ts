import type { Entry } from "../archive/types.ts";
import { topFolder } from "./top-folder.ts";

/** What an archive's entries come to as a package of BK-Lite's. */
export interface Contents {
  /** The folder that everything in it is below; "" where there is no such folder. */
  top: string;
  /** Whether `collector-sidecar` or `collector-sidecar.exe` is below the top folder. */
  sidecar: boolean;
  /** Files that could be somebody's executable, by path below the top folder: directly in it, or in bin/ at most two levels deep. */
  members: ReadonlyMap<string, Entry>;
  /** What lies below `bin/NAME/`, however deep, by that path: a collector that is a folder. */
  folders: ReadonlyMap<string, Folder>;
}

export interface Folder {
  /** Files and folders, in the archive's order. */
  entries: Entry[];
  /** The first link in it; BK-Lite's own unzipper takes none. */
  link?: string;
}

/** Sorts entries by what they may be. */
export function contentsOf(entries: readonly Entry[]): Contents {
  const { top } = topFolder(entries);
  const members = new Map<string, Entry>();
  const folders = new Map<string, Folder>();
  for (const entry of entries) {
    const path = below(entry.path, top);
    if (path === undefined) continue;
    const parts = path.split("/");
    const isMember = parts.length === 1 || (parts[0] === "bin" && parts.length <= 3);
    if (isMember && entry.kind === "file") members.set(path, entry);
    if (isMember && entry.kind === "hardlink") {
      const target = entries.find((other) => other.path === plain(entry.target ?? ""));
      if (target?.kind === "file") members.set(path, { ...target, path: entry.path });
    }
    if (parts[0] === "bin" && parts.length > 2) keepInFolder(folders, parts, entry);
  }
  const sidecar = members.has("collector-sidecar") || members.has("collector-sidecar.exe");
  return { top, sidecar, members, folders };
}

function keepInFolder(folders: Map<string, Folder>, parts: readonly string[], entry: Entry): void {
  const name = parts.slice(0, 2).join("/");
  let folder = folders.get(name);
  if (!folder) {
    folder = { entries: [] };
    folders.set(name, folder);
  }
  if (entry.kind === "link" || entry.kind === "hardlink") folder.link ??= entry.path;
  else folder.entries.push(entry);
}

/** A path below the top folder; undefined for the folder itself, and for what macOS leaves beside it. */
function below(path: string, top: string): string | undefined {
  if (path === "__MACOSX" || path.startsWith("__MACOSX/")) return undefined;
  if (top === "") return path;
  return path.startsWith(`${top}/`) ? path.slice(top.length + 1) : undefined;
}

function plain(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}
