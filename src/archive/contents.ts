import { type ProblemError, problem } from "../errors.ts";
import { printable } from "./problem.ts";
import type { Entry } from "./types.ts";

/** What BK-Lite's installer takes (BKLITE.md): files, folders not counted; and bytes, unpacked and packed. */
export const MAX_FILES = 100_000;
export const MAX_UNPACKED = 8 * 1024 ** 3;
export const MAX_PACKED = 4 * 1024 ** 3;
/** With folders: beyond this nobody's package. */
export const MAX_ENTRIES = 200_000;
const MAX_NAMES = 32 * 1024 * 1024;
/** Linux's own limits for a path and for one name in it: what is longer cannot be unpacked. */
const MAX_PATH = 4096;
const MAX_COMPONENT = 255;
/** Anything that a second look is due for; most names have none of it. */
const SUSPECT = /[\\\0]|^\/|^(?:\.\/+)*[A-Za-z]:|(?:^|\/)\.\.(?:\/|$)/;

/** Takes an archive's entries one by one and refuses what no archive may contain (exit 65). */
export class Entries {
  readonly #file: string;
  readonly #lastCounts: boolean;
  readonly #links = new Set<string>();
  /** Folders that are there because something lies in them. */
  readonly #parents = new Set<string>();
  /** By path, in the archive's order. */
  readonly #entries = new Map<string, Entry>();
  /** Names of files that came more than once. */
  readonly repeated = new Set<string>();
  /** Whether there is an entry for the archive's own root. */
  root = false;
  #lastParent = "";
  #names = 0;
  #files = 0;
  #count = 0;
  #unpacked = 0;

  /** `file` is for messages. `lastCounts`: of several entries with one name, as in a tar; otherwise they are refused. */
  constructor(file: string, { lastCounts = false }: { lastCounts?: boolean } = {}) {
    this.#file = file;
    this.#lastCounts = lastCounts;
  }

  /**
   * Returns the entry as it is kept, with its path made plain, so that a reader that comes past its bytes can add what they say. A hard link
   * is kept as the entry that it names, which must have come before it.
   */
  add(entry: Entry): Entry | undefined {
    if (++this.#count > MAX_ENTRIES) throw tooManyFiles(this.#file);
    if (entry.kind !== "directory" && ++this.#files > MAX_FILES) throw tooManyFiles(this.#file);
    const parts = this.check(entry.path);
    const name = printable(entry.path);
    if (entry.kind === "device" || entry.kind === "fifo" || entry.kind === "socket") {
      throw problem(this.#file, "archive.device", { entry: name, kind: entry.kind });
    }
    if (parts.length === 0) {
      if (entry.kind !== "directory") throw problem(this.#file, "archive.path.missing", {});
      this.root = true;
      return undefined;
    }
    this.#unpacked += entry.kind === "file" ? entry.size : 0;
    if (this.#unpacked > MAX_UNPACKED) {
      const limit = MAX_UNPACKED;
      throw problem(this.#file, "archive.limit.unpacked", { bytes: this.#unpacked, limit });
    }
    const path = parts.join("/");
    const isNew = this.#place(entry, path);
    this.#checkAbove(path);
    this.#checkLinks(entry, parts, path);
    if (!isNew) return undefined;
    this.#names += path.length;
    if (this.#names > MAX_NAMES) throw tooManyFiles(this.#file);
    const kept: Entry =
      entry.kind === "hardlink"
        ? { ...this.#linked(entry, parts), path }
        : { ...entry, path, mode: entry.mode & 0o7777 };
    if (kept.kind === "link") this.#links.add(path);
    else this.#links.delete(path);
    // the last one takes its own place in the order
    this.#entries.delete(path);
    this.#entries.set(path, kept);
    return kept;
  }

  /** What a hard link names. */
  #linked(entry: Entry, parts: string[]): Entry {
    const target = entry.target ?? "";
    const linked = this.#entries.get(partsOf(target).join("/"));
    if (!linked || linked.kind === "directory") {
      const link = { entry: printable(entry.path), target: printable(target) };
      throw problem(this.#file, "tar.hard-link", link);
    }
    // a symbolic link under another name points from another folder
    if (linked.kind === "link") this.#checkTarget(linked, parts);
    return linked;
  }

  /** All entries, in the archive's order. */
  finish(): Entry[] {
    if (this.#count === 0) throw problem(this.#file, "archive.empty", {});
    return [...this.#entries.values()];
  }

  /** The name's components, or why it is none that may be unpacked. */
  check(name: string): string[] {
    if (SUSPECT.test(name)) throw problem(this.#file, suspicion(name), { entry: printable(name) });
    const parts = partsOf(name);
    const tooLong =
      name.length > MAX_COMPONENT / 4 &&
      (Buffer.byteLength(name) > MAX_PATH || parts.some((part) => Buffer.byteLength(part) > MAX_COMPONENT));
    if (tooLong) throw problem(this.#file, "archive.path.long", { entry: printable(name) });
    return parts;
  }

  /** False for a folder that is named again, where the first counts. */
  #place({ kind }: Entry, path: string): boolean {
    const isFolder = kind === "directory";
    const before = this.#entries.get(path);
    if (!isFolder && this.#parents.has(path)) {
      throw problem(this.#file, "archive.conflict", { entry: printable(path) });
    }
    if (!before) return true;
    const bothFolders = isFolder && before.kind === "directory";
    if (bothFolders) return this.#lastCounts;
    if (!this.#lastCounts || isFolder || before.kind === "directory")
      throw problem(this.#file, "archive.duplicate", { entry: printable(path) });
    this.repeated.add(path);
    return true;
  }

  /** Nothing may lie in what is a file. */
  #checkAbove(path: string): void {
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const parent = path.slice(0, slash);
      if (parent === this.#lastParent || this.#parents.has(parent)) break;
      this.#parents.add(parent);
      const above = this.#entries.get(parent);
      if (above && above.kind !== "directory" && above.kind !== "link") {
        throw problem(this.#file, "archive.conflict", { entry: printable(parent) });
      }
    }
    this.#lastParent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  }

  #checkLinks(entry: Entry, parts: string[], path: string): void {
    if (this.#links.size > 0) {
      for (let length = 1; length < parts.length; length++) {
        const above = parts.slice(0, length).join("/");
        if (this.#links.has(above)) {
          throw problem(this.#file, "archive.link.below", { entry: printable(path) });
        }
      }
    }
    if (entry.kind === "link" || entry.kind === "hardlink") this.#checkTarget(entry, parts);
  }

  #checkTarget(entry: Entry, parts: string[]): void {
    const target = entry.target ?? "";
    // a hard link names a path from the archive's root, a symbolic one from its own folder
    if (escapesRoot(target, entry.kind === "link" ? parts.length - 1 : 0)) {
      const link = { entry: printable(parts.join("/")), target: printable(target) };
      throw problem(this.#file, "archive.link.outside", link);
    }
  }
}

function partsOf(name: string): string[] {
  return name.split("/").filter((part) => part !== "" && part !== ".");
}

function suspicion(name: string) {
  if (name.includes("\0")) return "archive.path.nul";
  if (name.includes("\\")) return "archive.path.backslash";
  if (name.startsWith("/")) return "archive.path.absolute";
  return /^(?:\.\/+)*[A-Za-z]:/.test(name) ? "archive.path.drive" : "archive.path.parent";
}

/** Whether a link's target is no place inside the archive, seen from a folder `depth` levels down. */
function escapesRoot(target: string, depth: number): boolean {
  if (target === "" || /[\\\0]|^\/|^[A-Za-z]:/.test(target)) return true;
  let level = depth;
  for (const part of target.split("/")) {
    if (part === "..") level--;
    else if (part !== "" && part !== ".") level++;
    if (level < 0) return true;
  }
  return false;
}

/** The refusal of an archive with more files than the installer takes. */
export function tooManyFiles(file: string): ProblemError {
  return problem(file, "archive.limit.files", { limit: MAX_FILES });
}
