import type { Folder, Member, ZipLocation } from "./package.ts";
import { PathSet } from "./pathset.ts";
import { invalid, printable, REBUILD } from "./problem.ts";

export const MAX_ENTRIES = 1_000_000;
const MAX_MEMBERS = 100_000;
const MAX_MEMBER_NAMES = 16 * 1024 * 1024;
/** Files of all folders below bin/ that are remembered: several times what BK-Lite's largest, the beats, have together. */
const MAX_FOLDER_FILES = 30_000;
const MAX_FOLDER_NAMES = 8 * 1024 * 1024;
const MAX_FOLDERS = 1000;
/** Linux's own limits for a path and for one name in it: what is longer cannot be unpacked. */
const MAX_PATH = 4096;
const MAX_COMPONENT = 255;
/** Anything that a second look is due for; most names have none of it. */
const SUSPECT = /[\\\0]|^\/|^[A-Za-z]:|(?:^|\/)\.\.(?:\/|$)/;

/** One entry of an archive, in the words that zip and tar share. */
export interface Entry {
  /** As the archive has it. */
  name: string;
  kind: "file" | "directory" | "link" | "hardlink" | "device" | "fifo" | "socket";
  /** Where a link points, as the archive has it. */
  target?: string;
  size: number;
  mode: number;
  location?: ZipLocation;
  /** As Member has it. */
  offset?: number;
}

/** What the entries come to, once all of them are seen. */
export interface Contents {
  top: string;
  members: Map<string, Member>;
  folders: Map<string, Folder>;
  sidecar: boolean;
}

/**
 * Takes an archive's entries one by one, refuses what no package may hold (exit 65), and keeps only those that could be
 * somebody's executable. Memory does not depend on what the archive claims: a hash for each entry, names up to 16 MiB.
 */
export class Entries {
  readonly #file: string;
  readonly #seen = new PathSet();
  readonly #links = new PathSet();
  readonly #candidates = new Map<string, Member>();
  #candidateNames = 0;
  readonly #folders = new Map<string, Folder>();
  #folderFiles = 0;
  #folderNames = 0;
  #count = 0;
  /** The first component of every path so far; undefined before the first, "" once they differ. */
  #top: string | undefined;

  /** `file` is for messages. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Returns the entry's member if it is kept, so that a reader that comes past its bytes can add what they say. */
  add(entry: Entry): Member | undefined {
    if (++this.#count > MAX_ENTRIES) throw tooManyEntries(this.#file);
    const parts = this.check(entry.name);
    if (entry.kind === "device" || entry.kind === "fifo" || entry.kind === "socket") {
      throw this.#refuse(`holds a ${entry.kind}: ${printable(entry.name)}`);
    }
    if (parts.length === 0) {
      if (entry.kind === "directory") return undefined;
      throw this.#refuse("holds an entry without a name");
    }
    const path = parts.join("/");
    const before = this.#seen.add(path, entry.kind === "directory" ? "directory" : "file");
    if (before === "file" || (before !== undefined && entry.kind !== "directory")) {
      throw this.#refuse(`holds two entries with the same name: ${printable(path)}`);
    }
    this.#checkLinks(entry, parts, path);
    if (parts[0] === "__MACOSX") return undefined;
    this.#seeTop(parts, entry.kind === "directory");
    if (before === undefined) this.#keepInFolder(entry, parts, path);
    return this.#keep(entry, parts, path);
  }

  /** What is there, by path below the top folder. */
  finish(): Contents {
    if (this.#count === 0) throw empty(this.#file);
    const top = this.#top ?? "";
    const members = new Map<string, Member>();
    for (const [path, member] of this.#candidates) {
      const below = top === "" ? path : path.slice(top.length + 1);
      if (!isMember(below.split("/"))) continue;
      member.path = below;
      members.set(below, member);
    }
    const sidecar = members.has("collector-sidecar") || members.has("collector-sidecar.exe");
    return { top, members, folders: this.#foldersBelow(top), sidecar };
  }

  #foldersBelow(top: string): Map<string, Folder> {
    const below = (path: string) => (top === "" ? path : path.slice(top.length + 1));
    const folders = [...this.#folders].filter(([path]) => below(path).startsWith("bin/"));
    for (const [, { files }] of folders) for (const file of files) file.path = below(file.path);
    return new Map(folders.map(([path, folder]) => [below(path), folder]));
  }

  /** The name's components, or why it is none that may be unpacked. */
  check(name: string): string[] {
    if (SUSPECT.test(name)) throw this.#refuse(`holds ${suspicion(name)}: ${printable(name)}`);
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    const tooLong =
      name.length > MAX_COMPONENT / 4 &&
      (Buffer.byteLength(name) > MAX_PATH || parts.some((part) => Buffer.byteLength(part) > MAX_COMPONENT));
    if (tooLong) throw this.#refuse(`holds a name that is too long to be unpacked: ${printable(name)}`);
    return parts;
  }

  #checkLinks(entry: Entry, parts: string[], path: string): void {
    if (this.#links.size > 0) {
      for (let length = 1; length < parts.length; length++) {
        const above = parts.slice(0, length).join("/");
        if (this.#links.has(above)) throw this.#refuse(`holds an entry below a link: ${printable(path)}`);
      }
    }
    if (entry.kind !== "link" && entry.kind !== "hardlink") return;
    const target = entry.target ?? "";
    // a hard link names a path from the archive's root, a symbolic one from its own folder
    if (leaves(target, entry.kind === "link" ? parts.length - 1 : 0)) {
      throw this.#refuse(`holds a link that leads out of it: ${printable(path)} -> ${printable(target)}`);
    }
    if (entry.kind === "link") this.#links.add(path, "file");
  }

  #seeTop(parts: string[], directory: boolean): void {
    const first = parts.length > 1 || directory ? (parts[0] ?? "") : "";
    if (this.#top === undefined) this.#top = first === "bin" ? "" : first;
    else if (this.#top !== first) this.#top = "";
  }

  #keep(entry: Entry, parts: string[], path: string): Member | undefined {
    // until the last entry nobody knows whether the first component is a folder around everything
    const kept = isMember(parts) || (this.#top !== "" && isMember(parts.slice(1)));
    if (!kept || entry.kind === "directory" || entry.kind === "link") return undefined;
    const member = memberOf(entry, path);
    if (entry.kind === "hardlink") {
      const target = this.#candidates.get(this.check(entry.target ?? "").join("/"));
      if (!target) return undefined;
      Object.assign(member, target, { path });
    }
    this.#candidates.set(path, member);
    this.#candidateNames += path.length;
    if (this.#candidates.size > MAX_MEMBERS || this.#candidateNames > MAX_MEMBER_NAMES) {
      throw this.#refuse(`holds more than ${MAX_MEMBERS} files in its top folder and below bin/`);
    }
    return entry.kind === "hardlink" ? undefined : member;
  }

  /** A collector may be a folder below bin/, with files at any depth. */
  #keepInFolder(entry: Entry, parts: string[], path: string): void {
    const bin = parts[0] === "bin" ? 0 : 1;
    if (parts[bin] !== "bin" || parts.length < bin + 3) return;
    const name = parts.slice(0, bin + 2).join("/");
    let folder = this.#folders.get(name);
    if (!folder) {
      if (this.#folders.size === MAX_FOLDERS) return;
      folder = { files: [], tooMany: false };
      this.#folders.set(name, folder);
    }
    this.#folderNames += path.length;
    if (entry.kind === "link" || entry.kind === "hardlink") folder.link ??= path;
    else if (++this.#folderFiles > MAX_FOLDER_FILES || this.#folderNames > MAX_FOLDER_NAMES) {
      folder.tooMany = true;
    } else folder.files.push(memberOf(entry, entry.kind === "directory" ? `${path}/` : path));
  }

  #refuse(reason: string): Error {
    return invalid(this.#file, reason, REBUILD);
  }
}

function memberOf({ size, mode, location, offset }: Entry, path: string): Member {
  const member: Member = { path, size, mode: mode & 0o7777 };
  if (location) member.location = location;
  if (offset !== undefined) member.offset = offset;
  return member;
}

/** Directly in the top folder, or below bin/ at most two levels deep. */
function isMember(parts: string[]): boolean {
  return parts.length === 1 || (parts[0] === "bin" && (parts.length === 2 || parts.length === 3));
}

function suspicion(name: string): string {
  if (name.includes("\0")) return "a name with a NUL in it";
  if (name.includes("\\")) return "a name with a backslash in it";
  if (name.startsWith("/")) return "an absolute path";
  return /^[A-Za-z]:/.test(name) ? "a path with a drive letter" : "a path with .. in it";
}

/** Whether a link's target is no place inside the archive, seen from a folder `depth` levels down. */
function leaves(target: string, depth: number): boolean {
  if (target === "" || /[\\\0]|^\/|^[A-Za-z]:/.test(target)) return true;
  let level = depth;
  for (const part of target.split("/")) {
    if (part === "..") level--;
    else if (part !== "" && part !== ".") level++;
    if (level < 0) return true;
  }
  return false;
}

export function tooManyEntries(file: string): Error {
  return invalid(file, `holds more than ${MAX_ENTRIES.toLocaleString("en")} entries`, REBUILD);
}

export function empty(file: string): Error {
  return invalid(file, "is empty", "copy the file again; if the original is empty too, build it again");
}
