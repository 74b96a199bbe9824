import type { Entry } from "./types.ts";

/** Linux gives up at as many links in one path. */
const MAX_HOPS = 40;
const LOOP = Symbol("a link that leads back to itself");

/** A file or folder at a path: of a link's path, what the link names. */
export interface PlainEntry {
  path: string;
  /** A file or folder of the archive. */
  from: Entry;
}

/** A link that nothing can stand in for. */
export interface BadLink {
  path: string;
  target: string;
  /** Whether it leads back to itself, or to a folder that it lies in; otherwise there is nothing where it points. */
  loop: boolean;
}

/**
 * The archive as it looks to somebody who follows links: each link is replaced by the file that it names, or by all that is in the folder
 * that it names. Stops at `limit` entries, for folders that link to each other can come to any number. Pure.
 */
export function followLinks(
  entries: readonly Entry[],
  limit: number,
): { entries: PlainEntry[]; bad: BadLink[] } {
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
  /** Names in each folder, whether the archive has an entry for the folder or not. */
  readonly #children = new Map<string, string[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) this.#byPath.set(entry.path, entry);
    if (!entries.some(({ kind }) => kind === "link")) return;
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

  /** Puts what `link` names at `path`. `within` are the links that are being followed already. */
  follow(link: Entry, path: string, within: readonly string[], into: Followed): void {
    const real = this.#target(link);
    if (real === LOOP) {
      into.bad.push({ path: link.path, target: link.target ?? "", loop: true });
      return;
    }
    const entry = this.#byPath.get(real);
    const links = [...within, link.path];
    if (!entry && !this.#children.has(real)) {
      into.bad.push({ path: link.path, target: link.target ?? "", loop: false });
    } else if (entry && entry.kind !== "directory") {
      into.found.push({ path, from: entry });
    } else if (links.some((one) => one.startsWith(real === "" ? "" : `${real}/`))) {
      into.bad.push({ path: link.path, target: link.target ?? "", loop: true });
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

  /** The path, without links in it, that a link leads to; LOOP where there is no end to it. */
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
      // the rest of the path goes on from where this one points
      at = parentOf(at);
      rest = [...(entry.target ?? "").split("/"), ...rest];
    }
    return at;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
