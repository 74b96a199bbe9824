import { buffer } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import yauzl from "yauzl";

/** What BK-Lite's unzipper would put on the node's disk. */
export interface Unzipped {
  /** Unix file type and permissions. */
  mode: number;
  bytes: Buffer;
}

/**
 * A zip's files and folders (with a `/` at the end) by name, read by an independent reader, in the zip's
 * order.
 */
export async function unzip(zip: Buffer): Promise<Map<string, Unzipped>> {
  const opened = await yauzl.fromBufferPromise(zip, { lazyEntries: true });
  const found = new Map<string, Unzipped>();
  for await (const entry of opened.eachEntry()) {
    const bytes = entry.fileName.endsWith("/")
      ? Buffer.alloc(0)
      : await buffer(await opened.openReadStreamPromise(entry));
    // yauzl leaves that to its callers
    if (crc32(bytes) !== entry.crc32) throw new Error(`${entry.fileName} has another CRC-32`);
    found.set(entry.fileName, { mode: entry.externalFileAttributes >>> 16, bytes });
  }
  return found;
}
