import { crc32 } from "node:zlib";
import { createSweep } from "../memory.ts";
import { Handoff, inBlocks } from "./blocks.ts";
import { BlockPipeline, deflateBlock, dictionaryOf } from "./deflate.ts";
import { isExecutable } from "./file-kind.ts";
import type { PackedData } from "./types.ts";
import { modeOf, ZipBuilder, type ZipItem } from "./zip-write.ts";

/** Up to this size a file is kept, deflated, for its further names; a larger one is read again for each. */
const KEEP = 4 * 1024 * 1024;

/** Where the files come from. */
export interface RepackSource<From> {
  /** Bytes of a file. */
  size(from: From): number;
  /** A file's position in the source: files are read by rising position. */
  place(from: From): number;
  open(signal: AbortSignal): Promise<RepackReader<From>>;
  /** Turns an error of reading into one for the consumers. */
  translate(error: unknown): unknown;
}

interface RepackReader<From> {
  /** Yields a file in pieces, each valid until the next one is requested. May go back to an earlier file. */
  bytes(from: From): AsyncIterable<Uint8Array>;
  /** Throws if the source has changed since it was scanned. */
  check(): Promise<void>;
  /** Called once all targets are complete. */
  end?(): Promise<void>;
  close(): Promise<void>;
}

/** A target: one file as it is, or a zip of several. */
export interface RepackTarget<From> {
  zip: boolean;
  items: readonly ZipItem<From>[];
  /** The largest size in bytes; `tooLong` makes the error for a larger one. */
  limit?: number;
  tooLong?: () => Error;
}

/** One reading of a file. */
interface Reading<From> {
  from: From;
  size: number;
  /** 0 for the first reading of the file. */
  turn: number;
  /** Each target's names of the file: the first is written while the file is read, the others after it. */
  names: Map<Output<From>, ZipItem<From>[]>;
}

/** A file while it is written. */
interface WrittenFile {
  data: PackedData;
  /** The packed data for further names, if it is kept. */
  kept: Buffer[];
  /** Whether its first bytes are a program's or a script's. */
  isProgram: boolean;
}

/** A block of a file, as it is and deflated. */
interface Block {
  plain: Buffer;
  packed: Buffer;
  first: boolean;
  last: boolean;
}

/**
 * Makes any number of targets while their source is read once: reads and deflates each file once and hands it
 * to all targets that want it, at the pace of the slowest. A large file with several names in one zip is read
 * again for each of them, because its data is too large to keep.
 */
export class RepackStream<From> {
  readonly #source: RepackSource<From>;
  readonly #outputs: Output<From>[];
  readonly #pipeline = new BlockPipeline();
  readonly #sweep = createSweep();
  #running: Promise<void> | undefined;

  constructor(source: RepackSource<From>, targets: readonly RepackTarget<From>[]) {
    this.#source = source;
    this.#outputs = targets.map((target) => new Output(target));
  }

  /** Yields one target's bytes, once. Reading continues while every target is consumed or closed. */
  async *stream(index: number, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const { handoff } = this.#output(index);
    this.#running ??= this.#run(signal);
    try {
      yield* handoff.pieces();
    } finally {
      // the last consumer waits until the source is closed
      if (this.#isDone) await this.#running;
    }
  }

  get #isDone(): boolean {
    return this.#outputs.every(({ handoff }) => handoff.closed);
  }

  #output(index: number): Output<From> {
    const output = this.#outputs[index];
    if (!output) throw new Error(`a repack of ${this.#outputs.length} targets has no target ${index}`);
    return output;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const reader = await this.#source.open(signal);
      try {
        await this.#readAll(reader, signal);
      } finally {
        this.#pipeline.stop();
        await reader.close();
      }
    } catch (error) {
      const failure = this.#source.translate(error);
      for (const { handoff } of this.#outputs) handoff.fail(failure);
    }
  }

  async #readAll(reader: RepackReader<From>, signal: AbortSignal): Promise<void> {
    const readings = planReadings(this.#outputs, this.#source);
    for (const output of this.#outputs) if (output.filesLeft === 0) await output.finish(reader);
    for (const reading of readings) {
      if (this.#isDone) return;
      await this.#read(reading, reader, signal);
    }
    await this.#pipeline.drain();
    await reader.end?.();
  }

  async #read({ from, size, names }: Reading<From>, reader: RepackReader<From>, signal: AbortSignal) {
    const outputs = [...names].filter(([{ handoff }]) => !handoff.closed);
    if (outputs.length === 0) return;
    const file: WrittenFile = {
      data: { method: 8, crc32: 0, compressedSize: 0, size },
      kept: [],
      isProgram: false,
    };
    const { data, kept } = file;
    const isDeflated = size > 0 && outputs.some(([{ isZip }]) => isZip);
    let dictionary: Buffer | undefined;
    let read = 0;
    for await (const plain of this.#toBlocks(reader.bytes(from), size)) {
      signal.throwIfAborted();
      if (outputs.every(([{ handoff }]) => handoff.closed)) return;
      const first = read === 0;
      if (first) file.isProgram = isExecutable(plain);
      read += plain.length;
      const last = read === size;
      data.crc32 = crc32(plain, data.crc32);
      const deflated = isDeflated ? deflateBlock(plain, dictionary, last) : undefined;
      // a failure is thrown when its turn comes
      deflated?.catch(() => {});
      if (isDeflated && !last) dictionary = dictionaryOf(plain);
      this.#pipeline.add(async () => {
        const packed = (await deflated) ?? Buffer.alloc(0);
        data.compressedSize += packed.length;
        const isStored = first && last && packed.length >= size;
        if (isStored) Object.assign(data, { method: 0, compressedSize: size });
        if (size <= KEEP) kept.push(isStored ? plain : packed);
        const block: Block = { plain, packed, first, last };
        await Promise.all(outputs.map(([output, items]) => output.write(file, items, block)));
        this.#sweep(packed.buffer.byteLength);
        if (last) for (const [output] of outputs) await output.endFile(reader);
      });
    }
  }

  /** Yields a file in blocks of the pipeline; one empty block for an empty file. */
  async *#toBlocks(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer, void, void> {
    if (size === 0) yield Buffer.alloc(0);
    yield* inBlocks(pieces, () => this.#pipeline.nextBuffer());
  }
}

/** Returns the readings in order: each file once, then again each large file with more names in one zip. */
function planReadings<From>(outputs: readonly Output<From>[], source: RepackSource<From>): Reading<From>[] {
  const files = new Map<From, Reading<From>[]>();
  for (const output of outputs) {
    for (const item of output.items) {
      if (item.name.endsWith("/")) continue;
      const { from } = item;
      const size = source.size(from);
      const readings = files.get(from) ?? [];
      let reading = readings.find(({ names }) => size <= KEEP || !names.has(output));
      if (!reading) {
        reading = { from, size, turn: readings.length, names: new Map() };
        files.set(from, [...readings, reading]);
      }
      const items = reading.names.get(output);
      if (items) items.push(item);
      else {
        reading.names.set(output, [item]);
        output.filesLeft++;
      }
    }
  }
  const place = ({ from }: Reading<From>) => source.place(from);
  return [...files.values()].flat().sort((a, b) => a.turn - b.turn || place(a) - place(b));
}

/** One target while it is written. */
class Output<From> {
  readonly handoff = new Handoff();
  /** Readings that are still to come. */
  filesLeft = 0;
  readonly #target: RepackTarget<From>;
  readonly #builder = new ZipBuilder();
  #hasFolders = false;

  constructor(target: RepackTarget<From>) {
    this.#target = target;
  }

  get isZip(): boolean {
    return this.#target.zip;
  }

  get items(): readonly ZipItem<From>[] {
    return this.#target.items;
  }

  /** Writes a block of a file; after the last block also the file's further names. */
  async write({ data, kept, isProgram }: WrittenFile, items: readonly ZipItem<From>[], block: Block) {
    const { plain, packed, first, last } = block;
    const [item] = items;
    if (!this.isZip || !item) return this.handoff.write(plain);
    await this.#writeFolders();
    const isWhole = first && last;
    if (!isWhole) {
      if (first) await this.handoff.write(this.#builder.begin(item.name, data.size));
      await this.handoff.write(packed);
      if (!last) return;
      await this.handoff.write(this.#builder.finish(modeOf(item, isProgram), data));
    }
    for (const one of isWhole ? items : items.slice(1)) {
      await this.handoff.write(this.#builder.entry(one.name, modeOf(one, isProgram), data));
      for (const bytes of kept) await this.handoff.write(bytes);
    }
    const { limit, tooLong } = this.#target;
    if (limit !== undefined && this.#builder.offset > limit && tooLong) this.handoff.fail(tooLong());
  }

  /** Counts a reading as done; the target is complete after the last one. */
  async endFile(reader: RepackReader<From>): Promise<void> {
    this.filesLeft--;
    if (this.filesLeft === 0) await this.finish(reader);
  }

  /** Ends the target once its source is known to be unchanged. */
  async finish(reader: RepackReader<From>): Promise<void> {
    if (this.handoff.closed) return;
    await reader.check();
    if (this.isZip) {
      await this.#writeFolders();
      for (const record of this.#builder.end()) await this.handoff.write(record);
    }
    this.handoff.end();
  }

  /** Writes the folders, once and first: they exist when their files are unpacked. */
  async #writeFolders(): Promise<void> {
    if (this.#hasFolders) return;
    this.#hasFolders = true;
    for (const { name, mode } of this.items)
      if (name.endsWith("/")) await this.handoff.write(this.#builder.entry(name, mode));
  }
}
