import { setTimeout as sleep } from "node:timers/promises";
import type { Source } from "../archive/source.ts";
import type { ZipLocation } from "../archive/types.ts";
import { abortable } from "../async.ts";
import { collectProblem, type Problem, ProblemsError } from "../errors.ts";
import type { ScanContext } from "../job.ts";
import { startProgress } from "../output/progress.ts";
import { lanesFor } from "../packages/form.ts";
import { verifyArchive } from "../packages/inspect.ts";
import type { Archive, Package } from "../packages/package.ts";
import type { Decision } from "./plan.ts";
import { Proofs, type Watched } from "./proofs.ts";

/** Bytes up to which sending before the check is over would save next to nothing. */
const SHORT = 16 * 1024 * 1024;
/** Milliseconds that entries may take to be proved by being sent. On a slower line there is time to read them twice, and damage is heard of soon. */
const PATIENCE = 5000;

export interface ChecksOptions {
  /** Whether what is decided is going to be sent, with `watch`: then that proves some entries. */
  sends: boolean;
  signal: AbortSignal;
}

/**
 * ARCHIVE_CHECK=full: reads every entry of the archives that are about to be uploaded, while the first of them may be on its way
 * already. Nothing is published before `settle` has returned, so a damaged archive leaves nothing behind. An archive that was found whole has
 * its `fileDigests`, and is not read again in another attempt.
 */
export class ArchiveChecks {
  readonly #job: Pick<ScanContext, "log" | "recorder">;
  readonly #archives: readonly Archive[];
  readonly #proofs: Proofs | undefined;
  readonly #stop = new AbortController();
  readonly #failed = new AbortController();
  readonly #done: Promise<void>;
  readonly #total: number;
  #bytes = 0;
  #at: Archive | undefined;
  #shown: Promise<void> | undefined;

  constructor(
    job: Pick<ScanContext, "config" | "log" | "recorder">,
    decisions: readonly Decision[],
    { sends, signal }: ChecksOptions,
  ) {
    this.#job = job;
    const uploads = decisions.filter(({ upload, conflict }) => upload && !conflict);
    const all = new Set(uploads.map(({ desired }) => desired.package.archive));
    const full = job.config.archiveCheck === "full";
    this.#archives = full ? [...all].filter((one) => one.format === "zip" && !one.fileDigests) : [];
    this.#total = this.#archives.reduce((sum, { size }) => sum + size, 0);
    if (sends && this.#total > SHORT) this.#proofs = proofsOf(uploads, this.#archives);
    const stop = AbortSignal.any([signal, this.#stop.signal]);
    this.#done = this.#check(stop);
    this.#done.catch((error) => this.#failed.abort(error));
  }

  /** Aborted, with what is wrong with all archives, when the last of them has been read. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** The sources of what comes out of one archive, to be sent from: whatever proves an entry is seen. */
  watch(sources: ReadonlyMap<Package, Source>): Watched {
    const packages = [...sources.keys()];
    const proofs = packages[0]?.archive === this.#proofs?.archive ? this.#proofs : undefined;
    if (!proofs) return { sources, lanes: lanesFor(packages) };
    return proofs.watch(sources, { onProved: this.#count, verdict: () => this.#done });
  }

  /** Where there is little to read, waits for it: then nothing at all is sent of what is damaged. */
  async settleShort(signal: AbortSignal): Promise<void> {
    if (this.#total <= SHORT) await this.settle(signal);
  }

  /** Waits until all are read, with progress. Throws exit 65 that names every damaged one. */
  async settle(signal: AbortSignal): Promise<void> {
    this.#shown ??= this.#show();
    await abortable(this.#shown, signal);
  }

  /** Ends them, wherever they are; returns when no file is open any more. */
  async end(): Promise<void> {
    this.#stop.abort(new Error("no longer needed"));
    await this.#done.catch(() => {});
  }

  async #show(): Promise<void> {
    const file = this.#at?.file ?? this.#archives[0]?.file ?? "";
    const progress = startProgress(
      this.#job.log,
      { phase: "check", file, total: this.#total },
      () => this.#bytes,
    );
    await this.#done.finally(() => progress.end());
  }

  async #check(signal: AbortSignal): Promise<void> {
    const problems: Problem[] = [];
    const proofs = this.#proofs;
    const isSound = async (
      archive: Archive,
      digests: Map<number, string>,
      skip: (at: ZipLocation) => boolean,
    ) => {
      this.#at = archive;
      const onFile = ({ offset }: ZipLocation, sha256: string) => digests.set(offset, sha256);
      const before = problems.length;
      await collectProblem(problems, () =>
        this.#job.recorder.time("check", () =>
          verifyArchive(archive, signal, { onBytes: this.#count, onFile, skip }),
        ),
      );
      return problems.length === before;
    };
    let awaited = proofs;
    for (const archive of this.#archives) {
      const own = archive === proofs?.archive ? proofs : undefined;
      const digests = own?.digests ?? new Map<number, string>();
      const sound = await isSound(archive, digests, (at) => own?.isOpen(at) ?? false);
      if (own) awaited = sound ? own : undefined;
      else if (sound) archive.fileDigests = digests;
    }
    if (awaited) {
      // where something is wrong anyway, nothing is sent any more
      if (problems.length === 0) {
        await abortable(Promise.race([awaited.ended, sleep(PATIENCE, undefined, { ref: false })]), signal);
      }
      const rest = awaited.takeRest();
      const { archive, digests } = awaited;
      const sound = rest.size === 0 || (await isSound(archive, digests, (at) => !rest.has(at.offset)));
      if (sound) archive.fileDigests = digests;
    }
    if (problems.length > 0) throw new ProblemsError(problems);
  }

  readonly #count = (bytes: number) => {
    this.#bytes += bytes;
  };
}

/**
 * What is going to be proved by being sent: of the first archive only, for nothing of it is published before the others are judged too. And only
 * where it takes the place of nothing: the room of what is replaced would be free again only when all of it has been sent.
 */
function proofsOf(uploads: readonly Decision[], archives: readonly Archive[]): Proofs | undefined {
  const first = uploads[0]?.desired.package.archive;
  const group = uploads.filter(({ desired }) => desired.package.archive === first);
  if (!first || first !== archives[0] || group.some(({ stored }) => stored)) return undefined;
  return new Proofs(
    first,
    group.map(({ desired }) => desired.package),
  );
}
