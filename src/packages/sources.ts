import { createHash } from "node:crypto";
import { HashedFile, inBlocks } from "../archive/blocks.ts";
import { entriesDigest } from "../archive/entries.ts";
import { type RepackSource, RepackStream, type RepackTarget } from "../archive/repack-stream.ts";
import { TarReader } from "../archive/tar-read.ts";
import type { Entry, FileDigests, OpenFile, Source } from "../archive/types.ts";
import { ZipStream, type ZipTarget } from "../archive/zip-stream.ts";
import { type OnFile, type VerifyOptions, verifyEntries } from "../archive/zip-verify.ts";
import { inParallel } from "../async.ts";
import { problem } from "../errors.ts";
import { shownKey } from "../sshsig.ts";
import {
  assertUnchanged,
  digest,
  fileSource,
  openFile,
  readStream,
  type StampedFile,
  withStamped,
} from "../volume/files.ts";
import type { TreeEntry } from "../volume/list.ts";
import { readError } from "../volume/paths.ts";
import {
  type Archive,
  type ControllerArchive,
  type Derived,
  type DerivedFromArchive,
  type DerivedFromFolder,
  type Digest,
  isZip,
  type Package,
} from "./package.ts";
import { derivedSize, isFromFolder, MAX_ZIP, onlyItem } from "./repack.ts";

/** The version of the rules by which content is derived, however well it is deflated. */
const RULE = 1;
/** The same for a program that is moved to its definition's path. */
const TARGET_RULE = 2;
const BLOCK = 1024 * 1024;

/** SHA-256 in hex that sources find out as they are read to their ends, so that nothing is read again. */
export class Findings {
  /** Of files on the volume, by `file`. */
  readonly files = new Map<string, string>();
  /** Of entries of a zip that were verified, by their offset; undefined: they are not to be verified. */
  readonly entries: Map<number, string> | undefined;

  constructor({ entries }: { entries: boolean }) {
    this.entries = entries ? new Map() : undefined;
  }

  get onFile(): OnFile | undefined {
    const { entries } = this;
    return entries && (({ offset }, sha256) => entries.set(offset, sha256));
  }

  /** Adds the digest of a package's bytes after they were read. */
  add({ archive, derived }: Package, sha256: string): void {
    if (!derived) this.files.set(archive.file, sha256);
    else if (derived.kind === "loose-file") this.files.set(onlyItem(archive, derived).from.file, sha256);
    else if (derived.kind === "executable" && isZip(archive))
      this.entries?.set(onlyItem(archive, derived).from.location?.offset ?? -1, sha256);
  }
}

interface SourceOptions {
  /** Called after each read, also one for another source. */
  onRead?: () => void;
  findings?: Findings;
}

/**
 * Returns the bytes of packages as they are stored: a file's own, or derived ones. All that is made of one
 * archive is read in one pass, at the pace of the slowest: read such sources in parallel, in blocks of one
 * size, and close one that is given up.
 */
export function packageSources(
  packages: readonly Package[],
  options: SourceOptions = {},
): Map<Package, Source> {
  const isStreamed = ({ archive, derived }: Package) =>
    isZip(archive) && (derived !== undefined || options.findings?.entries !== undefined);
  const sources = new Map<Package, Source>(packages.map((pkg) => [pkg, ownSource(pkg, options)]));
  for (const [archive, group] of Map.groupBy(packages, (pkg) => pkg.archive)) {
    if (!group.some(isStreamed)) continue;
    const stream = zipStream(archive, group, options);
    for (const [index, pkg] of group.entries())
      sources.set(pkg, {
        size: packageSize(pkg),
        blocks: (blockSize, signal) => stream.blocks(index, blockSize, signal),
      });
  }
  for (const [archive, group] of Map.groupBy(packages.filter(isOfTar), (pkg) => pkg.archive)) {
    const stream = tarStream(
      archive,
      group.map(({ derived }) => derived),
      options,
    );
    for (const [index, pkg] of group.entries())
      sources.set(
        pkg,
        sourceOfPieces(packageSize(pkg), (signal) => stream.stream(index, signal)),
      );
  }
  return sources;
}

/** Returns how many packages to read in parallel: all of an archive, which is read once. */
export function lanesFor(packages: readonly Package[]): number {
  return packages.some(({ derived }) => derived && isFromFolder(derived)) ? 1 : packages.length;
}

function isOfTar(pkg: Package): pkg is Package & { archive: ControllerArchive; derived: DerivedFromArchive } {
  const { archive, derived } = pkg;
  return archive.kind === "controller" && archive.format === "tar.gz" && derived !== undefined;
}

function ownSource({ archive, derived }: Package, options: SourceOptions): Source {
  if (!derived || !isFromFolder(derived)) return fileSource(archive);
  if (derived.kind === "loose-file") return fileSource(onlyItem(archive, derived).from);
  const stream = folderStream(archive, derived, options);
  return sourceOfPieces(undefined, (signal) => stream.stream(0, signal));
}

function sourceOfPieces(
  size: number | undefined,
  open: (signal: AbortSignal) => AsyncIterable<Buffer>,
): Source {
  return {
    size,
    blocks(blockSize, signal) {
      // no memory before the first piece
      let block: Buffer | undefined;
      return inBlocks(open(signal), async () => (block ??= Buffer.allocUnsafeSlow(blockSize)));
    },
  };
}

/** Returns all that is made of one zip. */
function zipStream(
  archive: Archive,
  packages: readonly Package[],
  { onRead, findings }: SourceOptions,
): ZipStream {
  const { file, size, signedBy, digests } = archive;
  const targets = packages.map(({ derived }): ZipTarget => {
    if (!derived || isFromFolder(derived)) return { kind: "whole" };
    if (derived.kind === "executable") return { kind: "file", from: onlyItem(archive, derived).from };
    return { kind: "copy", items: derived.items() };
  });
  // a signature is proved by the bytes that the objects are made of; the store hashes what it sends
  const isHashed = findings && (signedBy || !digests.files.has(file)) && packages.every((pkg) => pkg.derived);
  const source = {
    file,
    size,
    entries: "entries" in archive ? archive.entries : undefined,
    open: (use: (handle: OpenFile) => Promise<void>) => withStamped(archive, use),
    stream: (use: (handle: OpenFile) => AsyncIterable<Buffer>) => readStream(archive, use),
    onFile: findings?.onFile,
    onDigest: isHashed ? (sha256: string) => void findings.files.set(file, sha256) : undefined,
    onRead,
  };
  return new ZipStream(source, targets);
}

/**
 * Returns all that is derived from one tar.gz, which is unpacked once. At the start and before the last byte
 * of each it is checked that the file is the one that was scanned (else exit 74).
 */
function tarStream(
  archive: ControllerArchive,
  derived: readonly DerivedFromArchive[],
  { onRead, findings }: SourceOptions,
): RepackStream<Entry> {
  const source: RepackSource<Entry> = {
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
      // a signature is proved by the bytes that the objects are made of
      const hashed = findings && archive.signedBy ? new HashedFile(handle) : undefined;
      const tar = new TarReader(archive, hashed ?? handle, signal, onRead);
      return {
        bytes: (entry) => tar.bytes(entry),
        check: () => assertUnchanged(handle, archive),
        end: async () => {
          if (!hashed) return;
          await tar.close();
          const sha256 = await hashed.digest(archive.size);
          await assertUnchanged(handle, archive);
          findings?.files.set(archive.file, sha256);
        },
        close: () => tar.close().finally(close),
      };
    },
    translate: (error) => readError(archive, error),
  };
  // an entry that replaces a link is a copy: the bytes at one place are read once
  const own = new Map(archive.entries.filter(({ kind }) => kind === "file").map((one) => [one.offset, one]));
  const targets = derived.map((one) => {
    const target = targetOf(one, archive.file);
    const items = target.items.map((item) => ({ ...item, from: own.get(item.from.offset) ?? item.from }));
    return { ...target, items };
  });
  return new RepackStream(source, targets);
}

/** Returns a folder on the volume as a zip, file after file. */
function folderStream(
  { file }: Archive,
  derived: DerivedFromFolder,
  { onRead, findings }: SourceOptions,
): RepackStream<TreeEntry> {
  const places = new Map(derived.items().map(({ from }, index) => [from, index]));
  const source: RepackSource<TreeEntry> = {
    size: ({ stamp }) => Number(stamp.size),
    place: (from) => places.get(from) ?? 0,
    open: async (signal) => ({
      async *bytes(from) {
        const sha256 = createHash("sha256");
        for await (const block of fileSource(from).blocks(BLOCK, signal)) {
          onRead?.();
          sha256.update(block);
          yield block;
        }
        findings?.files.set(from.file, sha256.digest("hex"));
      },
      // each file was checked at its own end
      check: async () => {},
      close: async () => {},
    }),
    translate: (error) => error,
  };
  return new RepackStream(source, [targetOf(derived, file)]);
}

function targetOf<From>(
  derived: { kind: string; items(): RepackTarget<From>["items"] },
  file: string,
): RepackTarget<From> {
  const zip = derived.kind !== "executable";
  const tooLong = () => problem(file, "repack.too-long", {});
  return { zip, items: derived.items(), ...(zip && { limit: MAX_ZIP, tooLong }) };
}

/** Returns the files on the volume that a package's bytes are made of. */
export function sourceFiles({ archive, derived }: Package): StampedFile[] {
  if (!derived || !isFromFolder(derived)) return [archive];
  return derived.items().flatMap(({ from }) => (from.isFolder ? [] : [from]));
}

/** Returns a package's stored bytes; undefined if they are derived and not known beforehand. */
export function packageSize({ archive, derived }: Package): number | undefined {
  return derived ? derivedSize(archive, derived) : archive.size;
}

/** An unknown size is at least this part of its files' sizes: programs deflate to a half or a quarter. */
const DEFLATED = 8;
/** Bytes that a zip adds to each entry at most, beside three times its name. */
const ZIP_ENTRY = 256;

/** Returns between which numbers of bytes a package's stored size is, if it is not known beforehand. */
export function sizeBounds(pkg: Package): { least: number; most: number } {
  const { archive, derived } = pkg;
  const known = packageSize(pkg);
  if (known !== undefined || !derived) return { least: known ?? archive.size, most: known ?? archive.size };
  const items: readonly { name: string; from: Entry | TreeEntry }[] = derived.items();
  const sizes = items.map(({ from }) => ("stamp" in from ? Number(from.stamp.size) : from.size));
  const unpacked = sizes.reduce((sum, size) => sum + size, 0);
  const names = items.reduce((sum, { name }) => sum + ZIP_ENTRY + 3 * name.length, 0);
  // Deflate adds five bytes to each block that it cannot make shorter.
  return { least: Math.floor(unpacked / DEFLATED), most: Math.ceil(unpacked * 1.001) + names };
}

/** Returns an archive's SHA-256 in hex, or that of a file of its folder; reads each once a run. */
export async function fileDigest(
  archive: Archive,
  signal?: AbortSignal,
  file: StampedFile = archive,
): Promise<string> {
  const { files } = archive.digests;
  const known = files.get(file.file);
  const sha256 =
    known === undefined ? await digest(file, signal) : await withStamped(file, async () => known);
  files.set(file.file, sha256);
  return sha256;
}

/** Returns the digest of a package's stored bytes as far as this run has computed it; reads nothing. */
export function knownDigest({ archive, derived }: Package): Digest | undefined {
  const { digests, file, size } = archive;
  if (derived) return digests.derived.get(derived);
  const sha256 = digests.files.get(file);
  return sha256 === undefined ? undefined : { sha256, bytes: size };
}

/** Returns the digests of stored bytes; derives each once a run, those out of a tar.gz in one pass. */
export async function packageDigests(
  packages: readonly Package[],
  signal: AbortSignal,
): Promise<Map<Package, Digest>> {
  for (const { archive, derived } of packages) {
    const { entries, derived: known } = archive.digests;
    if (derived?.kind !== "executable" || !entries || known.has(derived)) continue;
    const { from } = onlyItem(archive, derived);
    known.set(derived, { sha256: entryDigest(from, archive, entries), bytes: from.size });
  }
  const unknown = packages.filter((pkg) => pkg.derived && !knownDigest(pkg));
  for (const group of Map.groupBy(unknown, ({ archive }) => archive).values()) {
    await inParallel([...packageSources(group)], lanesFor(group), async ([{ archive, derived }, source]) => {
      if (derived) archive.digests.derived.set(derived, await readDigest(source, signal));
    });
  }
  const digests = new Map<Package, Digest>();
  for (const pkg of packages) {
    const { archive } = pkg;
    const file = async () => ({ sha256: await fileDigest(archive, signal), bytes: archive.size });
    digests.set(pkg, (pkg.derived && knownDigest(pkg)) ?? (await file()));
  }
  return digests;
}

async function readDigest(source: Source, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const block of source.blocks(BLOCK, signal)) {
    hash.update(block);
    bytes += block.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}

/**
 * Returns the origin for a stored object's headers: the digest of the source and the rule by which the
 * content is derived. Equal origins mean equal content, without deriving it again. undefined for a package
 * that is its file.
 */
export async function packageOrigin(
  { archive, derived }: Package,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (!derived) return undefined;
  const source = isFromFolder(derived)
    ? await folderDigest(archive, derived, signal)
    : await fileDigest(archive, signal);
  return originOf(source, derived);
}

/** Returns an origin; `sourceSha256` in hex. */
export function originOf(sourceSha256: string, { kind, path, target }: Derived): string {
  if (target !== undefined) return `${sourceSha256}:${kind}/${TARGET_RULE}:${path}:${target}`;
  return `${sourceSha256}:${kind}/${RULE}:${path}`;
}

/** Returns a digest of names, modes and contents: all that the zip's bytes depend on. */
async function folderDigest(
  archive: Archive,
  derived: DerivedFromFolder,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, mode, from } of derived.items()) {
    const content = name.endsWith("/") ? "" : await fileDigest(archive, signal, from);
    hash.update(`${content} ${mode} ${JSON.stringify(name)}\n`);
  }
  return hash.digest("hex");
}

/** Returns a package's file as delivered. `sha256` is null for one not read, and for several files. */
export function sourceOf({ archive, derived }: Package): {
  file: string;
  bytes: number;
  sha256: string | null;
  signedBy?: string;
} {
  const fromFolder = derived && isFromFolder(derived) ? derived.items().map(({ from }) => from) : undefined;
  const [only, ...others] = fromFolder?.filter(({ isFolder }) => !isFolder) ?? [archive];
  const sha256 = only && others.length === 0 ? archive.digests.files.get(only.file) : undefined;
  const signedBy = archive.signedBy && shownKey(archive.signedBy);
  return { file: archive.file, bytes: archive.size, sha256: sha256 ?? null, ...(signedBy && { signedBy }) };
}

/** Returns a package's title for progress and messages: the file, and its part of it. */
export function packageTitle({ archive, derived }: Package): string {
  return derived && derived.path !== "" ? `${archive.file} (${derived.path})` : archive.file;
}

/** Reads every entry of a zip (the scan has read a tar.gz). Throws exit 65 for the first damaged one. */
export async function verifyArchive(
  archive: Archive,
  signal?: AbortSignal,
  options: Omit<VerifyOptions, "signal"> = {},
): Promise<void> {
  if (!isZip(archive)) return;
  const { file, size } = archive;
  await withStamped(archive, (handle) => verifyEntries(file, handle, size, { ...options, signal }));
}

/** Reads a zip's entries once a run, for `packageEntries`. Throws as verifyArchive does. */
export async function readEntryDigests(
  archive: Archive,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  if (!isZip(archive) || archive.digests.entries) return;
  const found = new Map<number, string>();
  const onFile = ({ offset }: { offset: number }, sha256: string) => found.set(offset, sha256);
  await verifyArchive(archive, signal, { onFile, onBytes });
  archive.digests.entries = found;
}

/**
 * Whether a package is the same in every packaging of the same files. Others are compared by their bytes: a
 * program, an installer, an APM probe (a host compares its SHA-256); a folder on the volume is compared by
 * its origin.
 */
export function isZipOfEntries({ archive, derived, type }: Package): boolean {
  if (derived) return derived.kind === "folder" || derived.kind === "repacked";
  return isZip(archive) && (type === "controller" || type === "collector");
}

/** Returns one digest of a package's entries; undefined if they do not count, or were not read. */
export function packageEntries(pkg: Package): string | undefined {
  const { archive, derived } = pkg;
  const { entries: digests } = archive.digests;
  if (!digests || !("entries" in archive) || !isZipOfEntries(pkg)) return undefined;
  if (!derived || isFromFolder(derived))
    return entriesDigest(
      archive.entries.map((from) => ({
        name: from.location?.rawName ?? Buffer.from(from.path),
        kind: from.kind,
        mode: (from.location?.mode ?? from.mode).toString(8),
        sha256: entryDigest(from, archive, digests),
      })),
    );
  return entriesDigest(
    derived.items().map(({ name, mode, guessMode, from }) => ({
      name: Buffer.from(name),
      kind: name.endsWith("/") ? "directory" : "file",
      mode: guessMode ? "guess" : (mode & 0o7777).toString(8),
      sha256: entryDigest(from, archive, digests),
    })),
  );
}

/** Returns the SHA-256 of an entry in hex; "" for a folder. */
function entryDigest(
  { kind, location, offset, path }: Entry,
  { file }: Archive,
  digests: FileDigests,
): string {
  const sha256 = kind === "directory" ? "" : digests.get(location?.offset ?? offset ?? -1);
  if (sha256 === undefined) throw new Error(`${file}: no digest of ${path}`);
  return sha256;
}
