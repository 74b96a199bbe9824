import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { blocks } from "../archive/blocks.ts";
import { isSystemError, printable } from "../archive/problem.ts";
import { problem } from "../errors.ts";
import type { VolumeFile } from "./file.ts";
import { withFile } from "./open.ts";
import { unreadable } from "./problem.ts";
import { decodeText } from "./text.ts";

const LIST = "SHA256SUMS";
const MAX_LENGTH = 1024 * 1024;
/** sha256sum's line: the digest, a space, then a space or (binary mode) an asterisk, and the name; a backslash before it for odd names. */
const SUM = /^\\?([0-9a-f]{64})(?:[ \t]+\*?(.+))?$/i;
/** BSD's `SHA256 (name) = digest`, and openssl's `SHA256(name)= digest` or `SHA2-256(name)= digest`. */
const TAGGED = /^SHA(?:2-)?256 ?\((.+)\) ?= ?([0-9a-f]{64})$/i;

/** What a checksum file says an archive's SHA-256 is. */
export interface Expected {
  /** Lower-case hex. */
  sha256: string;
  /** The checksum file, as a path below the volume. */
  from: string;
}

interface Line {
  sha256: string;
  /** undefined where the digest stands alone. */
  name: string | undefined;
}

/**
 * The digests that `<archive>.sha256` and `SHA256SUMS` have for it: the list in its own folder by its name, those in the folders above by
 * its path. Lines for other files are passed over; a line for this one that cannot be understood is exit 65, for a check that was
 * meant must not be left out.
 */
export async function expectedDigests(archive: VolumeFile): Promise<Expected[]> {
  const own = `${archive.file}.sha256`;
  const [beside, ...above] = sumsLists(archive);
  const found = [
    ...(await fromSums(archive, beside)),
    ...fromOwn(await read(own, `${archive.path}.sha256`), own, archive.name),
  ];
  for (const list of above) found.push(...(await fromSumsAbove(archive, list)));
  return found;
}

/** A `SHA256SUMS`, whether it is there or not. */
export interface SumsList {
  /** As a path below the volume. */
  file: string;
  /** Absolute path. */
  path: string;
}

/** The lists that an archive may be in: in its own folder, then in those above, up to the volume's; of a file elsewhere (`--file`) its own alone. */
export function sumsLists({ file, path }: Pick<VolumeFile, "file" | "path">): [SumsList, ...SumsList[]] {
  const listIn = (folder: string, at: string): SumsList => ({
    file: join(folder, LIST),
    path: join(at, LIST),
  });
  let [folder, at] = [dirname(file), dirname(path)];
  const lists: [SumsList, ...SumsList[]] = [listIn(folder, at)];
  if (!path.endsWith(`/${file}`)) return lists;
  while (folder !== ".") {
    [folder, at] = [dirname(folder), dirname(at)];
    lists.push(listIn(folder, at));
  }
  return lists;
}

/** Whether there is such a list. */
export function hasSums({ path }: SumsList): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function fromSumsAbove(archive: VolumeFile, { file, path }: SumsList): Promise<Expected[]> {
  const folder = dirname(file);
  const below = folder === "." ? archive.file : archive.file.slice(folder.length + 1);
  return ((await read(file, path)) ?? []).flatMap((text) => {
    const line = parseLine(text);
    const listed = `/${line?.name?.replaceAll("\\", "/").trim() ?? ""}`;
    return line && listed.endsWith(`/${below}`) ? [{ sha256: line.sha256, from: file }] : [];
  });
}

async function fromSums(archive: VolumeFile, { file, path }: SumsList): Promise<Expected[]> {
  const lines = await read(file, path);
  const found: Line[] = [];
  for (const text of lines ?? []) {
    const line = parseLine(text);
    if (line?.name !== undefined && fileName(line.name) === archive.name) found.push(line);
    if (!line && text.split(/[\s()*/\\]+/).includes(archive.name)) {
      throw problem(file, "checksum.line", { line: printable(text) });
    }
  }
  // a list of several folders may have the name more than once: the one beside it is meant, if it says so
  const beside = found.filter(({ name }) => name?.replace(/^\.[\\/]/, "") === archive.name);
  return (beside.length > 0 ? beside : found).map(({ sha256 }) => ({ sha256, from: file }));
}

function fromOwn(lines: string[] | undefined, file: string, name: string): Expected[] {
  if (lines?.length === 0) throw problem(file, "checksum.empty", {});
  return (lines ?? []).map((text) => {
    const line = parseLine(text);
    if (!line) throw problem(file, "checksum.line", { line: printable(text) });
    if (line.name !== undefined && fileName(line.name) !== name) {
      throw problem(file, "checksum.other", { listed: printable(line.name) });
    }
    return { sha256: line.sha256, from: file };
  });
}

function parseLine(text: string): Line | undefined {
  const [, sum, listed] = SUM.exec(text) ?? [];
  if (sum !== undefined) {
    const escaped = text.startsWith("\\") ? listed?.replaceAll("\\\\", "\\").replaceAll("\\n", "\n") : listed;
    return { sha256: sum.toLowerCase(), name: escaped };
  }
  const [, name, digest] = TAGGED.exec(text) ?? [];
  return digest === undefined ? undefined : { sha256: digest.toLowerCase(), name };
}

/** The last part of a path, whichever system's. */
function fileName(listed: string): string {
  return basename(listed.replaceAll("\\", "/").trim());
}

/** The file's lines without blank ones and comments; undefined where there is no such file. */
async function read(file: string, path: string): Promise<string[] | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw problem(file, "checksum.irregular", {});
    if (found.size > MAX_LENGTH) throw problem(file, "checksum.long", {});
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === "ENOENT") return undefined;
    throw unreadable(file, path, error);
  }
  const bytes = await withFile({ file, path }, async (handle, stamp) => {
    for await (const block of blocks(handle, { size: Number(stamp.size) }, MAX_LENGTH))
      return Buffer.from(block);
    return Buffer.alloc(0);
  });
  const text = decodeText(bytes);
  if (text === undefined) throw problem(file, "checksum.encoding", {});
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}
