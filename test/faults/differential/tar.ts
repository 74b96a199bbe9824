import { gzipSync } from "node:zlib";
import { longMember, paxMember, type TarFields, tarMember } from "../../support/raw-tar.ts";
import type { Random } from "../../support/rounds.ts";
import type { Contents, Item } from "./contents.ts";

const BLOCK = 512;
const TYPES = { file: "0", folder: "5", link: "2", hardlink: "1", fifo: "6", device: "3" };

/** The entry of an odd type, and the trait where that is a tar's label. */
export const LABEL = "odd";
export const LABELLED = "label";

type Format = "ustar" | "gnu" | "pax" | "v7";

interface Style {
  format: Format;
  dots: boolean;
  /** Type of a file: `0`, NUL, or `7` (contiguous), which is the same to all. */
  fileType: string;
  base256: boolean;
  signed: boolean;
}

type Chance = (percent: number, trait: string) => boolean;

/** A tar.gz of these contents, in one of the many ways that tools have. */
export function makeTarGz({ items, traits }: Contents, dice: Random): Buffer {
  const chance: Chance = (percent, trait) => {
    const yes = dice.int(100) < percent;
    if (yes) traits.push(trait);
    return yes;
  };
  const style: Style = {
    format: dice.pick(["ustar", "gnu", "gnu", "pax", "pax", "v7"] as const),
    dots: chance(10, "dots"),
    fileType: dice.pick(["0", "0", "0", "\0", "7"]),
    base256: chance(6, "base 256"),
    signed: chance(4, "signed sums"),
  };
  traits.push(style.format);
  const blocks: Buffer[] = [];
  if (chance(5, "global header")) blocks.push(paxHeader("g", { comment: "0123456789abcdef" }));
  if (style.dots && chance(50, "root entry"))
    blocks.push(header("./", { type: "5", size: 0, mode: 0o755, link: "" }, style));
  for (const item of items) blocks.push(...writeItem(item, style, dice, chance));
  const oddities = Object.entries(ODDITIES);
  if (chance(12, "odd fields")) {
    const [what, odd] = dice.pick(oddities);
    traits.push(what);
    blocks.push(...odd(dice));
  }
  if (chance(2, "sparse")) blocks.push(...sparse(dice));
  if (chance(2, "odd type")) {
    const type = dice.pick(["Z", "V", "D", "M", "N", "9"]);
    if (type === "V") traits.push(LABELLED);
    blocks.push(header(LABEL, { type, size: 0, mode: 0o644, link: "" }, style));
  }
  blocks.push(
    Buffer.alloc(
      BLOCK * (chance(4, "one block at the end") ? 1 : chance(2, "no end") ? 0 : dice.pick([2, 2, 20, 3])),
    ),
  );
  if (chance(4, "bytes behind the end")) blocks.push(Buffer.from("behind the end".repeat(1 + dice.int(100))));
  return gzip(Buffer.concat(blocks), dice, chance);
}

function writeItem(item: Item, style: Style, dice: Random, chance: Chance): Buffer[] {
  const long = item.path.length > 90;
  // Python takes a NUL's short name that happens to end in a slash for a folder's
  const type = item.kind !== "file" ? TYPES[item.kind] : long ? "0" : style.fileType;
  const path = `${style.dots ? "./" : ""}${item.path}${item.kind === "folder" ? "/" : ""}`;
  const link =
    item.target === undefined ? "" : `${style.dots && item.kind === "hardlink" ? "./" : ""}${item.target}`;
  const fields = { type, size: item.data.length, mode: item.mode, link };
  const content = padded(item.data);
  const raw = Buffer.from(path);
  if (style.format === "pax" && (raw.length > 100 || link.length > 100 || dice.int(5) === 0)) {
    const records: Record<string, string> = { path, mtime: "1700000000.5" };
    if (link !== "") records.linkpath = link;
    if (chance(2, "extended attributes")) records["SCHILY.xattr.user.note"] = "kept";
    return [paxHeader("x", records), header(path, fields, style), content];
  }
  if (raw.length <= 100) return [header(path, fields, style), content];
  if (style.format === "ustar") {
    const split = splitPath(raw);
    if (split) return [header(split.name.toString("latin1"), fields, style, split), content];
  }
  const whole = Buffer.concat([raw, Buffer.from([0])]);
  return [
    header("././@LongLink", { type: "L", size: whole.length, mode: 0o644, link: "" }, style),
    padded(whole),
    header(path, fields, style),
    content,
  ];
}

/** ustar's two fields for a path; undefined for one that has no fitting slash. */
function splitPath(path: Buffer): { prefix: Buffer; name: Buffer } | undefined {
  for (let slash = path.indexOf(0x2f); slash >= 0; slash = path.indexOf(0x2f, slash + 1)) {
    const [prefix, name] = [path.subarray(0, slash), path.subarray(slash + 1)];
    if (prefix.length <= 155 && name.length > 0 && name.length <= 100) return { prefix, name };
  }
  return undefined;
}

interface Fields {
  type: string;
  size: number;
  mode: number;
  link: string;
}

function header(
  path: string,
  { type, size, mode, link }: Fields,
  style: Style,
  split?: { prefix: Buffer; name: Buffer },
): Buffer {
  const block = Buffer.alloc(BLOCK);
  (split?.name ?? Buffer.from(path)).copy(block, 0, 0, 100);
  block.write(`${mode.toString(8).padStart(7, "0")}\0`, 100, "latin1");
  block.write("0001750\0".repeat(2), 108, "latin1");
  if (style.base256) {
    block[124] = 0x80;
    block.writeUInt32BE(size, 132);
  } else block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  block.write("14524730000\0", 136, "latin1");
  block.write(" ".repeat(8), 148, "latin1");
  block.write(type, 156, "latin1");
  Buffer.from(link).copy(block, 157, 0, 100);
  if (style.format === "gnu") block.write("ustar  \0", 257, "latin1");
  else if (style.format !== "v7") block.write("ustar\x0000", 257, "latin1");
  split?.prefix.copy(block, 345);
  const sum = block.reduce((total, byte) => total + (style.signed && byte > 127 ? byte - 256 : byte), 0);
  block.write(`${Math.max(sum, 0).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function paxHeader(type: "x" | "g", records: Record<string, string>): Buffer {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  const style: Style = { format: "pax", dots: false, fileType: "0", base256: false, signed: false };
  return Buffer.concat([
    header("PaxHeaders/0", { type, size: body.length, mode: 0o644, link: "" }, style),
    padded(body),
  ]);
}

/** `length keyword=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

const ODD_FILE = "fusion-collectors/odd";
const SIXTEEN = "0123456789abcdef";
const oddFile = (fields: TarFields = {}) => tarMember({ name: ODD_FILE, size: 16, ...fields }, SIXTEEN);

/** Fields and extended headers that readers know in their own ways, or refuse. */
const ODDITIES: Record<string, (dice: Random) => Buffer[]> = {
  "pax number": (dice) => {
    const value = dice.pick(["16", "016", "0x10", "1e2", " 16", "+16", "16.0", "16 ", "", "-16", "1_6"]);
    return [paxMember({ [dice.pick(["size", "size", "uid", "gid", "mtime"])]: value }), oddFile()];
  },
  "empty pax value": (dice) => [paxMember({ [dice.pick(["path", "linkpath", "comment"])]: "" }), oddFile()],
  // pax before GNU's, which is refused in both orders, is the same to all
  "two extended headers": (dice) => {
    const pax = (name: string) => paxMember({ path: `fusion-collectors/${name}` });
    const long = (name: string) => longMember(`fusion-collectors/${name}\0`);
    const [first, second] = dice.pick([
      [pax, pax],
      [long, long],
      [long, pax],
    ] as const);
    return [first("one"), second("two"), oddFile()];
  },
  "long name with another size": (dice) => {
    const name = `fusion-collectors/${"long".repeat(30)}${dice.pick(["", "\0", "\0\0\0", "\0junk"])}`;
    return [longMember(name, { size: Math.max(0, name.length - dice.int(12)) }), oddFile()];
  },
  "extended header of nothing": (dice) => [
    oddFile(),
    dice.pick([longMember("fusion-collectors/none\0"), paxMember({ path: "fusion-collectors/none" })]),
  ],
  "padded field": (dice) => {
    const text = dice.pick([
      "     20\0",
      "0000020 ",
      "0000020\0",
      "     20 ",
      " ".repeat(8),
      "\0".repeat(8),
      "0000020x",
      "+000020\0",
    ]);
    const field = dice.pick(["sizeField", "mode", "owner"] as const);
    return [oddFile({ [field]: field === "sizeField" ? text.padStart(12, text[0]) : text })];
  },
};

/** A file with a hole, as GNU tar 1.0 (pax) or old GNU tar has it. */
function sparse(dice: Random): Buffer[] {
  const style: Style = { format: "gnu", dots: false, fileType: "0", base256: false, signed: false };
  const data = Buffer.alloc(BLOCK, "s");
  if (dice.int(2) === 0) {
    const map = Buffer.alloc(BLOCK);
    map.write("1\n1024\n512\n");
    const records = {
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "fusion-collectors/holes",
      "GNU.sparse.realsize": "1536",
    };
    return [
      paxHeader("x", records),
      header(
        "GNUSparseFile.0/holes",
        { type: "0", size: 1024, mode: 0o644, link: "" },
        { ...style, format: "pax" },
      ),
      map,
      data,
    ];
  }
  const block = header("fusion-collectors/holes", { type: "S", size: 512, mode: 0o644, link: "" }, style);
  block.write("00000002000\0" + "00000001000\0", 386, "latin1");
  block.write("00000003000\0", 483, "latin1");
  block.write(" ".repeat(8), 148, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return [block, data];
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

function gzip(tar: Buffer, dice: Random, chance: Chance): Buffer {
  const level = dice.pick([1, 6, 9]);
  const cut = chance(8, "two gzip members") ? dice.int(tar.length) : tar.length;
  const members = [tar.subarray(0, cut), tar.subarray(cut)].filter((part) => part.length > 0);
  let packed = Buffer.concat(members.map((part) => gzipSync(part, { level })));
  if (chance(8, "gzip's file name")) {
    // FLG.FNAME: the name follows the ten bytes of the header (RFC 1952)
    packed = Buffer.concat([
      packed.subarray(0, 3),
      Buffer.from([8]),
      packed.subarray(4, 10),
      Buffer.from("a.tar\0"),
      packed.subarray(10),
    ]);
  }
  if (chance(5, "gzip padding")) return Buffer.concat([packed, Buffer.alloc(1 + dice.int(2000))]);
  const junk = Buffer.from("<!-- mirror -->");
  if (chance(2, "junk behind gzip")) return Buffer.concat([packed, junk]);
  if (chance(2, "junk behind NULs")) return Buffer.concat([packed, Buffer.alloc(1 + dice.int(2000)), junk]);
  return packed;
}
