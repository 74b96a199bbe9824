import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createSweep } from "../memory.ts";
import type { OpenFile } from "./types.ts";

/** A range of a file, in bytes. */
interface Stretch {
  start?: number;
  size: number;
}

/**
 * Yields a range of a file in blocks of exactly `blockSize`, the last one possibly shorter; ends early if the
 * file does. Two buffers alternate, so that the next block is read while this one is used: a block is valid
 * until the next one is requested.
 */
export async function* blocks(
  handle: OpenFile,
  { start = 0, size }: Stretch,
  blockSize: number,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const length = Math.min(blockSize, size);
  const ring: [Buffer, Buffer] = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(size > length ? length : 0)];
  let position = 0;
  const readNext = (turn: number) => {
    const wanted = Math.min(blockSize, size - position);
    const block = readFully(handle, ring[turn % 2 === 0 ? 0 : 1], wanted, start + position);
    position += wanted;
    // a failure is thrown when its turn comes; until then it must not count as unhandled
    block.catch(() => {});
    return block;
  };
  let next = readNext(0);
  try {
    for (let turn = 1; ; turn++) {
      const block = await next;
      signal?.throwIfAborted();
      const last = position >= size || block.length < blockSize;
      if (!last) next = readNext(turn);
      if (block.length > 0) yield block;
      if (last) return;
    }
  } finally {
    // the caller may close the file now: no read may be under way
    await next.catch(() => {});
  }
}

/** Reads `length` bytes, fewer only if the file ends. */
export async function readFully(
  handle: OpenFile,
  buffer: Buffer,
  length: number,
  position: number,
): Promise<Buffer> {
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Reads anywhere in a file through one window of it, so that neighbouring reads cost one. */
export class FileReader {
  readonly #handle: OpenFile;
  readonly #buffer: Buffer;
  #start = 0;
  #window: Buffer;

  constructor(handle: OpenFile, windowSize: number) {
    this.#handle = handle;
    this.#buffer = Buffer.allocUnsafe(windowSize);
    this.#window = this.#buffer.subarray(0, 0);
  }

  /** Returns `length` bytes (at most a window), fewer if the file ends; valid until the next read. */
  async bytes(position: number, length: number): Promise<Buffer> {
    const offset = position - this.#start;
    if (offset >= 0 && offset + length <= this.#window.length)
      return this.#window.subarray(offset, offset + length);
    this.#window = this.#buffer.subarray(0, 0);
    const window = await readFully(this.#handle, this.#buffer, this.#buffer.length, position);
    this.#start = position;
    this.#window = window;
    return window.subarray(0, length);
  }
}

/** Yields what `zlib` makes of `packed`. Throws a failure of either, and closes both at the end. */
export async function* pipeThrough(
  packed: AsyncIterable<Buffer>,
  zlib: Transform,
): AsyncGenerator<Buffer, void, void> {
  const fed = pipeline(packed, zlib);
  // the stream throws its failure; without a listener it must not count as unhandled
  fed.catch(() => {});
  const sweep = createSweep();
  try {
    for await (const piece of zlib) {
      yield piece;
      sweep(piece.length);
    }
  } finally {
    zlib.destroy();
    await fed.catch(() => {});
  }
}
