import { readdir } from "node:fs/promises";
import { readFully } from "../archive/blocks.ts";
import { MAX_ENTRIES, MAX_PACKED } from "../archive/entries.ts";
import {
  contentFormat,
  examineExecutable,
  FORMAT_LENGTH,
  fileFormat,
  HEAD_LENGTH,
} from "../archive/file-kind.ts";
import { followLinks } from "../archive/links.ts";
import { type ArchiveFile, inspectTarGz, TarReader } from "../archive/tar-read.ts";
import type { Entry, ExecutableType, OpenFile } from "../archive/types.ts";
import { hasEndRecord } from "../archive/zip-directory.ts";
import { inspectZip, readEntryHead } from "../archive/zip-read.ts";
import { createTurns } from "../async.ts";
import type { VolumeConfig } from "../config/job-settings.ts";
import { collectProblem, finding, JobError, type Problem, ProblemError, problem } from "../errors.ts";
import type { Declaration, PackageType } from "../identity.ts";
import { type Checksums, ownDigests, readChecksums } from "../volume/checksums.ts";
import { type FileStamp, type VolumeFile, withFile } from "../volume/files.ts";
import { type WaitOptions, whenComplete } from "../volume/growing.ts";
import { findFile, type Ignored, listVolume, readTree, type TreeEntry } from "../volume/list.ts";
import { MANIFEST, readManifest } from "../volume/manifest.ts";
import { formatOf, type Named, parseName } from "../volume/name.ts";
import { folderOf, inFolder } from "../volume/paths.ts";
import { findMismatch, type Signatures } from "../volume/signatures.ts";
import { parseVersionFile, VERSION_FILE_LENGTH, versionsAround } from "../volume/version.ts";
import { isBuiltin, LIBRARIES, needsLibraries, slotPath, slotPaths } from "./definitions.ts";
import {
  type Archive,
  type CollectorFile,
  type CollectorFolder,
  type ControllerArchive,
  DigestCache,
  type ProbeFile,
  packageType,
} from "./package.ts";
import { contentsOf } from "./repack.ts";
import { fileDigest } from "./sources.ts";
import { checkComplete, holdsExecutable } from "./validate.ts";

/** The command line's file and identity; without a file, the identity counts for all. */
export type ScanArguments = Declaration & { file?: string };

/** The files to read, and findings to be logged. */
interface FoundFiles {
  files: VolumeFile[];
  ignored: readonly Ignored[];
  warnings: readonly Problem[];
  /** Exit 66, if there is no file. */
  error?: JobError;
}

/**
 * Lists the files to read: the one that the command line names, or those on the volume. Throws exit 66 for a
 * missing file or volume, 65 for an invalid `packages.json`.
 */
export async function findFiles(
  args: ScanArguments,
  { packagesDir, allowEmpty }: VolumeConfig,
  options: ReadOptions,
): Promise<FoundFiles> {
  if (args.file !== undefined) {
    return { files: [await findFile(args.file, packagesDir, args)], ignored: [], warnings: [] };
  }
  const [volume, manifest] = await Promise.all([listVolume(packagesDir), readManifest(packagesDir, options)]);
  if (manifest && manifest.problems.length > 0) throw new ProblemError(manifest.problems);
  const declared = manifest?.files ?? [];
  const names = new Set([MANIFEST, ...declared.map(({ file }) => file)]);
  const isOther = ({ file }: { file: string }) => !names.has(file);
  const files = [...volume.files.filter(isOther), ...declared];
  const ignored = volume.ignored.filter(isOther);
  const warnings = volume.warnings.filter(isOther);
  if (files.length > 0 || allowEmpty) return { files, ignored, warnings };
  const others = [...volume.others, ...ignored.map(({ file }) => file)].sort();
  return { files, ignored, warnings, error: emptyVolume(packagesDir, warnings, others) };
}

/** Makes the error for a volume without a package (exit 66). */
export function emptyVolume(path: string, warnings: readonly Problem[], others: readonly string[]): JobError {
  const split = warnings.find(
    (one): one is Problem<"volume.near.split"> => one.reason === "volume.near.split",
  );
  const suspects = warnings.map(({ file }) => file);
  return new JobError("volume.empty", {
    path,
    suspects,
    others,
    join: split && String(split.params.command),
  });
}

/** `signatures`: what VERIFY_KEY_FILE asks for. */
export type ReadOptions = WaitOptions & { signatures?: Signatures | undefined };

/**
 * Reads every file as the package that it is declared to be, and compares it with its checksum files.
 * `problems`: exit 65, or 66 and 74 for a file that could not be read.
 */
export async function readFiles(
  files: readonly VolumeFile[],
  options: ReadOptions = {},
): Promise<{ archives: Archive[]; problems: Problem[]; warnings: Problem[] }> {
  const { signal, signatures } = options;
  const lists = new ChecksumLists();
  const inTurn = createTurns();
  const folders = new Set(files.filter(({ isFolder }) => isFolder).map(({ file }) => file));
  const read = (file: VolumeFile) =>
    inTurn(async () => {
      signal?.throwIfAborted();
      const archive = await readArchive(file, options);
      if ("problem" in archive) return archive;
      if (signatures) return withSignature(archive, { signatures, folders, signal });
      if (archive.kind !== "collector-folder") await compareDigests(archive, lists, signal);
      return archive;
    });
  // one is read at a time, but all that are still being written are waited for together
  const found = await Promise.all(
    files.map(async (file) => {
      const problems: Problem[] = [];
      const archive = await collectProblem(problems, () =>
        whenComplete(file, () => read(file), options, mayBePackage),
      );
      return { archives: archive ? [archive] : [], problems };
    }),
  );
  const archives = found.flatMap((one) => one.archives);
  // a checksum file that is wrong is wrong for each archive beside it, but it is one problem
  const problems = new Map(found.flatMap((one) => one.problems).map((one) => [JSON.stringify(one), one]));
  return {
    archives,
    problems: [...problems.values()],
    warnings: [...lists.unused(), ...archives.flatMap(repeatedNames)],
  };
}

/** Whether a file or folder may become a package: a slot of the bundle layout may also contain a log file. */
function mayBePackage(archive: Archive): boolean {
  if (!archive.slot || (archive.kind !== "collector" && archive.kind !== "collector-folder")) return true;
  return isBuiltin(archive.slot, slotPaths(archive)) || holdsExecutable(archive);
}

/** Properties of every file that is open. */
type Opened = VolumeFile & { stamp: FileStamp };

async function readArchive(file: VolumeFile, options: ReadOptions): Promise<Archive> {
  const { signal } = options;
  if (file.isFolder) return readCollectorFolder(file);
  if (file.slot) return readSlotFile(file, signal);
  const type = packageType(file);
  return withFile(file, async (handle, stamp) => {
    const opened = { ...file, size: Number(stamp.size), stamp };
    if (opened.size === 0) throw problem(file.file, "archive.empty", {});
    if (type === "controller") return readController(opened, handle, options);
    if (type === "collector")
      return readCollector({ ...opened, nameInfo: readName(file, type) }, handle, signal);
    if (type === "apm-probe") return readProbe(opened, handle, signal);
    const executable = await readInstaller(opened, handle);
    return { ...opened, kind: "installer", executable, digests: new DigestCache() };
  });
}

/** Returns what the name says; not a collector's version, which is its maker's and not BK-Lite's. */
function readName({ file, name, declared }: VolumeFile, type: PackageType): Named {
  const read = parseName(name, type === "collector" ? { version: "", ...declared } : declared);
  if ("problem" in read) throw problem(file, read.problem.reason, read.problem.params);
  return read.named;
}

async function readController(
  file: Opened,
  handle: OpenFile,
  { signal, signatures }: ReadOptions,
): Promise<ControllerArchive> {
  const nameInfo = readName(file, "controller");
  const claimed = file.declared ? undefined : formatOf(file.name);
  const format = await readFormat(file, handle, claimed);
  const read = format === "zip" ? inspectZip : inspectTarGz;
  const options = { signal, keeps: isVersionOrCa, digests: true };
  const listing = await read(file.file, handle, file.size, options);
  checkLinks(file.file, listing.entries);
  const { topFolder, members, ca } = contentsOf(listing.entries);
  const firstBytes = (entry: Entry | undefined) => readFirstBytes(file, handle, entry, signal);
  const own = await firstBytes(members.get("VERSION"));
  // a longer file is a bundle of certificates, which BK-Lite does not put there
  const certificate = (ca?.size ?? 0) <= VERSION_FILE_LENGTH ? await firstBytes(ca) : undefined;
  const around = await versionsAround(file, signatures);
  const { entries, rootEntry, repeated, sha256, fileDigests } = listing;
  return {
    ...file,
    kind: "controller",
    format,
    nameInfo,
    versions: own ? [parseVersionFile(own, "VERSION"), ...around] : around,
    entries,
    rootEntry,
    repeated,
    topFolder,
    members,
    ca: certificate,
    digests: new DigestCache(sha256 === undefined ? [] : [[file.file, sha256]], fileDigests),
  };
}

/** Reads an APM probe. Its links are not checked: BK-Lite's installer does not unpack it. */
async function readProbe(
  file: Opened,
  handle: OpenFile,
  signal: AbortSignal | undefined,
): Promise<ProbeFile> {
  const format = await readFormat(file, handle, /\.(?:zip|jar)$/i.test(file.name) ? "zip" : "tar.gz");
  const read = format === "zip" ? inspectZip : inspectTarGz;
  const { sha256 } = await read(file.file, handle, file.size, { signal, digests: false });
  return {
    ...file,
    kind: "apm-probe",
    format,
    digests: new DigestCache(sha256 === undefined ? [] : [[file.file, sha256]]),
  };
}

/** Rejects a link that leads nowhere or back to itself: no file can replace it. */
function checkLinks(file: string, entries: readonly Entry[]): void {
  const [bad] = followLinks(entries, MAX_ENTRIES).bad;
  if (!bad) return;
  const link = { entry: bad.path, target: bad.target };
  throw problem(file, bad.loop ? "archive.link.cycle" : "archive.link.dangling", link);
}

/** How zip and gzip files begin; a zip without entries begins with its end record. */
const MAGIC = [
  ["504b0304", "zip"],
  ["504b0506", "zip"],
  ["1f8b", "tar.gz"],
] as const;

/** Returns an archive's format by its first bytes. Throws exit 65 if they differ from its name's ending. */
async function readFormat(
  { file, size }: VolumeFile,
  handle: OpenFile,
  claimed: "zip" | "tar.gz" | undefined,
): Promise<"zip" | "tar.gz"> {
  if (size > MAX_PACKED) throw problem(file, "archive.limit.packed", { bytes: size, limit: MAX_PACKED });
  const start = await readStart(size, handle, FORMAT_LENGTH);
  const magic = start.toString("hex", 0, 4);
  const found = MAGIC.find(([bytes]) => magic.startsWith(bytes))?.[1];
  if (found !== undefined && found === (claimed ?? found)) return found;
  if (found !== undefined) throw problem(file, "archive.kind.wrong", { found });
  // a self-extractor's program, or other bytes before a zip
  if (claimed !== "tar.gz" && (await hasEndRecord(handle, size))) return "zip";
  const format = fileFormat(start);
  // a file of any name may be a collector's that was not declared
  if (claimed === undefined && (format === undefined || format === "program" || format === "text"))
    throw problem(file, "archive.kind.claimed", {});
  throw problem(file, `archive.kind.${format ?? "unknown"}`, {});
}

function readStart(size: number, handle: OpenFile, limit = HEAD_LENGTH): Promise<Buffer> {
  const length = Math.min(limit, size);
  return readFully(handle, Buffer.alloc(length), length, 0);
}

/** Whether the first bytes of a tar.gz's file with this path are needed, so that the scan keeps them. */
function isVersionOrCa(path: string): boolean {
  return /^(?:[^/]+\/){0,15}(?:VERSION|certs\/ca\.crt)$/.test(path);
}

/** Returns an entry's first bytes. Reads a tar.gz again if a link stands in the entry's place. */
async function readFirstBytes(
  archive: ArchiveFile,
  handle: OpenFile,
  entry: Entry | undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<Buffer | undefined> {
  if (!entry || entry.firstBytes) return entry?.firstBytes;
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

/** Returns a program's type. Throws exit 65 for one that is cut short, or only NUL bytes. */
function examine({ file, size }: { file: string; size: number }, start: Buffer): ExecutableType {
  const type = examineExecutable(start, size);
  checkComplete(file, type);
  if (start.length > 0 && start.every((byte) => byte === 0))
    throw problem(file, "program.kind", { entry: "", found: "zeros" });
  return type;
}

/** Returns an installer's type; if it is no program, with the format that it has instead. */
async function readInstaller(file: Opened, handle: OpenFile): Promise<ExecutableType> {
  const start = await readStart(file.size, handle);
  const type = examine(file, start);
  const instead = type.format === "other" ? contentFormat(start) : undefined;
  return instead === undefined || instead === "program" ? type : { format: "other", instead };
}

/**
 * Reads a collector's file. BK-Lite unpacks one whose name ends in `.zip`, so that must be a zip without
 * links; its program is the one with the zip's name. Any other file may be anything that runs.
 */
async function readCollector(
  file: Opened & { nameInfo: Named },
  handle: OpenFile,
  signal: AbortSignal | undefined,
): Promise<CollectorFile> {
  const read = { ...file, kind: "collector", digests: new DigestCache() } as const;
  if (!/\.zip$/.test(file.name)) {
    const executable = examine(file, await readStart(file.size, handle));
    return { ...read, format: "other", entries: [], executable };
  }
  await readFormat(file, handle, "zip");
  const { entries } = await inspectZip(file.file, handle, file.size, { signal });
  const link = entries.find(({ kind }) => kind === "link");
  if (link) throw problem(file.file, "collector.link", { entry: link.path });
  const main = entries.find(({ path, kind }) => kind === "file" && isMain(path, file.name));
  const start = main && (await readEntryHead(file.file, handle, main, HEAD_LENGTH));
  const executable = start ? examineExecutable(start, main.size) : ({ format: "other" } as const);
  return { ...read, format: "zip", entries, executable };
}

/** Whether a zip's entry has a name like the zip's own: `filebeat/filebeat`, `telegraf.exe`. */
function isMain(path: string, zip: string): boolean {
  const [last = "", folder = "", ...above] = path.toLowerCase().split("/").reverse();
  const name = last.replace(/\.exe$/, "");
  return above.length === 0 && (folder === name || zip.toLowerCase().startsWith(name)) && name !== "";
}

/**
 * Reads a file in a slot of the bundle layout. If BK-Lite has had no collector of this name it may be
 * anything, such as a log file: a problem is kept, and is an error only if the platform defines such a
 * collector.
 */
async function readSlotFile(file: VolumeFile, signal: AbortSignal | undefined): Promise<CollectorFile> {
  const read = () =>
    withFile(file, (handle, stamp) =>
      readCollector({ ...file, size: Number(stamp.size), stamp, nameInfo: {} }, handle, signal),
    );
  if (isBuiltin(file.slot, [slotPath(file.name)])) {
    const archive = await read();
    if (archive.size === 0) throw problem(file.file, "archive.empty", {});
    return archive;
  }
  const problems: Problem[] = [];
  const archive = await collectProblem(problems, read);
  const [found] = problems;
  if (found?.reason === "program.truncated") throw new ProblemError([found]);
  const unread = { ...file, kind: "collector", format: "other", nameInfo: {}, entries: [] } as const;
  const executable = { format: "other" } as const;
  const digests = new DigestCache();
  return (
    archive ?? { ...unread, executable, stamp: emptyStamp(0), digests, ...(found && { problem: found }) }
  );
}

/** Reads a folder in a slot of the bundle layout. */
async function readCollectorFolder(file: VolumeFile): Promise<CollectorFolder> {
  const folder = { ...file, kind: "collector-folder", digests: new DigestCache() } as const;
  const problems: Problem[] = [];
  const tree = await collectProblem(problems, async () => {
    const found = await readTree(file);
    return { tree: found, executables: await readExecutables(file, found) };
  });
  if (tree) {
    const files = tree.tree.filter(({ isFolder }) => !isFolder);
    const size = files.reduce((sum, { stamp }) => sum + Number(stamp.size), 0);
    return { ...folder, ...tree, size, stamp: emptyStamp(size) };
  }
  const [found] = problems;
  // a folder that no zip can hold is an error only if it is a collector
  const mayStay = found && ["collector.folder", "file.link", "file.changed"].includes(found.reason);
  const paths = mayStay ? (await readdir(file.path)).map((name) => `bin/${file.name}/${name}`) : [];
  if (found && (!mayStay || isBuiltin(file.slot, paths))) throw new ProblemError([found]);
  const executables = new Map(paths.map((path) => [path, { format: "other" } as const]));
  return { ...folder, tree: [], executables, stamp: emptyStamp(0), ...(found && { problem: found }) };
}

/** Returns the types of the files directly in a folder, by path on a node. */
async function readExecutables(
  file: VolumeFile,
  tree: readonly TreeEntry[],
): Promise<Map<string, ExecutableType>> {
  const types = new Map<string, ExecutableType>();
  for (const one of tree.filter(({ name, isFolder }) => !isFolder && !name.includes("/"))) {
    const path = `bin/${file.name}/${one.name}`;
    const opened = { file: one.file, size: Number(one.stamp.size) };
    types.set(
      path,
      await withFile(one, async (handle) => examine(opened, await readStart(opened.size, handle))),
    );
    if (opened.size === 0 && isBuiltin(file.slot, [path])) throw problem(one.file, "archive.empty", {});
  }
  return types;
}

function emptyStamp(size: number): FileStamp {
  return { dev: 0n, ino: 0n, size: BigInt(size), mtimeNs: 0n, ctimeNs: 0n };
}

/** Returns a warning for names that a tar has more than once. */
function repeatedNames(archive: Archive): Problem[] {
  const [first, ...others] = archive.kind === "controller" ? archive.repeated : [];
  if (first === undefined) return [];
  return [finding(archive.file, "tar.repeated", { entry: first, count: others.length + 1 })];
}

interface SignatureOptions {
  signatures: Signatures;
  /** The folders in slots that are read, by path below the volume. */
  folders: ReadonlySet<string>;
  signal: AbortSignal | undefined;
}

/**
 * Returns a file or folder with the key that signed it, after a comparison of every file with the signed
 * list. Throws exit 65; a slot of the bundle layout may contain other files, of which the problem is kept.
 */
async function withSignature(
  archive: Archive,
  { signatures, folders, signal }: SignatureOptions,
): Promise<Archive> {
  const problems: Problem[] = [];
  const signers = await collectProblem(problems, async () => {
    const isFolder = archive.kind === "collector-folder";
    const own = isFolder ? [] : await ownDigests(archive);
    const files = isFolder ? archive.tree.filter(isFile) : [archive];
    if (isFolder) await signatures.checkWhole(archive, new Set(archive.tree.map(({ name }) => name)));
    else if (needsLibraries(archive.name)) await checkLibraries(archive, signatures, folders);
    const found = [];
    for (const file of files) {
      const signed = await signatures.digestsOf(file);
      const sha256 = await fileDigest(archive, signal, file);
      const wrong = findMismatch(file.file, sha256, [...signed, ...own]);
      if (wrong) throw new ProblemError([wrong]);
      found.push(...signed.map(({ signer }) => signer));
    }
    return found;
  });
  const [signedBy] = signers ?? [];
  if (signers) return { ...archive, ...(signedBy && { signedBy }) };
  const [found] = problems;
  if (found && !mayBePackage(archive)) return { ...archive, problem: found } as Archive;
  throw new ProblemError(problems);
}

const isFile = ({ isFolder }: TreeEntry) => !isFolder;

/** Checks that a program's libraries are there, if the list has them. */
async function checkLibraries(
  { file, path, root, linkAllowed }: VolumeFile,
  signatures: Signatures,
  folders: ReadonlySet<string>,
): Promise<void> {
  const libraries = `${file.slice(0, file.lastIndexOf("/") + 1)}${LIBRARIES}`;
  // the file of the command line is read alone
  if (linkAllowed || folders.has(libraries)) return;
  const at = inFolder(folderOf(path), LIBRARIES);
  await signatures.checkWhole({ file: libraries, path: at, root }, new Set());
}

async function compareDigests(
  archive: Archive,
  lists: ChecksumLists,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await readChecksums(archive);
  lists.add(found);
  for (const { sha256: expected, from } of found.digests) {
    const sha256 = await fileDigest(archive, signal);
    if (sha256 !== expected) throw problem(archive.file, "checksum.mismatch", { sha256, from, expected });
  }
}

/** The lists of checksums beside and above archives, and whether each names any of them. */
class ChecksumLists {
  readonly #used = new Map<string, boolean>();

  add({ digests, lists }: Checksums): void {
    for (const list of lists) {
      const isUsed = digests.some(({ from }) => from === list);
      this.#used.set(list, isUsed || (this.#used.get(list) ?? false));
    }
  }

  unused(): Problem[] {
    const lists = [...this.#used].filter(([, isUsed]) => !isUsed).map(([list]) => list);
    return lists.map((file) => finding(file, "checksum.unused", {}));
  }
}
