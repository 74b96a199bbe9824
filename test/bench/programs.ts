import { execFileSync } from "node:child_process";
import { createReadStream, createWriteStream, globSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { builtinDefinitions } from "../../src/packages/definitions.ts";
import { type ArchiveEntry, buildArchive } from "../support/archives.ts";
import { type TempDir, tempDir } from "../support/guard.ts";
import { findNats, findPostgres } from "../support/majors.ts";
import { rebuild } from "../support/rebuild.ts";
import { mebibytes } from "./report.ts";
import type { Volume } from "./stage.ts";

/** Bytes of all programs together, about. */
const ENOUGH = 300e6;
const SUFFIX = process.arch === "arm64" ? "arm64" : "amd64";

/** Archives of the same real programs, and what other programs are given of them. */
export interface RealArchives {
  zip: Volume;
  targz: Volume;
  /** The zip with the same entries in another packaging. */
  rebuilt: Volume;
  /** The tar, unpacked: what is deflated when the tar.gz is repacked. */
  tar: string;
  /** In one file the bytes that stand-alone stores: the archive and each collector's program. */
  everything: string;
  /** Their sizes and what is inside, in words. */
  description: string;
  remove(): void;
}

/**
 * Makes a zip and a tar.gz, deflated at level 6, of this machine's programs under the names of collectors:
 * node, nats-servers, natscli and Postgres' binaries, the largest first. Real programs deflate to two fifths,
 * and unevenly, as noise and text do not. Linux only: the archive's name says so.
 */
export async function makeRealArchives(): Promise<RealArchives> {
  const programs = await largestPrograms();
  const entries = programs.map(
    ({ file, name }): ArchiveEntry => ({ name, content: readFileSync(file), mode: 0o755 }),
  );
  const zip = await archiveOf(entries, "zip");
  const targz = await archiveOf(entries, "tar.gz");
  const rebuilt = await archiveOf(entries, "zip");
  await rebuild(rebuilt.file);
  const others = tempDir("bench-others");
  const tar = join(others.path, "archive.tar");
  await pipeline(createReadStream(targz.file), createGunzip(), createWriteStream(tar));
  const everything = join(others.path, "everything");
  const collectors = programs.filter(({ name }) => name.startsWith("bin/")).map(({ file }) => file);
  for (const file of [zip.file, ...collectors])
    await pipeline(createReadStream(file), createWriteStream(everything, { flags: "a" }));
  const size = (file: string) => mebibytes(statSync(file).size);
  return {
    zip,
    targz,
    rebuilt,
    tar,
    everything,
    description: `${programs.length} programs of ${size(tar)} (${listed(programs.map(({ file }) => basename(file)))}), zip ${size(zip.file)}, tar.gz ${size(targz.file)}; stand-alone stores ${size(everything)}`,
    remove: () => {
      for (const folder of [zip.folder, targz.folder, rebuilt.folder, others] satisfies TempDir[])
        folder.remove();
    },
  };
}

async function archiveOf(entries: readonly ArchiveEntry[], format: "zip" | "tar.gz"): Promise<Volume> {
  const folder = tempDir("bench");
  const file = join(folder.path, `fusion-collectors-linux-${SUFFIX}-1.0.0.${format}`);
  await buildArchive(file, { format, sidecar: false, collectors: [], entries });
  return { folder, file };
}

/**
 * Programs until there are enough bytes or no more names: the largest are the collectors, the last is the
 * sidecar.
 */
async function largestPrograms(): Promise<{ file: string; name: string }[]> {
  const paths = builtinDefinitions("linux").flatMap(({ executable }) =>
    executable === undefined || executable.endsWith(".jar") ? [] : [executable],
  );
  const names = [...new Set(paths)];
  const chosen: string[] = [];
  let bytes = 0;
  for (const { file, size } of await candidates()) {
    if (bytes >= ENOUGH || chosen.length > names.length) break;
    chosen.push(file);
    bytes += size;
  }
  return chosen.map((file, index) => ({
    file,
    name: index === chosen.length - 1 ? "collector-sidecar" : (names[index] as string),
  }));
}

/** Files of different sizes, the largest first: two of one size are most likely the same one twice. */
async function candidates(): Promise<{ file: string; size: number }[]> {
  const postgres = (await findPostgres()).flatMap(({ program }) =>
    globSync(join(dirname(dirname(program)), "{bin,lib}", "*")),
  );
  const servers = (await findNats()).map(({ program }) => program);
  const files = [process.execPath, ...servers, ...natscli(), ...postgres].map((file) => ({
    file,
    stat: statSync(file),
  }));
  const bySize = new Map(
    files.flatMap(({ file, stat }) => (stat.isFile() ? [[stat.size, file] as const] : [])),
  );
  return [...bySize].map(([size, file]) => ({ file, size })).sort((a, b) => b.size - a.size);
}

/** `node, 3 × nats-server`. */
function listed(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`)).join(", ");
}

function natscli(): string[] {
  try {
    return [execFileSync("sh", ["-c", "command -v nats"], { encoding: "utf8" }).trim()];
  } catch {
    return [];
  }
}
