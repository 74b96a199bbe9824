import { elfHeader } from "../../support/binaries.ts";
import type { Random } from "../../support/rounds.ts";

/** One thing in a made-up archive. */
export interface Item {
  /** From the archive's root, plain. */
  path: string;
  kind: "file" | "folder" | "link" | "hardlink" | "fifo" | "device";
  data: Buffer;
  mode: number;
  /** Where a link points. */
  target?: string;
}

export interface Contents {
  items: Item[];
  /** The folder that everything lies in; "" for none. */
  top: string;
  /** Whether readers agree on its names and on its permissions. */
  named: boolean;
  moded: boolean;
  /** What was done to it, for messages. */
  traits: string[];
}

const TOPS = [
  "fusion-collectors",
  "fusion-collectors",
  "fusion-collectors",
  "collectors",
  "",
  "build/fusion-collectors",
];
const NAMES = [
  "plugin.so",
  "配置.yml",
  "with space.txt",
  "ünïcode.conf",
  "UPPER.Txt",
  "a+b~c.d",
  "-dash",
  "x".repeat(120),
  "x".repeat(255),
];
const MODES = [0o644, 0o755, 0o600, 0o444, 0o775, 0o700, 0o777, 0o666];
const JUNK = [".DS_Store", "__MACOSX/._fusion-collectors", "Thumbs.db", "._fusion-collectors"];

/** An archive's contents, as people have them, and sometimes as they should not be. */
export function makeContents(dice: Random): Contents {
  const top = dice.pick(TOPS);
  const traits: string[] = [`top ${top || "none"}`];
  const below = (path: string) => (top === "" ? path : `${top}/${path}`);
  const items: Item[] = [];
  const file = (path: string, data: Buffer, mode: number) => items.push({ path, kind: "file", data, mode });
  const program = () => Buffer.concat([elfHeader(62), noise(dice, dice.int(3000))]);
  const often = (percent: number) => dice.int(100) < percent;
  const at = (path: string, data: Buffer, mode = dice.pick(MODES)) => file(below(path), data, mode);
  at("collector-sidecar", program(), 0o755);
  at("install.sh", Buffer.from("#!/bin/sh\nexit 0\n"), 0o755);
  at("bin/telegraf", program(), 0o755);
  if (often(50)) {
    at("bin/filebeat/filebeat", program(), 0o755);
    at("bin/filebeat/module/log.yml", text(dice, 200));
  }
  for (let left = dice.int(6); left > 0; left--)
    at(`etc/${"d/".repeat(dice.int(4))}${left}${dice.pick(NAMES).slice(-254)}`, content(dice));
  if (often(10)) at(`etc/${"deep/".repeat(10 + dice.int(60))}end`, content(dice));
  if (often(50)) folders(items, dice);
  if (often(20)) {
    traits.push("junk");
    file(dice.pick(JUNK), text(dice, 50), 0o644);
  }
  if (often(10) && top !== "") {
    traits.push("beside");
    file("README.txt", text(dice, 100), 0o644);
  }
  if (often(25)) spoil(items, below, dice, traits);
  return { items, top, named: true, moded: true, traits };
}

/** Entries for the folders that are there anyway, and one that is empty. */
function folders(items: Item[], dice: Random): void {
  const paths = new Set<string>();
  for (const { path } of items) {
    const parts = path.split("/");
    for (let length = 1; length < parts.length; length++) paths.add(parts.slice(0, length).join("/"));
  }
  const all = [...paths].map((path): Item => ({ path, kind: "folder", data: Buffer.alloc(0), mode: 0o755 }));
  // mostly in front of what lies in them
  if (dice.int(4) > 0) items.unshift(...all);
  else items.push(...all);
}

type Spoiler = (items: Item[], below: (path: string) => string, dice: Random) => void;

const empty = Buffer.alloc(0);
const add = (
  kind: Item["kind"],
  path: (below: (path: string) => string) => string,
  target?: string,
): Spoiler =>
  function added(items, below) {
    const data = kind === "file" ? Buffer.from("spoiled") : empty;
    items.push({ path: path(below), kind, data, mode: 0o644, ...(target !== undefined && { target }) });
  };

/** The trait of a hard link whose target comes again with other bytes. */
export const HARD_LINK_REPLACED = "hard link, then another target";

/**
 * Things that are in archives and make them doubtful; a link to what is there is the only one that may stay.
 */
const SPOILERS: Record<string, Spoiler> = {
  link: add("link", (below) => below("bin/also"), "telegraf"),
  "link to a folder": add("link", (below) => below("plugins"), "bin"),
  "link to a link": (items, below, dice) => {
    add("link", () => below("one"), "two")(items, below, dice);
    add("link", () => below("two"), "bin/telegraf")(items, below, dice);
  },
  "link nowhere": add("link", (below) => below("bin/lost"), "gone"),
  "link out": add("link", (below) => below("bin/out"), "../../../../etc/passwd"),
  "absolute link": add("link", (below) => below("bin/abs"), "/etc/passwd"),
  "link loop": add("link", (below) => below("bin/loop"), "loop"),
  "below a link": (items, below, dice) => {
    add("link", () => below("lib"), "bin")(items, below, dice);
    add("file", () => below("lib/x"))(items, below, dice);
  },
  "hard link": (items, below) => {
    items.push({
      path: below("bin/hard"),
      kind: "hardlink",
      data: empty,
      mode: 0o755,
      target: below("bin/telegraf"),
    });
  },
  "hard link nowhere": add("hardlink", (below) => below("bin/hard"), "nothing"),
  "hard link before its target": (items, below) => {
    items.unshift({
      path: below("bin/hard"),
      kind: "hardlink",
      data: empty,
      mode: 0o755,
      target: below("bin/telegraf"),
    });
  },
  [HARD_LINK_REPLACED]: (items, below) => {
    const target = below("etc/target");
    const file = (data: string): Item => ({
      path: target,
      kind: "file",
      data: Buffer.from(data),
      mode: 0o644,
    });
    const link: Item = { path: below("etc/hard"), kind: "hardlink", data: empty, mode: 0o644, target };
    items.push(file("first"), link, file("second"));
  },
  parent: add("file", (below) => below("../../up")),
  absolute: add("file", () => "/tmp/abs"),
  backslash: add("file", (below) => below("bin\\win.exe")),
  drive: add("file", () => "C:/win.exe"),
  twice: (items, _below, dice) => void items.push({ ...dice.pick(items), data: Buffer.from("twice") }),
  "file and folder": add("file", (below) => below("bin")),
  "below a file": add("file", (below) => below("install.sh/x")),
  fifo: add("fifo", (below) => below("pipe")),
  device: add("device", (below) => below("null")),
  control: add("file", (below) => below("\u00e9\u0007b")),
};

function spoil(items: Item[], below: (path: string) => string, dice: Random, traits: string[]): void {
  const name = dice.pick(Object.keys(SPOILERS));
  traits.push(name);
  SPOILERS[name]?.(items, below, dice);
}

function content(dice: Random): Buffer {
  return dice.int(5) === 0 ? empty : dice.int(2) === 0 ? text(dice, 5000) : noise(dice, dice.int(3000));
}

function text(dice: Random, length: number): Buffer {
  return Buffer.from(`line ${dice.int(1000)}\n`.repeat(1 + dice.int(length / 8)));
}

function noise(dice: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = dice.int(256);
  return bytes;
}
