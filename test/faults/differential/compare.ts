import { createHash } from "node:crypto";
import { installController } from "../../support/installer.ts";
import { type Contents, HARD_LINK_REPLACED } from "./contents.ts";
import type { Ours, Stored } from "./ours.ts";
import type { Kind, Tree } from "./peers.ts";
import { LABEL, LABELLED } from "./tar.ts";

export interface Theirs {
  peer: string;
  /** Why it refuses the archive. */
  said?: string;
  tree: Tree;
}

export interface Difference {
  what: string;
  traits: readonly string[];
  /** Why it is right all the same. */
  listed?: string;
  round?: number;
}

/** Where we take what one of them refuses, and why that is right. */
const THEY_REFUSE: readonly { peer: string; kind: Kind; said: RegExp; why: string }[] = [
  {
    peer: "unzip",
    kind: "zip",
    said: /^81: /,
    why: "it knows the zip format up to version 4.6; Python goes up to 6.3, and Go does not ask",
  },
];

/** What we refuse although all of them take it, and why that is right. */
const ELSEWHERE = "each reader writes it somewhere else, and BK-Lite's installer refuses it";
const NO_FILE =
  "no regular file, which BK-Lite's installer refuses, and nothing in the archive stands in for it";
const LAST_WINS = "which of them is unpacked depends on the reader";
const WE_REFUSE: Readonly<Record<string, string>> = {
  "tar.extension":
    "Python rejects it; seen only on a machine whose Python has no safe reader for tar, beside GNU tar alone",
  "archive.path.absolute": ELSEWHERE,
  "archive.path.parent": ELSEWHERE,
  "archive.path.drive": ELSEWHERE,
  "archive.path.backslash": "a folder to Windows, a part of the name to Linux",
  "archive.link.outside": NO_FILE,
  "archive.link.dangling": NO_FILE,
  "archive.link.cycle": NO_FILE,
  "archive.link.below": NO_FILE,
  "archive.device": NO_FILE,
  "archive.duplicate": LAST_WINS,
  "archive.conflict": LAST_WINS,
  "package.contents": "two folders or more, none of them fusion-collectors: nothing says which is meant",
  "tar.sparse": "only GNU tar and Python know holes; others unpack the map of the holes as the file",
  "tar.truncated": "without its end nobody knows whether the archive is whole",
  "tar.type": "a part of a backup, or of no known type: readers skip it or make an empty file",
  "zip.folder.data": "Go's archive/zip, and so the installer, refuses a folder with contents",
  "zip.end": "Go's archive/zip looks for zip64's end record where the locator says",
};

const AROUND = new Set(["prefix", "padding", "junk behind"]);
const CONTROL = /\p{Cc}/gu;
const JUNK = /^(?:__MACOSX\/|\.DS_Store$|Thumbs\.db$|\._)/;

export interface Archive extends Contents {
  kind: Kind;
  damaged: boolean;
}

/** Unpacks stored bytes with the same readers. */
type Again = (bytes: Buffer, name: string) => Promise<Theirs[]>;

/** Holds what the job makes of an archive against what other readers make of it. */
export async function compare(
  archive: Archive,
  ours: Ours,
  theirs: readonly Theirs[],
  again: Again,
): Promise<Difference[]> {
  const { kind, traits, items, damaged } = archive;
  const said = (what: string, why?: string): Difference => ({ what, traits, ...listed(why) });
  const refusals = theirs.filter((one) => one.said !== undefined);
  if (ours.refused.length > 0) {
    // damage that nobody else sees is damage still
    if (damaged || theirs.length === 0 || refusals.length > 0) return [];
    // nor is what each of them unpacks in its own way
    const [first, ...others] = theirs;
    if (others.some(({ tree }) => !first || namesIn(tree) !== namesIn(first.tree))) return [];
    const why = ours.refused.map((reason) => WE_REFUSE[reason]).find((one) => one !== undefined);
    return [said(`refused (${ours.refused.join(", ")}), and all of them take it`, why)];
  }
  const found = refusals.map(({ peer, said: words = "" }) =>
    said(`accepted, and ${peer} refuses it: ${words}`, whyRefused(peer, kind, words)),
  );
  // Python writes a link's target into a file
  const links = kind === "zip" && items.some((item) => item.kind === "link");
  const sources = theirs
    .filter((one) => one.said === undefined && !(links && one.peer === "python"))
    // nor does it unlink a file that it writes again, so that a hard link changes with it
    .filter((one) => !(traits.includes(HARD_LINK_REPLACED) && one.peer === "python"))
    // and a tar's label, which is no file to GNU tar, into an empty one
    .map((one) => (traits.includes(LABELLED) && one.peer === "python" ? without(one, LABEL) : one));
  for (const [index, stored] of ours.stored.entries()) {
    const zips = stored.made === "executable" ? [] : await again(stored.bytes, `stored-${index}`);
    for (const one of await compareStored(archive, stored, sources, zips))
      found.push(said(`${stored.made ?? "as it is"} ${stored.path}: ${one.what}`, one.listed));
  }
  return found;
}

function namesIn(tree: Tree): string {
  return [...tree.keys()].toSorted().join("\n");
}

function without(one: Theirs, name: string): Theirs {
  return { ...one, tree: new Map([...one.tree].filter(([path]) => path !== name)) };
}

async function compareStored(
  { top, traits, named, moded, damaged }: Archive,
  stored: Stored,
  sources: readonly Theirs[],
  zips: readonly Theirs[],
): Promise<{ what: string; listed?: string }[]> {
  const found: { what: string; listed?: string }[] = [];
  const unpacked: Unpacked[] = [];
  for (const { peer, said, tree } of zips) {
    if (said !== undefined)
      found.push({ what: `${peer} refuses it: ${said}`, ...listed(whyRefused(peer, "zip", said)) });
    else unpacked.push({ by: peer, keepsModes: peer === "unzip", tree });
  }
  if (stored.made === "executable") unpacked.push(programAlone(stored));
  if (stored.made === undefined || stored.made === "repacked") {
    try {
      unpacked.push(await installed(stored.bytes));
    } catch (error) {
      const around = traits.some((one) => AROUND.has(one)) || /comment length/.test(String(error));
      const why =
        stored.made === undefined && around && "Go's archive/zip, unlike yauzl, takes bytes around a zip";
      found.push({ what: `the installer refuses it: ${error}`, ...listed(why || undefined) });
    }
  }
  for (const { peer, tree } of sources) {
    const expected = wanted(stored, tree, top);
    for (const other of unpacked) {
      const modes = moded && !damaged && peer !== "python" && other.keepsModes;
      for (const what of treesDiffer(expected, other.tree, { modes, names: named }))
        found.push({ what: `by ${other.by}, unlike the source by ${peer}: ${what}` });
    }
  }
  return found;
}

function whyRefused(peer: string, kind: Kind, words: string): string | undefined {
  return THEY_REFUSE.find((one) => one.peer === peer && one.kind === kind && one.said.test(words))?.why;
}

function listed(why: string | undefined): { listed?: string } {
  return why === undefined ? {} : { listed: why };
}

/** What of the unpacked source is to be in a stored object. */
function wanted({ made, path }: Stored, source: Tree, top: string): Tree {
  const below = (name: string) => (top === "" ? name : `${top}/${name}`);
  // what anybody may write is not kept so in what is made
  const safe = (mode: number) => (mode & 0o002 ? mode & ~0o022 : mode);
  const inside = (prefix: string) =>
    [...source]
      .filter(([name]) => name.startsWith(prefix) && !JUNK.test(name))
      .map(([name, file]) => [name, { ...file, mode: safe(file.mode) }] as const);
  if (made === undefined) return source;
  const cut = top === "" ? 0 : top.length + 1;
  if (made === "repacked") {
    return new Map(
      inside(top === "" ? "" : `${top}/`).map(([name, file]) => [
        `fusion-collectors/${name.slice(cut)}`,
        file,
      ]),
    );
  }
  if (made === "executable") return new Map([[path, source.get(below(path)) ?? { sha256: "none", mode: 0 }]]);
  return new Map(inside(`${below(path)}/`).map(([name, file]) => [name.slice(cut + "bin/".length), file]));
}

interface Unpacked {
  by: string;
  keepsModes: boolean;
  tree: Tree;
}

function programAlone({ path, bytes }: Stored): Unpacked {
  return { by: "its bytes", keepsModes: false, tree: new Map([[path, { sha256: digest(bytes), mode: 0 }]]) };
}

async function installed(bytes: Buffer): Promise<Unpacked> {
  const files = [...(await installController(bytes))].map(
    ([name, file]) =>
      [`fusion-collectors/${name}`, { sha256: digest(file.bytes), mode: file.mode & 0o777 }] as const,
  );
  return { by: "BK-Lite's installer", keepsModes: true, tree: new Map(files) };
}

/** Names that readers decode or clean in ways of their own are left out. */
function* treesDiffer(
  expected: Tree,
  found: Tree,
  same: { modes: boolean; names: boolean },
): Generator<string> {
  const cleaned = new Set<string>();
  for (const name of [...expected.keys(), ...found.keys()]) {
    const clean = name.replace(CONTROL, "");
    if (clean !== name) cleaned.add(name).add(clean);
  }
  const compared = (name: string) => !cleaned.has(name) && (same.names || /^[\x20-\x7e]*$/.test(name));
  for (const [name, file] of expected) {
    const other = found.get(name);
    if (!other) {
      if (compared(name)) yield `${name} is missing`;
    } else if (other.sha256 !== file.sha256) yield `${name} has other bytes`;
    else if (same.modes && other.mode !== file.mode) {
      yield `${name} has mode ${other.mode.toString(8)}, not ${file.mode.toString(8)}`;
    }
  }
  for (const name of found.keys()) if (!expected.has(name) && compared(name)) yield `${name} is too many`;
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
