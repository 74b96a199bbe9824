import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Problem, ProblemError } from "../../src/errors.ts";
import { describeProblem } from "../../src/output/report.ts";
import type { Archive, ControllerArchive } from "../../src/packages/package.ts";
import { readFiles } from "../../src/packages/read.ts";
import { listVolume } from "../../src/volume/list.ts";

/**
 * A folder that stands for the volume, with the given files on it; gone at the end of the block (`await
 * using`).
 */
export async function volume(files: Record<string, string | Buffer> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "bklite-volume-"));
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    await writeFile(join(dir, file), content);
  }
  return {
    dir,
    path: (file: string) => join(dir, file),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Lists and opens everything on the volume; throws what is wrong with it. */
export async function scan(dir: string): Promise<Archive[]> {
  const { files } = await listVolume(dir);
  const { archives, problems } = await readFiles(files);
  if (problems.length > 0) throw new ProblemError(problems);
  return archives;
}

/** The one archive on the volume, which is a controller's. */
export async function scanOne(dir: string): Promise<ControllerArchive> {
  const [archive, ...others] = await scan(dir);
  assert.ok(archive?.kind === "controller");
  assert.deepEqual(others, []);
  return archive;
}

/** An archive's SHA-256, if the scan has computed it. */
export function knownSha256({ digests, file }: Archive): string | undefined {
  return digests.files.get(file);
}

/** A problem with its words in English. */
export interface ProblemInWords {
  file: string;
  /** Of the catalog. */
  id: string;
  code: number;
  /** The cause: what continues the sentence that the file's name begins. */
  reason: string;
  hint: string;
}

/** What is wrong, whether it is returned as data or ends the work as an error. */
export async function problemsOf(work: Promise<unknown>): Promise<readonly ProblemInWords[]> {
  const found = (await work.then(problemsIn, problemsThrown)).map((problem) => {
    const { code, reason: id, message, hint } = describeProblem(problem, "en");
    return { file: problem.file, id, code, reason: message, hint };
  });
  assert.notEqual(found.length, 0, "nothing was refused");
  for (const { reason, hint } of found) {
    assert.match(reason, /^[\x20-\x7e\u00a0-\uffff]+$/, "one printable sentence fragment");
    assert.ok(hint.length > 10, "a hint that says what to do");
  }
  return found;
}

function problemsIn(result: unknown): readonly Problem[] {
  return (result as { problems?: Problem[] } | undefined)?.problems ?? [];
}

function problemsThrown(error: unknown): readonly Problem[] {
  if (error instanceof ProblemError) return error.problems;
  throw error;
}

/** The one thing that is wrong. */
export async function problemOf(work: Promise<unknown>): Promise<ProblemInWords> {
  const [problem, ...others] = await problemsOf(work);
  assert.ok(problem);
  assert.deepEqual(others, []);
  return problem;
}
