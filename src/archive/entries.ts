import { isAscii } from "node:buffer";
import { hash } from "node:crypto";
import { type ProblemError, problem } from "../errors.ts";
import type { Entry, Listing } from "./types.ts";

/** BK-Lite's installer accepts this much (BKLITE.md): files without folders; bytes, unpacked and packed. */
export const MAX_FILES = 100_000;
export const MAX_UNPACKED = 8 * 1024 ** 3;
export const MAX_PACKED = 4 * 1024 ** 3;
/** With folders; no package has more. */
export const MAX_ENTRIES = 200_000;
/** Characters of all paths together. */
const MAX_NAMES = 32 * 1024 * 1024;
/** Linux's limits for a path and for one name in it: a longer one cannot be unpacked. */
const MAX_PATH = 4096;
const MAX_COMPONENT = 255;
/** Names with empty components or `.`, which a path leaves out. */
const UNTIDY = /\/\/|\/$|(?:^|\/)\.?(?:\/|$)/;
/** A fast filter: few names match, and only those are examined further. */
const SUSPECT = /[\\\0]|^\/|^(?:\.\/+)*[A-Za-z]:|(?:^|\/)\.\.(?:\/|$)/;

/** Collects an archive's entries one by one and rejects what no archive may contain (exit 65). */
export class Entries {
  readonly #file: string;
  readonly #lastCounts: boolean;
  /** By path, in the archive's order. */
  readonly #entries = new Map<string, Entry>();
  readonly #links = new Set<string>();
  /** Folders that exist because an entry is in them. */
  readonly #parents = new Set<string>();
  readonly #repeated = new Set<string>();
  #rootEntry = false;
  #lastParent = "";
  #names = 0;
  #files = 0;
  #count = 0;
  #unpacked = 0;

  /** `file` is for messages. `lastCounts`: the last of several entries with one path counts, as in a tar. */
  constructor(file: string, { lastCounts = false }: { lastCounts?: boolean } = {}) {
    this.#file = file;
    this.#lastCounts = lastCounts;
  }

  /** Adds an entry under its plain path; a hard link as the earlier entry that it names. */
  add(entry: Entry): void {
    if (++this.#count > MAX_ENTRIES) throw tooManyFiles(this.#file);
    if (entry.kind !== "directory" && ++this.#files > MAX_FILES) throw tooManyFiles(this.#file);
    const path = this.checkPath(entry.path);
    if (entry.kind === "device" || entry.kind === "fifo" || entry.kind === "socket")
      throw problem(this.#file, "archive.device", { entry: entry.path, kind: entry.kind });
    if (path === "") {
      if (entry.kind !== "directory") throw problem(this.#file, "archive.path.missing", {});
      this.#rootEntry = true;
      return;
    }
    this.#unpacked += entry.kind === "file" ? entry.size : 0;
    if (this.#unpacked > MAX_UNPACKED)
      throw problem(this.#file, "archive.limit.unpacked", { bytes: this.#unpacked, limit: MAX_UNPACKED });
    const isNew = this.#checkDuplicate(entry, path);
    this.#checkParents(path);
    this.#checkLinks(entry, path);
    if (!isNew) return;
    this.#names += path.length;
    if (this.#names > MAX_NAMES) throw tooManyFiles(this.#file);
    const kept: Entry =
      entry.kind === "hardlink"
        ? { ...this.#findLinked(entry, path), path }
        : { ...entry, path, mode: entry.mode & 0o7777 };
    if (kept.kind === "link") this.#links.add(path);
    else this.#links.delete(path);
    // moves a repeated path to the end of the order
    this.#entries.delete(path);
    this.#entries.set(path, kept);
  }

  /** Returns all entries in the archive's order. Throws exit 65 if there are none. */
  finish(): Listing {
    if (this.#count === 0) throw problem(this.#file, "archive.empty", {});
    const entries = [...this.#entries.values()];
    return { entries, rootEntry: this.#rootEntry, repeated: [...this.#repeated] };
  }

  /** Returns a name as a plain path. Throws exit 65 for one that must not be unpacked. */
  checkPath(name: string): string {
    if (SUSPECT.test(name)) throw problem(this.#file, pathFault(name), { entry: name });
    const isTooLong =
      name.length > MAX_COMPONENT / 4 &&
      (Buffer.byteLength(name) > MAX_PATH ||
        name.split("/").some((part) => Buffer.byteLength(part) > MAX_COMPONENT));
    if (isTooLong) throw problem(this.#file, "archive.path.long", { entry: name });
    return plainPath(name);
  }

  #findLinked({ path: name, target = "" }: Entry, path: string): Entry {
    const linked = this.#entries.get(plainPath(target));
    if (!linked || linked.kind === "directory")
      throw problem(this.#file, "tar.hard-link", { entry: name, target });
    // a symbolic link with another path points from another folder
    if (linked.kind === "link") this.#checkTarget(linked, path);
    return linked;
  }

  /** Returns whether to keep the entry; false for a repeated folder, if the first one counts. */
  #checkDuplicate({ kind }: Entry, path: string): boolean {
    const isFolder = kind === "directory";
    if (!isFolder && this.#parents.has(path)) throw problem(this.#file, "archive.conflict", { entry: path });
    const before = this.#entries.get(path);
    if (!before) return true;
    const wasFolder = before.kind === "directory";
    if (isFolder && wasFolder) return this.#lastCounts;
    if (!this.#lastCounts || isFolder || wasFolder)
      throw problem(this.#file, "archive.duplicate", { entry: path });
    this.#repeated.add(path);
    return true;
  }

  /** Rejects an entry inside a file. */
  #checkParents(path: string): void {
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const parent = path.slice(0, slash);
      if (parent === this.#lastParent || this.#parents.has(parent)) break;
      this.#parents.add(parent);
      const above = this.#entries.get(parent);
      if (above && above.kind !== "directory" && above.kind !== "link")
        throw problem(this.#file, "archive.conflict", { entry: parent });
    }
    this.#lastParent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  }

  #checkLinks(entry: Entry, path: string): void {
    for (
      let slash = path.indexOf("/");
      this.#links.size > 0 && slash > 0;
      slash = path.indexOf("/", slash + 1)
    ) {
      if (this.#links.has(path.slice(0, slash)))
        throw problem(this.#file, "archive.link.below", { entry: path });
    }
    if (entry.kind === "link" || entry.kind === "hardlink") this.#checkTarget(entry, path);
  }

  #checkTarget({ kind, target = "" }: Entry, path: string): void {
    // a hard link names a path from the archive's root, a symbolic one from its own folder
    if (leavesRoot(target, kind === "link" ? path.split("/").length - 1 : 0))
      throw problem(this.#file, "archive.link.outside", { entry: path, target });
  }
}

function plainPath(name: string): string {
  if (!UNTIDY.test(name)) return name;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return parts.join("/");
}

function pathFault(name: string) {
  if (name.includes("\0")) return "archive.path.nul";
  if (name.includes("\\")) return "archive.path.backslash";
  if (name.startsWith("/")) return "archive.path.absolute";
  return /^(?:\.\/+)*[A-Za-z]:/.test(name) ? "archive.path.drive" : "archive.path.parent";
}

/** Whether a link's target, seen from a folder `depth` levels down, is outside the archive. */
function leavesRoot(target: string, depth: number): boolean {
  if (target === "" || /[\\\0]|^\/|^[A-Za-z]:/.test(target)) return true;
  let level = depth;
  for (const part of target.split("/")) {
    if (part === "..") level--;
    else if (part !== "" && part !== ".") level++;
    if (level < 0) return true;
  }
  return false;
}

/** Makes the error for an archive with more files than the installer accepts. */
export function tooManyFiles(file: string): ProblemError {
  return problem(file, "archive.limit.files", { limit: MAX_FILES });
}

/** A name in an archive, decoded. */
export interface DecodedName {
  name: string;
  /** Set if its bytes are not UTF-8. */
  encoding?: "gbk" | "other";
}

/**
 * Decodes a name: UTF-8 if its bytes are valid UTF-8; else GBK, which Chinese systems write without saying
 * so; else one character for each byte, so that different names stay different.
 */
export function decodeName(raw: Buffer): DecodedName {
  if (isAscii(raw)) return { name: raw.toString("latin1") };
  const name = decodeText(raw, "utf-8");
  if (name !== undefined) return { name };
  const chinese = decodeText(raw, "gbk");
  if (chinese !== undefined) return { name: chinese, encoding: "gbk" };
  return { name: raw.toString("latin1"), encoding: "other" };
}

/** Decodes bytes; returns undefined if they are not valid in this encoding. */
export function decodeText(raw: Uint8Array, encoding: "utf-8" | "gbk"): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return undefined;
  }
}

/** Version of the rule by which entries become one digest. */
const RULE = 1;

/** How BK-Lite's installer unpacks one entry of a zip. */
export interface EntryFacts {
  /** As the zip has it; a folder's ends in `/`. */
  name: Buffer;
  kind: string;
  /** Permission bits, or how they follow from the content. */
  mode: string;
  /** Hex; "" for a folder. */
  sha256: string;
}

/** Returns one digest of all entries of a zip, whatever their order, times and compression: `rule:hex`. */
export function entriesDigest(entries: readonly EntryFacts[]): string {
  // a name contains no NUL, so different lists of entries give different texts
  const records = entries.map(
    ({ name, kind, mode, sha256 }) => `${name.toString("latin1")}\0${kind} ${mode} ${sha256}\n`,
  );
  return `${RULE}:${hash("sha256", Buffer.from(records.toSorted().join(""), "latin1"))}`;
}
