/** Bytes of a block, the unit of every tar. */
export const BLOCK = 512;

/**
 * The fields of a header (POSIX.1-2017, "pax", ustar Interchange Format; GNU tar's own where it differs),
 * valid as long as its block.
 */
export interface TarHeader {
  /** Bytes: only the archive knows their encoding. */
  name: Buffer;
  link: Buffer;
  /** One character. */
  type: string;
  size: number;
  /** undefined if the mode, owner, group or time is invalid, which counts in a member's header alone. */
  mode: number | undefined;
}

const CHECKSUM = 148;
const ZERO = Buffer.alloc(BLOCK);

/** Whether a block is all NULs, as the two are that end a tar. */
export function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZERO);
}

/** Returns a header; undefined if the block's checksum is wrong or its size invalid. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  const checksum = readNumber(block, CHECKSUM, 8);
  const size = readNumber(block, 124, 12);
  if (checksum === undefined || size === undefined || !isChecksum(block, checksum)) return undefined;
  const mode = readNumber(block, 100, 8);
  const isValid =
    isSigned(block, 108, 8) && isSigned(block, 116, 8) && isSigned(block, 136, 12) && mode !== undefined;
  const name = readText(block, 0, 100);
  // magic `ustar` and its NUL; GNU tar has a blank there, and other fields where ustar has the prefix
  const hasPrefix = block[345] !== 0 && block.toString("latin1", 257, 263) === "ustar\0";
  return {
    name: hasPrefix ? Buffer.concat([readText(block, 345, 155), Buffer.from("/"), name]) : name,
    link: readText(block, 157, 100),
    type: String.fromCharCode(block[156] ?? 0),
    size,
    mode: isValid ? mode & 0o7777 : undefined,
  };
}

/** Returns a field up to its first NUL, or all of it. */
function readText(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** Whether a field is a number; a negative one (an owner, a group, a time) is base 256 after 0xff. */
function isSigned(block: Buffer, at: number, length: number): boolean {
  return block[at] === 0xff || readNumber(block, at, length) !== undefined;
}

/**
 * Returns a number: octal digits after blanks, up to a blank or NUL; or, with the highest bit set, base 256.
 * A field of NULs is 0. undefined for anything else: GNU tar rejects a field of blanks, and readers disagree
 * on digits after a NUL.
 */
function readNumber(block: Buffer, at: number, length: number): number | undefined {
  if (block[at] === 0x80) {
    let value = 0;
    for (const byte of block.subarray(at + 1, at + length)) value = value * 256 + byte;
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const end = at + length;
  let next = at;
  while (next < end && isBlank(block[next])) next++;
  const start = next;
  let value = 0;
  for (let digit = digitAt(block, next); next < end && digit < 8; digit = digitAt(block, ++next))
    value = value * 8 + digit;
  if (next > start) return next === end || block[next] === 0 || isBlank(block[next]) ? value : undefined;
  if (next === end || block[next] !== 0) return undefined;
  while (++next < end) if (digitAt(block, next) < 10) return undefined;
  return 0;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13);
}

/** Returns the value of a decimal digit, and more than 9 for anything else. */
function digitAt(block: Buffer, at: number): number {
  return ((block[at] ?? 0) - 0x30) & 0xff;
}

/** Whether the bytes have this sum, the sum's own field taken as blanks; old tars added signed bytes. */
function isChecksum(block: Buffer, checksum: number): boolean {
  let sum = 8 * 32;
  let negative = 0;
  for (let at = 0; at < BLOCK; at++) {
    if (at === CHECKSUM) at += 8;
    const byte = block[at] ?? 0;
    sum += byte;
    negative += byte >> 7;
  }
  return checksum === sum || checksum === sum - 256 * negative;
}

/** The values that GNU tar accepts; other keywords may have any. */
const PAX_VALUES: Readonly<Record<string, RegExp>> = {
  path: /./s,
  size: /^\d+$/,
  uid: /^\d+$/,
  gid: /^\d+$/,
  mtime: /^-?\d/,
  atime: /^-?\d/,
  ctime: /^-?\d/,
};

const NO_RECORDS: ReadonlyMap<string, Buffer> = new Map();

/** Records of pax's extended headers (POSIX.1-2017, "pax"), by keyword; values are bytes. */
export class PaxHeaders {
  readonly #global = new Map<string, Buffer>();
  #local = new Map<string, Buffer>();

  /** Whether there are records for a next member. */
  get pending(): boolean {
    return this.#local.size > 0;
  }

  /** Reads `length keyword=value\n` records; returns false if they are invalid or GNU tar rejects a value. */
  read(bytes: Buffer, isGlobal: boolean): boolean {
    const into = isGlobal ? this.#global : this.#local;
    for (let at = 0; at < bytes.length; ) {
      // GNU tar and Python read NULs as the end
      if (bytes[at] === 0) return true;
      const space = bytes.indexOf(0x20, at);
      const digits = space < 0 ? "" : bytes.toString("latin1", at, space);
      const end = at + Number(digits);
      if (!/^\d{1,10}$/.test(digits) || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a)
        return false;
      const equals = bytes.indexOf(0x3d, space);
      if (equals < 0 || equals >= end) return false;
      const keyword = bytes.toString("utf8", space + 1, equals);
      const value = Buffer.from(bytes.subarray(equals + 1, end - 1));
      const allowed = Object.hasOwn(PAX_VALUES, keyword) ? PAX_VALUES[keyword] : undefined;
      if (allowed?.test(value.toString("latin1")) === false) return false;
      into.set(keyword, value);
      at = end;
    }
    return true;
  }

  /** Returns the next member's records, its own before global ones. Empty values cancel, but for a target. */
  take(): ReadonlyMap<string, Buffer> {
    if (this.#global.size + this.#local.size === 0) return NO_RECORDS;
    const all = new Map([...this.#global, ...this.#local]);
    this.#local = new Map();
    for (const [keyword, value] of all) if (value.length === 0 && keyword !== "linkpath") all.delete(keyword);
    return all;
  }
}

/** Whether pax's records mark a sparse file (GNU tar's and star's): its stored bytes are not the file. */
export function isSparse(pax: ReadonlyMap<string, Buffer>, name: string): boolean {
  const isMark = (keyword: string) => /^(?:GNU\.sparse\.|SCHILY\.realsize$|SUN\.holesdata$)/.test(keyword);
  return [...pax.keys()].some(isMark) || /(?:^|\/)GNUSparseFile\.\d+\//.test(name);
}
