import { poll, until } from "../async.ts";
import { JobError } from "../errors.ts";
import { StoreLostError } from "./store-errors.ts";

/** Bytes, unless the caller says otherwise: chosen with `npm run bench`, see docs/performance.md. */
const IN_FLIGHT = 8 * 1024 * 1024;
/** Milliseconds that the bytes in flight may take: they cannot be recalled, and a stop has five seconds. */
const PACE = 1000;

/** Limits the unacknowledged bytes of all uploads of a connection, and knows when one last moved. */
export class InFlightBudget {
  readonly #limit: number;
  readonly #startedAt = performance.now();
  /** Acknowledgements of the last PACE milliseconds. */
  readonly #recent: { at: number; bytes: number }[] = [];
  readonly #waiting = new Set<() => void>();
  #bytes = 0;
  #movedAt = this.#startedAt;

  /** `limit` in bytes. */
  constructor(limit = IN_FLIGHT) {
    this.#limit = limit;
  }

  /** Bytes in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds since any of the uploads read something or had something acknowledged. */
  get idle(): number {
    return performance.now() - this.#movedAt;
  }

  /** Notes a read, even one for another upload than the one that waits. */
  touch(): void {
    this.#movedAt = performance.now();
  }

  /** Reserves space for a chunk if there is any; a slow connection always has enough for one chunk. */
  reserve(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes >= this.#allowed()) return false;
    if (this.#bytes === 0) this.touch();
    this.#bytes += bytes;
    return true;
  }

  /** Releases a chunk that is stored. */
  acknowledge(bytes: number): void {
    this.touch();
    this.#recent.push({ at: this.#movedAt, bytes });
    this.release(bytes);
  }

  /** Releases a chunk that was not stored. */
  release(bytes: number): void {
    this.#bytes -= bytes;
    for (const wake of this.#waiting) wake();
  }

  /** Calls `wake` when there may be space, until the returned function is called. */
  onRelease(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  #allowed(): number {
    const now = performance.now();
    while (this.#recent[0] && now - this.#recent[0].at > PACE) this.#recent.shift();
    const bytes = this.#recent.reduce((sum, ack) => sum + ack.bytes, 0);
    return Math.min(this.#limit, (bytes * PACE) / Math.min(PACE, now - this.#startedAt));
  }
}

interface WindowOptions {
  budget: InFlightBudget;
  /** Seconds without progress of any upload that shares the budget, after which they are given up. */
  stallSeconds: number;
  signal: AbortSignal;
  /** Resolves when the connection is closed. */
  closed: Promise<unknown>;
  /** Called with the bytes acknowledged so far. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Tracks one upload's chunks in flight. It notices what ends the upload: an error instead of an
 * acknowledgement, a lost connection, a stall, an abort. The next call throws the first of them.
 */
export class UploadWindow {
  readonly #options: WindowOptions;
  readonly #onAbort = () => this.#fail(this.#options.signal.reason);
  readonly #watch: NodeJS.Timeout;
  readonly #leave: () => void;
  #inFlight = 0;
  #acknowledged = 0;
  #lastSequence = 0;
  /** Chunks in the order in which they were sent, from the first that is not acknowledged. */
  readonly #sent: { sequence?: number }[] = [];
  #failure: { error: unknown } | undefined;
  readonly #failed = Promise.withResolvers<never>();
  #wake: (() => void) | undefined;

  constructor(options: WindowOptions) {
    this.#failed.promise.catch(() => {}); // the next call throws it
    this.#options = options;
    options.budget.touch();
    options.signal.addEventListener("abort", this.#onAbort);
    if (options.signal.aborted) this.#onAbort();
    failWhenClosed(options.closed, new WeakRef(this));
    this.#leave = options.budget.onRelease(() => this.#wake?.());
    this.#watch = setInterval(() => this.#checkStall(), 250);
  }

  /** Waits for a read until the upload fails: a network file system may hang for ever. */
  waitForRead<T>(read: Promise<T>): Promise<T> {
    return Promise.race([read, this.#failed.promise]);
  }

  /** Waits until a chunk of this many bytes may be sent, and reserves its space. */
  async reserve(bytes: number): Promise<void> {
    await this.#until(() => this.#options.budget.reserve(bytes));
  }

  /** Waits until every chunk is acknowledged. */
  async drain(): Promise<void> {
    await this.#until(() => this.#inFlight === 0);
  }

  /** Adds a chunk that is being sent; `sequence` resolves to its stream sequence. */
  add(bytes: number, sequence: Promise<number>): void {
    this.#inFlight += bytes;
    const chunk: { sequence?: number } = {};
    this.#sent.push(chunk);
    sequence.then(
      (value) => {
        chunk.sequence = value;
        this.#acknowledge(bytes);
      },
      (error) => {
        this.#inFlight -= bytes;
        this.#options.budget.release(bytes);
        this.#fail(error);
      },
    );
  }

  /** After a failure: gives the chunks in flight `ms` milliseconds to arrive before their purge. */
  async waitForStragglers(ms: number): Promise<void> {
    await poll(async () => this.#inFlight, {
      until: (inFlight) => inFlight === 0,
      backoff: until(performance.now() + ms, 20),
      signal: new AbortController().signal,
    });
  }

  /** Fails the upload: the connection is gone. */
  failAsClosed(): void {
    this.#fail(new StoreLostError("store.lost", { said: "it was closed during the upload" }));
  }

  close(): void {
    clearInterval(this.#watch);
    this.#leave();
    this.#options.signal.removeEventListener("abort", this.#onAbort);
  }

  #acknowledge(bytes: number): void {
    this.#inFlight -= bytes;
    this.#acknowledged += bytes;
    this.#checkOrder();
    this.#options.onProgress?.(this.#acknowledged);
    this.#options.budget.acknowledge(bytes);
  }

  /**
   * Fails if chunks are stored in another order than they were sent, as clients would download other bytes: a
   * cluster that changes its leader may do that.
   */
  #checkOrder(): void {
    for (let first = this.#sent[0]; first?.sequence !== undefined; first = this.#sent[0]) {
      if (first.sequence <= this.#lastSequence) {
        this.#fail(new StoreLostError("store.disorder", {}));
      }
      this.#lastSequence = first.sequence;
      this.#sent.shift();
    }
  }

  /** Uploads that share the budget share one clock: an upload that waits for another one has not stalled. */
  #checkStall(): void {
    const { stallSeconds: seconds, budget } = this.#options;
    if (budget.idle < seconds * 1000) return;
    this.#fail(
      budget.bytes > 0
        ? new StoreLostError("store.stalled", { seconds })
        : new JobError("store.reading.stalled", { seconds }),
    );
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#failed.reject(error);
    this.#wake?.();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!this.#failure && !holds()) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    if (this.#failure) throw this.#failure.error;
  }
}

/**
 * Tells a window when the connection closes, without keeping the window in memory: the promise of the
 * connection's end outlives all uploads, and a reaction that reaches the window would keep the blocks of
 * every upload. A closure inside the class would hold it too.
 */
function failWhenClosed(closed: Promise<unknown>, window: WeakRef<UploadWindow>): void {
  closed.then(() => window.deref()?.failAsClosed());
}
