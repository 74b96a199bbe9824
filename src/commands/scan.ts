import type { ScanContext } from "../job.ts";
import { shownPlatform } from "../packages/package.ts";
import { judge } from "../packages/resolve.ts";
import { fileDigest, packageDigests, sourceOf } from "../packages/sources.ts";
import { packageKeys } from "../reconcile/match.ts";
import { listFiles, rejectFiles, reportResolved, scanFiles } from "../reconcile/prepare.ts";

/**
 * Reads and judges the volume without a server. Shows what is on it and what it would become on today's
 * BK-Lite (table state C). Throws exit 65, 66 or 74 as init would.
 */
export async function scanOnly(job: ScanContext): Promise<void> {
  const { args, config, log, recorder, signal } = job;
  const files = await listFiles(job);
  const archives = await recorder.time("scan", () => scanFiles(files, job, signal));
  const resolved = await recorder.time("check", () => judge(archives, args, config, signal));
  const { packages, problems } = resolved;
  if (problems.length > 0) rejectFiles(job, files.length, problems);
  reportResolved(resolved, job);
  const digests = await packageDigests(packages, signal);
  // of what is delivered, to be compared with the vendor's list, whatever it becomes
  for (const { archive } of packages)
    if (archive.kind !== "collector-folder") await fileDigest(archive, signal);
  for (const [pkg, { sha256, bytes }] of digests) {
    const [key] = packageKeys(pkg, undefined, pkg.name, true);
    recorder.package(pkg, {
      action: "found",
      source: sourceOf(pkg),
      stored: { name: pkg.name, key, bytes, sha256 },
      bytesUploaded: 0,
    });
    const { type, object, version } = pkg;
    log.info("scan.package", {
      file: pkg.archive.file,
      type,
      ...shownPlatform(pkg),
      object,
      version,
      name: pkg.name,
      key,
      bytes,
    });
  }
}
