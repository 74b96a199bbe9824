import type { OpenFile } from "./types.ts";

/** A stretch of a file, in bytes. */
export interface Stretch {
  start?: number;
  size: number;
}

/**
 * A stretch of a file in blocks of exactly `blockSize`, the last one possibly shorter. Two buffers take turns,
 * so that the next block is read while this one is used: a block is valid until the next is asked for. Ends early where
 * the file does.
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
    // its failure is seen when its turn comes; until then it must not count as unhandled
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
    // the caller may close the file now: no read may be left under way
    await next.catch(() => {});
  }
}

/** Reads `length` bytes, fewer only where the file ends. */
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
