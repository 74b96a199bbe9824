import { type EntryFacts, entriesDigest } from "../archive/entries.ts";
import type { Entry, FileDigests } from "../archive/types.ts";
import type { ZipItem } from "../archive/zip-write.ts";
import { verifyArchive } from "./inspect.ts";
import type { Archive, Package } from "./package.ts";

/** Reads every entry of a zip, unless that was done before, so that `packageEntries` can answer. Throws exit 65 as verifyArchive does. */
export async function readFileDigests(
  archive: Archive,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  if (archive.format !== "zip" || archive.fileDigests) return;
  const found = new Map<number, string>();
  const onFile = ({ offset }: { offset: number }, sha256: string) => found.set(offset, sha256);
  await verifyArchive(archive, signal, { onFile, onBytes });
  archive.fileDigests = found;
}

/**
 * Whether a package is the same in every packaging of the same files. Others are compared by their bytes: a program, an installer, an APM
 * probe (a host compares its SHA-256); and a folder on the volume by its origin, which covers names, modes and contents.
 */
export function isZipOfEntries({ archive, made, type }: Package): boolean {
  if (made) return made.kind === "folder" || made.kind === "repacked";
  return archive.format === "zip" && (type === "controller" || type === "collector");
}

/** One digest of the entries of the zip that a package is stored as; undefined where they do not count, and before its archive was read. */
export function packageEntries(pkg: Package): string | undefined {
  const { archive, made } = pkg;
  const { entries, fileDigests } = archive;
  if (!fileDigests || !isZipOfEntries(pkg)) return undefined;
  if (made?.kind === "folder" || made?.kind === "repacked")
    return entriesDigest(made.items().map((item) => itemFacts(item, archive, fileDigests)));
  return entriesDigest(entries.map((entry) => entryFacts(entry, archive, fileDigests)));
}

function itemFacts(
  { name, mode, guessMode, from }: ZipItem,
  archive: Archive,
  digests: FileDigests,
): EntryFacts {
  const isFolder = name.endsWith("/");
  return {
    name: Buffer.from(name),
    kind: isFolder ? "directory" : "file",
    mode: guessMode ? "guess" : (mode & 0o7777).toString(8),
    sha256: isFolder ? "" : fileDigest(from, archive, digests),
  };
}

function entryFacts(entry: Entry, archive: Archive, digests: FileDigests): EntryFacts {
  const { location, kind, path } = entry;
  return {
    name: location?.rawName ?? Buffer.from(path),
    kind,
    mode: (location?.mode ?? entry.mode).toString(8),
    sha256: kind === "directory" ? "" : fileDigest(entry, archive, digests),
  };
}

/** SHA-256 of a file in an archive, in hex. */
export function fileDigest(
  { location, offset, path }: Entry,
  { file }: Archive,
  digests: FileDigests,
): string {
  const sha256 = digests.get(location?.offset ?? offset ?? -1);
  if (sha256 === undefined) throw new Error(`${file}: no digest of ${path}`);
  return sha256;
}
