import { abortable } from "../async.ts";
import { collectProblem, type Problem, ProblemsError } from "../errors.ts";
import type { ScanContext } from "../job.ts";
import { startProgress } from "../output/progress.ts";
import { verifyArchive } from "../packages/inspect.ts";
import type { Archive } from "../packages/package.ts";
import type { Decision } from "./plan.ts";

/** Bytes up to which sending before the check is over would save next to nothing. */
const SHORT = 16 * 1024 * 1024;

/**
 * ARCHIVE_CHECK=full: reads every entry of the archives that are about to be uploaded, while the first of them may be on its way
 * already. Nothing is published before `settle` has returned, so a damaged archive leaves nothing behind.
 */
export class ArchiveChecks {
  readonly #job: Pick<ScanContext, "log" | "recorder">;
  readonly #archives: readonly Archive[];
  readonly #stop = new AbortController();
  readonly #failed = new AbortController();
  readonly #done: Promise<void>;
  readonly #total: number;
  #bytes = 0;
  #at: Archive | undefined;

  /** `checked` remembers across attempts. */
  constructor(
    job: Pick<ScanContext, "config" | "log" | "recorder">,
    decisions: readonly Decision[],
    checked: Set<Archive>,
    signal: AbortSignal,
  ) {
    this.#job = job;
    const uploads = decisions.filter(({ upload, conflict }) => upload && !conflict);
    const all = new Set(uploads.map(({ desired }) => desired.package.archive));
    const full = job.config.archiveCheck === "full";
    this.#archives = full ? [...all].filter((one) => one.format === "zip" && !checked.has(one)) : [];
    this.#total = this.#archives.reduce((sum, { size }) => sum + size, 0);
    const stop = AbortSignal.any([signal, this.#stop.signal]);
    this.#done = job.recorder.time("check", () => this.#check(checked, stop));
    this.#done.catch((error) => this.#failed.abort(error));
  }

  /** Aborted, with what is wrong with all archives, when the last of them has been read. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Where there is little to read, waits for it: then nothing at all is sent of what is damaged. */
  async settleShort(signal: AbortSignal): Promise<void> {
    if (this.#total <= SHORT) await this.settle(signal);
  }

  /** Waits until all are read, with progress. Throws exit 65 that names every damaged one. */
  async settle(signal: AbortSignal): Promise<void> {
    const file = this.#at?.file ?? this.#archives[0]?.file ?? "";
    const progress = startProgress(
      this.#job.log,
      { phase: "check", file, total: this.#total },
      () => this.#bytes,
    );
    try {
      await abortable(this.#done, signal);
    } finally {
      progress.end();
    }
  }

  /** Ends them, wherever they are; returns when no file is open any more. */
  async end(): Promise<void> {
    this.#stop.abort(new Error("no longer needed"));
    await this.#done.catch(() => {});
  }

  async #check(checked: Set<Archive>, signal: AbortSignal): Promise<void> {
    const problems: Problem[] = [];
    for (const archive of this.#archives) {
      this.#at = archive;
      await collectProblem(problems, async () => {
        await verifyArchive(archive, signal, (bytes) => {
          this.#bytes += bytes;
        });
        checked.add(archive);
      });
    }
    if (problems.length > 0) throw new ProblemsError(problems);
  }
}
