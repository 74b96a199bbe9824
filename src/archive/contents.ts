import { PathSet } from "./pathset.ts";
import { invalid, printable, REBUILD } from "./problem.ts";
import type { Entry } from "./types.ts";

/** What BK-Lite's installer takes; folders are not counted there. */
export const MAX_FILES = 100_000;
/** With folders: beyond this nobody's package. */
export const MAX_ENTRIES = 200_000;
const MAX_NAMES = 32 * 1024 * 1024;
/** Linux's own limits for a path and for one name in it: what is longer cannot be unpacked. */
const MAX_PATH = 4096;
const MAX_COMPONENT = 255;
/** Anything that a second look is due for; most names have none of it. */
const SUSPECT = /[\\\0]|^\/|^[A-Za-z]:|(?:^|\/)\.\.(?:\/|$)/;

/** Takes an archive's entries one by one and refuses what no archive may hold (exit 65). */
export class Entries {
  readonly #file: string;
  readonly #seen = new PathSet();
  readonly #links = new PathSet();
  readonly #entries: Entry[] = [];
  /** Whether there is an entry for the archive's own root. */
  root = false;
  #names = 0;
  #files = 0;
  #count = 0;

  /** `file` is for messages. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Returns the entry as it is kept, with its path made plain, so that a reader that comes past its bytes can add what they say. */
  add(entry: Entry): Entry | undefined {
    if (++this.#count > MAX_ENTRIES) throw tooManyEntries(this.#file);
    if (entry.kind !== "directory" && ++this.#files > MAX_FILES) throw tooManyEntries(this.#file);
    const parts = this.check(entry.path);
    if (entry.kind === "device" || entry.kind === "fifo" || entry.kind === "socket") {
      throw this.#refuse(`holds a ${entry.kind}: ${printable(entry.path)}`);
    }
    if (parts.length === 0) {
      if (entry.kind === "directory") {
        this.root = true;
        return undefined;
      }
      throw this.#refuse("holds an entry without a name");
    }
    const path = parts.join("/");
    const before = this.#seen.add(path, entry.kind === "directory" ? "directory" : "file");
    if (before === "file" || (before !== undefined && entry.kind !== "directory")) {
      throw this.#refuse(`holds two entries with the same name: ${printable(path)}`);
    }
    this.#checkLinks(entry, parts, path);
    if (before !== undefined) return undefined;
    this.#names += path.length;
    if (this.#names > MAX_NAMES) throw tooManyEntries(this.#file);
    const kept: Entry = { ...entry, path, mode: entry.mode & 0o7777 };
    this.#entries.push(kept);
    return kept;
  }

  /** All entries, in the archive's order. */
  finish(): Entry[] {
    if (this.#count === 0) throw empty(this.#file);
    return this.#entries;
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
    if (escapesRoot(target, entry.kind === "link" ? parts.length - 1 : 0)) {
      throw this.#refuse(`holds a link that leads out of it: ${printable(path)} -> ${printable(target)}`);
    }
    if (entry.kind === "link") this.#links.add(path, "file");
  }

  #refuse(reason: string): Error {
    return invalid(this.#file, reason, REBUILD);
  }
}

function suspicion(name: string): string {
  if (name.includes("\0")) return "a name with a NUL in it";
  if (name.includes("\\")) return "a name with a backslash in it";
  if (name.startsWith("/")) return "an absolute path";
  return /^[A-Za-z]:/.test(name) ? "a path with a drive letter" : "a path with .. in it";
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

export function tooManyEntries(file: string): Error {
  return invalid(file, `holds more than ${MAX_FILES.toLocaleString("en")} files`, REBUILD);
}

export function empty(file: string): Error {
  return invalid(file, "is empty", "copy the file again; if the original is empty too, build it again");
}
