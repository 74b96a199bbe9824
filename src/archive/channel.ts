/** Hands pieces from one who makes them to one who takes them; neither is ahead of the other. */
export class Channel {
  /** Nobody takes any more: what is written is dropped. */
  closed = false;
  #offer: { piece: Buffer; taken: () => void } | undefined;
  #end: { error?: unknown } | undefined;
  #wake = () => {};

  /** Resolves when the piece has been used and may change. One at a time. */
  async write(piece: Buffer): Promise<void> {
    if (this.closed || piece.length === 0) return;
    const taken = Promise.withResolvers<void>();
    this.#offer = { piece, taken: taken.resolve };
    this.#wake();
    await taken.promise;
  }

  end(): void {
    this.#end ??= {};
    this.#wake();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  close(): void {
    this.closed = true;
    this.#offer?.taken();
    this.#offer = undefined;
    this.end();
  }

  /** For one taker, once. */
  async *pieces(): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) {
        const offer = this.#offer;
        if (offer) {
          yield offer.piece;
          this.#offer = undefined;
          offer.taken();
          continue;
        }
        if (this.#end) {
          if ("error" in this.#end) throw this.#end.error;
          return;
        }
        const woken = Promise.withResolvers<void>();
        this.#wake = woken.resolve;
        await woken.promise;
      }
    } finally {
      this.close();
    }
  }
}
