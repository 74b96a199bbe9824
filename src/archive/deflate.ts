import { availableParallelism } from "node:os";
import { constants, deflateRaw } from "node:zlib";

/** Bytes that are deflated at once. Fixed, as all that the outcome depends on: not the number of cores. */
export const BLOCK = 256 * 1024;
/** deflate looks back that far: the end of the block before is the dictionary of the next, as pigz does it. */
const DICTIONARY = 32 * 1024;
const LEVEL = 6;
/** Room for the outcome in one piece: noise grows by five bytes in 16 KiB, and by a flush. */
const OUTPUT = BLOCK + 1024;

/** Blocks that are deflated at the same time, each on a thread of libuv's: all cores, but a bounded memory. */
export const LANES = Math.min(Math.max(availableParallelism(), 2), 16);

/** What goes before a block in the same file; of a first block nothing. */
export function dictionaryOf(block: Buffer): Buffer {
  return Buffer.from(block.subarray(Math.max(block.length - DICTIONARY, 0)));
}

/**
 * Deflates one block of a file, on another thread. The outcomes of a file's blocks, in their order and the last with `last`, are one
 * deflate stream. `block` must stay as it is until then.
 */
export function deflateBlock(block: Buffer, dictionary: Buffer | undefined, last: boolean): Promise<Buffer> {
  const options = {
    level: LEVEL,
    chunkSize: OUTPUT,
    finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(dictionary && dictionary.length > 0 && { dictionary }),
  };
  return new Promise((resolve, reject) => {
    deflateRaw(block, options, (error, packed) => (error ? reject(error) : resolve(packed)));
  });
}
