import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type PackageProblem, PackageProblemsError } from "../../src/errors.ts";
import type { Archive } from "../../src/packages/package.ts";
import { inspectVolume } from "../../src/packages/scan.ts";
import { listVolume } from "../../src/packages/volume.ts";

/** A folder that stands for the volume, with the given files on it; gone at the end of the block (`await using`). */
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

/** Lists and opens everything on the volume. */
export async function scan(dir: string): Promise<Archive[]> {
  const { files } = await listVolume(dir);
  return inspectVolume(files);
}

/** The one archive on the volume. */
export async function scanOne(dir: string): Promise<Archive> {
  const [archive, ...others] = await scan(dir);
  assert.ok(archive);
  assert.deepEqual(others, []);
  return archive;
}

/** What is wrong, as the error lists it. */
export async function problemsOf(work: Promise<unknown>): Promise<readonly PackageProblem[]> {
  const error = await work.then(
    () => assert.fail("nothing was refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PackageProblemsError)) throw error;
  for (const problem of error.problems) {
    assert.match(problem.reason, /^[\x20-\x7e\u00a0-\uffff]+$/, "one printable sentence fragment");
    assert.ok(problem.hint.length > 10, "a hint that says what to do");
  }
  return error.problems;
}

/** The one thing that is wrong. */
export async function problemOf(work: Promise<unknown>): Promise<PackageProblem> {
  const [problem, ...others] = await problemsOf(work);
  assert.ok(problem);
  assert.deepEqual(others, []);
  return problem;
}
