import { crc32, deflateRawSync } from "node:zlib";
import { endRecords } from "../../support/raw-zip.ts";
import type { Random } from "../../support/rounds.ts";
import type { Contents, Item } from "./contents.ts";

const TYPES = {
  file: 0o100000,
  folder: 0o040000,
  link: 0o120000,
  hardlink: 0o100000,
  fifo: 0o010000,
  device: 0o020000,
};
const HOSTS = [3, 3, 3, 19, 0, 10, 11];
const DESCRIPTOR = Buffer.from("PK\x07\x08", "latin1");

/** How one entry is written. */
interface Style {
  utf8: boolean;
  dots: boolean;
  host: number;
  descriptor: "none" | "signed" | "bare" | "missing";
  zip64: boolean;
  extra: Buffer;
  slash: boolean;
}

interface Written {
  local: Buffer;
  /** Of the local header, from the start of the first one. */
  header(offset: number): Buffer;
}

/** A zip of these contents, in one of the many ways that tools have. */
export function makeZip(contents: Contents, dice: Random): Buffer {
  const { items, traits } = contents;
  const chance = (percent: number, trait: string) => {
    const yes = dice.int(100) < percent;
    if (yes) traits.push(trait);
    return yes;
  };
  const style = archiveStyle(dice, chance);
  // what unzip does with other systems' names, permissions and links is its own
  if (items.some(({ kind }) => kind === "link")) style.host = 3;
  contents.moded = style.host === 3;
  contents.named = style.utf8 && contents.moded;
  const written = items.map((item) => writeEntry(item, style, dice));
  const prefix = chance(8, "prefix")
    ? Buffer.from("#!/bin/sh\nexit 0\n".repeat(1 + dice.int(40)))
    : Buffer.alloc(0);
  // a self-extracting archive's places are counted from the file's start, or from the zip's
  const base = prefix.length > 0 && chance(50, "places moved") ? prefix.length : 0;
  const locals: Buffer[] = [];
  const headers: Buffer[] = [];
  let offset = 0;
  const gaps = chance(4, "gaps");
  for (const { local, header } of written) {
    headers.push(header(offset + base));
    const gap = Buffer.alloc(gaps ? dice.int(30) : 0);
    locals.push(local, gap);
    offset += local.length + gap.length;
  }
  if (chance(5, "directory in another order")) headers.reverse();
  const size = headers.reduce((sum, one) => sum + one.length, 0);
  const end = endRecords(items.length, size, offset + base, {
    ...(chance(6, "zip64 end") && { zip64: {} }),
  });
  // what makes Go look for zip64's record is the count or the offset alone
  const old = endRecords(items.length, size, offset + base).subarray(-22);
  if (end.length > 22 && chance(60, "old end record complete"))
    for (const [from, to] of [
      [8, 12],
      [12, 16],
      [16, 20],
    ] as const)
      if (dice.int(4) > 0) old.copy(end, end.length - 22 + from, from, to);
  if (end.length > 22 && prefix.length > 0) {
    const locator = end.length - 22 - 20 + 8;
    end.writeBigUInt64LE(end.readBigUInt64LE(locator) + BigInt(prefix.length - base), locator);
  }
  // entries on this disk, entries at all
  if (chance(2, "wrong count"))
    end.writeUInt16LE(items.length + dice.pick([-1, 1, 256]), end.length - dice.pick([14, 12]));
  const comment = chance(5, "comment") ? Buffer.from("packed by somebody") : Buffer.alloc(0);
  end.writeUInt16LE(comment.length, end.length - 2);
  const behind = chance(6, "padding")
    ? Buffer.alloc(1 + dice.int(1000))
    : chance(3, "junk behind")
      ? Buffer.from("<!-- mirror -->")
      : Buffer.alloc(0);
  return Buffer.concat([prefix, ...locals, ...headers, end, comment, behind]);
}

type Chance = (percent: number, trait: string) => boolean;

function archiveStyle(dice: Random, chance: Chance): Style {
  const descriptor = chance(15, "descriptors") ? dice.pick(["signed", "signed", "bare"] as const) : "none";
  return {
    utf8: !chance(15, "no UTF-8 flag"),
    dots: chance(6, "dots"),
    host: dice.pick(HOSTS),
    descriptor: chance(3, "descriptors missing") ? "missing" : descriptor,
    zip64: chance(6, "zip64 fields"),
    extra: chance(20, "extra fields") ? extraFields(dice) : Buffer.alloc(0),
    slash: !chance(3, "folders without a slash"),
  };
}

function extraFields(dice: Random): Buffer {
  const field = (id: number, bytes: Buffer) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(id, 0);
    head.writeUInt16LE(bytes.length, 2);
    return Buffer.concat([head, bytes]);
  };
  const times = field(0x5455, Buffer.from([1, 0, 0, 0, 96]));
  const owner = field(0x7875, Buffer.from([1, 4, 232, 3, 0, 0, 4, 232, 3, 0, 0]));
  const unknown = field(0xcafe, Buffer.alloc(dice.int(4)));
  const broken = Buffer.from([0x55, 0x54, 99, 0, 1]);
  return dice.pick([times, Buffer.concat([times, owner]), unknown, broken]);
}

function writeEntry(item: Item, style: Style, dice: Random): Written {
  const { kind, mode, target } = item;
  const data = target === undefined ? item.data : Buffer.from(target);
  const folder = kind === "folder";
  const path = `${style.dots ? "./" : ""}${item.path}${folder && style.slash ? "/" : ""}`;
  const name = Buffer.from(path);
  const deflated = data.length > 0 && dice.int(4) > 0;
  const packed = deflated ? deflateRawSync(data, { level: dice.pick([1, 6, 9]) }) : data;
  const described = style.descriptor !== "none" && !folder;
  const fields = {
    flags: (style.utf8 ? 0x800 : 0) | (described ? 8 : 0),
    method: deflated ? 8 : 0,
    crc: crc32(data),
    packed: packed.length,
    size: data.length,
  };
  const extra = Buffer.concat([style.zip64 ? zip64Field(fields) : Buffer.alloc(0), style.extra]);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  common(local, 4, fields, style.zip64);
  // written before the sizes are known
  if (described) local.fill(0, 14, 26);
  local.writeUInt16LE(name.length, 26);
  local.writeUInt16LE(described ? style.extra.length : extra.length, 28);
  const tail = described ? descriptor(fields, style.descriptor) : Buffer.alloc(0);
  return {
    local: Buffer.concat([local, name, described ? style.extra : extra, packed, tail]),
    header(offset) {
      const header = Buffer.alloc(46);
      header.writeUInt32LE(0x02014b50, 0);
      header.writeUInt16LE((style.host << 8) | 20, 4);
      common(header, 6, fields, style.zip64);
      header.writeUInt16LE(name.length, 28);
      header.writeUInt16LE(extra.length, 30);
      const unix = style.host === 3 || style.host === 19 || kind === "link";
      header.writeUInt32LE((((unix ? TYPES[kind] | mode : 0) << 16) | (folder ? 0x10 : 0)) >>> 0, 38);
      header.writeUInt32LE(offset, 42);
      return Buffer.concat([header, name, extra]);
    },
  };
}

interface Fields {
  flags: number;
  method: number;
  crc: number;
  packed: number;
  size: number;
}

/** Version needed to unpacked size, which both headers have. */
function common(header: Buffer, at: number, fields: Fields, zip64: boolean): void {
  header.writeUInt16LE(zip64 ? 45 : 20, at);
  header.writeUInt16LE(fields.flags, at + 2);
  header.writeUInt16LE(fields.method, at + 4);
  header.writeUInt16LE(0x21, at + 8); // 1980-01-01
  header.writeUInt32LE(fields.crc, at + 10);
  header.writeUInt32LE(zip64 ? 0xffffffff : fields.packed, at + 14);
  header.writeUInt32LE(zip64 ? 0xffffffff : fields.size, at + 18);
}

function zip64Field({ packed, size }: Fields): Buffer {
  const field = Buffer.alloc(20);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(16, 2);
  field.writeBigUInt64LE(BigInt(size), 4);
  field.writeBigUInt64LE(BigInt(packed), 12);
  return field;
}

function descriptor({ crc, packed, size }: Fields, how: Style["descriptor"]): Buffer {
  if (how === "missing") return Buffer.alloc(0);
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(crc, 0);
  bytes.writeUInt32LE(packed, 4);
  bytes.writeUInt32LE(size, 8);
  return how === "signed" ? Buffer.concat([DESCRIPTOR, bytes]) : bytes;
}
