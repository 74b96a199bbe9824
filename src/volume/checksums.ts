import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { blocks } from "../archive/blocks.ts";
import { invalid, isSystemError, printable, unreadable } from "../archive/problem.ts";
import type { VolumeFile } from "./file.ts";
import { withFile } from "./open.ts";

const MAX_LENGTH = 1024 * 1024;
/** sha256sum's line: the digest, a space, then a space or (binary mode) an asterisk, and the name. */
const LINE = /^([0-9a-f]{64})(?:[ \t]+\*?(.+))?$/i;
const WRITE_AGAIN = "write it with sha256sum, in the archive's folder";

/** What a checksum file says an archive's SHA-256 is. */
export interface Expected {
  /** Lower-case hex. */
  sha256: string;
  /** The checksum file, as a path below the volume. */
  from: string;
}

/**
 * The digests that `SHA256SUMS` in the archive's folder and `<archive>.sha256` hold for it. Lines for other files are passed
 * over; a line for this one that cannot be understood is exit 65, for a check that was meant must not be left out.
 */
export async function expectedDigests(archive: VolumeFile): Promise<Expected[]> {
  const folder = dirname(archive.file);
  const sums = folder === "." ? "SHA256SUMS" : `${folder}/SHA256SUMS`;
  const own = `${archive.file}.sha256`;
  return [
    ...fromSums(await read(sums, join(dirname(archive.path), "SHA256SUMS")), sums, archive.name),
    ...fromOwn(await read(own, `${archive.path}.sha256`), own, archive.name),
  ];
}

function fromSums(lines: string[] | undefined, file: string, name: string): Expected[] {
  return (lines ?? []).flatMap((line) => {
    const [, sha256, listed] = LINE.exec(line) ?? [];
    if (sha256 !== undefined && listed !== undefined) {
      return listed.replace(/^\.\//, "") === name ? [{ sha256: sha256.toLowerCase(), from: file }] : [];
    }
    if (line.split(/[\s()*]+|\.\//).includes(name)) throw malformed(file, line);
    return [];
  });
}

function fromOwn(lines: string[] | undefined, file: string, name: string): Expected[] {
  if (lines?.length === 0) throw invalid(file, "holds no SHA-256", WRITE_AGAIN);
  return (lines ?? []).map((line) => {
    const [, sha256, listed] = LINE.exec(line) ?? [];
    if (sha256 === undefined) throw malformed(file, line);
    if (listed !== undefined && basename(listed) !== name) {
      throw invalid(file, `is for another file: ${printable(listed)}`, WRITE_AGAIN);
    }
    return { sha256: sha256.toLowerCase(), from: file };
  });
}

function malformed(file: string, line: string): Error {
  return invalid(file, `holds a line that is no SHA-256 and name: ${printable(line)}`, WRITE_AGAIN);
}

/** The file's lines without blank ones and comments; undefined where there is no such file. */
async function read(file: string, path: string): Promise<string[] | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw invalid(file, "is not a regular file", `remove it, or ${WRITE_AGAIN}`);
    if (found.size > MAX_LENGTH) throw invalid(file, "is too long for a list of checksums", WRITE_AGAIN);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === "ENOENT") return undefined;
    throw unreadable(file, error);
  }
  const text = await withFile({ file, path }, async (handle, stamp) => {
    for await (const block of blocks(handle, { size: Number(stamp.size) }, MAX_LENGTH))
      return block.toString();
    return "";
  });
  const lines = text.split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}
