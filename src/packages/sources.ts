import { createHash } from "node:crypto";
import { type EntryFacts, entriesDigest } from "../archive/entries.ts";
import {
  RepackStream as Pass,
  type RepackSource as PassSource,
  type RepackTarget as PassTarget,
} from "../archive/repack-stream.ts";
import { TarReader } from "../archive/tar-read.ts";
import type { Entry, FileDigests, OpenFile, Source, ZipLocation } from "../archive/types.ts";
import { readVerified as zipBytes } from "../archive/zip-verify.ts";
import { copyZip, type ZipItem } from "../archive/zip-write.ts";
import { inParallel } from "../async.ts";
import { isSystemError, problem } from "../errors.ts";
import { assertUnchanged, digest, fileSource, openFile, readStream } from "../volume/files.ts";
import type { TreeEntry } from "../volume/list.ts";
import { unreadable } from "../volume/paths.ts";
import type { Archive, Digest, Made, MadeOfArchive, MadeOfFolder, Package } from "./package.ts";
import { verifyArchive } from "./read.ts";
import { isLoose, MAX_MADE, madeSize, onlyItem } from "./repack.ts";

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

function zipStream(archive: Archive, made: MadeOfArchive, handle: OpenFile, signal: AbortSignal) {
  if (made.kind === "executable") return zipBytes(archive.file, handle, onlyItem(archive, made).from, signal);
  return copyZip(archive.file, made.items(), handle, signal);
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

const READ = 1024 * 1024;

/**
 * All that is made of one tar.gz, while it is gunzipped once. That the file is the one that was scanned is checked at the start and
 * before the last byte of each (else exit 74). `onRead` is called when something was read, wanted or not.
 */
export function tarPass(archive: Archive, made: readonly MadeOfArchive[], onRead: () => void): Pass<Entry> {
  const source: PassSource<Entry> = {
    size: ({ size }) => size,
    place: ({ offset }) => offset ?? 0,
    async open(signal) {
      const { handle } = await openFile(archive);
      const close = () => handle.close();
      try {
        await assertUnchanged(handle, archive);
      } catch (error) {
        await close();
        throw error;
      }
      const tar = new TarReader(archive, handle, signal, onRead);
      return {
        bytes: (entry) => tar.bytes(entry),
        check: () => assertUnchanged(handle, archive),
        close: () => tar.close().finally(close),
      };
    },
    translate: (error) => (isSystemError(error) ? unreadable(archive.file, archive.path, error) : error),
  };
  // an entry that was found by way of a link is a copy: what lies at one place is read once
  const own = new Map(archive.entries.filter(({ kind }) => kind === "file").map((one) => [one.offset, one]));
  const targets = made.map((one) => {
    const target = targetOf(one, archive.file);
    return {
      ...target,
      items: target.items.map((item) => ({ ...item, from: own.get(item.from.offset) ?? item.from })),
    };
  });
  return new Pass(source, targets);
}

/** A folder on the volume as a zip: file after file. */
export function folderPass({ file }: Archive, made: MadeOfFolder, onRead: () => void): Pass<TreeEntry> {
  const places = new Map(made.items().map(({ from }, index) => [from, index]));
  const source: PassSource<TreeEntry> = {
    size: ({ stamp }) => Number(stamp.size),
    place: (from) => places.get(from) ?? 0,
    open: async (signal) => ({
      async *bytes(from) {
        for await (const block of fileSource(from).blocks(READ, signal)) {
          onRead();
          yield block;
        }
      },
      // each file was checked at its own end
      check: async () => {},
      close: async () => {},
    }),
    translate: (error) => error,
  };
  return new Pass(source, [targetOf(made, file)]);
}

function targetOf<From>(
  made: { kind: string; items(): readonly PassTarget<From>["items"][number][] },
  file: string,
): PassTarget<From> {
  const zip = made.kind !== "executable";
  const tooLong = () => problem(file, "repack.too-long", {});
  return { zip, items: made.items(), ...(zip && { limit: MAX_MADE, tooLong }) };
}

/** Reads every entry of a zip, unless that was done before, so that `packageEntries` can answer. Throws exit 65 as verifyArchive does. */
export async function readFileDigests(
  archive: Archive,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  if (archive.format !== "zip" || archive.fileDigests) return;
  const found = new Map<number, string>();
  const onFile = ({ offset }: { offset: number }, sha256: string) => found.set(offset, sha256);
  await verifyArchive(archive, signal, { onFile, onBytes });
  archive.fileDigests = found;
}

/**
 * Whether a package is the same in every packaging of the same files. Others are compared by their bytes: a program, an installer, an APM
 * probe (a host compares its SHA-256); and a folder on the volume by its origin, which covers names, modes and contents.
 */
export function isZipOfEntries({ archive, made, type }: Package): boolean {
  if (made) return made.kind === "folder" || made.kind === "repacked";
  return archive.format === "zip" && (type === "controller" || type === "collector");
}

/** One digest of the entries of the zip that a package is stored as; undefined where they do not count, and before its archive was read. */
export function packageEntries(pkg: Package): string | undefined {
  const { archive, made } = pkg;
  const { entries, fileDigests } = archive;
  if (!fileDigests || !isZipOfEntries(pkg)) return undefined;
  if (made?.kind === "folder" || made?.kind === "repacked")
    return entriesDigest(made.items().map((item) => itemFacts(item, archive, fileDigests)));
  return entriesDigest(entries.map((entry) => entryFacts(entry, archive, fileDigests)));
}

function itemFacts(
  { name, mode, guessMode, from }: ZipItem,
  archive: Archive,
  digests: FileDigests,
): EntryFacts {
  const isFolder = name.endsWith("/");
  return {
    name: Buffer.from(name),
    kind: isFolder ? "directory" : "file",
    mode: guessMode ? "guess" : (mode & 0o7777).toString(8),
    sha256: isFolder ? "" : fileDigest(from, archive, digests),
  };
}

function entryFacts(entry: Entry, archive: Archive, digests: FileDigests): EntryFacts {
  const { location, kind, path } = entry;
  return {
    name: location?.rawName ?? Buffer.from(path),
    kind,
    mode: (location?.mode ?? entry.mode).toString(8),
    sha256: kind === "directory" ? "" : fileDigest(entry, archive, digests),
  };
}

/** SHA-256 of a file in an archive, in hex. */
export function fileDigest(
  { location, offset, path }: Entry,
  { file }: Archive,
  digests: FileDigests,
): string {
  const sha256 = digests.get(location?.offset ?? offset ?? -1);
  if (sha256 === undefined) throw new Error(`${file}: no digest of ${path}`);
  return sha256;
}
