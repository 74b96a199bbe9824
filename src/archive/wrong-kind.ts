import { kindOf, programLength } from "./binary.ts";
import type { BinaryKind } from "./types.ts";

/** Bytes at a file's start that are looked at; an ISO image says what it is further on. */
export const SNIFFED = 40 * 1024;

const MAGIC: readonly [hex: string, kind: string, at?: number][] = [
  ["28b52ffd", "zstd"],
  ["fd377a585a00", "xz"],
  ["5d00008000", "lzma"],
  ["4c5a4950", "lzip"],
  ["425a68", "bzip2"],
  ["04224d18", "lz4"],
  ["1f9d", "compress"],
  ["1fa0", "compress"],
  ["377abcaf271c", "7z"],
  ["526172211a07", "rar"],
  ["4d534346", "cab"],
  ["303730373031", "cpio"],
  ["303730373037", "cpio"],
  ["213c617263683e0a", "deb"],
  ["edabeedb", "rpm"],
  ["25504446", "pdf"],
  ["7573746172", "tar", 257],
  ["4344303031", "iso", 32769],
];

export type WrongKind =
  | "html"
  | "json"
  | "xml"
  | "text"
  | "lfs"
  | "tar"
  | "zstd"
  | "xz"
  | "lzma"
  | "lzip"
  | "bzip2"
  | "lz4"
  | "compress"
  | "7z"
  | "rar"
  | "cab"
  | "cpio"
  | "deb"
  | "rpm"
  | "iso"
  | "program"
  | "pdf"
  | "zeros";

/** What a file is that is neither zip nor gzip, by its first bytes; undefined: nothing that is known here. */
export function wrongKind(head: Buffer): WrongKind | undefined {
  for (const [hex, kind, at = 0] of MAGIC) {
    if (head.toString("hex", at, at + hex.length / 2) === hex) return kind as WrongKind;
  }
  const binary: BinaryKind = kindOf(head);
  if (binary.format !== "other" || head.toString("latin1", 0, 2) === "#!") return "program";
  if (head.length > 0 && head.every((byte) => byte === 0)) return "zeros";
  return textKind(decode(head));
}

/** What is no program, a script or a jar either. */
const NO_PROGRAM: ReadonlySet<string> = new Set<WrongKind>(["html", "xml", "lfs", "pdf", "zeros"]);

/**
 * Returns the kind of a file that should be a program, by its first bytes and its length; where something else stands in its place, with
 * what that is, and where it is shorter than its header says, with both lengths.
 */
export function programKind(head: Buffer, size: number): BinaryKind {
  const kind = kindOf(head);
  const needed = programLength(head);
  if (needed > size) return { ...kind, cut: { bytes: size, needed } };
  // how any of those begins: NUL, %, <, v, a byte order mark, a blank
  if (kind.format !== "other" || !/^[\0%<v\xef\xfe\xff\s]/.test(head.toString("latin1", 0, 1))) return kind;
  const instead = wrongKind(head);
  return instead !== undefined && NO_PROGRAM.has(instead) ? { ...kind, instead } : kind;
}

/** What a gzip holds in a tar's place, by its first bytes; undefined for a tar, damaged or not, and for what is not known here. */
export function contentKind(head: Buffer): WrongKind | "zip" | "gzip" | undefined {
  if (head.toString("hex", 0, 2) === "1f8b") return "gzip";
  if (head.toString("hex", 0, 4) === "504b0304") return "zip";
  const kind = wrongKind(head);
  return kind === "tar" ? undefined : kind;
}

/** The start as text; undefined where it is none. */
function decode(head: Buffer): string | undefined {
  const mark = head.toString("hex", 0, 2);
  if (mark === "fffe") return new TextDecoder("utf-16le").decode(head.subarray(0, 4096));
  if (mark === "feff") return new TextDecoder("utf-16be").decode(head.subarray(0, 4096));
  const start = head.subarray(0, 4096);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what tells text from bytes
  return /[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(start.toString("latin1")) ? undefined : start.toString("utf8");
}

/** How a page begins, or a piece of one, as servers write it by hand (`<a href="…">Found</a>`). */
const HTML =
  /^<(?:!doctype\s+html|html|head|body|title|script|style|link|meta|base|center|h[1-6]|div|p|a|b|br|hr|pre|span|font|strong|table|ul|form|img|iframe|frameset|noscript)\b/i;

function textKind(text: string | undefined): WrongKind | undefined {
  const start = text?.replace(/^\ufeff/, "").trimStart();
  if (!start) return undefined;
  if (start.startsWith("version https://git-lfs.github.com/spec/")) return "lfs";
  const markup = start.replace(/^(?:<!--[\s\S]*?-->\s*)+/, "");
  if (HTML.test(markup)) return "html";
  if (/^<\?xml[\s\S]{0,1000}<html\b/i.test(start)) return "html";
  if (/^<(?:\?xml|[A-Za-z])/.test(start)) return "xml";
  if (/^[{[]\s*(?:["{[\]}]|-?\d|true|false|null)/.test(start)) return "json";
  return "text";
}
