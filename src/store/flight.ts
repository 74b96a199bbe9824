/** Bytes, unless the caller says otherwise: chosen with `npm run bench`, see docs/performance.md. */
const IN_FLIGHT = 8 * 1024 * 1024;
/** Milliseconds of the line's own pace that may be in flight: what is on its way cannot be called back, and a stop has five seconds in all. */
const PACE = 1000;

/** Chunks whose places in the stream are remembered: more than can be in flight. */
const REMEMBERED = 256;

/** Bytes that are sent and not yet acknowledged, of one upload or of several that go over the same line. */
export class Flight {
  readonly #limit: number;
  readonly #startedAt = performance.now();
  /** What was acknowledged in the last PACE milliseconds. */
  readonly #recent: { at: number; bytes: number }[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #stored: number[] = [];
  #bytes = 0;
  /** When the last chunk was acknowledged, as by performance.now(). */
  movedAt = this.#startedAt;

  /** `limit` in bytes. */
  constructor(limit = IN_FLIGHT) {
    this.#limit = limit;
  }

  /** Takes room for a chunk, if there is any: on a slow line there is less, but always for one. */
  take(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes >= this.#allowed()) return false;
    if (this.#bytes === 0) this.movedAt = performance.now();
    this.#bytes += bytes;
    return true;
  }

  /** A chunk has arrived, and has this place in the stream. */
  acknowledge(bytes: number, sequence: number): void {
    this.#stored.push(sequence);
    if (this.#stored.length > REMEMBERED) this.#stored.shift();
    this.movedAt = performance.now();
    this.#recent.push({ at: this.movedAt, bytes });
    this.drop(bytes);
  }

  /** Bytes that are not on their way any more, and have not arrived. */
  drop(bytes: number): void {
    this.#bytes -= bytes;
    for (const wake of this.#waiting) wake();
  }

  /** Whether one of the chunks that arrived of late has this place in the stream. */
  holds(sequence: number): boolean {
    return this.#stored.includes(sequence);
  }

  /** `wake` is called whenever there may be room, until the function that is returned has been. */
  whenRoom(wake: () => void): () => void {
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
