import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { ZipFile } from "yazl";
import type { Cut, Member } from "./package.ts";

const LEVEL = 6;
/** Bytes; large copies wait longer for the garbage collector. */
const PIECE = 16 * 1024;

/** A folder of an archive as a zip of its own, with that folder on top. `bytes` is asked for one file after the other. */
export async function* zipFolder(
  cut: Cut,
  members: readonly Member[],
  bytes: (member: Member) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  const zip = new ZipFile();
  const out = zip.outputStream as Readable;
  const stop = new AbortController();
  const fail = (error: unknown) => out.destroy(error as Error);
  zip.on("error", fail);
  const filled = fill(zip, cut, members, bytes, stop.signal).catch(fail);
  try {
    for await (const piece of out) yield piece;
  } finally {
    // nobody takes the rest: whatever is under way ends before the file is closed
    stop.abort();
    await filled;
  }
}

async function fill(
  zip: ZipFile,
  cut: Cut,
  members: readonly Member[],
  bytes: (member: Member) => AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  // a zip's clock is local: the same local time gives the same bytes everywhere
  const mtime = new Date(1980, 0, 1, 12);
  const above = cut.path.lastIndexOf("/") + 1;
  for (const member of members) {
    const name = member.path.slice(above);
    const options = { mtime, forceDosTimestamp: true, mode: modeOf(member, cut) };
    if (name.endsWith("/")) {
      zip.addEmptyDirectory(name, options);
      continue;
    }
    const content = Readable.from(kept(bytes(member)), { objectMode: false });
    zip.addReadStream(content, name, { ...options, size: member.size, compressionLevel: LEVEL });
    try {
      await finished(content, { signal });
    } finally {
      content.destroy();
      // until its generator has returned it may still read
      await finished(content).catch(() => {});
    }
  }
  zip.end();
}

/** Copies: a stream takes the next piece while it still has the last. */
async function* kept(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += PIECE) yield Buffer.from(piece.subarray(at, at + PIECE));
  }
}

/** File type and permissions. An archive made on Windows has none: then what runs may run. */
function modeOf({ path, mode }: Member, { executable }: Cut): number {
  const directory = path.endsWith("/");
  const usual = directory || path === executable ? 0o755 : 0o644;
  return (directory ? 0o40000 : 0o100000) | (mode === 0 ? usual : mode & 0o777);
}
