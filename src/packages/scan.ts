import type { VolumeConfig } from "../config/settings.ts";
import { collectProblem, JobError, type Problem, ProblemsError } from "../errors.ts";
import type { Claim } from "../identity.ts";
import type { Log } from "../output/log.ts";
import type { VolumeFile } from "../volume/files.ts";
import type { OnWait } from "../volume/growing.ts";
import { findFile, listVolume } from "../volume/list.ts";
import { MANIFEST, readManifest } from "../volume/manifest.ts";
import { inspectFiles, verifyArchive } from "./inspect.ts";
import type { Archive, Package } from "./package.ts";
import { type Resolved, resolvePackages } from "./resolve.ts";

/** What is said on the command line of the one file, or of all. */
export type ScanArguments = Claim & { file?: string };

/**
 * The files to be read: the one that the command line names, or those on the volume. Throws exit 66 where there is none, 65 for a
 * `packages.json` that is wrong.
 */
export async function findFiles(
  args: ScanArguments,
  config: VolumeConfig,
  log: Log,
  signal: AbortSignal,
): Promise<VolumeFile[]> {
  const { packagesDir } = config;
  if (args.file !== undefined) return [await findFile(args.file, packagesDir, args)];
  const [volume, manifest] = await Promise.all([
    listVolume(packagesDir),
    readManifest(packagesDir, { signal, ...patienceOf(config, log) }),
  ]);
  if (manifest && manifest.problems.length > 0) throw new ProblemsError(manifest.problems);
  const named = manifest?.files ?? [];
  const byName = new Set([MANIFEST, ...named.map(({ file }) => file)]);
  const files = [...volume.files.filter(({ file }) => !byName.has(file)), ...named];
  const ignored = volume.ignored.filter(({ file }) => !byName.has(file));
  for (const one of ignored) log.debug("scan.ignored", one);
  const suspects = volume.suspects.filter(({ file }) => !byName.has(file));
  for (const { file, reason, params } of suspects) log.warn("scan.suspect", reason, params, { file });
  if (files.length === 0 && !config.allowEmpty) {
    const others = [...volume.others, ...ignored.map(({ file }) => file)].sort();
    throw emptiness(packagesDir, suspects, others);
  }
  return files;
}

function emptiness(path: string, suspects: readonly Problem[], others: readonly string[]): JobError {
  const split = suspects.find(
    (one): one is Problem<"volume.near.split"> => one.reason === "volume.near.split",
  );
  return new JobError("volume.empty", {
    path,
    suspects: suspects.map(({ file }) => file),
    others: others,
    join: split?.params.command,
  });
}

/** How long a file that is still being written is waited for: a quarter of WAIT_TIMEOUT in all. */
function patienceOf({ waitTimeout }: VolumeConfig, log: Log): { patience: number; onWait: OnWait } {
  return { patience: waitTimeout / 4, onWait: (wait) => log.info("scan.growing", wait) };
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
  const { archives, problems, warnings } = await inspectFiles(files, {
    signal,
    ...patienceOf(config, log),
  });
  for (const { file, reason, params } of warnings) log.warn("scan.suspect", reason, params, { file });
  if (problems.length > 0) {
    throw new ProblemsError([...problems, ...(await judge(archives, args, config, signal)).problems]);
  }
  const bytes = archives.reduce((sum, archive) => sum + archive.size, 0);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  log.info("scan.done", { archives: archives.length, bytes, seconds });
  return archives;
}

/**
 * Says what is left alone of what lies in a collector's place. Throws exit 66 if nothing else is on the volume.
 */
export function reportIgnored(
  { packages, ignored, warnings }: Resolved,
  { packagesDir, allowEmpty }: VolumeConfig,
  log: Log,
): void {
  for (const { file } of ignored) log.debug("scan.ignored", { file });
  for (const { file, reason, params } of warnings) log.warn("scan.suspect", reason, params, { file });
  if (packages.length > 0 || allowEmpty) return;
  throw emptiness(
    packagesDir,
    warnings,
    ignored.map(({ file }) => file),
  );
}

/** Says how many files become how many packages. `where`: the volume, or the one file that was named. */
export function reportPackages(packages: readonly Package[], where: string, log: Log): void {
  const archives = new Set(packages.map(({ archive }) => archive));
  const bytes = [...archives].reduce((sum, { size }) => sum + size, 0);
  log.info("scan.packages", { where, files: archives.size, packages: packages.length, bytes });
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
    const kept = archives.filter((archive) => !resolved.ignored.includes(archive));
    for (const archive of kept) await collectProblem(resolved.problems, () => verifyArchive(archive, signal));
  }
  return resolved;
}
