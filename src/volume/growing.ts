import { stat } from "node:fs/promises";
import { createLineClock, poll, until } from "../async.ts";
import { collectProblem, type Problem, ProblemError, problem } from "../errors.ts";
import type { ReasonId } from "../messages/catalog.ts";
import type { Located } from "./files.ts";
import type { FilePath } from "./paths.ts";

/** Milliseconds since its last change in which a file that is cut short may still be being copied. */
const YOUNG = 60_000;
/** Milliseconds between two reads of a growing file's size. */
const POLL = 250;
/** Milliseconds without a change after which it is read again. */
const QUIET = 1000;
/** Milliseconds before the first log line of a wait. */
const FIRST_LINE = 2000;

/** Milliseconds for a file that ends too early: it is waited for until the time is over. */
const TO_THE_END = Number.POSITIVE_INFINITY;
/** Milliseconds for a file that got its full length first: if nothing is written meanwhile it is damaged. */
const FILLED = 5000;
/** How long a file with this problem is watched for a change, if nothing changes. */
const WATCHED: { [reason in ReasonId]?: number } = {
  "archive.empty": TO_THE_END,
  "file.changed": TO_THE_END,
  "gzip.truncated": TO_THE_END,
  "program.truncated": TO_THE_END,
  "tar.truncated": TO_THE_END,
  "zip.truncated": TO_THE_END,
  "archive.kind.zeros": FILLED,
  "gzip.damaged": FILLED,
  "program.kind": FILLED,
  "tar.header": FILLED,
  "zip.end": FILLED,
  "zip.directory": FILLED,
  "zip.header.missing": FILLED,
  "checksum.empty": FILLED,
  "checksum.mismatch": FILLED,
  "signature.invalid": FILLED,
  "signature.missing": FILLED,
  "signature.unlisted": FILLED,
};

export interface WaitOptions {
  signal?: AbortSignal;
  /** Seconds that a file is waited for in all; none unless given. */
  patience?: number;
  /** Receives, in whole seconds, how long a file has been waited for. */
  onWait?: (wait: { file: string; seconds: number; left: number }) => void;
}

/**
 * Reads a file that may still be being written. If it, or a file that its problem names, changes or is cut
 * short and young, waits until that has been quiet for a moment and reads it again; throws exit 74 when
 * `patience` is over. A value that `isNeeded` denies is returned without a wait.
 */
export async function whenComplete<T>(
  file: Located,
  read: () => Promise<T>,
  { signal = new AbortController().signal, patience = 0, onWait }: WaitOptions,
  isNeeded: (value: T) => boolean = () => true,
): Promise<T> {
  let wait: Wait | undefined;
  for (;;) {
    const readAt = Date.now();
    const problems: Problem[] = [];
    const value = (await collectProblem(problems, read)) as T;
    const [found] = problems;
    if (!found && !isNeeded(value)) return value;
    const still = found ? stillness(found) : 0;
    if (patience > 0 && still !== undefined && (await mayBeGrowing(file, found))) {
      wait ??= createWait(found?.file ?? file.file, patience, onWait);
      const end = await untilQuiet(pathsOf(file, found), { wait, readAt, still, signal });
      if (end === "changed") continue;
      if (end === "moving" || still === TO_THE_END)
        throw problem(wait.file, "file.growing", { seconds: wait.seconds() });
    }
    if (problems.length > 0) throw new ProblemError(problems);
    return value;
  }
}

/** Returns how long a file with this problem is watched for a change; undefined: waiting cannot help. */
function stillness(found: Problem): number | undefined {
  // a text that ends in the middle
  const isText = found.reason === "checksum.line" || found.reason === "manifest.json";
  return isText && found.params.cut ? FILLED : WATCHED[found.reason];
}

/** Whether the file may be being written, after a read that found this problem, or none. */
async function mayBeGrowing(file: Located, found: Problem | undefined): Promise<boolean> {
  if (found?.reason === "file.changed") return true;
  const stats = await statAll(pathsOf(file, found));
  if (!found) return stats.some((one) => one && isRecent(one.ctimeMs, QUIET));
  return stats.some((one) => one?.isFile() && isRecent(one.mtimeMs, YOUNG, YOUNG));
}

/** Whether a time is at most `past` ms ago, or `future` ms ahead, for clocks that differ. */
function isRecent(time: number, past: number, future = 1): boolean {
  const age = Date.now() - time;
  return age < past && age > -future;
}

/** Returns the paths of the file that was read, of the one that its problem names, and of the list. */
function pathsOf({ file, path }: Located, found: Problem | undefined): FilePath[] {
  if (!found || typeof path !== "string" || !path.endsWith(file)) return [path];
  const root = path.slice(0, path.length - file.length);
  const named = [found.file, ...(found.reason === "checksum.mismatch" ? [found.params.from] : [])];
  return [path, ...named.map((one) => root + one)];
}

function statAll(paths: readonly FilePath[]) {
  return Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
}

/** The wait for a file; it goes on when the file is read again. */
type Wait = ReturnType<typeof createWait>;

function createWait(file: string, patience: number, onWait: WaitOptions["onWait"]) {
  const startedAt = performance.now();
  const isDue = createLineClock();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  return {
    file,
    deadline: startedAt + patience * 1000,
    seconds,
    logIfDue: () => {
      if (performance.now() - startedAt < FIRST_LINE || !isDue(file)) return;
      onWait?.({ file, seconds: seconds(), left: Math.max(0, Math.round(patience) - seconds()) });
    },
  };
}

/**
 * Waits until the files have been quiet for a moment, after a change or `still` ms without one. `changed`:
 * they changed since `readAt`, when the read began, and are quiet now; `moving`: the time is over first;
 * `same`: nothing changed.
 */
async function untilQuiet(
  paths: readonly FilePath[],
  { wait, readAt, still, signal }: { wait: Wait; readAt: number; still: number; signal: AbortSignal },
): Promise<"changed" | "moving" | "same"> {
  const startedAt = performance.now();
  const first = await statAll(paths);
  let last = textOf(first);
  let hasChanged = first.some((one) => one && one.ctimeMs >= readAt && one.ctimeMs < Date.now() + 1);
  const age = Date.now() - Math.max(...first.map((one) => one?.ctimeMs ?? 0));
  let changedAt = startedAt - Math.min(Math.max(age, 0), QUIET);
  const isQuiet = () => performance.now() - changedAt >= QUIET;
  await poll(
    async () => {
      wait.logIfDue();
      const now = textOf(await statAll(paths));
      if (now === last) return;
      [last, hasChanged, changedAt] = [now, true, performance.now()];
    },
    {
      until: () => isQuiet() && (hasChanged || performance.now() - startedAt >= still),
      backoff: until(wait.deadline, POLL),
      signal,
    },
  );
  if (!hasChanged) return "same";
  return isQuiet() && performance.now() < wait.deadline ? "changed" : "moving";
}

function textOf(found: Awaited<ReturnType<typeof statAll>>): string {
  return found.map((one) => `${one?.ino}:${one?.size}:${one?.mtimeMs}:${one?.ctimeMs}`).join();
}
