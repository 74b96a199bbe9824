import { type ArchiveFile, TarReader } from "../archive/tar-read.ts";
import type { Entry, OpenFile } from "../archive/types.ts";
import { readEntryHead } from "../archive/zip-read.ts";
import { VERSION_FILE_LENGTH } from "../volume/version.ts";

/** Whether a tar.gz's file with this path is most likely looked into: its first bytes are kept as it goes past. */
export function isLookedInto(path: string): boolean {
  return /^(?:[^/]+\/){0,15}(?:VERSION|certs\/ca\.crt)$/.test(path);
}

/**
 * The start of an archive's entry. A tar.gz is gone through once more for one that its path did not give away: where a link stands in its
 * place.
 */
export async function readHead(
  archive: ArchiveFile,
  handle: OpenFile,
  entry: Entry | undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<Buffer | undefined> {
  if (!entry || entry.head) return entry?.head;
  if (entry.location) return readEntryHead(archive.file, handle, entry, VERSION_FILE_LENGTH);
  const tar = new TarReader(archive, handle, signal);
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of tar.bytes(entry)) {
      pieces.push(Buffer.from(piece));
      length += piece.length;
      if (length >= VERSION_FILE_LENGTH) break;
    }
  } finally {
    await tar.close();
  }
  return Buffer.concat(pieces).subarray(0, VERSION_FILE_LENGTH);
}
