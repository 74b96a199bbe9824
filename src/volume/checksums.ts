import { problem } from "../errors.ts";
import { besideAndAbove, decodeText, type Located, readSmall, type VolumeFile, withEnding } from "./files.ts";

/** The name of a list of checksums. */
export const LIST = "SHA256SUMS";
/** Bytes of a list that need not be signed. */
const MAX_LENGTH = 1024 * 1024;
/** Characters of the longest line that is read. */
const MAX_LINE = 4096;

/** An archive's SHA-256 by a checksum file. */
export interface Expected {
  /** Lower-case hex. */
  sha256: string;
  /** The checksum file, as a path below the volume. */
  from: string;
}

/** What checksum files say of an archive. */
export interface Checksums {
  digests: readonly Expected[];
  /** The lists beside and above it, as paths below the volume. */
  lists: readonly string[];
}

/**
 * Returns a file's digests in `NAME.sha256` and `SHA256SUMS`: by its name in the list of its own folder, by
 * its path in the lists above. Lines of other files do not count. A line of this file that cannot be read is
 * exit 65.
 */
export async function readChecksums(archive: VolumeFile): Promise<Checksums> {
  const { name, file } = archive;
  const digests = await ownDigests(archive);
  const lists: string[] = [];
  for (const [above, list] of besideAndAbove(archive, LIST).entries()) {
    const wanted = above > 0 ? file.slice(list.file.length - LIST.length) : name;
    const named = (await readLines(list, wanted))?.filter((line) => line.name !== undefined);
    if (!named) continue;
    lists.push(list.file);
    const isHere = ({ name: listed }: Line) => listed === name || listed === `./${name}`;
    const isBelow = ({ name: listed }: Line) => `/${listed}`.endsWith(`/${wanted}`);
    const isAlike = ({ name: listed = "" }: Line) => isSameName(listed, name);
    // a list of several folders may have the name more than once: the line without a folder counts first
    const rules = above > 0 ? [isBelow] : [isHere, isBelow, isAlike];
    const ours = rules.map((rule) => named.filter(rule)).find((lines) => lines.length > 0) ?? [];
    digests.push(...ours.map(({ sha256 }) => ({ sha256, from: list.file })));
  }
  return { digests, lists };
}

/** Returns the digests that `NAME.sha256` has for a file. Throws exit 65 for a line that cannot be read. */
export async function ownDigests(archive: VolumeFile): Promise<Expected[]> {
  const { name } = archive;
  const own = withEnding(archive, ".sha256");
  const lines = await readLines(own, name);
  if (!lines) return [];
  if (lines.length === 0) throw problem(own.file, "checksum.empty", {});
  const ours = lines.filter((line) => line.name === undefined || isSameName(line.name, name));
  if (ours.length === 0) throw problem(own.file, "checksum.other", {});
  return ours.map(({ sha256 }) => ({ sha256, from: own.file }));
}

/**
 * Returns the lines that can be read; undefined: there is no such file. Throws exit 65 for the first of the
 * others if it mentions `wanted`, or is the beginning of a digest at the end, or if no line can be read.
 */
async function readLines(list: Located, wanted: string): Promise<Line[] | undefined> {
  const bytes = await readList(list, MAX_LENGTH);
  if (!bytes) return undefined;
  const lines = parseList(list, bytes);
  const read = lines.flatMap(({ says }) => says ?? []);
  const isCut = (text: string) => /^[0-9a-f]{1,63}$/i.test(text) && text === lines.at(-1)?.text;
  const isAbout = (text: string) => folded(text.replaceAll("\\", "/")).includes(folded(wanted));
  const bad = lines.find(({ says, text }) => !says && (read.length === 0 || isAbout(text) || isCut(text)));
  if (bad) throw problem(list.file, "checksum.line", { line: bad.number, cut: isCut(bad.text) });
  return read;
}

/** Reads a list of checksums; undefined: there is none. Throws exit 65 if it is no file or too long. */
export async function readList(list: Located, limit: number): Promise<Buffer | undefined> {
  const found = await readSmall(list, limit);
  if (found === "missing") return undefined;
  // a dangling link, too: a check was intended
  if (found === "irregular") throw problem(list.file, "checksum.irregular", {});
  if (found.size > limit) throw problem(list.file, "checksum.long", {});
  return found.bytes;
}

/** A line of a list of checksums. */
interface Line {
  /** Lower-case hex. */
  sha256: string;
  /** With `/` between its folders; undefined: the line has only the digest. */
  name: string | undefined;
}

/**
 * Returns a list's lines without blank ones and comments, with their numbers from 1; `says` is undefined for
 * a line that cannot be read. Throws exit 65 if the list is not text.
 */
export function parseList({ file }: Located, bytes: Buffer) {
  const whole = decodeText(bytes);
  if (whole === undefined) throw problem(file, "checksum.encoding", {});
  return whole.split(/\r\n|\r|\n/).flatMap((line, index) => {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) return [];
    return [{ number: index + 1, text, says: parseLine(text) }];
  });
}

/** coreutils: `digest  name`, `digest *name`, the digest alone, `\` before a name with escapes. */
const LISTED = /^\\?(?<sha256>[0-9a-f]{64})(?:[ \t]+\*?(?<name>.*))?$/is;
/** BSD (`SHA256 (name) = digest`) and openssl (`SHA2-256(name)= digest`). */
const TAGGED = /^SHA(?:2-)?256\s*\((?<name>.*)\)\s*=\s*(?<sha256>[0-9a-f]{64})$/is;

function parseLine(text: string): Line | undefined {
  if (text.length > MAX_LINE) return undefined;
  const listed = LISTED.exec(text);
  const { sha256, name = "" } = (listed ?? TAGGED.exec(text))?.groups ?? {};
  if (sha256 === undefined) return undefined;
  const isStdin = name === "" || name === (listed ? "-" : "stdin");
  const path = isStdin ? undefined : name.replaceAll(/\\+/g, "/");
  return { sha256: sha256.toLowerCase(), name: path };
}

/** Whether two names are equal on systems that ignore case and Unicode normalization. */
function isSameName(listed: string, name: string): boolean {
  return folded(listed.slice(listed.lastIndexOf("/") + 1)) === folded(name);
}

function folded(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
