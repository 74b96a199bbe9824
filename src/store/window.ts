import { JobError } from "../errors.ts";
import { StoreLostError } from "./errors.ts";
import type { Flight } from "./flight.ts";

export interface WindowOptions {
  /** Bounds the bytes that are sent and not yet acknowledged; shared by uploads that run at the same time. */
  flight: Flight;
  /** Seconds without an acknowledgement after which the upload is given up. */
  stallSeconds: number;
  signal: AbortSignal;
  /** Resolves when the connection is closed. */
  closed: Promise<unknown>;
  /** When the source last gave anything, to whomever, as by performance.now(). */
  readAt?: (() => number) | undefined;
  /** Called with the bytes acknowledged so far. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * One upload's part of the bytes in flight. Notices whatever ends the upload: an error in an acknowledgement, a lost
 * connection, a stall, an abort. The first of them is thrown by the next call.
 */
export class Window {
  readonly #options: WindowOptions;
  readonly #onAbort = () => this.#fail(this.#options.signal.reason);
  readonly #watch: NodeJS.Timeout;
  readonly #leave: () => void;
  #inFlight = 0;
  #acknowledged = 0;
  #lastSequence = 0;
  /** Chunks in the order of their sending, from the first that is not acknowledged. */
  readonly #sent: { sequence?: number }[] = [];
  #movedAt = performance.now();
  /** Whether a chunk waits for room. */
  #waits = false;
  #failure: { error: unknown } | undefined;
  readonly #failed = Promise.withResolvers<never>();
  #wake: (() => void) | undefined;

  constructor(options: WindowOptions) {
    this.#failed.promise.catch(() => {}); // seen by whoever waits
    this.#options = options;
    options.signal.addEventListener("abort", this.#onAbort);
    if (options.signal.aborted) this.#onAbort();
    failWhenClosed(options.closed, new WeakRef(this));
    this.#leave = options.flight.whenRoom(() => this.#wake?.());
    this.#watch = setInterval(() => this.#checkStall(), 250);
  }

  /** Waits for a read, but not longer than the upload lives: a network file system may hang for ever. */
  guard<T>(read: Promise<T>): Promise<T> {
    return Promise.race([read, this.#failed.promise]);
  }

  /** Waits until a chunk of so many bytes may be sent, and has its room. */
  async admit(bytes: number): Promise<void> {
    this.#waits = true;
    await this.#until(() => this.#options.flight.take(bytes));
    this.#waits = false;
  }

  /** Waits until everything sent is acknowledged. */
  async drain(): Promise<void> {
    await this.#until(() => this.#inFlight === 0);
  }

  /** Takes a chunk that was admitted and is sent; `sequence` is the promise of its place in the stream. */
  add(bytes: number, sequence: Promise<number>): void {
    if (this.#inFlight === 0) this.#movedAt = performance.now();
    this.#inFlight += bytes;
    const chunk: { sequence?: number } = {};
    this.#sent.push(chunk);
    sequence.then(
      (value) => {
        chunk.sequence = value;
        this.#acknowledge(bytes, value);
      },
      (error) => {
        this.#inFlight -= bytes;
        this.#options.flight.drop(bytes);
        this.#fail(error);
      },
    );
  }

  /** After a failure: gives what is on its way `ms` milliseconds to arrive, so that a purge comes after it. */
  async settle(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (this.#inFlight > 0 && performance.now() < until) await new Promise((done) => setTimeout(done, 20));
  }

  /** The connection is gone. */
  lose(): void {
    this.#fail(new StoreLostError("store.lost", { said: "it was closed during the upload" }));
  }

  close(): void {
    clearInterval(this.#watch);
    this.#leave();
    this.#options.signal.removeEventListener("abort", this.#onAbort);
  }

  #acknowledge(bytes: number, sequence: number): void {
    this.#inFlight -= bytes;
    this.#acknowledged += bytes;
    this.#movedAt = performance.now();
    this.#checkOrder();
    this.#options.onProgress?.(this.#acknowledged);
    this.#options.flight.acknowledge(bytes, sequence);
  }

  /** Chunks must be stored in the order of their sending, or a reader gets other bytes; while a cluster changes its leader they may not be. */
  #checkOrder(): void {
    for (let first = this.#sent[0]; first?.sequence !== undefined; first = this.#sent[0]) {
      if (first.sequence <= this.#lastSequence) {
        this.#fail(new StoreLostError("store.disorder", {}));
      }
      this.#lastSequence = first.sequence;
      this.#sent.shift();
    }
  }

  #checkStall(): void {
    const { stallSeconds, flight, readAt } = this.#options;
    const sent = this.#inFlight > 0 || this.#waits;
    // While others' chunks have the room, or the source gives to others, this upload has not been forgotten.
    const others = this.#inFlight > 0 ? 0 : this.#waits ? flight.movedAt : (readAt?.() ?? 0);
    if (performance.now() - Math.max(this.#movedAt, others) < stallSeconds * 1000) return;
    const params = { seconds: stallSeconds };
    this.#fail(
      sent ? new StoreLostError("store.stalled", params) : new JobError("store.reading.stalled", params),
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
 * The promise of the connection's end outlives all uploads, and keeps whatever its reactions can reach: with the window itself that would be
 * the blocks of every upload. Not a closure of the window's own, whose scope would hold it again.
 */
function failWhenClosed(closed: Promise<unknown>, window: WeakRef<Window>): void {
  closed.then(() => window.deref()?.lose());
}
