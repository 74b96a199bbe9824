import { MAX_FILES } from "../archive/entries.ts";
import { followLinks } from "../archive/links.ts";
import type { Entry } from "../archive/types.ts";
import { topFolder } from "./top-folder.ts";

/** What an archive's entries come to as a package of BK-Lite's. */
export interface Contents {
  /** The folder that everything in it is below; "" where there is no such folder. */
  top: string;
  /** Whether `collector-sidecar` or `collector-sidecar.exe` is below the top folder. */
  sidecar: boolean;
  /** Files that could be somebody's executable, by path below the top folder: directly in it, or in bin/. */
  members: ReadonlyMap<string, Entry>;
  /** Its `certs/ca.crt`. */
  authority: Entry | undefined;
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
