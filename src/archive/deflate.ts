import { availableParallelism } from "node:os";
import { constants, deflateRaw } from "node:zlib";

/** Bytes that one thread deflates. Fixed, because the output depends on it: not the number of cores. */
export const BLOCK = 256 * 1024;
/** deflate refers back this far: the end of a block is the dictionary of the next one, as in pigz. */
const DICTIONARY = 32 * 1024;
/** A fifth less time than level 6, and 2 % more bytes. */
const LEVEL = 4;
/** Bytes by which the output may be longer than a block: noise grows by five in 16 KiB, and by a flush. */
const GROWTH = 1024;

/** Blocks that are deflated at the same time, each on a thread of libuv's: all cores, bounded memory. */
const LANES = Math.min(Math.max(availableParallelism(), 2), 16);

/** Returns the dictionary for the block that follows `block` in the same file; the first block has none. */
export function dictionaryOf(block: Buffer): Buffer {
  return Buffer.from(block.subarray(Math.max(block.length - DICTIONARY, 0)));
}

/**
 * Deflates one block of a file, on another thread; `block` must not change until then. The outputs of a
 * file's blocks, in their order and the last one with `last`, are one deflate stream.
 */
export function deflateBlock(block: Buffer, dictionary: Buffer | undefined, last: boolean): Promise<Buffer> {
  const options = {
    level: LEVEL,
    // one piece, and no more: the outputs of small files would fill the memory until they are collected
    chunkSize: block.length + GROWTH,
    finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(dictionary && dictionary.length > 0 && { dictionary }),
  };
  return new Promise((resolve, reject) => {
    deflateRaw(block, options, (error, packed) => (error ? reject(error) : resolve(packed)));
  });
}

interface Slot {
  buffer: Buffer | undefined;
  /** Resolves when the buffer may be filled again. */
  free: Promise<unknown>;
}

/**
 * Passes blocks on in their order: while some are being deflated and the first is being written, the next
 * ones are read. A fixed number of buffers is reused, which bounds the memory.
 */
export class BlockPipeline {
  readonly #slots: Slot[];
  #turn = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor() {
    // as many again wait to be written; one more is being filled, and one written
    this.#slots = Array.from({ length: 2 * LANES + 2 }, () => ({ buffer: undefined, free: this.#tail }));
  }

  /** Returns the next free buffer. Throws the failure of an earlier block. */
  async nextBuffer(): Promise<Buffer> {
    const slot = this.#slot;
    await slot.free;
    slot.buffer ??= Buffer.allocUnsafeSlow(BLOCK);
    return slot.buffer;
  }

  /** Calls `use` when all earlier blocks are done; after it the buffer is free again. */
  add(use: () => Promise<void>): void {
    this.#tail = this.#tail.then(() => (this.#isStopped ? undefined : use()));
    // thrown by the wait for the buffer or the end
    this.#tail.catch(() => {});
    this.#slot.free = this.#tail;
    this.#turn++;
  }

  /** Resolves when all blocks are done. */
  async drain(): Promise<void> {
    await this.#tail;
  }

  /** Drops the blocks whose turn has not come. */
  stop(): void {
    this.#isStopped = true;
  }

  get #slot(): Slot {
    return this.#slots[this.#turn % this.#slots.length] as Slot;
  }
}
