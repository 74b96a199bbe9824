import { stat } from "node:fs/promises";
import { poll, until } from "../async.ts";
import { type Problem, ProblemError, problem } from "../errors.ts";
import type { ReasonId } from "../messages/catalog.ts";
import type { Located } from "./files.ts";
import type { FilePath } from "./paths.ts";

/** Milliseconds since its last change in which a file that is cut short may still be being copied. */
const YOUNG = 60_000;
/** Milliseconds between two reads of a growing file's size. */
const POLL = 250;
/** Milliseconds without a change after which it is read again. */
const QUIET = 1000;
/** Milliseconds without a change after which a file that looks damaged is damaged. */
const STILL = 5000;
/** Milliseconds before the first log line of a wait, and between two lines. */
const FIRST_LINE = 2000;
const LINE = 10_000;

/** Problems of a file that ends too early. */
const CUT_SHORT: ReadonlySet<ReasonId> = new Set<ReasonId>([
  "archive.empty",
  "file.changed",
  "gzip.truncated",
  "program.truncated",
  "tar.truncated",
  "zip.truncated",
]);
/**
 * Problems of a file that got its full length first and is being filled: it is damaged if nothing more is
 * written.
 */
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
  "signature.invalid",
  "signature.missing",
  "signature.unlisted",
]);

/** A wait for a file, in whole seconds. */
interface Wait {
  file: string;
  seconds: number;
  left: number;
}

type OnWait = (wait: Wait) => void;

export interface WaitOptions {
  signal?: AbortSignal;
  /** Seconds that a file is waited for in all; none unless given. */
  patience?: number;
  onWait?: OnWait;
}

/**
 * Reads a file that may still be being written. If it changes, or is cut short and young, waits until it has
 * been quiet for a moment and reads it again; throws exit 74 when `patience` is over. The same goes for the
 * files that a problem names: its checksum file, a file in its folder. A value that `isNeeded` denies is
 * returned without a wait.
 */
export async function whenComplete<T>(
  file: Located,
  read: () => Promise<T>,
  { signal = new AbortController().signal, patience = 0, onWait = () => {} }: WaitOptions,
  isNeeded: (value: T) => boolean = () => true,
): Promise<T> {
  let wait: FileWait | undefined;
  for (;;) {
    const readAt = Date.now();
    const result = await read().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    if ("value" in result && !isNeeded(result.value)) return result.value;
    const error = "error" in result ? result.error : undefined;
    if (error !== undefined && !(error instanceof ProblemError)) throw error;
    const found = error?.problems[0];
    if (patience > 0 && (await mayBeGrowing(file, found))) {
      wait ??= new FileWait({ file: found?.file ?? file.file, patience, onWait, signal });
      const end = await wait.forQuiet(pathsOf(file, found), readAt, stillness(found));
      if (end === "changed") continue;
      if (end === "moving" || (found && CUT_SHORT.has(found.reason))) throw wait.over();
    }
    if (error !== undefined) throw error;
    if ("value" in result) return result.value;
  }
}

/** Whether the file may be being written, after a read that found this problem, or none. */
async function mayBeGrowing(file: Located, found: Problem | undefined): Promise<boolean> {
  const [own] = await statAll([file.path]);
  if (!found) return own !== undefined && isRecent(Number(own.ctimeMs), QUIET);
  if (found.reason === "file.changed") return true;
  if (!CUT_SHORT.has(found.reason) && !UNFILLED.has(found.reason) && !isCut(found)) return false;
  const stats = await statAll(pathsOf(file, found));
  return stats.some((one) => one?.isFile() && isRecent(Number(one.mtimeMs), YOUNG, YOUNG));
}

/** Returns how many milliseconds to wait for a change: for a file that is cut short, to the end. */
function stillness(found: Problem | undefined): number {
  if (!found) return 0;
  return CUT_SHORT.has(found.reason) ? Number.POSITIVE_INFINITY : STILL;
}

/** Whether a time is at most `past` ms ago, or `future` ms ahead, for clocks that differ. */
function isRecent(time: number, past: number, future = 0): boolean {
  const age = Date.now() - time;
  return age < past && age >= -future;
}

/** Whether a text ends in the middle. */
function isCut(found: Problem): boolean {
  return (found.reason === "checksum.line" || found.reason === "manifest.json") && found.params.cut === true;
}

/**
 * Returns the paths of a problem's files: the one that was read, the one that it names, the list that
 * contradicts it.
 */
function pathsOf({ file, path }: Located, found: Problem | undefined): FilePath[] {
  if (!found || typeof path !== "string" || !path.endsWith(file)) return [path];
  const root = path.slice(0, path.length - file.length);
  const named = [found.file, ...(found.reason === "checksum.mismatch" ? [found.params.from] : [])];
  return [path, ...named.map((one) => root + one)];
}

function statAll(paths: readonly FilePath[]) {
  return Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => undefined)));
}

/** The wait for a file; it goes on when the file is read again. */
class FileWait {
  readonly #options: { file: string; patience: number; onWait: OnWait; signal: AbortSignal };
  readonly #startedAt = performance.now();
  #nextLine = FIRST_LINE;

  constructor(options: { file: string; patience: number; onWait: OnWait; signal: AbortSignal }) {
    this.#options = options;
  }

  /**
   * Waits until the files have been quiet for a moment, after a change or `still` ms without one. `changed`:
   * they changed since `readAt`, when the read began, and are quiet now; `moving`: the time is over first;
   * `same`: nothing changed.
   */
  async forQuiet(
    paths: readonly FilePath[],
    readAt: number,
    still: number,
  ): Promise<"changed" | "moving" | "same"> {
    const startedAt = performance.now();
    const first = await statAll(paths);
    const meanwhile = first.some((one) => one && one.ctimeMs >= readAt && one.ctimeMs <= Date.now());
    const original = textOf(first);
    let last = original;
    const age = Date.now() - Math.max(...first.map((one) => Number(one?.ctimeMs ?? 0)));
    let lastAt = performance.now() - Math.min(Math.max(age, 0), QUIET);
    await poll(
      async () => {
        this.#logIfDue();
        const now = textOf(await statAll(paths));
        if (now !== last) lastAt = performance.now();
        last = now;
      },
      {
        until: () => {
          const now = performance.now();
          return now - lastAt >= QUIET && (meanwhile || last !== original || now - startedAt >= still);
        },
        backoff: until(this.#startedAt + this.#options.patience * 1000, POLL),
        signal: this.#options.signal,
      },
    );
    if (!meanwhile && last === original) return "same";
    return performance.now() - lastAt >= QUIET && this.#left() > 0 ? "changed" : "moving";
  }

  over(): ProblemError {
    return problem(this.#options.file, "file.growing", { seconds: Math.round(this.#waited() / 1000) });
  }

  #waited(): number {
    return performance.now() - this.#startedAt;
  }

  #left(): number {
    return this.#options.patience * 1000 - this.#waited();
  }

  #logIfDue(): void {
    const waited = this.#waited();
    if (waited < this.#nextLine) return;
    this.#nextLine = waited + LINE;
    const [seconds, left] = [waited, Math.max(0, this.#left())].map((ms) => Math.round(ms / 1000));
    this.#options.onWait({ file: this.#options.file, seconds: seconds ?? 0, left: left ?? 0 });
  }
}

function textOf(found: Awaited<ReturnType<typeof statAll>>): string {
  return found.map((one) => `${one?.ino}:${one?.size}:${one?.mtimeNs}:${one?.ctimeNs}`).join();
}
