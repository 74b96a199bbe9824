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

function isMachO(head: Buffer): boolean {
  const magic = head.readUInt32BE(0);
  // a Java class begins like a fat binary, but where that counts its architectures a class has a version of 45 or more
  return MACHO.has(magic) || (magic === 0xcafebabe && head.readUInt32BE(4) < 45);
}

/**
 * How long a program is at least, after its header: bytes; 0 where it does not say. A file that is shorter was cut off. Looks at the tables
 * that lie within `head`.
 */
export function programLength(head: Buffer): number {
  const { format } = kindOf(head);
  if (format === "elf") return elfLength(head);
  return format === "pe" ? peLength(head) : 0;
}

/** The end of the furthest segment, or of the table of sections (System V ABI, chapters 4 and 5). */
function elfLength(head: Buffer): number {
  const wide = head[4] === 2;
  const little = head[5] !== 2;
  if (head.length < (wide ? 64 : 52)) return 0;
  const half = (at: number) => (little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const word = (at: number) => (little ? head.readUInt32LE(at) : head.readUInt32BE(at));
  const long = (at: number) => Number(little ? head.readBigUInt64LE(at) : head.readBigUInt64BE(at));
  const offset = (at: number) => (wide ? long(at) : word(at));
  const counts = wide ? 54 : 42;
  const [segmentSize, segments, sectionSize, sections] = [0, 2, 4, 6].map((at) => half(counts + at)) as [
    number,
    number,
    number,
    number,
  ];
  let end = sections > 0 ? offset(wide ? 40 : 32) + sections * sectionSize : 0;
  for (let index = 0; index < segments; index += 1) {
    const at = offset(wide ? 32 : 28) + index * segmentSize;
    if (segmentSize < (wide ? 56 : 32) || at + segmentSize > head.length) break;
    end = Math.max(end, offset(at + (wide ? 8 : 4)) + offset(at + (wide ? 32 : 16)));
  }
  return end;
}

/** The end of the furthest section (Microsoft's PE specification). */
function peLength(head: Buffer): number {
  const pe = head.readUInt32LE(0x3c);
  if (pe + 24 > head.length) return 0;
  const sections = head.readUInt16LE(pe + 6);
  const table = pe + 24 + head.readUInt16LE(pe + 20);
  let end = 0;
  for (let at = table; at < table + sections * 40 && at + 40 <= head.length; at += 40) {
    end = Math.max(end, head.readUInt32LE(at + 20) + head.readUInt32LE(at + 16));
  }
  return end;
}
