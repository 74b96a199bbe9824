import { collectProblems, type PackageProblem, PackageProblemsError } from "../errors.ts";
import { readFully } from "./blocks.ts";
import { expectedDigests } from "./checksums.ts";
import { empty } from "./contents.ts";
import { digest } from "./digest.ts";
import { formatOf, parseName } from "./name.ts";
import { withFile } from "./open.ts";
import type { Archive, OpenFile, VolumeFile } from "./package.ts";
import { damaged, invalid } from "./problem.ts";
import { inspectTarGz } from "./targz.ts";
import { inspectZip } from "./zip.ts";

export interface InspectOptions {
  signal?: AbortSignal;
}

/**
 * Opens every archive and reads it as the package that it claims to be, and compares it with its checksum files. Throws
 * one PackageProblemsError with everything that is wrong with any of them: exit 65, or 74 for what could not be read.
 */
export async function inspectVolume(
  files: readonly VolumeFile[],
  options: InspectOptions = {},
): Promise<Archive[]> {
  const archives: Archive[] = [];
  const problems: PackageProblem[] = [];
  for (const file of files) {
    options.signal?.throwIfAborted();
    await collectProblems(problems, async () => {
      const archive = await inspect(file, options);
      await compareDigests(archive, options.signal);
      archives.push(archive);
    });
  }
  if (problems.length > 0) throw new PackageProblemsError(withoutRepeats(problems));
  return archives;
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
    return { ...inspected, format, ...(await read(file.file, handle, size, signal)) };
  });
}

/** A stand-alone collector's file: whatever is in it is the collector's own affair. */
const UNOPENED = {
  format: "other",
  top: "",
  versions: {},
  sidecar: false,
  members: new Map(),
  folders: new Map(),
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
function withoutRepeats(problems: PackageProblem[]): PackageProblem[] {
  return [...new Map(problems.map((problem) => [`${problem.file}\0${problem.reason}`, problem])).values()];
}
