import { readdir } from "node:fs/promises";
import { readFully } from "../archive/blocks.ts";
import { MAX_ENTRIES, MAX_PACKED } from "../archive/entries.ts";
import {
  contentFormat as contentKind,
  HEAD_LENGTH,
  examineExecutable as programKind,
  FORMAT_LENGTH as SNIFFED,
  fileFormat as wrongKind,
} from "../archive/file-kind.ts";
import { followLinks } from "../archive/links.ts";
import { type ArchiveFile, inspectTarGz, TarReader } from "../archive/tar-read.ts";
import type { ExecutableType as BinaryKind, Entry, OpenFile } from "../archive/types.ts";
import { hasEndRecord } from "../archive/zip-directory.ts";
import { inspectZip, readEntryHead } from "../archive/zip-read.ts";
import { type VerifyOptions, verifyEntries } from "../archive/zip-verify.ts";
import { createTurns } from "../async.ts";
import type { VolumeConfig } from "../config/settings.ts";
import { collectProblem, finding, JobError, type Problem, ProblemError, problem } from "../errors.ts";
import type { Claim, PackageType } from "../identity.ts";
import type { Log } from "../output/log.ts";
import { type Expected, expectedDigests, hasSums, sumsLists } from "../volume/checksums.ts";
import type { FileStamp, VolumeFile } from "../volume/files.ts";
import { digest, withFile, withStamped } from "../volume/files.ts";
import { type OnWait, whenComplete } from "../volume/growing.ts";
import { findFile, listVolume, readTree, type TreeEntry } from "../volume/list.ts";
import { MANIFEST, readManifest } from "../volume/manifest.ts";
import { formatOf, type Named, parseName } from "../volume/name.ts";
import { parseVersionFile, VERSION_FILE_LENGTH, versionsAround } from "../volume/version.ts";
import { isBuiltin } from "./definitions.ts";
import { type Archive, typeOf } from "./package.ts";
import { contentsOf } from "./repack.ts";
import { type Resolved, resolvePackages } from "./resolve.ts";
import { checkWhole, holdsProgram } from "./validate.ts";

/** What is said on the command line of the one file, or of all. */
export type ScanArguments = Claim & { file?: string };

/**
 * The files to be read: the one that the command line names, or those on the volume. Throws exit 66 where there is none, 65 for a
 * `packages.json` that is wrong.
 */
export async function findFiles(
  args: ScanArguments,
  config: VolumeConfig,
  log: Log,
  signal: AbortSignal,
): Promise<VolumeFile[]> {
  const { packagesDir } = config;
  if (args.file !== undefined) return [await findFile(args.file, packagesDir, args)];
  const [volume, manifest] = await Promise.all([
    listVolume(packagesDir),
    readManifest(packagesDir, { signal, ...patienceOf(config, log) }),
  ]);
  if (manifest && manifest.problems.length > 0) throw new ProblemError(manifest.problems);
  const named = manifest?.files ?? [];
  const byName = new Set([MANIFEST, ...named.map(({ file }) => file)]);
  const files = [...volume.files.filter(({ file }) => !byName.has(file)), ...named];
  const ignored = volume.ignored.filter(({ file }) => !byName.has(file));
  for (const one of ignored) log.debug("scan.ignored", one);
  const suspects = volume.warnings.filter(({ file }) => !byName.has(file));
  for (const { file, reason, params } of suspects) log.warn("scan.suspect", reason, params, { file });
  if (files.length === 0 && !config.allowEmpty) {
    const others = [...volume.others, ...ignored.map(({ file }) => file)].sort();
    throw emptiness(packagesDir, suspects, others);
  }
  return files;
}

function emptiness(path: string, suspects: readonly Problem[], others: readonly string[]): JobError {
  const split = suspects.find(
    (one): one is Problem<"volume.near.split"> => one.reason === "volume.near.split",
  );
  return new JobError("volume.empty", {
    path,
    suspects: suspects.map(({ file }) => file),
    others: others,
    join: split?.params.command,
  });
}

/** How long a file that is still being written is waited for: a quarter of WAIT_TIMEOUT in all. */
function patienceOf({ waitTimeout }: VolumeConfig, log: Log): { patience: number; onWait: OnWait } {
  return { patience: waitTimeout / 4, onWait: (wait) => log.info("scan.growing", wait) };
}

/** Reads the files as the packages they claim to be. Throws ProblemError with all that is wrong with any of them. */
export async function scan(
  files: readonly VolumeFile[],
  args: ScanArguments,
  config: VolumeConfig,
  log: Log,
  signal: AbortSignal,
): Promise<Archive[]> {
  const started = performance.now();
  const { archives, problems, warnings } = await inspectFiles(files, {
    signal,
    ...patienceOf(config, log),
  });
  for (const { file, reason, params } of warnings) log.warn("scan.suspect", reason, params, { file });
  if (problems.length > 0) {
    throw new ProblemError([...problems, ...(await judge(archives, args, config, signal)).problems]);
  }
  const bytes = archives.reduce((sum, archive) => sum + archive.size, 0);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  log.info("scan.done", { archives: archives.length, bytes, seconds });
  return archives;
}

/**
 * Says what is left alone of what lies in a collector's place. Throws exit 66 if nothing else is on the volume.
 */
export function reportIgnored(
  { packages, ignored, warnings }: Resolved,
  { packagesDir, allowEmpty }: VolumeConfig,
  log: Log,
): void {
  for (const { file } of ignored) log.debug("scan.ignored", { file });
  for (const { file, reason, params } of warnings) log.warn("scan.suspect", reason, params, { file });
  if (packages.length > 0 || allowEmpty) return;
  throw emptiness(
    packagesDir,
    warnings,
    ignored.map(({ file }) => file),
  );
}

/**
 * What archives would become, and what is wrong with them, apart from what a server says: on today's BK-Lite (table state C), with
 * the built-in collectors, and without a word on architectures that the table may not tell apart.
 */
export async function judge(
  archives: readonly Archive[],
  args: ScanArguments,
  config: VolumeConfig,
  signal: AbortSignal,
): Promise<Resolved> {
  const resolved = await resolvePackages(archives, {
    options: args,
    packageVersion: config.packageVersion,
    repack: config.repack,
    collectors: config.collectors,
    standalone: config.collectorPackages !== "shared",
    definitions: [],
    archColumn: true,
  });
  if (config.archiveCheck === "full") {
    const kept = archives.filter((archive) => !resolved.ignored.includes(archive));
    for (const archive of kept) await collectProblem(resolved.problems, () => verifyArchive(archive, signal));
  }
  return resolved;
}

export interface InspectOptions {
  signal?: AbortSignal;
  /** Seconds that a file which is still being written is waited for in all; none unless given. */
  patience?: number;
  /** Called every 10 s of such a wait. */
  onWait?: OnWait;
}

export interface Inspected {
  archives: Archive[];
  /** Everything that is wrong with any of the files: exit 65, or 66 and 74 for what could not be read. */
  problems: Problem[];
  /** What looks like a mistake. */
  warnings: Problem[];
}

/** Opens every archive, reads it as the package that it claims to be, and compares it with its checksum files. */
export async function inspectFiles(
  files: readonly VolumeFile[],
  options: InspectOptions = {},
): Promise<Inspected> {
  const checked = new ListsUsed();
  const inTurn = createTurns();
  const read = (file: VolumeFile) =>
    inTurn(async () => {
      options.signal?.throwIfAborted();
      const archive = await inspect(file, options);
      if (!file.isFolder && !archive.fault) await compareDigests(archive, checked, options.signal);
      return archive;
    });
  // one is read at a time, but all that are still being written are waited for at once
  const found = await Promise.all(
    files.map(async (file) => {
      const problems: Problem[] = [];
      const archive = await collectProblem(problems, () =>
        whenComplete(file, () => read(file), options, mayBePackage),
      );
      return { archive, problems };
    }),
  );
  return {
    archives: found.flatMap(({ archive }) => archive ?? []),
    problems: withoutRepeats(found.flatMap(({ problems }) => problems)),
    warnings: [...checked.unused(), ...found.flatMap(({ archive }) => repeatedNames(archive))],
  };
}

/** Whether a file or folder may become a package: what lies in a collector's place may be anything, such as a log file. */
function mayBePackage(archive: Archive): boolean {
  return !archive.place || isBuiltin(archive) || holdsProgram(archive);
}

async function inspect(file: VolumeFile, options: InspectOptions): Promise<Archive> {
  const { signal } = options;
  if (file.isFolder) return inspectFolder(file);
  if (file.place) return inspectLoose(file, signal);
  const { claim } = file;
  const type = typeOf(file);
  const claimed = formatOf(file.name);
  return withFile(file, async (handle, stamp) => {
    const size = Number(stamp.size);
    if (size === 0) throw problem(file.file, "archive.empty", {});
    const inspected = { ...file, size, stamp, named: namedBy(file, type), sha256: undefined };
    if (type === "installer")
      return { ...inspected, ...UNOPENED, program: await readInstaller(inspected, handle) };
    if (type === "collector")
      return { ...inspected, ...UNOPENED, ...(await readCollector(inspected, handle, signal)) };
    if (size > MAX_PACKED)
      throw problem(file.file, "archive.limit.packed", { bytes: size, limit: MAX_PACKED });
    const format = await checkKind(
      file.file,
      handle,
      size,
      type === "apm-probe" ? probeFormat(file.name) : claim ? undefined : claimed,
    );
    const read = format === "zip" ? inspectZip : inspectTarGz;
    const listing = await read(file.file, handle, size, {
      signal,
      head: isLookedInto,
      digests: type !== "apm-probe",
    });
    // what it is unpacked with is not BK-Lite's installer
    if (type === "apm-probe")
      return { ...inspected, ...listing, ...contentsOf([]), format, versions: {}, sha256: listing.sha256 };
    checkLinks(file.file, listing.entries);
    const contents = contentsOf(listing.entries);
    const head = (entry: Entry | undefined) =>
      readHead({ file: file.file, size, ...listing }, handle, entry, signal);
    const inside = await head(contents.members.get("VERSION"));
    const versions = inside ? parseVersionFile(inside, "VERSION") : {};
    // a whole bundle of them is not what BK-Lite puts there
    const isOne = (contents.authority?.size ?? 0) <= VERSION_FILE_LENGTH;
    const ca = isOne ? await head(contents.authority) : undefined;
    const around = await versionsAround(file);
    return { ...inspected, ...listing, ...contents, format, versions, around, ca, sha256: listing.sha256 };
  });
}

/** What a tar has more than once. */
function repeatedNames(archive: Archive | undefined): Problem[] {
  const [first, ...others] = archive?.repeated ?? [];
  if (!archive || first === undefined) return [];
  const params = { entry: first, count: others.length + 1 };
  return [{ file: archive.file, reason: "tar.repeated", params }];
}

/** What the name says; of a collector not its version, which is whoever made it's, and of what has a name of its own nothing. */
function namedBy(file: VolumeFile, type: PackageType): Named {
  if (type === "installer" || type === "apm-probe") return {};
  const { claim } = file;
  const name = parseName(file.name, type === "collector" ? { version: "", ...claim } : claim);
  if ("problem" in name) throw problem(file.file, name.problem.reason, name.problem.params);
  return name.named;
}

/** A link that leads nowhere, or in a circle, is one that nothing can stand in for. */
function checkLinks(file: string, entries: readonly Entry[]): void {
  const [bad] = followLinks(entries, MAX_ENTRIES).bad;
  if (!bad) return;
  const link = { entry: bad.path, target: bad.target };
  throw problem(file, bad.loop ? "archive.link.cycle" : "archive.link.dangling", link);
}

/**
 * ARCHIVE_CHECK=full: reads every entry of a zip. Throws exit 65 that names the first damaged one. A tar.gz needs none of it: its
 * own checksum was proved in the scan.
 */
export async function verifyArchive(
  archive: Archive,
  signal?: AbortSignal,
  options: Omit<VerifyOptions, "signal"> = {},
): Promise<void> {
  if (archive.format !== "zip") return;
  const { file, size } = archive;
  await withStamped(archive, (handle) => verifyEntries(file, handle, size, { ...options, signal }));
}

async function compareDigests(
  archive: Archive,
  lists: ListsUsed,
  signal: AbortSignal | undefined,
): Promise<void> {
  const digests = await expectedDigests(archive);
  await lists.look(archive, digests);
  for (const { sha256: expected, from } of digests) {
    const sha256 = await digest(archive, signal);
    if (sha256 !== expected) throw problem(archive.file, "checksum.mismatch", { sha256, from, expected });
  }
}

/** Lists of checksums, and whether they name any of the archives beside them. */
class ListsUsed {
  readonly #used = new Map<string, boolean>();

  async look(archive: VolumeFile, digests: readonly Expected[]): Promise<void> {
    for (const list of sumsLists(archive)) {
      if (!(await hasSums(list))) continue;
      const used = digests.some(({ from }) => from === list.file);
      this.#used.set(list.file, used || (this.#used.get(list.file) ?? false));
    }
  }

  unused(): Problem[] {
    const lists = [...this.#used].filter(([, used]) => !used).map(([list]) => list);
    return lists.map((file) => finding(file, "checksum.unused", {}));
  }
}

/** A checksum file that is wrong is wrong for each archive beside it, but it is one thing to mend. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()];
}

/** What is not opened as an archive. */
export const UNOPENED = { format: "other", versions: {}, entries: [], ...contentsOf([]) } as const;

interface Sized {
  file: string;
  size: number;
}

/** A program's first bytes. Throws exit 65 for one that is shorter than its header says. */
async function readProgram(file: Sized, handle: OpenFile): Promise<BinaryKind> {
  return kindOfHead(file, await headOf(file, handle));
}

function kindOfHead({ file, size }: Sized, head: Buffer): BinaryKind {
  const kind = programKind(head, size);
  checkWhole(file, kind);
  // room that is reserved, and may be filled yet
  if (head.length > 0 && head.every((byte) => byte === 0))
    throw problem(file, "program.kind", { entry: "", found: "zeros" });
  return kind;
}

function headOf({ size }: Sized, handle: OpenFile): Promise<Buffer> {
  const length = Math.min(HEAD_LENGTH, size);
  return readFully(handle, Buffer.alloc(length), length, 0);
}

/** An installer's first bytes; where it is no program, with what it is instead. */
export async function readInstaller(file: Sized, handle: OpenFile): Promise<BinaryKind> {
  const head = await headOf(file, handle);
  const kind = kindOfHead(file, head);
  const instead = kind.format === "other" ? contentKind(head) : undefined;
  return instead === undefined || instead === "program" ? kind : { format: "other", instead };
}

/**
 * A collector's file: BK-Lite unzips one whose name ends in `.zip`, so that has to be a zip which its unzipper takes; of it the program
 * counts that is called like it. Any other may hold whatever runs.
 */
export async function readCollector(
  file: Sized & { name: string },
  handle: OpenFile,
  signal?: AbortSignal,
): Promise<{ format: "zip" | "other"; program: BinaryKind; entries: readonly Entry[] }> {
  if (!ZIP.test(file.name)) return { format: "other", program: await readProgram(file, handle), entries: [] };
  if (file.size > MAX_PACKED)
    throw problem(file.file, "archive.limit.packed", { bytes: file.size, limit: MAX_PACKED });
  await checkKind(file.file, handle, file.size, "zip");
  const { entries } = await inspectZip(file.file, handle, file.size, { signal });
  const link = entries.find(({ kind }) => kind === "link");
  if (link) throw problem(file.file, "collector.link", { entry: link.path });
  const main = entries.find(({ path, kind }) => kind === "file" && isMain(path, file.name));
  const head = main && (await readEntryHead(file.file, handle, main, HEAD_LENGTH));
  return {
    format: "zip",
    program: head && main ? programKind(head, main.size) : { format: "other" },
    entries,
  };
}

const ZIP = /\.zip$/;

/** `filebeat/filebeat`, `telegraf.exe`, in a zip of any name that begins like it. */
function isMain(path: string, zip: string): boolean {
  const [last = "", folder = "", ...above] = path.toLowerCase().split("/").reverse();
  const name = last.replace(/\.exe$/, "");
  return above.length === 0 && (folder === name || zip.toLowerCase().startsWith(name)) && name !== "";
}

/**
 * A file in a collector's place. What BK-Lite has had no collector for may be anything, a log file too: it is judged only if the platform
 * turns out to know it.
 */
export async function inspectLoose(file: VolumeFile, signal?: AbortSignal): Promise<Archive> {
  const path = `bin/${file.name.replace(/\.zip$/i, "")}`;
  const entry: Entry = { path, kind: "file", size: file.size, mode: 0 };
  if (isBuiltin({ ...file, members: new Map([[path, entry]]) })) {
    const archive = await readLoose(file, entry, signal);
    if (archive.size === 0) throw problem(file.file, "archive.empty", {});
    return archive;
  }
  const problems: Problem[] = [];
  const archive = await collectProblem(problems, () => readLoose(file, entry, signal));
  const [fault] = problems;
  if (fault?.reason === "program.truncated") throw new ProblemError([fault]);
  const unread = { ...file, ...UNOPENED, stamp: stampOf(0), named: {}, sha256: undefined };
  return archive ?? { ...unread, members: new Map([[path, entry]]), ...(fault && { fault }) };
}

function readLoose(file: VolumeFile, entry: Entry, signal: AbortSignal | undefined): Promise<Archive> {
  return withFile(file, async (handle, stamp) => {
    const size = Number(stamp.size);
    const { format, program, entries } = await readCollector({ ...file, size }, handle, signal);
    const members = new Map([[entry.path, { ...entry, size, kindOfBinary: program }]]);
    const read = { format, program, entries, members };
    return { ...file, ...UNOPENED, size, stamp, named: {}, sha256: undefined, ...read };
  });
}

/** A folder in a collector's place. */
export async function inspectFolder(file: VolumeFile): Promise<Archive> {
  const problems: Problem[] = [];
  const archive = await collectProblem(problems, async () => readFolder(file, await readTree(file)));
  return archive ?? unfitFolder(file, problems[0] as Problem);
}

/** One with something in it that no zip can hold: a fault only if it turns out to be a collector. */
async function unfitFolder(file: VolumeFile, fault: Problem): Promise<Archive> {
  if (!["collector.folder", "file.link", "file.changed"].includes(fault.reason))
    throw new ProblemError([fault]);
  const paths = (await readdir(file.path)).map((name) => `bin/${file.name}/${name}`);
  const members = new Map(
    paths.map((path): [string, Entry] => [path, { path, kind: "file", size: 0, mode: 0 }]),
  );
  if (isBuiltin({ ...file, members })) throw new ProblemError([fault]);
  return { ...file, ...UNOPENED, stamp: stampOf(0), named: {}, sha256: undefined, members, fault };
}

function stampOf(size: number): FileStamp {
  return { dev: 0n, ino: 0n, size: BigInt(size), mtimeNs: 0n, ctimeNs: 0n };
}

async function readFolder(file: VolumeFile, tree: readonly TreeEntry[]): Promise<Archive> {
  const files = tree.filter(({ isFolder }) => !isFolder);
  const members = new Map<string, Entry>();
  for (const one of files.filter(({ name }) => !name.includes("/"))) {
    const entry = await memberOf(one, `bin/${file.name}/${one.name}`);
    const own = new Map([[entry.path, entry]]);
    if (entry.size === 0 && isBuiltin({ ...file, members: own }))
      throw problem(one.file, "archive.empty", {});
    members.set(entry.path, entry);
  }
  const size = files.reduce((sum, { stamp }) => sum + Number(stamp.size), 0);
  const stamp = stampOf(size);
  return { ...file, ...UNOPENED, size, stamp, named: {}, sha256: undefined, tree, members };
}

async function memberOf(one: TreeEntry, path: string): Promise<Entry> {
  const size = Number(one.stamp.size);
  const kindOfBinary = await withFile(one, (handle) => readProgram({ file: one.file, size }, handle));
  return { path, kind: "file", size, mode: one.mode, kindOfBinary };
}

/** How files of each kind begin; a zip without entries begins with its end record. */
const MAGIC = [
  ["504b0304", "zip"],
  ["504b0506", "zip"],
  ["1f8b", "tar.gz"],
] as const;

/** What the file is. The ending is only a claim; without one either will do. */
export async function checkKind(
  file: string,
  handle: OpenFile,
  size: number,
  claimed: "zip" | "tar.gz" | undefined,
): Promise<"zip" | "tar.gz"> {
  const head = await readFully(handle, Buffer.alloc(Math.min(SNIFFED, size)), Math.min(SNIFFED, size), 0);
  const magic = head.toString("hex", 0, 4);
  const found = MAGIC.find(([start]) => magic.startsWith(start))?.[1];
  if (found !== undefined && found === (claimed ?? found)) return found;
  if (found !== undefined) throw problem(file, "archive.kind.wrong", { found });
  // a self-extractor's program, or whatever else stands before a zip
  if (claimed !== "tar.gz" && (await hasEndRecord(handle, size))) return "zip";
  const kind = wrongKind(head);
  // a file of any name may be a collector's, which somebody forgot to say
  if (claimed === undefined && (kind === undefined || kind === "program" || kind === "text"))
    throw problem(file, "archive.kind.claimed", {});
  throw problem(file, `archive.kind.${kind ?? "unknown"}`, {});
}

/** An APM probe's, by its name. */
export function probeFormat(name: string): "zip" | "tar.gz" {
  return /\.(?:zip|jar)$/i.test(name) ? "zip" : "tar.gz";
}

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
