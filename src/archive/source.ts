/** Bytes that can be read again and again: a file, or what is made of one. */
export interface Source {
  /** Bytes; undefined where it is known only at the end. */
  size: number | undefined;
  /**
   * Blocks of exactly `blockSize` bytes, the last one possibly shorter. A block is valid until the next is asked for.
   * Throws exit 74 if the file changed since it was scanned.
   */
  blocks(blockSize: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
