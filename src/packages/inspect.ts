import { HEAD_LENGTH, kindOf } from "../archive/binary.ts";
import { readFully } from "../archive/blocks.ts";
import { empty } from "../archive/contents.ts";
import { damaged, invalid } from "../archive/problem.ts";
import { inspectTarGz } from "../archive/targz.ts";
import type { BinaryKind, Entry, OpenFile } from "../archive/types.ts";
import { verifyEntries } from "../archive/verify.ts";
import { inspectZip, readEntryHead } from "../archive/zip.ts";
import { collectProblem, type Problem } from "../errors.ts";
import { expectedDigests } from "../volume/checksums.ts";
import { digest } from "../volume/digest.ts";
import type { VolumeFile } from "../volume/file.ts";
import { formatOf, parseName } from "../volume/name.ts";
import { withFile, withStamped } from "../volume/open.ts";
import { parseVersionFile, VERSION_FILE_LENGTH } from "../volume/version.ts";
import { contentsOf } from "./contents.ts";
import type { Archive } from "./package.ts";

export interface InspectOptions {
  signal?: AbortSignal;
}

export interface Inspected {
  archives: Archive[];
  /** Everything that is wrong with any of the files: exit 65, or 74 for what could not be read. */
  problems: Problem[];
}

/** Opens every archive, reads it as the package that it claims to be, and compares it with its checksum files. */
export async function inspectFiles(
  files: readonly VolumeFile[],
  options: InspectOptions = {},
): Promise<Inspected> {
  const archives: Archive[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    options.signal?.throwIfAborted();
    await collectProblem(problems, async () => {
      const archive = await inspect(file, options);
      await compareDigests(archive, options.signal);
      archives.push(archive);
    });
  }
  return { archives, problems: withoutRepeats(problems) };
}

async function inspect(file: VolumeFile, { signal }: InspectOptions): Promise<Archive> {
  const { claim } = file;
  const claimed = formatOf(file.name);
  if (!claimed && !claim)
    throw invalid(file.file, "has a name that is no archive's", "name it fusion-collectors*.zip or .tar.gz");
  // a collector's version is not looked for in its name
  const name = parseName(file.name, claim?.type === "collector" ? { version: "", ...claim } : claim);
  if ("problem" in name) throw invalid(file.file, name.problem.reason, name.problem.hint);
  return withFile(file, async (handle, stamp) => {
    const size = Number(stamp.size);
    if (size === 0) throw empty(file.file);
    const inspected = { ...file, size, stamp, named: name.named, sha256: undefined };
    if (claim?.type === "collector") return { ...inspected, ...UNOPENED };
    const format = await checkMagic(file.file, handle, claim ? undefined : claimed);
    const read = format === "zip" ? inspectZip : inspectTarGz;
    const listing = await read(file.file, handle, size, { signal, head: isVersionFile });
    const contents = contentsOf(listing.entries);
    const versions = await versionsOf(file.file, handle, contents.members.get("VERSION"));
    return { ...inspected, ...listing, ...contents, format, versions, sha256: listing.sha256 };
  });
}

function isVersionFile(path: string): boolean {
  return /^(?:[^/]+\/)?VERSION$/.test(path);
}

async function versionsOf(
  file: string,
  handle: OpenFile,
  entry: Entry | undefined,
): Promise<Archive["versions"]> {
  if (!entry) return {};
  const head = entry.head ?? (await readEntryHead(file, handle, entry, VERSION_FILE_LENGTH));
  return parseVersionFile(head.toString());
}

/** What the first 4 KiB of a member say it is; no more than that is inflated. `path` is one of `archive.members`. */
export async function binaryKind(archive: Archive, path: string): Promise<BinaryKind> {
  const entry = archive.members.get(path);
  if (!entry) throw new Error(`${archive.file} has no member ${path}`);
  entry.kindOfBinary ??= await withStamped(archive, async (handle) =>
    kindOf(await readEntryHead(archive.file, handle, entry, HEAD_LENGTH)),
  );
  return entry.kindOfBinary;
}

/**
 * ARCHIVE_CHECK=full: reads every entry of a zip. Throws exit 65 that names the first damaged one. A tar.gz needs none of it: its
 * own checksum was proved in the scan.
 */
export async function verifyArchive(archive: Archive, signal?: AbortSignal): Promise<void> {
  if (archive.format !== "zip") return;
  await withStamped(archive, (handle) => verifyEntries(archive.file, handle, archive.size, signal));
}

/** A stand-alone collector's file: whatever is in it is the collector's own affair. */
const UNOPENED = {
  format: "other",
  versions: {},
  entries: [],
  ...contentsOf([]),
} as const;

/** How files of each kind begin; a zip without entries begins with its end record. */
const MAGIC = [
  ["504b0304", "zip"],
  ["504b0506", "zip"],
  ["1f8b", "gzip"],
] as const;

/** What the file is. The ending is only a claim; without one either will do. */
async function checkMagic(
  file: string,
  handle: OpenFile,
  claimed: "zip" | "tar.gz" | undefined,
): Promise<"zip" | "tar.gz"> {
  const magic = (await readFully(handle, Buffer.alloc(4), 4, 0)).toString("hex");
  const found = MAGIC.find(([start]) => magic.startsWith(start))?.[1];
  const format = found === "gzip" ? "tar.gz" : found;
  if (format !== undefined && format === (claimed ?? format)) return format;
  if (found === undefined && claimed === undefined) {
    throw invalid(
      file,
      "is neither a zip nor a gzip file",
      "give a fusion-collectors archive, or --type collector and --object NAME for a stand-alone collector of any content",
    );
  }
  if (found === undefined) throw damaged(file, `is no ${claimed === "zip" ? "zip" : "gzip"} file`);
  throw invalid(
    file,
    `is a ${found} file, whatever its name says`,
    "give it the ending of what it is: .zip or .tar.gz",
  );
}

async function compareDigests(archive: Archive, signal: AbortSignal | undefined): Promise<void> {
  for (const expected of await expectedDigests(archive)) {
    const sha256 = await digest(archive, signal);
    if (sha256 === expected.sha256) continue;
    const reason = `has the SHA-256 ${sha256}, but ${expected.from} says ${expected.sha256}`;
    throw invalid(archive.file, reason, "copy both files again from the same build");
  }
}

/** A checksum file that is wrong is wrong for each archive beside it, but it is one thing to mend. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()];
}
