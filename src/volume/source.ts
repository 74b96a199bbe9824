import { blocks } from "../archive/blocks.ts";
import type { Source } from "../archive/source.ts";
import type { OpenFile } from "../archive/types.ts";
import { isSystemError } from "../errors.ts";
import type { StampedFile } from "./file.ts";
import { assertUnchanged, openFile } from "./open.ts";
import { changed, unreadable } from "./problem.ts";

/** A file's own bytes for an upload; readStream says what is checked. */
export function fileSource(file: StampedFile): Source {
  const size = Number(file.stamp.size);
  return {
    size,
    blocks: (blockSize, signal) =>
      readStream(file, async function* (handle) {
        let read = 0;
        for await (const block of blocks(handle, { size }, blockSize, signal)) {
          read += block.length;
          yield block;
        }
        if (read !== size) throw changed(file.file);
      }),
  };
}

/**
 * What `read` makes of a file's bytes. That the file is the one that was scanned is checked when it is opened and when
 * the last byte has been taken, so a consumer that saw the end has seen that very file (else exit 74).
 */
export async function* readStream(
  file: StampedFile,
  read: (handle: OpenFile) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  try {
    const { handle } = await openFile(file);
    try {
      await assertUnchanged(handle, file);
      yield* read(handle);
      await assertUnchanged(handle, file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(file.file, file.path, error) : error;
  }
}
