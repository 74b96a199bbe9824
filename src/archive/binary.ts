import type { BinaryKind } from "./types.ts";

type Machine = "x86" | "x86_64" | "arm64";

/** Enough for every header that is looked at. */
export const HEAD_LENGTH = 4096;

const ELF_MACHINES = new Map<number, Machine>([
  [3, "x86"],
  [62, "x86_64"],
  [183, "arm64"],
]);
const PE_MACHINES = new Map<number, Machine>([
  [0x14c, "x86"],
  [0x8664, "x86_64"],
  [0xaa64, "arm64"],
]);
const MACHO = new Set([0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe]);

/** The kind of a file with these first bytes (System V ABI; Microsoft's PE specification; Apple's mach-o/loader.h). */
export function kindOf(head: Buffer): BinaryKind {
  if (head.length >= 20 && head.readUInt32BE(0) === 0x7f454c46) {
    const machine = head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18);
    return { format: "elf", machine: ELF_MACHINES.get(machine) ?? "other" };
  }
  if (head.length >= 64 && head.toString("latin1", 0, 2) === "MZ") {
    const pe = head.readUInt32LE(0x3c);
    if (pe + 6 > head.length || head.toString("latin1", pe, pe + 4) !== "PE\0\0") return { format: "other" };
    return { format: "pe", machine: PE_MACHINES.get(head.readUInt16LE(pe + 4)) ?? "other" };
  }
  if (head.length >= 8 && isMachO(head)) return { format: "macho" };
  return { format: "other" };
}

/** Whether a file is a program or a script; only its first 4 KiB count, however much is given. */
export function isRunnable(start: Buffer): boolean {
  const head = start.subarray(0, HEAD_LENGTH);
  return kindOf(head).format !== "other" || head.toString("latin1", 0, 2) === "#!";
}

function isMachO(head: Buffer): boolean {
  const magic = head.readUInt32BE(0);
  // a Java class begins like a fat binary, but where that counts its architectures a class has a version of 45 or more
  return MACHO.has(magic) || (magic === 0xcafebabe && head.readUInt32BE(4) < 45);
}

/**
 * How long a program is at least, after its header: bytes; 0 where it does not say, or what it says cannot be a header. A file that is
 * shorter was cut off. Looks at the tables that lie within `head`.
 */
export function programLength(head: Buffer): number {
  if (head.toString("latin1", 0, 4) === "\x7fELF") return elfLength(head);
  return head.toString("latin1", 0, 2) === "MZ" ? peLength(head) : 0;
}

/** The end of the furthest segment, or of the table of sections (System V ABI, chapters 4 and 5). */
function elfLength(head: Buffer): number {
  const wide = head[4] === 2;
  const little = head[5] !== 2;
  const header = wide ? 64 : 52;
  if (head.length < header) return header;
  const half = (at: number) => (little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const word = (at: number) => (little ? head.readUInt32LE(at) : head.readUInt32BE(at));
  const long = (at: number) => Number(little ? head.readBigUInt64LE(at) : head.readBigUInt64BE(at));
  const offset = (at: number) => (wide ? long(at) : word(at));
  const counts = wide ? 52 : 40;
  const [own, segmentSize, segments, sectionSize, sections] = [0, 2, 4, 6, 8].map((at) =>
    half(counts + at),
  ) as [number, number, number, number, number];
  const sizes = wide ? [56, 64] : [32, 40];
  const isHeader =
    word(20) === 1 &&
    own === header &&
    (segments === 0 || segmentSize === sizes[0]) &&
    (sections === 0 || sectionSize === sizes[1]);
  if (!isHeader) return 0;
  const first = offset(wide ? 32 : 28);
  let end = Math.max(
    segments > 0 ? first + segments * segmentSize : 0,
    sections > 0 ? offset(wide ? 40 : 32) + sections * sectionSize : 0,
  );
  for (let index = 0; index < segments; index += 1) {
    const at = first + index * segmentSize;
    if (at + segmentSize > head.length) break;
    end = Math.max(end, offset(at + (wide ? 8 : 4)) + offset(at + (wide ? 32 : 16)));
  }
  return end;
}

const DOS_HEADER = 64;
const COFF_HEADER = 24;
/** What Windows loads at most. */
const MAX_SECTIONS = 96;

/** The end of the furthest section (Microsoft's PE specification). */
function peLength(head: Buffer): number {
  if (head.length < DOS_HEADER) return DOS_HEADER;
  const pe = head.readUInt32LE(0x3c);
  // with the optional header's first word, which says which it is
  const needed = pe + COFF_HEADER + 2;
  if (needed > head.length) return isWhole(head) && pe < HEAD_LENGTH ? needed : 0;
  if (head.toString("latin1", pe, pe + 4) !== "PE\0\0") return 0;
  const sections = head.readUInt16LE(pe + 6);
  if (sections > MAX_SECTIONS || ![0x10b, 0x20b].includes(head.readUInt16LE(pe + COFF_HEADER))) return 0;
  const table = pe + COFF_HEADER + head.readUInt16LE(pe + 20);
  if (table > head.length && isWhole(head)) return table;
  let end = 0;
  for (let at = table; at < table + sections * 40 && at + 40 <= head.length; at += 40) {
    end = Math.max(end, head.readUInt32LE(at + 20) + head.readUInt32LE(at + 16));
  }
  return end;
}

/** Whether that is all of the file. */
function isWhole(head: Buffer): boolean {
  return head.length < HEAD_LENGTH;
}
