import { createHash } from "node:crypto";
import type { Archive, Cut, Member, OpenFile, Source } from "./package.ts";
import { readStream } from "./source.ts";
import { unpacker } from "./unpack.ts";
import { zipFolder, zippedSize } from "./zip-folder.ts";

const HASH_BLOCK = 1024 * 1024;

/**
 * A stand-alone collector's bytes, cut out of its archive as a stream: an executable as it is, a folder as a zip. The same
 * archive gives the same bytes. Each cut of a tar.gz goes through the gzip from its start up to the last byte that it needs.
 */
export function cutSource(archive: Archive, cut: Cut): Source {
  return {
    size: cut.folder ? zippedSize(cut, membersOf(archive, cut)) : memberOf(archive, cut).size,
    blocks: (blockSize, signal) =>
      readStream(archive, (handle) => inBlocks(cutStream(archive, cut, handle, signal), blockSize)),
  };
}

/** What the cut's bytes come to; cut once, remembered in the cut. */
export async function cutDigest(
  archive: Archive,
  cut: Cut,
  signal: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  if (!cut.digest) {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const block of cutSource(archive, cut).blocks(HASH_BLOCK, signal)) {
      hash.update(block);
      bytes += block.length;
    }
    cut.digest = { sha256: hash.digest("hex"), bytes };
  }
  return cut.digest;
}

async function* cutStream(archive: Archive, cut: Cut, handle: OpenFile, signal: AbortSignal) {
  const source = unpacker(archive, handle, signal);
  try {
    if (cut.folder) yield* zipFolder(cut, membersOf(archive, cut), (member) => source.packed(member));
    else yield* source.bytes(memberOf(archive, cut));
  } finally {
    await source.close();
  }
}

function memberOf(archive: Archive, { path }: Cut): Member {
  const member = archive.members.get(path);
  if (!member) throw new Error(`${archive.file} has no member ${path}`);
  return member;
}

/** By name; a tar.gz has one direction only, so there in its own order. */
function membersOf(archive: Archive, { path }: Cut): Member[] {
  const files = archive.folders.get(path)?.files ?? [];
  if (archive.format === "tar.gz") return files;
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Pieces of any length as blocks of one; a block is valid until the next is asked for. */
async function* inBlocks(
  pieces: AsyncIterable<Buffer>,
  blockSize: number,
): AsyncGenerator<Buffer, void, void> {
  const block = Buffer.allocUnsafe(blockSize);
  let filled = 0;
  for await (const piece of pieces) {
    for (let used = 0; used < piece.length; ) {
      const copied = piece.copy(block, filled, used);
      used += copied;
      filled += copied;
      if (filled < blockSize) continue;
      yield block;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
