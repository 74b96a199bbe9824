import type { FileDigests, ZipLocation } from "../archive/types.ts";
import { collectProblem, type Problem, ProblemError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import { type Archive, isZip } from "../packages/package.ts";
import { verifyArchive } from "../packages/sources.ts";
import { type Decision, isUploaded } from "./decide.ts";

export interface CheckContext {
  /** ARCHIVE_CHECK=full: every entry's CRC is verified. */
  full: boolean;
  log: Log;
  recorder: Recorder;
  signal: AbortSignal;
}

/**
 * Verifies the entries of a zip but for `others`, which their uploads verify. Returns the SHA-256 of each
 * entry by its offset; undefined if there is nothing to verify, as in a tar.gz, which the scan reads
 * completely. Throws exit 65 that names the first damaged entry.
 */
export async function checkEntries(
  archive: Archive,
  others: readonly ZipLocation[],
  { full, log, recorder, signal }: CheckContext,
): Promise<FileDigests | undefined> {
  const { file, size } = archive;
  if (!full || !isZip(archive) || archive.digests.entries) return undefined;
  const packed = new Map(others.map(({ offset, compressedSize }) => [offset, compressedSize]));
  const total = [...packed.values()].reduce((left, bytes) => left - bytes, size);
  const digests = new Map<number, string>();
  let read = 0;
  const progress = startProgress(log, { phase: "check", file, total }, () => read);
  try {
    await recorder.time("check", () =>
      verifyArchive(archive, signal, {
        onBytes: (bytes) => {
          read += bytes;
        },
        onFile: ({ offset }, sha256) => digests.set(offset, sha256),
        skip: ({ offset }) => packed.has(offset),
      }),
    );
  } finally {
    progress.end();
  }
  return digests;
}

/** Verifies every archive that would be uploaded. Throws an error that names all damaged archives. */
export async function checkArchives(decisions: readonly Decision[], context: CheckContext): Promise<void> {
  const problems: Problem[] = [];
  for (const archive of new Set(decisions.filter(isUploaded).map(({ desired }) => desired.package.archive))) {
    const digests = await collectProblem(problems, () => checkEntries(archive, [], context));
    if (digests) archive.digests.entries = digests;
  }
  if (problems.length > 0) throw new ProblemError(problems);
}
