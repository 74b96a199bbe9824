import type { ExecutableType } from "./types.ts";

/** Enough of a file for its executable type. */
export const HEAD_LENGTH = 4096;
/** Enough of a file for its format: an ISO image has its mark far from the start. */
export const FORMAT_LENGTH = 40 * 1024;

/** Bytes by which a format is recognised, and their position. */
const MAGIC = [
  ["28b52ffd", "zstd", 0],
  ["fd377a585a00", "xz", 0],
  ["5d00008000", "lzma", 0],
  ["4c5a4950", "lzip", 0],
  ["425a68", "bzip2", 0],
  ["04224d18", "lz4", 0],
  ["1f9d", "compress", 0],
  ["1fa0", "compress", 0],
  ["377abcaf271c", "7z", 0],
  ["526172211a07", "rar", 0],
  ["4d534346", "cab", 0],
  ["303730373031", "cpio", 0],
  ["303730373037", "cpio", 0],
  ["213c617263683e0a", "deb", 0],
  ["edabeedb", "rpm", 0],
  ["25504446", "pdf", 0],
  ["7573746172", "tar", 257],
  ["4344303031", "iso", 32769],
] as const;

/** A format that is neither zip nor gzip. */
type FileFormat = (typeof MAGIC)[number][1] | TextFormat | "program" | "zeros";
type TextFormat = "html" | "xml" | "json" | "lfs" | "text";

/** Returns the format of a file that is neither zip nor gzip, by its first bytes; undefined if unknown. */
export function fileFormat(head: Buffer): FileFormat | undefined {
  const magic = MAGIC.find(([hex, , at]) => head.toString("hex", at, at + hex.length / 2) === hex);
  if (magic) return magic[1];
  if (executableType(head).format !== "other" || isScript(head)) return "program";
  if (head.length > 0 && head.every((byte) => byte === 0)) return "zeros";
  return textFormat(decodeStart(head));
}

/** Returns the format of a file that should be a tar or a program; undefined for a tar, and if unknown. */
export function contentFormat(head: Buffer): FileFormat | "zip" | "gzip" | undefined {
  if (head.toString("hex", 0, 2) === "1f8b") return "gzip";
  if (head.toString("hex", 0, 4) === "504b0304") return "zip";
  const format = fileFormat(head);
  return format === "tar" ? undefined : format;
}

/** Returns the start of a file as text; undefined if it is binary. */
function decodeStart(head: Buffer): string | undefined {
  const start = head.subarray(0, HEAD_LENGTH);
  const mark = head.toString("hex", 0, 2);
  if (mark === "fffe") return new TextDecoder("utf-16le").decode(start);
  if (mark === "feff") return new TextDecoder("utf-16be").decode(start);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they distinguish bytes from text
  return /[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(start.toString("latin1")) ? undefined : start.toString("utf8");
}

/** The start of a page, or of the part of one that a server sends (`<a href="…">Found</a>`). */
const HTML =
  /^<(?:!doctype\s+html|html|head|body|title|script|style|link|meta|base|center|h[1-6]|div|p|a|b|br|hr|pre|span|font|strong|table|ul|form|img|iframe|frameset|noscript)\b/i;

function textFormat(text: string | undefined): TextFormat | undefined {
  const start = text?.replace(/^\ufeff/, "").trimStart();
  if (!start) return undefined;
  if (start.startsWith("version https://git-lfs.github.com/spec/")) return "lfs";
  const markup = start.replace(/^(?:<!--[\s\S]*?-->\s*)+/, "");
  if (HTML.test(markup) || /^<\?xml[\s\S]{0,1000}<html\b/i.test(start)) return "html";
  if (/^<(?:\?xml|[A-Za-z])/.test(start)) return "xml";
  if (/^[{[]\s*(?:["{[\]}]|-?\d|true|false|null)/.test(start)) return "json";
  return "text";
}

type Machine = "x86" | "x86_64" | "arm64";

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
/** Where a DOS header has the position of the PE header. */
const PE_POSITION = 0x3c;

/** Returns the type in a header (System V ABI; Microsoft's PE specification; Apple's mach-o/loader.h). */
export function executableType(head: Buffer): ExecutableType {
  if (head.length >= 20 && head.readUInt32BE(0) === 0x7f454c46) {
    const machine = head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18);
    return { format: "elf", machine: ELF_MACHINES.get(machine) ?? "other" };
  }
  if (head.length >= 64 && head.toString("latin1", 0, 2) === "MZ") {
    const pe = head.readUInt32LE(PE_POSITION);
    if (pe + 6 > head.length || head.toString("latin1", pe, pe + 4) !== "PE\0\0") return { format: "other" };
    return { format: "pe", machine: PE_MACHINES.get(head.readUInt16LE(pe + 4)) ?? "other" };
  }
  return { format: isMachO(head) ? "macho" : "other" };
}

function isMachO(head: Buffer): boolean {
  if (head.length < 8) return false;
  const magic = head.readUInt32BE(0);
  // a Java class begins like a fat binary, but has its version (45 or more) where that counts architectures
  return MACHO.has(magic) || (magic === 0xcafebabe && head.readUInt32BE(4) < 45);
}

function isScript(head: Buffer): boolean {
  return head.toString("latin1", 0, 2) === "#!";
}

/** Whether a file is a program or a script; only its first 4 KiB count. */
export function isExecutable(start: Buffer): boolean {
  const head = start.subarray(0, HEAD_LENGTH);
  return executableType(head).format !== "other" || isScript(head);
}

/** Formats that are neither a program nor a script nor a jar. */
const NO_PROGRAM: ReadonlySet<FileFormat> = new Set<FileFormat>(["html", "xml", "lfs", "pdf", "zeros"]);

/**
 * Returns the type of a file that should be a program, by its first bytes and its size; with the format of a
 * file that is something else, and with both sizes of one that is shorter than its header says.
 */
export function examineExecutable(head: Buffer, size: number): ExecutableType {
  const type = executableType(head);
  const needed = statedLength(head);
  if (needed > size) return { ...type, cut: { bytes: size, needed } };
  // the first byte of each of those formats: NUL, %, <, v, a byte order mark, a blank
  if (type.format !== "other" || !/^[\0%<v\xef\xfe\xff\s]/.test(head.toString("latin1", 0, 1))) return type;
  const instead = fileFormat(head);
  return instead !== undefined && NO_PROGRAM.has(instead) ? { ...type, instead } : type;
}

/**
 * Returns a program's smallest possible size by the tables within `head`, in bytes; 0 if its header has no
 * size or is not valid. A smaller file was cut short.
 */
function statedLength(head: Buffer): number {
  if (head.toString("latin1", 0, 4) === "\x7fELF") return elfLength(head);
  return head.toString("latin1", 0, 2) === "MZ" ? peLength(head) : 0;
}

/** Returns the end of the last segment, or of the table of sections (System V ABI, chapters 4 and 5). */
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
  const [headerSize, segmentSize, segments] = [half(counts), half(counts + 2), half(counts + 4)];
  const [sectionSize, sections] = [half(counts + 6), half(counts + 8)];
  const isValid =
    word(20) === 1 &&
    headerSize === header &&
    (segments === 0 || segmentSize === (wide ? 56 : 32)) &&
    (sections === 0 || sectionSize === (wide ? 64 : 40));
  if (!isValid) return 0;
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
/** Windows loads no more than this. */
const MAX_SECTIONS = 96;

/** Returns the end of the last section (Microsoft's PE specification). */
function peLength(head: Buffer): number {
  if (head.length < DOS_HEADER) return DOS_HEADER;
  const isWholeFile = head.length < HEAD_LENGTH;
  const pe = head.readUInt32LE(PE_POSITION);
  // with the first word of the optional header, which is its type
  const needed = pe + COFF_HEADER + 2;
  if (needed > head.length) return isWholeFile && pe < HEAD_LENGTH ? needed : 0;
  if (head.toString("latin1", pe, pe + 4) !== "PE\0\0") return 0;
  const sections = head.readUInt16LE(pe + 6);
  if (sections > MAX_SECTIONS || ![0x10b, 0x20b].includes(head.readUInt16LE(pe + COFF_HEADER))) return 0;
  const table = pe + COFF_HEADER + head.readUInt16LE(pe + 20);
  if (table > head.length && isWholeFile) return table;
  let end = 0;
  for (let at = table; at < table + sections * 40 && at + 40 <= head.length; at += 40) {
    end = Math.max(end, head.readUInt32LE(at + 20) + head.readUInt32LE(at + 16));
  }
  return end;
}
