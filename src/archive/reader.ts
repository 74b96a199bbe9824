import yauzl from "yauzl";
import { readFully } from "./blocks.ts";
import type { OpenFile } from "./types.ts";

/** Reads anywhere in a file through one window of it, so that neighbouring reads cost one. yauzl reads through it too. */
export class FileReader extends yauzl.RandomAccessReader {
  readonly #handle: OpenFile;
  readonly #buffer: Buffer;
  #start = 0;
  #window: Buffer;

  constructor(handle: OpenFile, windowSize: number) {
    super();
    this.#handle = handle;
    this.#buffer = Buffer.allocUnsafe(windowSize);
    this.#window = this.#buffer.subarray(0, 0);
  }

  /** `length` bytes, fewer where the file ends; valid until the next read. Longer ones than the window are not possible. */
  async bytes(position: number, length: number): Promise<Buffer> {
    return this.#cached(position, length) ?? (await this.#move(position, length));
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    const cached = this.#cached(position, length);
    if (cached) {
      callback(null, cached.copy(buffer, offset));
      return;
    }
    const far = length > this.#buffer.length;
    const read = far
      ? readFully(this.#handle, buffer.subarray(offset), length, position)
      : this.#move(position, length);
    read.then(
      (bytes) => callback(null, far ? bytes.length : bytes.copy(buffer, offset)),
      (error) => callback(error),
    );
  }

  #cached(position: number, length: number): Buffer | undefined {
    const offset = position - this.#start;
    if (offset < 0 || offset + length > this.#window.length) return undefined;
    return this.#window.subarray(offset, offset + length);
  }

  async #move(position: number, length: number): Promise<Buffer> {
    this.#window = this.#buffer.subarray(0, 0);
    const window = await readFully(this.#handle, this.#buffer, this.#buffer.length, position);
    this.#start = position;
    this.#window = window;
    return window.subarray(0, length);
  }
}
