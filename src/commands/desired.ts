import { collectProblems, type PackageProblem, PackageProblemsError } from "../errors.ts";
import { digest } from "../packages/digest.ts";
import { verifyEntries } from "../packages/entries.ts";
import type { Archive, Package, Source } from "../packages/package.ts";
import { resolvePackages } from "../packages/resolve.ts";
import { archiveSource } from "../packages/source.ts";
import type { PostgresReady } from "../readiness/postgres.ts";
import {
  type Decision,
  type Plan,
  plan,
  type SharedCollector,
  storedFor,
  type Wanted,
} from "../reconcile/plan.ts";
import type { State } from "../reconcile/state.ts";
import { readDefinitions } from "../registry/collectors.ts";
import type { Run } from "../run.ts";

/** What the volume asks for. */
export interface Desired {
  packages: readonly Package[];
  collectors: readonly SharedCollector[];
}

/** From archives to packages and collectors, as this database's table and its list of collectors want them. */
export async function desire(
  run: Run,
  archives: readonly Archive[],
  { db, shape }: PostgresReady,
): Promise<Desired> {
  const { config, args, log } = run;
  run.recorder.archColumn = shape.archColumn;
  const { packages, collectors } = await resolvePackages(archives, {
    options: args,
    packageVersion: config.packageVersion,
    collectors: config.collectors,
    definitions: await readDefinitions(db, config.db.schema),
    archColumn: shape.archColumn,
  });
  for (const pack of packages) {
    const names = collectors
      .filter((collector) => collector.archive === pack.archive)
      .map((collector) => collector.object);
    const { archive, os, arch, object, version } = pack;
    const holds = names.length > 0 ? `, with ${names.join(", ")}` : "";
    log.info("package.found", `${archive.file}: ${object} ${version} for ${os} ${arch}${holds}`, {
      file: archive.file,
      bytes: archive.size,
      os,
      arch,
      object,
      version,
      collectors: names,
    });
  }
  const shared = collectors.flatMap((collector) => {
    const controller = packages.find((pack) => pack.archive === collector.archive);
    return controller ? [{ ...collector, controller }] : [];
  });
  return { packages, collectors: shared };
}

export interface DecideOptions {
  /** Read every archive, not only those that have an object to be compared with. */
  allDigests: boolean;
  signal: AbortSignal;
}

/** Compares what the volume asks for with what the servers hold. Reads an archive only where its digest decides something. */
export async function decideAll(
  run: Run,
  desired: Desired,
  state: State,
  options: DecideOptions,
): Promise<Plan> {
  const { archColumn, rows, listing } = state;
  const read = { archColumn, rows, objects: listing.objects };
  const wanted: Wanted[] = [];
  for (const pack of desired.packages) {
    const { archive } = pack;
    const needed = options.allDigests || storedFor(pack, read) !== undefined;
    const sha256 = needed ? await digest(archive, options.signal) : archive.sha256;
    wanted.push({ package: pack, sha256, bytes: archive.size });
  }
  return plan({ ...read, wanted, collectors: desired.collectors, onConflict: run.config.onConflict });
}

/**
 * ARCHIVE_CHECK=full: reads every entry of the archives that are about to be uploaded. Throws exit 65 that names all damaged ones,
 * before anything is written. `checked` remembers across attempts.
 */
export async function checkArchives(
  run: Run,
  decisions: readonly Decision[],
  checked: Set<Archive>,
  signal: AbortSignal,
): Promise<void> {
  if (run.config.archiveCheck === "quick") return;
  const problems: PackageProblem[] = [];
  for (const { upload, conflict, wanted } of decisions) {
    const { archive } = wanted.package;
    if (!upload || conflict || checked.has(archive)) continue;
    await collectProblems(problems, async () => {
      await verifyEntries(archive, signal);
      checked.add(archive);
    });
  }
  if (problems.length > 0) throw new PackageProblemsError(problems);
}

export function sourceOf(decision: Decision): Source {
  return archiveSource(decision.wanted.package.archive);
}
