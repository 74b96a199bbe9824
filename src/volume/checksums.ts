import { stat } from "node:fs/promises";
import { problem } from "../errors.ts";
import { besideAndAbove, decodeText, type Located, readSmall, type VolumeFile } from "./files.ts";

/** The name of a list of checksums. */
export const LIST = "SHA256SUMS";
const MAX_LENGTH = 1024 * 1024;

/** An archive's SHA-256 by a checksum file. */
export interface Expected {
  /** Lower-case hex. */
  sha256: string;
  /** The checksum file, as a path below the volume. */
  from: string;
}

/**
 * Returns a file's digests in `NAME.sha256` and `SHA256SUMS`: by its name in the list of its own folder, by
 * its path in the lists above. Lines of other files do not count. A line of this file that cannot be read is
 * exit 65.
 */
export async function expectedDigests(archive: VolumeFile): Promise<Expected[]> {
  const found = await ownDigests(archive);
  for (const [above, list] of sumsLists(archive).entries()) {
    found.push(...(await fromList(archive, list, above > 0)));
  }
  return found;
}

/**
 * Returns the lists that an archive may be in: in its own folder, then in those above, up to the volume's.
 */
export function sumsLists(archive: VolumeFile): readonly Located[] {
  return besideAndAbove(archive, LIST);
}

/** Whether the list exists. */
export function hasSums({ path }: Located): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function fromList(archive: VolumeFile, list: Located, isAbove: boolean): Promise<Expected[]> {
  const { name, file } = archive;
  const wanted = isAbove ? file.slice(list.file.length - LIST.length) : name;
  const isOurs = (listed: string) =>
    isAbove ? `/${listed}`.endsWith(`/${wanted}`) : isSameName(listed, name);
  const lines = (await readLines(list)) ?? [];
  const unread = lines.filter(({ says, text }) => !says && (isAbout(text, wanted) || isCut(text)));
  const bad = unread[0] ?? (lines.some(({ says }) => says) ? undefined : lines[0]);
  if (bad) throw problem(list.file, "checksum.line", { line: bad.number, cut: isCut(bad.text) });
  const names = lines.flatMap(({ says }) => (says?.name === undefined ? [] : [{ ...says, name: says.name }]));
  const found = names.filter((line) => isOurs(line.name));
  // a list of several folders may have the name more than once: the line without a folder counts first
  const beside = found.filter((line) => [name, `./${name}`].includes(line.name));
  const exact = found.filter((line) => line.name.endsWith(`/${name}`));
  const [chosen = found] = isAbove ? [] : [beside, exact].filter((some) => some.length > 0);
  return chosen.map(({ sha256 }) => ({ sha256, from: list.file }));
}

/** Returns the digests that `NAME.sha256` has for a file. Throws exit 65 for a line that cannot be read. */
export async function ownDigests({ name, file, path, root }: VolumeFile): Promise<Expected[]> {
  const ending = ".sha256";
  const at = typeof path === "string" ? `${path}${ending}` : Buffer.concat([path, Buffer.from(ending)]);
  const own = { file: `${file}${ending}`, path: at, ...(root !== undefined && { root }) };
  const lines = await readLines(own);
  if (!lines) return [];
  if (lines.length === 0) throw problem(own.file, "checksum.empty", {});
  const read = lines.flatMap(({ says }) => says ?? []);
  const ours = read.filter((line) => line.name === undefined || isSameName(line.name, name));
  const bad = lines.find(({ says, text }) => !says && (read.length === 0 || isAbout(text, name)));
  if (bad) throw problem(own.file, "checksum.line", { line: bad.number, cut: isCut(bad.text) });
  if (ours.length === 0) throw problem(own.file, "checksum.other", {});
  return ours.map(({ sha256 }) => ({ sha256, from: own.file }));
}

/** Whether a line that cannot be read mentions a file. */
function isAbout(text: string, name: string): boolean {
  return text.replaceAll("\\", "/").toLowerCase().includes(name.toLowerCase());
}

interface ReadLine {
  /** From 1. */
  number: number;
  text: string;
  /** undefined: the line cannot be read. */
  says: Line | undefined;
}

/** Returns the file's lines without blank ones and comments; undefined: there is no such file. */
async function readLines(list: Located): Promise<ReadLine[] | undefined> {
  const found = await readSmall(list, MAX_LENGTH);
  if (found === "missing") return undefined;
  // a dangling link, too: a check was intended
  if (found === "irregular") throw problem(list.file, "checksum.irregular", {});
  if (found.size > MAX_LENGTH) throw problem(list.file, "checksum.long", {});
  const text = decodeText(found.bytes);
  if (text === undefined) throw problem(list.file, "checksum.encoding", {});
  return text.split(/\r\n|\r|\n/).flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    return [{ number: index + 1, text: trimmed, says: parseLine(trimmed) }];
  });
}

/** Characters of a SHA-256 in hex. */
const LENGTH = 64;
/** Characters of the longest line that is read. */
const MAX_LINE = 4096;

/** A line of a checksum file. */
export interface Line {
  /** Lower-case hex. */
  sha256: string;
  /** undefined: the line has only the digest. */
  name: string | undefined;
}

/**
 * Returns the digests of a list by exact path below its folder, without the `./` that find and sha256sum
 * write.
 */
export function digestsIn(text: string): ReadonlyMap<string, readonly string[]> {
  const digests = new Map<string, string[]>();
  for (const line of text.split(/\r\n|\r|\n/)) {
    const { name, sha256 } = parseLine(line) ?? {};
    if (name === undefined || sha256 === undefined) continue;
    const path = name.replace(/^\.\//, "");
    digests.set(path, [...(digests.get(path) ?? []), sha256]);
  }
  return digests;
}

/**
 * Reads a line in the forms of coreutils (`digest  name`, `digest *name`, the digest alone), BSD (`SHA256
 * (name) = digest`) and openssl (`SHA2-256(name)= digest`); undefined for any other. Reads the line once.
 */
export function parseLine(text: string): Line | undefined {
  if (text.length > MAX_LINE) return undefined;
  const line = text.trim();
  return line.startsWith("SHA") || line.startsWith("sha") ? parseTagged(line) : parseListed(line);
}

function parseListed(line: string): Line | undefined {
  // coreutils begins a line with a backslash if the name has escapes
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

/** Returns a path with `/` between its folders. */
function pathOf(name: string, escaped: boolean): string {
  return (escaped ? name.replaceAll("\\\\", "\\") : name).replaceAll("\\", "/");
}

function digestAt(line: string, start: number): string | undefined {
  if (start < 0) return undefined;
  const digest = line.slice(start, start + LENGTH);
  return digest.length === LENGTH && isHex(digest) ? digest.toLowerCase() : undefined;
}

/** Whether a line is the beginning of a digest. */
export function isCut(line: string): boolean {
  return line.length < LENGTH && isHex(line);
}

function isHex(text: string): boolean {
  return /^[0-9a-f]+$/i.test(text);
}

/** Whether two names are equal on systems that ignore case and Unicode normalization. */
function isSameName(listed: string, name: string): boolean {
  return folded(listed.slice(listed.lastIndexOf("/") + 1)) === folded(name);
}

function folded(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
