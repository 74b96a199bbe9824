/** Bytes that are read once, as a stream: a file's, or what is made of one. */
export interface Source {
  /** Bytes; undefined where it is known only at the end. */
  size: number | undefined;
  /** Resolves when it is this one's turn, where several are not to be sent at the same time; before that the store is not asked for room either. */
  turn?: () => Promise<void>;
  /**
   * Blocks of exactly `blockSize` bytes, the last one possibly shorter. A block is valid until the next is asked for.
   * Throws exit 74 if the file changed since it was scanned.
   */
  blocks(blockSize: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * When anything was last read for whoever takes, as by performance.now(), where several sources are one pass over a file: it may be the
   * others' turn.
   */
  readAt?: () => number;
  /** Nobody is going to take the blocks, or the rest of them. */
  release?: () => void;
}
