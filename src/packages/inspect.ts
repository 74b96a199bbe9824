import { MAX_ENTRIES, MAX_PACKED } from "../archive/entries.ts";
import { HEAD_LENGTH, examineExecutable as programKind } from "../archive/file-kind.ts";
import { followLinks } from "../archive/links.ts";
import { inspectTarGz } from "../archive/tar-read.ts";
import type { ExecutableType as BinaryKind, Entry } from "../archive/types.ts";
import { inspectZip, readEntryHead } from "../archive/zip-read.ts";
import { type VerifyOptions, verifyEntries } from "../archive/zip-verify.ts";
import { createTurns } from "../async.ts";
import { collectProblem, type Problem, problem } from "../errors.ts";
import type { PackageType } from "../identity.ts";
import { type Expected, expectedDigests, hasSums, sumsLists } from "../volume/checksums.ts";
import { digest, type VolumeFile, withFile, withStamped } from "../volume/files.ts";
import { type OnWait, whenComplete } from "../volume/growing.ts";
import { formatOf, type Named, parseName } from "../volume/name.ts";
import { parseVersionFile, VERSION_FILE_LENGTH, versionsAround } from "../volume/version.ts";
import { isBuiltin } from "./collectors.ts";
import { contentsOf } from "./contents.ts";
import { isLookedInto, readHead } from "./heads.ts";
import { inspectFolder, inspectLoose, readCollector, readInstaller, UNOPENED } from "./inspect-other.ts";
import { typeOf } from "./kind.ts";
import type { Archive } from "./package.ts";
import { holdsProgram } from "./programs.ts";
import { checkKind, probeFormat } from "./sniff.ts";

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

/** Returns what a program is. `path` is one of `archive.members`. */
export async function binaryKind(archive: Archive, path: string): Promise<BinaryKind> {
  const entry = archive.members.get(path);
  if (!entry) throw new Error(`${archive.file} has no member ${path}`);
  return kindOfEntry(archive, entry);
}

/** Returns what the first 4 KiB of an entry say it is; no more than that is inflated. */
export async function kindOfEntry(archive: Archive, entry: Entry): Promise<BinaryKind> {
  entry.kindOfBinary ??= await withStamped(archive, async (handle) =>
    programKind(await readEntryHead(archive.file, handle, entry, HEAD_LENGTH), entry.size),
  );
  return entry.kindOfBinary;
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
    return lists.map((file) => ({ file, reason: "checksum.unused", params: {} }) as Problem);
  }
}

/** A checksum file that is wrong is wrong for each archive beside it, but it is one thing to mend. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()];
}
