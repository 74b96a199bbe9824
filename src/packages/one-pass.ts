import {
  RepackStream as Pass,
  type RepackSource as PassSource,
  type RepackTarget as PassTarget,
} from "../archive/repack-stream.ts";
import { TarReader } from "../archive/tar-read.ts";
import type { Entry } from "../archive/types.ts";
import { isSystemError, problem } from "../errors.ts";
import { assertUnchanged, fileSource, openFile } from "../volume/files.ts";
import type { TreeEntry } from "../volume/list.ts";
import { unreadable } from "../volume/paths.ts";
import type { Archive, MadeOfArchive, MadeOfFolder } from "./package.ts";

/** Bytes of a zip that is made here: no more than BK-Lite's installer takes, and than a zip can have without zip64's places. */
export const MAX_MADE = 4 * 1024 ** 3 - 1;
const READ = 1024 * 1024;

/**
 * All that is made of one tar.gz, while it is gunzipped once. That the file is the one that was scanned is checked at the start and
 * before the last byte of each (else exit 74). `onRead` is called when something was read, wanted or not.
 */
export function tarPass(archive: Archive, made: readonly MadeOfArchive[], onRead: () => void): Pass<Entry> {
  const source: PassSource<Entry> = {
    size: ({ size }) => size,
    place: ({ offset }) => offset ?? 0,
    async open(signal) {
      const { handle } = await openFile(archive);
      const close = () => handle.close();
      try {
        await assertUnchanged(handle, archive);
      } catch (error) {
        await close();
        throw error;
      }
      const tar = new TarReader(archive, handle, signal, onRead);
      return {
        bytes: (entry) => tar.bytes(entry),
        check: () => assertUnchanged(handle, archive),
        close: () => tar.close().finally(close),
      };
    },
    translate: (error) => (isSystemError(error) ? unreadable(archive.file, archive.path, error) : error),
  };
  // an entry that was found by way of a link is a copy: what lies at one place is read once
  const own = new Map(archive.entries.filter(({ kind }) => kind === "file").map((one) => [one.offset, one]));
  const targets = made.map((one) => {
    const target = targetOf(one, archive.file);
    return {
      ...target,
      items: target.items.map((item) => ({ ...item, from: own.get(item.from.offset) ?? item.from })),
    };
  });
  return new Pass(source, targets);
}

/** A folder on the volume as a zip: file after file. */
export function folderPass({ file }: Archive, made: MadeOfFolder, onRead: () => void): Pass<TreeEntry> {
  const places = new Map(made.items().map(({ from }, index) => [from, index]));
  const source: PassSource<TreeEntry> = {
    size: ({ stamp }) => Number(stamp.size),
    place: (from) => places.get(from) ?? 0,
    open: async (signal) => ({
      async *bytes(from) {
        for await (const block of fileSource(from).blocks(READ, signal)) {
          onRead();
          yield block;
        }
      },
      // each file was checked at its own end
      check: async () => {},
      close: async () => {},
    }),
    translate: (error) => error,
  };
  return new Pass(source, [targetOf(made, file)]);
}

function targetOf<From>(
  made: { kind: string; items(): readonly PassTarget<From>["items"][number][] },
  file: string,
): PassTarget<From> {
  const zip = made.kind !== "executable";
  const tooLong = () => problem(file, "repack.too-long", {});
  return { zip, items: made.items(), ...(zip && { limit: MAX_MADE, tooLong }) };
}
