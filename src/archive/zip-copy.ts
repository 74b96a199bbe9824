import { HEAD_LENGTH, isRunnable } from "./binary.ts";
import { modeOf } from "./pass-write.ts";
import type { Entry, OpenFile } from "./types.ts";
import { locationOf, readEntryHead, readPacked } from "./zip-read.ts";
import { type Facts, ZipBuilder, type ZipItem } from "./zip-writer.ts";

/**
 * A zip of entries of another zip, in the items' order. Their data goes over as it is: nothing is inflated or deflated again. The same
 * items give the same bytes.
 */
export async function* copyZip(
  file: string,
  items: readonly ZipItem[],
  handle: OpenFile,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const builder = new ZipBuilder();
  for (const item of items) {
    if (item.name.endsWith("/")) {
      yield builder.entry(item.name, item.mode);
      continue;
    }
    const { from, guessMode = false } = item;
    const runs = guessMode && isRunnable(await readEntryHead(file, handle, from, HEAD_LENGTH));
    yield builder.entry(item.name, modeOf(item, runs), factsOf(file, from));
    yield* readPacked(file, handle, from, signal);
  }
  yield* builder.end();
}

/** Bytes that such a zip has. */
export function copiedSize(file: string, items: readonly ZipItem[]): number {
  const builder = new ZipBuilder();
  for (const { name, mode, from } of items) {
    builder.entry(name, mode, name.endsWith("/") ? undefined : factsOf(file, from));
  }
  return builder.offset + builder.end().reduce((sum, record) => sum + record.length, 0);
}

function factsOf(file: string, from: Entry): Facts {
  const { method, crc32, compressedSize, uncompressedSize: size } = locationOf(file, from);
  return { method, crc32, compressedSize, size };
}
