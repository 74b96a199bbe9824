import { type PackageProblem, PackageProblemsError } from "../errors.ts";
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

/**
 * Opens every archive and reads it as the package that it claims to be, and compares it with its checksum files. Throws
 * one PackageProblemsError with everything that is wrong with any of them: exit 65, or 74 for what could not be read.
 */
export async function inspectVolume(
  files: readonly VolumeFile[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<Archive[]> {
  const archives: Archive[] = [];
  const problems: PackageProblem[] = [];
  for (const file of files) {
    signal?.throwIfAborted();
    try {
      const archive = await inspect(file, signal);
      await compareDigests(archive, signal);
      archives.push(archive);
    } catch (error) {
      if (!(error instanceof PackageProblemsError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new PackageProblemsError(withoutRepeats(problems));
  return archives;
}

async function inspect(file: VolumeFile, signal: AbortSignal | undefined): Promise<Archive> {
  const format = formatOf(file.name);
  if (!format)
    throw invalid(file.file, "has a name that is no archive's", "name it fusion-collectors*.zip or .tar.gz");
  const name = parseName(file.name);
  if ("problem" in name) throw invalid(file.file, name.problem.reason, name.problem.hint);
  return withFile(file, async (handle, stamp) => {
    const size = Number(stamp.size);
    if (size === 0) throw empty(file.file);
    await checkMagic(file.file, handle, format);
    const inspected = { ...file, size, format, stamp, named: name.named, sha256: undefined };
    const read = format === "zip" ? inspectZip : inspectTarGz;
    return { ...inspected, ...(await read(file.file, handle, size, signal)) };
  });
}

/** How files of each kind begin; a zip without entries begins with its end record. */
const MAGIC = [
  ["504b0304", "zip"],
  ["504b0506", "zip"],
  ["1f8b", "gzip"],
] as const;

/** The ending is only a claim. */
async function checkMagic(file: string, handle: OpenFile, format: Archive["format"]): Promise<void> {
  const magic = (await readFully(handle, Buffer.alloc(4), 4, 0)).toString("hex");
  const found = MAGIC.find(([start]) => magic.startsWith(start))?.[1];
  if (found === (format === "zip" ? "zip" : "gzip")) return;
  if (found === undefined) throw damaged(file, `is no ${format === "zip" ? "zip" : "gzip"} file`);
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
