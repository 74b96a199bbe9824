/** Bytes of a block, the unit of every tar. */
export const BLOCK = 512;

/** The fields of a header (POSIX.1-2017, "pax", ustar Interchange Format; GNU tar's own where it differs). */
export interface TarHeader {
  /** Bytes, for their encoding is nobody's but the archive's. */
  name: Buffer;
  link: Buffer;
  /** One character. */
  type: string;
  size: number;
  /** undefined where the mode, the owner, the group or the time cannot be read; it counts in a member's header alone. */
  mode: number | undefined;
}

const CHECKSUM = 148;
const ZERO = Buffer.alloc(BLOCK);

/** Whether a block is all NULs, as the two are that end a tar. */
export function isZero(block: Buffer): boolean {
  return block.equals(ZERO);
}

/** A header, or undefined where the block's checksum says that it is none. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  const said = number(block, CHECKSUM, 8);
  if (said === undefined || !sums(block).includes(said)) return undefined;
  const size = number(block, 124, 12);
  const [mode, ...others] = [
    number(block, 100, 8),
    owner(block, 108, 8),
    owner(block, 116, 8),
    owner(block, 136, 12),
  ];
  if (size === undefined) return undefined;
  const name = text(block, 0, 100);
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block, 345, 155) : Buffer.alloc(0);
  return {
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from("/"), name]) : Buffer.from(name),
    link: Buffer.from(text(block, 157, 100)),
    type: String.fromCharCode(block[156] ?? 0),
    size,
    mode: mode === undefined || others.includes(undefined) ? undefined : mode & 0o7777,
  };
}

/** Up to the first NUL, or all of the field. */
function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** A number that may be below zero in base 256: an owner, a group, a time. */
function owner(block: Buffer, at: number, length: number): number | undefined {
  return block[at] === 0xff ? 0 : number(block, at, length);
}

/**
 * Octal digits behind blanks, up to a blank or NUL; or, with the highest bit set, a number in base 256. A field of NULs is 0. undefined for
 * anything else: GNU tar refuses a field of blanks, and readers do not agree on digits behind a NUL.
 */
function number(block: Buffer, at: number, length: number): number | undefined {
  const first = block[at] ?? 0;
  if (first === 0x80) {
    let value = 0;
    for (let index = at + 1; index < at + length; index++) value = value * 256 + (block[index] ?? 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const field = block.toString("latin1", at, at + length);
  const [, digits] = /^[\t-\r ]*([0-7]+)(?:[\0\t-\r ]|$)/.exec(field) ?? [];
  if (digits !== undefined) return Number.parseInt(digits, 8);
  return /^[\t-\r ]*\0[^0-9]*$/.test(field) ? 0 : undefined;
}

/** The header's sum, with its own field taken for blanks: of unsigned bytes, and of signed ones, as old tars have it. */
function sums(block: Buffer): [number, number] {
  let unsigned = 8 * 32;
  let signed = 8 * 32;
  for (let index = 0; index < BLOCK; index++) {
    if (index >= CHECKSUM && index < CHECKSUM + 8) continue;
    const byte = block[index] ?? 0;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return [unsigned, signed];
}
