import type { VolumeConfig } from "../config/config.ts";
import { collectProblem, EXIT, JobError, ProblemsError } from "../errors.ts";
import type { Claim } from "../identity.ts";
import type { Log } from "../output/log.ts";
import type { VolumeFile } from "../volume/file.ts";
import { findFile, listVolume } from "../volume/list.ts";
import { MANIFEST, readManifest } from "../volume/manifest.ts";
import { inspectFiles, verifyArchive } from "./inspect.ts";
import type { Archive } from "./package.ts";
import { type Resolved, resolvePackages } from "./resolve.ts";

/** What is said on the command line of the one file, or of all. */
export type ScanArguments = Claim & { file?: string };

/**
 * The files to be read: the one that the command line names, or those on the volume. Throws exit 66 where there is none, 65 for a
 * `packages.json` that is wrong.
 */
export async function findFiles(args: ScanArguments, config: VolumeConfig, log: Log): Promise<VolumeFile[]> {
  if (args.file !== undefined) return [await findFile(args.file, args)];
  const [{ files: found, ignored }, manifest] = await Promise.all([
    listVolume(config.packagesDir),
    readManifest(config.packagesDir),
  ]);
  if (manifest && manifest.problems.length > 0) throw new ProblemsError(manifest.problems);
  const named = manifest?.files ?? [];
  const byName = new Set([MANIFEST, ...named.map(({ file }) => file)]);
  const files = [...found.filter(({ file }) => !byName.has(file)), ...named];
  for (const file of ignored.filter((other) => !byName.has(other))) log.debug("scan.ignored", { file });
  if (files.length === 0 && !config.allowEmpty) {
    throw JobError.legacy(EXIT.noInput, `no archive in ${config.packagesDir}`, {
      hint: "put fusion-collectors*.zip or .tar.gz there (at most three folders deep), check the mount, or set ALLOW_EMPTY=true",
    });
  }
  return files;
}

/** Reads the files as the packages they claim to be. Throws ProblemsError with all that is wrong with any of them. */
export async function scan(
  files: readonly VolumeFile[],
  args: ScanArguments,
  config: VolumeConfig,
  log: Log,
  signal: AbortSignal,
): Promise<Archive[]> {
  const started = performance.now();
  const { archives, problems } = await inspectFiles(files, { signal });
  if (problems.length > 0) {
    throw new ProblemsError([...problems, ...(await judge(archives, args, config, signal)).problems]);
  }
  const bytes = archives.reduce((sum, archive) => sum + archive.size, 0);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  log.info("scan.done", { archives: archives.length, bytes, seconds });
  return archives;
}

/**
 * What archives would become, and what is wrong with them, apart from what a server says: on today's BK-Lite (table state C), with
 * the built-in collectors, and without a word on architectures that the table may not tell apart.
 */
export async function judge(
  archives: readonly Archive[],
  args: ScanArguments,
  config: VolumeConfig,
  signal: AbortSignal,
): Promise<Resolved> {
  const resolved = await resolvePackages(archives, {
    options: args,
    packageVersion: config.packageVersion,
    repack: config.repack,
    collectors: config.collectors,
    standalone: config.collectorPackages !== "shared",
    definitions: [],
    archColumn: true,
  });
  if (config.archiveCheck === "full") {
    for (const archive of archives)
      await collectProblem(resolved.problems, () => verifyArchive(archive, signal));
  }
  return resolved;
}
