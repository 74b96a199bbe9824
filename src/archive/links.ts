import type { Entry } from "./types.ts";

/** Linux follows no more links in one path. */
const MAX_HOPS = 40;
const LOOP = Symbol("a link that leads back to itself");

/** A path, and the file or folder that is found there if links are followed. */
export interface PlainEntry {
  path: string;
  /** A file or folder of the archive. */
  from: Entry;
}

/** A link that cannot be replaced. */
interface BadLink {
  path: string;
  target: string;
  /** Whether it leads back to itself, or to a folder around it; otherwise its target does not exist. */
  loop: boolean;
}

/**
 * Replaces each link by the file that it names, or by everything in the folder that it names. Stops at
 * `limit` entries, because folders that link to each other can give any number. Pure.
 */
export function followLinks(
  entries: readonly Entry[],
  limit: number,
): { entries: PlainEntry[]; bad: BadLink[] } {
  if (!entries.some(({ kind }) => kind === "link"))
    return { entries: entries.slice(0, limit + 1).map((from) => ({ path: from.path, from })), bad: [] };
  const tree = new Tree(entries);
  const found: PlainEntry[] = [];
  const bad: BadLink[] = [];
  for (const entry of entries) {
    if (found.length > limit) break;
    if (entry.kind === "link") tree.follow(entry, entry.path, [], { found, bad, limit });
    else found.push({ path: entry.path, from: entry });
  }
  return { entries: found, bad };
}

interface Followed {
  found: PlainEntry[];
  bad: BadLink[];
  limit: number;
}

class Tree {
  readonly #byPath = new Map<string, Entry>();
  /** Paths in each folder, with or without an entry for the folder. */
  readonly #children = new Map<string, string[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) this.#byPath.set(entry.path, entry);
    const seen = new Set<string>();
    for (const { path } of entries) {
      for (let at = path; at !== "" && !seen.has(at); at = parentOf(at)) {
        seen.add(at);
        const siblings = this.#children.get(parentOf(at)) ?? [];
        if (siblings.length === 0) this.#children.set(parentOf(at), siblings);
        siblings.push(at);
      }
    }
  }

  /** Adds the target of `link` at `path`. `within` has the links that are being followed already. */
  follow(link: Entry, path: string, within: readonly string[], into: Followed): void {
    const reject = (loop: boolean) => into.bad.push({ path: link.path, target: link.target ?? "", loop });
    const real = this.#target(link);
    const entry = real === LOOP ? undefined : this.#byPath.get(real);
    const links = [...within, link.path];
    if (real === LOOP) {
      reject(true);
    } else if (!entry && !this.#children.has(real)) {
      reject(false);
    } else if (entry && entry.kind !== "directory") {
      into.found.push({ path, from: entry });
    } else if (links.some((one) => one.startsWith(real === "" ? "" : `${real}/`))) {
      reject(true);
    } else {
      this.#copyFolder(real, path, links, into);
    }
  }

  #copyFolder(real: string, path: string, links: readonly string[], into: Followed): void {
    const folder = this.#byPath.get(real);
    if (folder) into.found.push({ path, from: folder });
    for (const child of this.#children.get(real) ?? []) {
      if (into.found.length > into.limit) return;
      const to = `${path}/${child.slice(real === "" ? 0 : real.length + 1)}`;
      const entry = this.#byPath.get(child);
      if (!entry || entry.kind === "directory") this.#copyFolder(child, to, links, into);
      else if (entry.kind === "link") this.follow(entry, to, links, into);
      else into.found.push({ path: to, from: entry });
    }
  }

  /** Returns the path, without links in it, that a link leads to; LOOP if it has no end. */
  #target(link: Entry): string | typeof LOOP {
    let at = parentOf(link.path);
    let rest = (link.target ?? "").split("/");
    let hops = 0;
    for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        at = parentOf(at);
        continue;
      }
      at = at === "" ? part : `${at}/${part}`;
      const entry = this.#byPath.get(at);
      if (entry?.kind !== "link") continue;
      if (++hops > MAX_HOPS) return LOOP;
      // the rest of the path continues at this link's target
      at = parentOf(at);
      rest = [...(entry.target ?? "").split("/"), ...rest];
    }
    return at;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
