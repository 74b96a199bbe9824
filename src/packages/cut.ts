import { createHash } from "node:crypto";
import { unpacker } from "../archive/extract.ts";
import type { Source } from "../archive/source.ts";
import type { Entry, OpenFile } from "../archive/types.ts";
import { writeZip, type ZipItem, zippedSize } from "../archive/zip-writer.ts";
import { readStream } from "../volume/source.ts";
import type { Archive, Cut } from "./package.ts";

const HASH_BLOCK = 1024 * 1024;

/**
 * A stand-alone collector's bytes, cut out of its archive as a stream: an executable as it is, a folder as a zip. The same
 * archive gives the same bytes. Each cut of a tar.gz goes through the gzip from its start up to the last byte that it needs.
 */
export function cutSource(archive: Archive, cut: Cut): Source {
  return {
    size: cut.folder ? zippedSize(itemsOf(archive, cut)) : memberOf(archive, cut).size,
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
  const source = unpacker(fileOf(archive), handle, signal);
  try {
    if (cut.folder) yield* writeZip(itemsOf(archive, cut), (entry) => source.packed(entry));
    else yield* source.bytes(memberOf(archive, cut));
  } finally {
    await source.close();
  }
}

function fileOf({ file, format, size }: Archive) {
  if (format === "other") throw new Error(`${file} is no archive`);
  return { file, format, size };
}

function memberOf(archive: Archive, { path }: Cut): Entry {
  const member = archive.members.get(path);
  if (!member) throw new Error(`${archive.file} has no member ${path}`);
  return member;
}

/** By name, with the collector's folder on top; a tar.gz has one direction only, so there in its own order. */
function itemsOf(archive: Archive, { path, executable }: Cut): ZipItem[] {
  const above = archive.top === "" ? 0 : archive.top.length + 1;
  const items = (archive.folders.get(path)?.entries ?? []).map((from): ZipItem => {
    const below = from.path.slice(above);
    const name = below.slice(path.lastIndexOf("/") + 1);
    const mode = modeOf(from, below === executable);
    return { name: from.kind === "directory" ? `${name}/` : name, mode, from };
  });
  return archive.format === "tar.gz" ? items : items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** File type and permissions. An archive made on Windows has none: then what runs may run. */
function modeOf({ kind, mode }: Entry, runs: boolean): number {
  const usual = kind === "directory" || runs ? 0o755 : 0o644;
  return (kind === "directory" ? 0o40000 : 0o100000) | (mode === 0 ? usual : mode & 0o777);
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
