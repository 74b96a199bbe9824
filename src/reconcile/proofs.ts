import { createHash } from "node:crypto";
import type { Source } from "../archive/source.ts";
import type { ZipLocation } from "../archive/types.ts";
import { type Place, Queue } from "../async.ts";
import { ProblemError } from "../errors.ts";
import { provedEntry } from "../packages/form.ts";
import type { Archive, Package } from "../packages/package.ts";

/** The sources of what comes out of one archive, and how many of them are to be taken at the same time. */
export interface Watched {
  sources: ReadonlyMap<Package, Source>;
  lanes: number;
}

export interface Judges {
  /** Told of packed bytes. */
  onProved: (bytes: number) => void;
  /** Awaited when an entry turns out to be damaged: what it throws says so of all archives. */
  verdict: () => Promise<void>;
}

/**
 * Entries of a zip that are packages of their own: sending them inflates them and compares them with the directory, so that a check need
 * not do it as well. Knows which of them are not proved yet, and whether somebody is going to.
 */
export class Proofs {
  readonly archive: Archive;
  /** SHA-256 of each entry that is proved, here or by the check of the others, by where it lies in the file. */
  readonly digests = new Map<number, string>();
  /** What is not proved, by where it lies in the file: its packed bytes, and who may still prove it. */
  readonly #open = new Map<number, { bytes: number; senders: Set<Package> }>();
  readonly #ended = Promise.withResolvers<void>();

  /** `packages`: all that is going to be sent of the archive. */
  constructor(archive: Archive, packages: readonly Package[]) {
    this.archive = archive;
    for (const pkg of packages) {
      const at = provedEntry(pkg);
      if (!at) continue;
      const open = this.#open.get(at.offset) ?? { bytes: at.compressedSize, senders: new Set() };
      open.senders.add(pkg);
      this.#open.set(at.offset, open);
    }
    this.#look();
  }

  isOpen({ offset }: ZipLocation): boolean {
    return this.#open.has(offset);
  }

  /** The offsets of those that are open, which somebody else is going to prove from now on. */
  takeRest(): Set<number> {
    const offsets = new Set(this.#open.keys());
    this.#open.clear();
    return offsets;
  }

  /** Resolves when each entry is proved, or nobody is going to prove those that are left, or one is damaged: then the others are not waited for. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * The packages' sources, watched. None of them is published before the last entry is proved, so all have to be taken at the same time; they
   * are sent one after the other, so that each sees how much room those before have left.
   */
  watch(sources: ReadonlyMap<Package, Source>, judges: Judges): Watched {
    const queue = new Queue();
    const watched = new Map(
      [...sources].map(([pkg, source]) => [pkg, this.#watch(pkg, source, queue.place(), judges)]),
    );
    return { sources: watched, lanes: watched.size };
  }

  #watch(pkg: Package, source: Source, place: Place, { onProved, verdict }: Judges): Source {
    const at = provedEntry(pkg);
    const open = at && this.#open.get(at.offset);
    const leave = () => {
      place.leave();
      open?.senders.delete(pkg);
      this.#look();
    };
    const prove = (sha256: string) => {
      if (!at || !open) return;
      this.digests.set(at.offset, sha256);
      if (this.#open.delete(at.offset)) onProved(open.bytes);
    };
    const endAll = this.#ended.resolve;
    let isJudged = false;
    return {
      ...source,
      turn: place.enter,
      async *blocks(blockSize, signal) {
        try {
          const hash = createHash("sha256");
          for await (const block of source.blocks(blockSize, signal)) {
            if (open) hash.update(block);
            yield block;
          }
          prove(hash.digest("hex"));
        } catch (error) {
          leave();
          if (error instanceof ProblemError) {
            isJudged = true;
            endAll();
            await verdict();
          }
          throw error;
        } finally {
          leave();
        }
      },
      readAt: () => (isJudged ? performance.now() : (source.readAt?.() ?? 0)),
      release() {
        source.release?.();
        leave();
      },
    };
  }

  #look(): void {
    if ([...this.#open.values()].every(({ senders }) => senders.size === 0)) this.#ended.resolve();
  }
}
