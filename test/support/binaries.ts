import type { Arch, Os } from "../../src/identity.ts";

const ELF_MACHINE = { x86_64: 62, arm64: 183 } as const;
const PE_MACHINE = { x86_64: 0x8664, arm64: 0xaa64 } as const;

/** The smallest header that the os's own tools take for a program of this architecture. */
export function binaryHeader(os: Os, arch: Arch): Buffer {
  return os === "windows" ? peHeader(PE_MACHINE[arch]) : elfHeader(ELF_MACHINE[arch]);
}

/** An ELF64 header and one loadable segment (System V ABI, chapters 4 and 5). */
export function elfHeader(machine: number): Buffer {
  const elf = Buffer.alloc(120);
  elf.write("\x7fELF", 0, "latin1");
  elf.set([2, 1, 1], 4); // 64 bit, little endian, version 1
  elf.writeUInt16LE(2, 16); // executable
  elf.writeUInt16LE(machine, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(0x400078n, 24); // entry point: right behind the headers
  elf.writeBigUInt64LE(64n, 32); // program headers
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64); // PT_LOAD
  elf.writeUInt32LE(5, 68); // readable, executable
  elf.writeBigUInt64LE(0x400000n, 80);
  elf.writeBigUInt64LE(0x400000n, 88);
  elf.writeBigUInt64LE(120n, 96);
  elf.writeBigUInt64LE(120n, 104);
  elf.writeBigUInt64LE(0x1000n, 112);
  return elf;
}

/** A DOS stub, a COFF header and an empty PE32+ optional header (Microsoft's PE specification). */
export function peHeader(machine: number): Buffer {
  const pe = Buffer.alloc(64 + 24 + 240);
  pe.write("MZ", 0, "latin1");
  pe.writeUInt32LE(64, 0x3c);
  pe.write("PE\0\0", 64, "latin1");
  pe.writeUInt16LE(machine, 68);
  pe.writeUInt16LE(240, 84); // size of the optional header
  pe.writeUInt16LE(0x22, 86); // executable, large addresses
  pe.writeUInt16LE(0x20b, 88); // PE32+
  pe.writeUInt16LE(3, 156); // console program
  return pe;
}
