import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blocks } from "../archive/blocks.ts";
import { isSystemError, printable } from "../archive/problem.ts";
import { problem } from "../errors.ts";
import { digestsIn, fileName, isSameName, mentions, parseLine } from "./checksum-line.ts";
import type { VolumeFile } from "./file.ts";
import { withFile } from "./open.ts";
import { isNowhere, isThere, unreadable } from "./problem.ts";
import { decodeText } from "./text.ts";

const LIST = "SHA256SUMS";
const MAX_LENGTH = 1024 * 1024;
/** What a checksum file says an archive's SHA-256 is. */
export interface Expected {
  /** Lower-case hex. */
  sha256: string;
  /** The checksum file, as a path below the volume. */
  from: string;
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
    if (!line && mentions(text.replaceAll("\\", "/"), below))
      throw problem(file, "checksum.line", { line: printable(text) });
    const listed = `/${line?.name?.replaceAll("\\", "/").trim() ?? ""}`;
    return line && listed.endsWith(`/${below}`) ? [{ sha256: line.sha256, from: file }] : [];
  });
}

async function fromSums(archive: VolumeFile, { file, path }: SumsList): Promise<Expected[]> {
  const { name } = archive;
  const lines = (await read(file, path)) ?? [];
  const parsed = lines.map(parseLine);
  const found = parsed.flatMap((line, at) => {
    if (line) return isSameName(line.name, name) ? [line] : [];
    // a list that was cut short
    if (at === lines.length - 1 && isCut(lines[at] as string))
      throw problem(file, "checksum.line", { line: printable(lines[at] as string), cut: true });
    if (!mentions(lines[at] as string, name)) return [];
    // certutil has the digest on the next line, Get-FileHash's list on the one before
    const near = [parsed[at + 1], parsed[at - 1]].find((one) => one && one.name === undefined);
    if (!near) throw problem(file, "checksum.line", { line: printable(lines[at] as string) });
    return [{ sha256: near.sha256, name }];
  });
  // a list of several folders may have the name more than once: the one beside it is meant, if it says so
  const beside = found.filter((line) => line.name?.replace(/^\.[\\/]/, "") === name);
  const exact = found.filter((line) => line.name !== undefined && fileName(line.name) === name);
  const [meant = found] = [beside, exact].filter((some) => some.length > 0);
  return meant.map(({ sha256 }) => ({ sha256, from: file }));
}

function fromOwn(lines: string[] | undefined, file: string, name: string): Expected[] {
  if (!lines) return [];
  if (lines.length === 0) throw problem(file, "checksum.empty", {});
  const parsed = lines.map(parseLine);
  const ours = parsed.filter((line) => line && (line.name === undefined || isSameName(line.name, name)));
  const bad = lines[parsed.indexOf(undefined)];
  // with other words around it, one digest is clear all the same
  const digests = bad === undefined ? ours.flatMap((line) => line?.sha256 ?? []) : digestsIn(lines);
  const text = lines.join("\n");
  const [listed] =
    bad === undefined ? parsed.flatMap((line) => line?.name ?? []) : (ARCHIVE.exec(text) ?? []);
  if (digests.length === 0 && bad === undefined)
    throw problem(file, "checksum.other", { listed: printable(listed ?? "") });
  if (bad !== undefined && digests.length !== 1)
    throw problem(file, "checksum.line", { line: printable(bad), cut: isCut(bad) });
  if (bad !== undefined && listed !== undefined && !mentions(text, name))
    throw problem(file, "checksum.other", { listed: printable(listed) });
  return digests.map((sha256) => ({ sha256, from: file }));
}

/** A digest of which the end has not come. */
function isCut(line: string): boolean {
  return /^[0-9a-f]{1,63}$/i.test(line);
}

/** An archive's name among other words. */
const ARCHIVE = /[^\s"'()*/\\:]+\.(?:zip|tar\.gz|tgz|exe|jar)(?![\p{L}\p{N}])/iu;

/** The file's lines without blank ones and comments; undefined where there is no such file. */
async function read(file: string, path: string): Promise<string[] | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw problem(file, "checksum.irregular", {});
    if (found.size > MAX_LENGTH) throw problem(file, "checksum.long", {});
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (isNowhere(error)) {
      // a link that leads nowhere: a check was meant
      if (await isThere(path)) throw problem(file, "checksum.irregular", {});
      return undefined;
    }
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
