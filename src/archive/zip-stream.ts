import { createHash, hash } from "node:crypto";
import { problem } from "../errors.ts";
import { blocks, ForwardReader, Handoff, inBlocks } from "./blocks.ts";
import { decodeName } from "./entries.ts";
import type { Entry, OpenFile, ZipLocation } from "./types.ts";
import { ZipDirectory } from "./zip-directory.ts";
import { checkDescriptor, findData, locationOf } from "./zip-read.ts";
import { isSmall, type OnFile, unpackLarge, unpackSmall } from "./zip-verify.ts";
import { copyZip, type ZipItem } from "./zip-write.ts";

/** What is made of a zip: the same bytes, the content of one of its files, or a zip of its entries. */
export type ZipTarget =
  | { kind: "whole" }
  | { kind: "file"; from: Entry }
  | { kind: "copy"; items: readonly ZipItem[] };

export interface ZipSource {
  file: string;
  size: number;
  /** undefined: they are read from the zip's directory. */
  entries: readonly Entry[] | undefined;
  /** Opens the zip for `use`. Throws if it is not as it was when it was scanned, before or after. */
  open(use: (handle: OpenFile) => Promise<void>): Promise<void>;
  /** Does the same for a stream. */
  stream(use: (handle: OpenFile) => AsyncIterable<Buffer>): AsyncIterable<Buffer>;
  /** Receives the SHA-256 of each entry but the targets' files; undefined: only these are verified. */
  onFile?: OnFile | undefined;
  /** Receives the SHA-256 of the zip in hex; undefined: it is not wanted. */
  onDigest?: ((sha256: string) => void) | undefined;
  onRead?: (() => void) | undefined;
}

/** One target while it is written. */
interface Output {
  target: ZipTarget;
  /** Receives all bytes, the file's, or the data of the entries at `offsets`. */
  handoff: Handoff;
  /** The entries that it receives while the zip is read, by rising offset. */
  offsets: readonly number[];
  /** How many of them it has received. */
  received: number;
  givenUp: boolean;
}

/**
 * Makes any number of targets while their zip is read once, from its start to its end and at the pace of the
 * slowest. Each entry is inflated at most once. A target is complete when all that is verified is sound. Only
 * what a copy does not want in the zip's order is read again for it.
 */
export class ZipStream {
  readonly #zip: ZipSource;
  readonly #outputs: readonly Output[];
  #running: Promise<void> | undefined;

  constructor(zip: ZipSource, targets: readonly ZipTarget[]) {
    this.#zip = zip;
    this.#outputs = targets.map((target) => {
      const offsets = offsetsOf(zip.file, target);
      return { target, handoff: new Handoff(), offsets, received: 0, givenUp: false };
    });
  }

  /**
   * Yields one target, once, in blocks of one size for all targets. Reading continues while every target is
   * consumed or closed.
   */
  async *blocks(index: number, blockSize: number, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const output = this.#outputs[index];
    if (!output) throw new Error(`a zip of ${this.#outputs.length} targets has no target ${index}`);
    this.#running ??= this.#run(blockSize, signal);
    // thrown at the end
    this.#running.catch(() => {});
    let isComplete = false;
    try {
      yield* this.#blocksOf(output, blockSize, signal);
      output.handoff.close();
      await this.#running;
      isComplete = true;
    } finally {
      output.handoff.close();
      output.givenUp = !isComplete;
      // the last consumer waits until the zip is closed
      if (this.#isGivenUp) await this.#running.catch(() => {});
    }
  }

  get #isGivenUp(): boolean {
    return this.#outputs.every(({ givenUp }) => givenUp);
  }

  #blocksOf(output: Output, blockSize: number, signal: AbortSignal): AsyncIterable<Buffer> {
    const { target, handoff } = output;
    // it is read in such blocks
    if (target.kind === "whole") return handoff.pieces();
    const pieces = target.kind === "file" ? handoff.pieces() : this.#copy(output, target.items, signal);
    let block: Buffer | undefined;
    // no memory before the first piece
    return inBlocks(pieces, async () => (block ??= Buffer.allocUnsafeSlow(blockSize)));
  }

  #copy({ offsets, handoff }: Output, items: readonly ZipItem[], signal: AbortSignal) {
    const { file, stream } = this.#zip;
    const pieces = handoff.pieces();
    let next = 0;
    const dataOf = (at: ZipLocation) => {
      if (at.offset !== offsets[next]) return undefined;
      next++;
      return takeBytes(pieces, at.compressedSize);
    };
    return stream((handle) => copyZip({ file, handle, signal }, items, dataOf));
  }

  async #run(blockSize: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#zip.open(async (handle) => {
        const reader = new ForwardReader(this.#readBlocks(handle, blockSize, signal));
        try {
          await this.#read(await this.#entries(handle, signal), reader);
        } finally {
          await reader.close();
        }
      });
      for (const { handoff } of this.#outputs) handoff.end();
    } catch (error) {
      for (const { handoff } of this.#outputs) handoff.fail(error);
      throw error;
    }
  }

  /** Returns where the entries are, in the file's order. */
  async #entries(handle: OpenFile, signal: AbortSignal): Promise<ZipLocation[]> {
    const { file, size, entries } = this.#zip;
    const places = entries?.flatMap(({ location }) => location ?? []) ?? [];
    if (!entries) {
      const directory = await ZipDirectory.open(file, handle, size);
      for await (const { location } of directory.entries(signal)) places.push(location);
    }
    return places.sort((a, b) => a.offset - b.offset);
  }

  /** Yields the zip's blocks. Targets that are the same bytes receive them here. */
  async *#readBlocks(handle: OpenFile, blockSize: number, signal: AbortSignal) {
    const { size, onRead, onDigest } = this.#zip;
    const same = this.#outputs.filter(({ target }) => target.kind === "whole");
    const sha256 = onDigest && createHash("sha256");
    for await (const block of blocks(handle, { size }, blockSize, signal)) {
      onRead?.();
      sha256?.update(block);
      // first of all: it travels while its entries are verified
      await writeAll(same, block);
      yield block;
    }
    if (sha256) onDigest?.(sha256.digest("hex"));
  }

  async #read(entries: readonly ZipLocation[], reader: ForwardReader): Promise<void> {
    for (const at of entries) {
      if (this.#isGivenUp) return;
      const outputs = this.#outputs.filter(({ offsets, received }) => offsets[received] === at.offset);
      if (outputs.length > 0 || this.#zip.onFile) await this.#readEntry(at, outputs, reader);
      for (const output of outputs) {
        output.received++;
        if (output.target.kind === "file") output.handoff.end();
      }
    }
    const isRead = this.#zip.onDigest || this.#outputs.some(({ target }) => target.kind === "whole");
    if (isRead) await reader.end();
  }

  async #readEntry(at: ZipLocation, outputs: readonly Output[], reader: ForwardReader): Promise<void> {
    const { file, onFile } = this.#zip;
    const files = outputs.filter(({ target }) => target.kind === "file");
    const copies = outputs.filter(({ target }) => target.kind === "copy");
    if (at.offset < reader.position)
      throw problem(file, "zip.overlap", { entry: decodeName(at.rawName).name });
    const start = await findData(file, reader, at);
    const end = start + at.compressedSize;
    if (!onFile && files.length === 0) {
      for await (const piece of reader.pieces(start, at.compressedSize)) await writeAll(copies, piece);
      return;
    }
    if (isSmall(at)) {
      const packed = await reader.bytes(start, at.compressedSize);
      const bytes = unpackSmall(file, at, packed);
      onFile?.(at, hash("sha256", bytes));
      await Promise.all([writeAll(copies, packed), writeAll(files, bytes)]);
    } else {
      const packed = alsoTo(copies, reader.pieces(start, at.compressedSize));
      // what is sent is hashed there
      const sha256 = onFile && files.length === 0 ? createHash("sha256") : undefined;
      for await (const piece of unpackLarge(file, at, packed)) {
        sha256?.update(piece);
        await writeAll(files, piece);
      }
      if (sha256) onFile?.(at, sha256.digest("hex"));
    }
    await checkDescriptor(file, reader, at, end);
  }
}

/** Returns the offsets of the entries that a target receives while the zip is read; they rise. */
function offsetsOf(file: string, target: ZipTarget): number[] {
  if (target.kind === "whole") return [];
  if (target.kind === "file") return [locationOf(file, target.from).offset];
  const files = target.items.filter(({ name }) => !name.endsWith("/"));
  return heaviestRise(files.map(({ from }) => locationOf(file, from)));
}

/** Entries in the order in which a copy wants them, from the last to the first. */
interface Chain {
  offset: number;
  before: Chain | undefined;
  /** Of all of them together. */
  bytes: number;
}

/**
 * Returns the offsets of entries that a copy wants in the zip's order, with as many bytes as possible: a
 * folder's files have the order of their names, and its program must not be left out for a small file.
 */
function heaviestRise(entries: readonly ZipLocation[]): number[] {
  const all = entries.map(({ offset }) => offset);
  if (all.every((offset, index) => index === 0 || offset > (all[index - 1] ?? 0))) return all;
  const sorted = new Set(all.toSorted((a, b) => a - b));
  const ranks = new Map(Array.from(sorted, (offset, index) => [offset, index + 1]));
  // a Fenwick tree of the heaviest chains by the rank of their last entry
  const tree: (Chain | undefined)[] = Array(ranks.size + 1);
  const heavier = (a: Chain | undefined, b: Chain | undefined) => ((b?.bytes ?? 0) > (a?.bytes ?? 0) ? b : a);
  for (const { offset, compressedSize } of entries) {
    const rank = ranks.get(offset) ?? 0;
    let before: Chain | undefined;
    for (let at = rank - 1; at > 0; at -= at & -at) before = heavier(before, tree[at]);
    const chain = { offset, before, bytes: (before?.bytes ?? 0) + compressedSize };
    for (let at = rank; at < tree.length; at += at & -at) tree[at] = heavier(tree[at], chain);
  }
  const offsets: number[] = [];
  let chain: Chain | undefined;
  for (let at = ranks.size; at > 0; at -= at & -at) chain = heavier(chain, tree[at]);
  for (; chain; chain = chain.before) offsets.push(chain.offset);
  return offsets.reverse();
}

async function writeAll(outputs: readonly Output[], piece: Buffer): Promise<void> {
  await Promise.all(outputs.map(({ handoff }) => handoff.write(piece)));
}

/** Yields pieces that outputs receive, too. */
async function* alsoTo(outputs: readonly Output[], pieces: AsyncIterable<Buffer>) {
  for await (const piece of pieces) {
    const taken = writeAll(outputs, piece);
    yield piece;
    await taken;
  }
}

/** Yields the next pieces, `length` bytes in all. */
async function* takeBytes(pieces: AsyncGenerator<Buffer, void, void>, length: number) {
  for (let left = length; left > 0; ) {
    const { value } = await pieces.next();
    if (!value) return;
    left -= value.length;
    yield value;
  }
}
