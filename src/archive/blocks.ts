import { createHash } from "node:crypto";
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

/** Reads parts of a file. */
export interface PartReader {
  /** Returns `length` bytes, fewer if the file ends; valid until the next read. */
  bytes(position: number, length: number): Promise<Buffer>;
}

/** Reads anywhere in a file through one window of it, so that neighbouring reads cost one. */
export class FileReader implements PartReader {
  readonly #handle: OpenFile;
  readonly #buffer: Buffer;
  #start = 0;
  #window: Buffer;

  constructor(handle: OpenFile, windowSize: number) {
    this.#handle = handle;
    this.#buffer = Buffer.allocUnsafe(windowSize);
    this.#window = this.#buffer.subarray(0, 0);
  }

  /** `length`: at most a window. */
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

/** Reads parts of a file, each behind the one before, out of blocks that come in the file's order. */
export class ForwardReader implements PartReader {
  readonly #blocks: AsyncGenerator<Buffer, void, void>;
  /** What is left of a block. */
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;

  /** A block need not stay valid when the next one is requested. */
  constructor(blocks: AsyncGenerator<Buffer, void, void>) {
    this.#blocks = blocks;
  }

  /** Where the last part ended: the next one may begin here. */
  get position(): number {
    return this.#position;
  }

  async bytes(position: number, length: number): Promise<Buffer> {
    await this.#skipTo(position);
    if (length <= this.#rest.length) return this.#take(length);
    const joined = Buffer.allocUnsafe(length);
    let filled = 0;
    for await (const piece of this.pieces(position, length)) filled += piece.copy(joined, filled);
    return joined.subarray(0, filled);
  }

  /** Yields a part in pieces, each valid until the next one is requested. */
  async *pieces(position: number, size: number): AsyncGenerator<Buffer, void, void> {
    await this.#skipTo(position);
    for (const end = position + size; this.#position < end && (await this.#fill()); )
      yield this.#take(end - this.#position);
  }

  /** Reads the rest of the file. */
  async end(): Promise<void> {
    await this.#skipTo(Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    await this.#blocks.return();
  }

  async #skipTo(position: number): Promise<void> {
    while (this.#position < position && (await this.#fill())) this.#take(position - this.#position);
  }

  /** Returns false at the end of the file. */
  async #fill(): Promise<boolean> {
    if (this.#rest.length === 0) this.#rest = (await this.#blocks.next()).value ?? this.#rest;
    return this.#rest.length > 0;
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }
}

/**
 * Hashes a file while it is read through this: the bytes count in the file's order, and what the reader
 * leaves out is read here. One read at a time.
 */
export class HashedFile implements OpenFile {
  readonly #file: OpenFile;
  readonly #sha256 = createHash("sha256");
  #hashed = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  async read(buffer: Buffer, offset: number, length: number, position: number) {
    const { bytesRead } = await this.#file.read(buffer, offset, length, position);
    if (position + bytesRead > this.#hashed) {
      await this.#hashUpTo(position);
      const bytes = buffer.subarray(offset, offset + bytesRead);
      this.#sha256.update(bytes.subarray(this.#hashed - position));
      this.#hashed = position + bytesRead;
    }
    return { bytesRead };
  }

  /** Returns the SHA-256 of the first `size` bytes in hex, after the last read. */
  async digest(size: number): Promise<string> {
    await this.#hashUpTo(size);
    return this.#sha256.digest("hex");
  }

  async #hashUpTo(position: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(this.#hashed < position ? 64 * 1024 : 0);
    while (this.#hashed < position) {
      const length = Math.min(buffer.length, position - this.#hashed);
      if ((await this.read(buffer, 0, length, this.#hashed)).bytesRead === 0) return;
    }
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

/**
 * Joins pieces of any length to blocks, each in the buffer that `nextBuffer` returns when its first byte
 * comes; a block is valid as long as its buffer.
 */
export async function* inBlocks(
  pieces: AsyncIterable<Uint8Array>,
  nextBuffer: () => Promise<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  let block: Buffer | undefined;
  let filled = 0;
  for await (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      block ??= await nextBuffer();
      const end = Math.min(start + block.length - filled, piece.length);
      block.set(piece.subarray(start, end), filled);
      filled += end - start;
      start = end;
      if (filled < block.length) continue;
      yield block;
      block = undefined;
      filled = 0;
    }
  }
  if (block) yield block.subarray(0, filled);
}

/** Hands pieces from a producer to a consumer, one at a time. */
export class Handoff {
  /** Whether the consumer has stopped: pieces are dropped from then on. */
  closed = false;
  #offer: { piece: Buffer; taken: () => void } | undefined;
  #end: { error?: unknown } | undefined;
  #wake = () => {};

  /** Resolves when the piece has been used and may change. */
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

  /** Yields the pieces, to one consumer, once. */
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
