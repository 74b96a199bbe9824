import { readFully } from "./blocks.ts";
import type { OpenFile } from "./types.ts";

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

  /** `length` bytes, fewer where the file ends; valid until the next read. Longer ones than the window are not possible. */
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
