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
