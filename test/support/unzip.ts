import { buffer } from "node:stream/consumers";
import yauzl from "yauzl";

/** What BK-Lite's unzipper would put on the node's disk. */
export interface Unzipped {
  /** Unix file type and permissions. */
  mode: number;
  bytes: Buffer;
}

/** A zip's files and folders (with a `/` at the end) by name, read by an independent reader, in the zip's order. */
export async function unzip(zip: Buffer): Promise<Map<string, Unzipped>> {
  const opened = await yauzl.fromBufferPromise(zip, { lazyEntries: true });
  const found = new Map<string, Unzipped>();
  for await (const entry of opened.eachEntry()) {
    const bytes = entry.fileName.endsWith("/")
      ? Buffer.alloc(0)
      : await buffer(await opened.openReadStreamPromise(entry));
    found.set(entry.fileName, { mode: entry.externalFileAttributes >>> 16, bytes });
  }
  return found;
}
