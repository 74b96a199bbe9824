import { blocks } from "./blocks.ts";
import { assertUnchanged, openFile } from "./open.ts";
import type { Archive, Source } from "./package.ts";
import { changed, isSystemError, unreadable } from "./problem.ts";

/**
 * The archive's own bytes for an upload. That the file is the one that was scanned is checked when it is opened and when
 * its last byte has been taken, so a consumer that saw the end has seen that very file (else exit 74).
 */
export function archiveSource(archive: Archive): Source {
  const size = Number(archive.stamp.size);
  return { size, blocks: (blockSize, signal) => archiveBlocks(archive, size, blockSize, signal) };
}

async function* archiveBlocks(archive: Archive, size: number, blockSize: number, signal: AbortSignal) {
  try {
    const { handle } = await openFile(archive);
    try {
      await assertUnchanged(handle, archive);
      let read = 0;
      for await (const block of blocks(handle, { size }, blockSize, signal)) {
        read += block.length;
        yield block;
      }
      await assertUnchanged(handle, archive);
      if (read !== size) throw changed(archive.file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(archive.file, error) : error;
  }
}
