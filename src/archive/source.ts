/** A one-shot byte stream: a file, or something generated from it. */
export interface Source {
  /** Bytes; undefined where it is known only at the end. */
  size: number | undefined;
  /**
   * Blocks of exactly `blockSize` bytes, the last one possibly shorter. A block is valid until the next is asked for.
   * Throws exit 74 if the file changed since it was scanned.
   */
  blocks(blockSize: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
