/** Where a zip's entries lie in the file: flat arrays, for there may be a million of them. */
export class Spans {
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  #count = 0;

  /** `capacity`: as many as there can be, or more. */
  constructor(capacity: number) {
    this.#starts = new Float64Array(capacity);
    this.#ends = new Float64Array(capacity);
  }

  add(start: number, end: number): void {
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#count++;
  }

  /**
   * Sorts, and returns the start of a span that begins before another has ended. Starts and ends may be sorted apart:
   * spans are disjoint if, and only if, the nth end never lies behind the start after it.
   */
  overlap(): number | undefined {
    this.#starts.subarray(0, this.#count).sort();
    this.#ends.subarray(0, this.#count).sort();
    for (let i = 1; i < this.#count; i++) {
      const start = this.#starts[i] ?? 0;
      if ((this.#ends[i - 1] ?? 0) > start) return start;
    }
    return undefined;
  }

  /** After `overlap`: the first start behind the given one. */
  after(start: number): number | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) > start) high = middle;
      else low = middle + 1;
    }
    return low < this.#count ? this.#starts[low] : undefined;
  }
}
