import { collectProblem, type Problem, ProblemError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import type { Archive, Package } from "../packages/package.ts";
import { readEntryDigests, sourceFiles } from "../packages/sources.ts";
import { findMismatch, type Signatures } from "../volume/signatures.ts";
import { type Decision, isUploaded } from "./decide.ts";

export interface CheckContext {
  /** ARCHIVE_CHECK=full: every entry's CRC is verified. */
  full: boolean;
  log: Log;
  recorder: Recorder;
  signal: AbortSignal;
}

/** Reads a zip's entries once a run. Throws exit 65 that names a damaged one. */
export async function readEntries(archive: Archive, log: Log, signal: AbortSignal): Promise<void> {
  let read = 0;
  const { file, size: total } = archive;
  const progress = startProgress(log, { phase: "check", file, total }, () => read);
  try {
    await readEntryDigests(archive, signal, (bytes) => {
      read += bytes;
    });
  } finally {
    progress.end();
  }
}

/**
 * Compares the files that one archive's packages are made of with the signed list, after their bytes were
 * sent: `sent` has the digests of what was read for that. Throws exit 65.
 */
export async function checkSignatures(
  packages: readonly Package[],
  sent: ReadonlyMap<string, string>,
  signatures: Signatures,
): Promise<void> {
  const files = new Map(packages.flatMap(sourceFiles).map((file) => [file.file, file]));
  for (const file of files.values()) {
    const sha256 = sent.get(file.file);
    if (sha256 === undefined) throw new Error(`${file.file}: no digest of what was sent`);
    const wrong = findMismatch(file.file, sha256, await signatures.digestsOf(file));
    if (wrong) throw new ProblemError([wrong]);
  }
}

/** Verifies every archive that would be uploaded. Throws an error that names all damaged archives. */
export async function checkArchives(
  decisions: readonly Decision[],
  { full, log, recorder, signal }: CheckContext,
): Promise<void> {
  if (!full) return;
  const problems: Problem[] = [];
  for (const archive of new Set(decisions.filter(isUploaded).map(({ desired }) => desired.package.archive))) {
    const read = () => recorder.time("check", () => readEntries(archive, log, signal));
    await collectProblem(problems, read);
  }
  if (problems.length > 0) throw new ProblemError(problems);
}
