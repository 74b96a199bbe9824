import { LANES } from "./deflate.ts";

/**
 * Blocks on their way, in their order: while some are being deflated and the first is being written, the next are read. Their buffers
 * take turns, so that there are never more than these.
 */
export class Line {
  readonly #slots: { buffer: Buffer | undefined; free: Promise<unknown> }[];
  readonly #blockSize: number;
  #turn = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
    // as many again wait for their turn to be written; one more is being filled, and one written
    this.#slots = Array.from({ length: 2 * LANES + 2 }, () => ({ buffer: undefined, free: this.#tail }));
  }

  /** The next free buffer. Throws what went wrong with a block that was added before. */
  async block(): Promise<Buffer> {
    const slot = this.#slot();
    await slot.free;
    slot.buffer ??= Buffer.allocUnsafeSlow(this.#blockSize);
    return slot.buffer;
  }

  /** What is to be done with the block when all before it are done; then its buffer is free again. */
  add(use: () => Promise<void>): void {
    this.#tail = this.#tail.then(() => (this.#stopped ? undefined : use()));
    // seen by whoever waits for its buffer, or for all
    this.#tail.catch(() => {});
    this.#slot().free = this.#tail;
    this.#turn++;
  }

  /** Resolves when all of them are done. */
  async drain(): Promise<void> {
    await this.#tail;
  }

  /** Nothing more is done with blocks whose turn has not come. */
  stop(): void {
    this.#stopped = true;
  }

  #slot(): { buffer: Buffer | undefined; free: Promise<unknown> } {
    const slot = this.#slots[this.#turn % this.#slots.length];
    if (!slot) throw new Error("a line has at least one slot");
    return slot;
  }
}
