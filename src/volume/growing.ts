import { stat } from "node:fs/promises";
import { poll } from "../async.ts";
import { type Problem, ProblemError, problem } from "../errors.ts";
import type { ReasonId } from "../reasons/catalog.ts";
import type { VolumeFile } from "./file.ts";

/** Milliseconds within which a file that is cut short may still be on its way. */
const YOUNG = 60_000;
/** Milliseconds between two looks at a file that grows. */
const POLL = 500;
/** Milliseconds without a change after which it is read again. */
const QUIET = 1000;

/** What says that a file ends too early. */
const CUT_SHORT: ReadonlySet<ReasonId> = new Set<ReasonId>([
  "archive.empty",
  "file.changed",
  "gzip.truncated",
  "program.truncated",
  "tar.truncated",
  "zip.truncated",
]);
/** What a file may look like that had its length from the start, and is being filled: waited for, but damage if nothing more comes. */
const UNFILLED: ReadonlySet<ReasonId> = new Set<ReasonId>([
  "archive.kind.zeros",
  "gzip.damaged",
  "program.kind",
  "tar.header",
  "zip.end",
  "zip.directory",
  "zip.header.missing",
  "checksum.empty",
  "checksum.mismatch",
]);

export interface Patience {
  signal?: AbortSignal;
  /** Seconds that are waited, from the file's last change on. */
  patience?: number;
}

type Located = Pick<VolumeFile, "file" | "path">;

/**
 * Reads a file that may still be being written: where it is cut short and young, or changes, it is waited for until it is complete, and
 * then exit 74: nothing can be said of it yet. So is what belongs to it: its checksum file, a file in its folder.
 */
export async function whenComplete<T>(
  file: Located,
  read: () => Promise<T>,
  { signal = new AbortController().signal, patience = 0 }: Patience,
): Promise<T> {
  const started = performance.now();
  for (;;) {
    const readAt = Date.now();
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ProblemError) || patience <= 0) throw error;
      const { reason } = error;
      const unfinished = CUT_SHORT.has(reason) || UNFILLED.has(reason) || isCut(error.problem);
      const paths = concerned(file, error.problem);
      if (!unfinished || !(reason === "file.changed" || (await isAnyYoung(paths)))) throw error;
      if (await changesWithin(paths, readAt, patience * 1000, signal)) continue;
      if (!CUT_SHORT.has(reason)) throw error;
      const seconds = Math.round((performance.now() - started) / 1000);
      throw problem(error.problem.file, "file.growing", { seconds });
    }
  }
}

/** A text that breaks off. */
function isCut(found: Problem): boolean {
  return (found.reason === "checksum.line" || found.reason === "manifest.json") && found.params.cut === true;
}

/** Where the files lie that a problem is about: the one that was read, the one that it names, the list that contradicts it. */
function concerned({ file, path }: Located, found: Problem): string[] {
  const root = path.endsWith(file) ? path.slice(0, path.length - file.length) : undefined;
  const named = [found.file, ...(found.reason === "checksum.mismatch" ? [found.params.from] : [])];
  return [path, ...(root === undefined ? [] : named.map((one) => root + one))];
}

async function isAnyYoung(paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && Date.now() - found.mtimeMs < YOUNG && found.mtimeMs - Date.now() < YOUNG)
      return true;
  }
  return false;
}

/**
 * Waits for a change, and then until it has been quiet for a moment. False: nothing changed, not since `readAt` either, which is when the
 * read that failed began.
 */
async function changesWithin(
  paths: readonly string[],
  readAt: number,
  limit: number,
  signal: AbortSignal,
): Promise<boolean> {
  const stats = () => Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  const text = (found: Awaited<ReturnType<typeof stats>>) =>
    found.map((one) => `${one?.size}:${one?.mtimeNs}:${one?.ctimeNs}`).join();
  const look = async () => text(await stats());
  const found = await stats();
  const meanwhile = found.some((one) => one && one.ctimeMs >= readAt && one.ctimeMs <= Date.now());
  let last = text(found);
  const first = meanwhile ? undefined : last;
  let lastAt = performance.now();
  await poll(
    async () => {
      const now = await look();
      if (now !== last) lastAt = performance.now();
      last = now;
      return now;
    },
    {
      until: (now) => now !== first && performance.now() - lastAt >= QUIET,
      backoff: () => (performance.now() - lastAt < limit ? POLL : undefined),
      signal,
    },
  );
  return last !== first;
}
