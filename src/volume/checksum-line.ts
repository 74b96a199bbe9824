/** Characters of a SHA-256 in hex. */
const LENGTH = 64;
/** Characters of a line; a longer one is no checksum. */
const MAX_LINE = 4096;

/** What a line of a checksum file says. */
export interface Line {
  /** Lower-case hex. */
  sha256: string;
  /** undefined where the digest stands alone. */
  name: string | undefined;
}

/**
 * Reads a line in the forms of coreutils (`digest  name`, `digest *name`, the digest alone), BSD (`SHA256 (name) = digest`) and openssl
 * (`SHA2-256(name)= digest`); undefined for any other. Takes one pass over the line.
 */
export function parseLine(text: string): Line | undefined {
  if (text.length > MAX_LINE) return undefined;
  const line = text.trim();
  return line.startsWith("SHA") || line.startsWith("sha") ? parseTagged(line) : parseListed(line);
}

function parseListed(line: string): Line | undefined {
  // coreutils puts a backslash before a line with escapes in the name
  const start = line.startsWith("\\") ? 1 : 0;
  const sha256 = digestAt(line, start);
  const rest = line.slice(start + LENGTH);
  if (sha256 === undefined || (rest !== "" && rest[0] !== " " && rest[0] !== "\t")) return undefined;
  const listed = rest.trimStart();
  const name = pathOf(listed.startsWith("*") ? listed.slice(1) : listed, start === 1);
  // `sha256sum < file`
  return { sha256, name: name === "" || name === "-" ? undefined : name };
}

function parseTagged(line: string): Line | undefined {
  const tag = ["SHA256", "SHA2-256"].find((word) => line.slice(0, word.length).toUpperCase() === word);
  const sha256 = digestAt(line, line.length - LENGTH);
  const named = line.slice(tag?.length ?? 0, -LENGTH).trim();
  if (tag === undefined || sha256 === undefined || !named.startsWith("(") || !named.endsWith("=")) {
    return undefined;
  }
  const bracketed = named.slice(1, -1).trimEnd();
  if (!bracketed.endsWith(")")) return undefined;
  const name = pathOf(bracketed.slice(0, -1), false);
  // `openssl dgst < file`
  return { sha256, name: name === "stdin" ? undefined : name };
}

/** A path with `/` between its folders, whichever system's it was. */
function pathOf(name: string, escaped: boolean): string {
  return (escaped ? name.replaceAll("\\\\", "\\") : name).replaceAll("\\", "/");
}

function digestAt(line: string, start: number): string | undefined {
  if (start < 0) return undefined;
  const digest = line.slice(start, start + LENGTH);
  return digest.length === LENGTH && isHex(digest) ? digest.toLowerCase() : undefined;
}

/** Whether a line is a digest of which the end is missing. */
export function isCut(line: string): boolean {
  return line.length < LENGTH && isHex(line);
}

function isHex(text: string): boolean {
  return /^[0-9a-f]+$/i.test(text);
}

/** Whether two names are one file's, for systems that do not tell capitals or ways to write an accent apart. */
export function isSameName(listed: string, name: string): boolean {
  return folded(listed.slice(listed.lastIndexOf("/") + 1)) === folded(name);
}

function folded(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
