import { readFile, writeFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { ZipFile } from "yazl";
import { age } from "./archives.ts";
import { filesIn } from "./install.ts";
import type { Unzipped } from "./unzip.ts";

export interface RebuildOptions {
  /** Changes what is packed; a folder's name ends in `/`. */
  change?: (entries: Map<string, Unzipped>) => void;
  /** Of the entries' times. */
  year?: number;
}

/** Packs an archive again in place: other times, other order, other compression. */
export async function rebuild(path: string, { change, year = 2026 }: RebuildOptions = {}): Promise<void> {
  const entries = await filesIn(await readFile(path));
  change?.(entries);
  const turned = [...entries].reverse();
  const mtime = new Date(year, 1, 3, 4, 5, 6);
  const make = path.endsWith(".zip") ? makeZip : makeTarGz;
  await writeFile(path, await make(turned, mtime));
  age(path);
}

/** A zip of these entries, deflated. */
export async function makeZip(
  entries: readonly (readonly [string, Unzipped])[],
  mtime: Date,
): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, { mode, bytes }] of entries) {
    if (name.endsWith("/")) zip.addEmptyDirectory(name, { mtime, mode: 0o40000 | mode });
    else zip.addBuffer(bytes, name, { mtime, mode: 0o100000 | mode, compress: true, compressionLevel: 1 });
  }
  zip.end();
  return buffer(zip.outputStream);
}

async function makeTarGz(entries: readonly (readonly [string, Unzipped])[], mtime: Date): Promise<Buffer> {
  const tar = pack();
  for (const [name, { mode, bytes }] of entries) {
    const header = { name, mode: mode & 0o7777, mtime };
    if (name.endsWith("/")) tar.entry({ ...header, type: "directory" });
    else tar.entry({ ...header, type: "file" }, bytes);
  }
  tar.finalize();
  return gzipSync(await buffer(tar), { level: 9 });
}
