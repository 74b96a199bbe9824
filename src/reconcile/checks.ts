import type { FileDigests, ZipLocation } from "../archive/types.ts";
import { collectProblem, type Problem, ProblemError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import { type Archive, isZip, type Package } from "../packages/package.ts";
import { sourceFiles, verifyArchive } from "../packages/sources.ts";
import { digest } from "../volume/files.ts";
import { findMismatch, type Signatures } from "../volume/signatures.ts";
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

/**
 * Compares the files that one archive's packages are made of with the signed list, after their bytes were
 * sent: `sent` has the digests of the files that were read from end to end for that; any other is read once
 * more. Throws exit 65.
 */
export async function checkSignatures(
  packages: readonly Package[],
  sent: ReadonlyMap<string, string>,
  signatures: Signatures,
  signal: AbortSignal,
): Promise<void> {
  const files = new Map(packages.flatMap(sourceFiles).map((file) => [file.file, file]));
  for (const file of files.values()) {
    const sha256 = sent.get(file.file) ?? (await digest(file, signal));
    const wrong = findMismatch(file.file, sha256, await signatures.digestsOf(file));
    if (wrong) throw new ProblemError([wrong]);
  }
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
