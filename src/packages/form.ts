import { createHash } from "node:crypto";
import type { RepackStream as Pass } from "../archive/repack-stream.ts";
import type { OpenFile, Source, ZipLocation } from "../archive/types.ts";
import { readVerified as zipBytes } from "../archive/zip-verify.ts";
import { copiedSize, copyZip, type ZipItem } from "../archive/zip-write.ts";
import { inParallel } from "../async.ts";
import { digest, fileSource, readStream } from "../volume/files.ts";
import { fileDigest } from "./entries.ts";
import { folderPass, tarPass } from "./one-pass.ts";
import type { Archive, Digest, Made, MadeOfArchive, MadeOfFolder, Package } from "./package.ts";

/** Of the rule by which bytes are made: with another one the same source may give others. */
const RULE = 1;
/** Of the rule that puts a program where its definition says. */
const TARGET_RULE = 2;
const BLOCK = 1024 * 1024;

/**
 * The bytes of packages, as they are stored: a file's own, or what is made of it, as a stream. What is made of one tar.gz is made while that
 * is read once, at the pace of the slowest: such sources have to be read at the same time, and one that is given up has to be closed. `onRead` is
 * called when something was read that may not have been for the source that waits.
 */
export function packageSources(packages: readonly Package[], onRead = () => {}): Map<Package, Source> {
  const sources = new Map<Package, Source>(packages.map((pkg) => [pkg, ownSource(pkg, onRead)]));
  for (const [archive, group] of Map.groupBy(packages.filter(isOfTar), (pkg) => pkg.archive)) {
    const made = group.map((pkg) => pkg.made);
    const pass = tarPass(archive, made, onRead);
    for (const [index, pkg] of group.entries()) {
      sources.set(pkg, passSource(pass, index, madeSize(archive, pkg.made)));
    }
  }
  return sources;
}

/**
 * How many of the packages that come out of one archive are to be taken at the same time: all where that saves reading it again. From a zip
 * each is read by itself, and several at once took more memory and no less time.
 */
export function lanesFor(packages: readonly Package[]): number {
  return packages.some(isOfTar) ? packages.length : 1;
}

/** Returns the entry that a package is cut out of a zip as, and that reading the package verifies; undefined: none. */
export function cutEntry({ archive, made }: Package): ZipLocation | undefined {
  if (archive.format !== "zip" || made?.kind !== "executable") return undefined;
  return onlyItem(archive, made).from.location;
}

function isOfTar(pkg: Package): pkg is Package & { made: MadeOfArchive } {
  return pkg.archive.format === "tar.gz" && pkg.made !== undefined && !isLoose(pkg.made);
}

function isLoose(made: Made): made is MadeOfFolder {
  return made.kind === "loose-folder" || made.kind === "loose-file";
}

function ownSource({ archive, made }: Package, onRead: () => void): Source {
  if (!made) return fileSource(archive);
  if (isLoose(made)) {
    if (made.kind === "loose-file") return fileSource(onlyItem(archive, made).from);
    return passSource(folderPass(archive, made, onRead), 0, undefined);
  }
  return {
    size: madeSize(archive, made),
    blocks: (blockSize, signal) =>
      readStream(archive, (handle) => inBlocks(zipStream(archive, made, handle, signal), blockSize)),
  };
}

function passSource<From>(pass: Pass<From>, index: number, size: number | undefined): Source {
  return {
    size,
    blocks: (blockSize, signal) => inBlocks(pass.stream(index, signal), blockSize),
  };
}

/** Bytes of a package, as they are stored; undefined where they are made and not known before. */
export function packageSize({ archive, made }: Package): number | undefined {
  return made ? madeSize(archive, made) : archive.size;
}

/** What the bytes of packages come to; read or made once, in one pass over a tar.gz, and remembered. */
export async function packageDigests(
  packages: readonly Package[],
  signal: AbortSignal,
): Promise<Map<Package, Digest>> {
  for (const { archive, made } of packages) {
    if (made?.kind !== "executable" || !archive.fileDigests) continue;
    const { from } = onlyItem(archive, made);
    made.digest ??= { sha256: fileDigest(from, archive, archive.fileDigests), bytes: from.size };
  }
  const unknown = packages.filter(({ made }) => made && !made.digest);
  for (const group of Map.groupBy(unknown, ({ archive }) => archive).values()) {
    const sources = [...packageSources(group)];
    await inParallel(sources, lanesFor(group), async ([{ made }, source]) => {
      if (made) made.digest = await digestOf(source, signal);
    });
  }
  const digests = new Map<Package, Digest>();
  for (const pkg of packages) {
    const { archive, made } = pkg;
    digests.set(pkg, made?.digest ?? { sha256: await digest(archive, signal), bytes: archive.size });
  }
  return digests;
}

async function digestOf(source: Source, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const block of source.blocks(BLOCK, signal)) {
    hash.update(block);
    bytes += block.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}

/**
 * Says, in a stored object's headers, what it was made of and how: where the source is still the same its bytes are, and need not be
 * made again to know that. undefined for a package that is its file.
 */
export async function packageOrigin(
  { archive, made }: Package,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (!made) return undefined;
  const source = isLoose(made) ? await folderDigest(made, signal) : await digest(archive, signal);
  return originOf(source, made);
}

/** `sourceSha256` in hex. */
export function originOf(sourceSha256: string, { kind, path, target }: Made): string {
  if (target !== undefined) return `${sourceSha256}:${kind}/${TARGET_RULE}:${path}:${target}`;
  return `${sourceSha256}:${kind}/${RULE}:${path}`;
}

/** For progress and messages: the file, and what is made of it. */
export function packageTitle({ archive, made }: Package): string {
  return made && made.path !== "" ? `${archive.file} (${made.path})` : archive.file;
}

/** Bytes of what is made; undefined where they are deflated and so not known before. */
export function madeSize(archive: Archive, made: Made): number | undefined {
  if (made.kind === "loose-file") return Number(onlyItem(archive, made).from.stamp.size);
  if (made.kind === "executable") return onlyItem(archive, made).from.size;
  const items = made.items();
  return made.kind === "loose-folder" || archive.format !== "zip"
    ? undefined
    : copiedSize(archive.file, items as readonly ZipItem[]);
}

function zipStream(archive: Archive, made: MadeOfArchive, handle: OpenFile, signal: AbortSignal) {
  if (made.kind === "executable") return zipBytes(archive.file, handle, onlyItem(archive, made).from, signal);
  return copyZip(archive.file, made.items(), handle, signal);
}

function onlyItem<From>(
  { file }: Archive,
  made: { path: string; items(): readonly ZipItem<From>[] },
): ZipItem<From> {
  const [item] = made.items();
  if (!item) throw new Error(`${file} has no member ${made.path}`);
  return item;
}

/** Names, modes and contents: whatever makes a difference in the zip. */
async function folderDigest(made: MadeOfFolder, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, mode, from } of made.items()) {
    const content = name.endsWith("/") ? "" : await digest(from, signal);
    hash.update(`${content} ${mode} ${JSON.stringify(name)}\n`);
  }
  return hash.digest("hex");
}

/** Pieces of any length as blocks of one; a block is valid until the next is asked for. */
async function* inBlocks(
  pieces: AsyncIterable<Buffer>,
  blockSize: number,
): AsyncGenerator<Buffer, void, void> {
  let block: Buffer | undefined;
  let filled = 0;
  for await (const piece of pieces) {
    // what is not yet its turn takes no memory
    block ??= Buffer.allocUnsafeSlow(blockSize);
    for (let used = 0; used < piece.length; ) {
      const copied = piece.copy(block, filled, used);
      used += copied;
      filled += copied;
      if (filled < blockSize) continue;
      yield block;
      filled = 0;
    }
  }
  if (block && filled > 0) yield block.subarray(0, filled);
}
