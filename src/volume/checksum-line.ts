import { basename } from "node:path";

/** sha256sum's line: the digest, a space, then a space or (binary mode) an asterisk, and the name; a backslash before it for odd names. */
const SUM = /^\\?(?:sha256:)?([0-9a-f]{64})(?:[ \t]+\*?(.+))?$/i;
/** BSD's `SHA256 (name) = digest`, and openssl's `SHA256(name)= digest` or `SHA2-256(name)= digest`. */
const TAGGED = /^SHA(?:2-)?256 ?\((.+)\) ?= ?([0-9a-f]{64})$/i;
/** PowerShell's Get-FileHash, as a table or as CSV: `SHA256 digest path`. */
const ROW = /^"?SHA256"?(?:[ \t]+|,)"?([0-9a-f]{64})"?(?:[ \t]+|,)(.+)$/i;
/** Written by hand: `name: digest`, `name = digest`, `name digest`. */
const BEHIND = /^(.+?)[ \t]*(?:[:=]|[ \t])[ \t]*([0-9a-f]{64})$/i;
/** What stands where a name would, in Get-FileHash's list or by hand. */
const LABEL = /^(?:sha-?256(?:sum)?|hash|digest|checksum|校验[值和码]|哈希值?)$/i;
/** One digest among other words. */
const DIGEST = /(?<![0-9a-z])[0-9a-f]{64}(?![0-9a-z])/gi;
/** certutil's digest on older Windows: bytes with blanks between them. */
const BYTES = /^(?:[0-9a-f]{2} ){31}[0-9a-f]{2}$/i;

/** What a line of a checksum file says. */
export interface Line {
  /** Lower-case hex. */
  sha256: string;
  /** undefined where the digest stands alone. */
  name: string | undefined;
}

/** A line by itself; undefined for one that is not a digest and a name. */
export function parseLine(text: string): Line | undefined {
  if (BYTES.test(text)) return { sha256: text.replaceAll(" ", "").toLowerCase(), name: undefined };
  const [, sum, listed] = SUM.exec(text) ?? [];
  if (sum !== undefined) {
    const escaped = text.startsWith("\\") ? listed?.replaceAll("\\\\", "\\").replaceAll("\\n", "\n") : listed;
    // `sha256sum < file`
    return { sha256: sum.toLowerCase(), name: escaped === "-" ? undefined : unquoted(escaped) };
  }
  const [, row, path] = ROW.exec(text) ?? [];
  if (row !== undefined) return { sha256: row.toLowerCase(), name: unquoted(path) };
  const [, name, digest] = TAGGED.exec(text) ?? BEHIND.exec(text) ?? [];
  if (digest === undefined) return undefined;
  return { sha256: digest.toLowerCase(), name: name && LABEL.test(name) ? undefined : unquoted(name) };
}

function unquoted(name: string | undefined): string | undefined {
  return name?.trim().replace(/^(["'`])(.*)\1$/, "$2");
}

/** Every digest in a text, whatever stands around them. */
export function digestsIn(lines: readonly string[]): string[] {
  const bytes = lines.filter((line) => BYTES.test(line)).map((line) => line.replaceAll(" ", ""));
  const found = [...bytes, ...lines.flatMap((line) => line.match(DIGEST) ?? [])];
  return [...new Set(found.map((digest) => digest.toLowerCase()))];
}

/** Whether a text names a file: the name by itself, not as a part of another. */
export function mentions(text: string, name: string): boolean {
  const plain = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_.+-])${plain}(?![\\p{L}\\p{N}_+-]|\\.[\\p{L}\\p{N}])`, "iu").test(
    text,
  );
}

/** Whether two names are one file's, for systems that do not tell capitals or ways to write an accent apart. */
export function isSameName(listed: string | undefined, name: string): boolean {
  return listed !== undefined && folded(fileName(listed)) === folded(name);
}

function folded(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

/** The last part of a path, whichever system's. */
export function fileName(listed: string): string {
  return basename(listed.replaceAll("\\", "/").trim());
}
