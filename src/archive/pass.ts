import { crc32 } from "node:zlib";
import { createSweep } from "../memory.ts";
import { isRunnable } from "./binary.ts";
import { BLOCK, deflateBlock, dictionaryOf } from "./deflate.ts";
import { Line } from "./line.ts";
import {
  type PassReader,
  type PassSource,
  type PassTarget,
  planPass,
  type Step,
  type Target,
  targetOf,
} from "./pass-plan.ts";
import { finish, type PassFile, used, write } from "./pass-write.ts";
import type { Facts } from "./zip-writer.ts";

/**
 * Makes any number of targets while their source is read once: each file is read, and deflated, once, and goes to all targets that want
 * it, as fast as the slowest of them takes it. A large file with several names in one zip is read again for each of them.
 */
export class Pass<From> {
  readonly #source: PassSource<From>;
  readonly #targets: Target<From>[];
  readonly #rounds: Step<From>[][];
  readonly #sweep = createSweep();
  #running: Promise<void> | undefined;

  constructor(source: PassSource<From>, targets: readonly PassTarget<From>[]) {
    this.#source = source;
    this.#targets = targets.map(targetOf);
    this.#rounds = planPass(this.#targets, source);
  }

  /** The bytes of one target, once. Reading begins with the first, and goes on when all of them are taken, or closed. */
  async *stream(index: number, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const { channel } = this.#target(index);
    this.#running ??= this.#run(signal);
    try {
      yield* channel.pieces();
    } finally {
      // whoever is last leaves no file open
      if (this.#done) await this.#running;
    }
  }

  get #done(): boolean {
    return this.#targets.every(({ channel }) => channel.closed);
  }

  #target(index: number): Target<From> {
    const target = this.#targets[index];
    if (!target) throw new Error(`a pass of ${this.#targets.length} has no target ${index}`);
    return target;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      for (const round of this.#rounds) if (!this.#done) await this.#round(round, signal);
    } catch (error) {
      const failure = this.#source.translate(error);
      for (const { channel } of this.#targets) channel.fail(failure);
    }
  }

  async #round(steps: readonly Step<From>[], signal: AbortSignal): Promise<void> {
    const reader = await this.#source.open(signal);
    const line = new Line(BLOCK);
    try {
      for (const target of this.#targets)
        if (!target.begun && target.left === 0) await finish(target, reader);
      for (const step of steps) {
        if (this.#done) return;
        const uses = step.uses.filter(({ target }) => !target.channel.closed);
        if (uses.length > 0) await this.#read({ ...step, uses }, reader, line, signal);
      }
      await line.drain();
    } catch (error) {
      line.stop();
      throw error;
    } finally {
      await reader.close();
    }
  }

  async #read(step: Step<From>, reader: PassReader<From>, line: Line, signal: AbortSignal): Promise<void> {
    const { from, size, uses } = step;
    const facts: Facts = { method: 8, crc32: 0, compressedSize: 0, size };
    const entry: PassFile<From> = { ...step, facts, kept: [], runs: false };
    const zips = size > 0 && uses.some(({ target }) => target.zip);
    const blocks = cut(reader.bytes(from), size, line);
    let dictionary: Buffer | undefined;
    let read = 0;
    for await (const block of blocks) {
      signal.throwIfAborted();
      if (uses.every(({ target }) => target.channel.closed)) return;
      if (read === 0) entry.runs = isRunnable(block);
      const first = read === 0;
      read += block.length;
      const last = read === size;
      facts.crc32 = crc32(block, facts.crc32);
      const deflated = zips ? deflateBlock(block, dictionary, last) : undefined;
      // its failure is seen when its turn comes
      deflated?.catch(() => {});
      if (zips && !last) dictionary = dictionaryOf(block);
      line.add(async () => {
        const packed = (await deflated) ?? Buffer.alloc(0);
        await write(entry, { block, packed, first, last });
        this.#sweep(packed.buffer.byteLength);
        if (last) for (const use of uses) await used(use.target, reader);
      });
    }
  }
}

/** Pieces of any length as blocks of the line's; of an empty file one empty block. */
async function* cut(
  pieces: AsyncIterable<Uint8Array>,
  size: number,
  line: Line,
): AsyncGenerator<Buffer, void, void> {
  let block = await line.block();
  let filled = 0;
  let left = size;
  if (size === 0) yield block.subarray(0, 0);
  for await (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      const end = Math.min(start + block.length - filled, piece.length);
      block.set(piece.subarray(start, end), filled);
      filled += end - start;
      left -= end - start;
      start = end;
      if (filled < block.length && left > 0) continue;
      yield block.subarray(0, filled);
      filled = 0;
      if (left > 0) block = await line.block();
    }
  }
}
