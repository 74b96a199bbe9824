import { collectProblems, type PackageProblem, PackageProblemsError } from "../errors.ts";
import { cutDigest, cutSource } from "../packages/cut.ts";
import { digest } from "../packages/digest.ts";
import { verifyEntries } from "../packages/entries.ts";
import type { Archive, Package, Source } from "../packages/package.ts";
import { resolvePackages } from "../packages/resolve.ts";
import { archiveSource } from "../packages/source.ts";
import { originOf } from "../packages/standalone.ts";
import type { PostgresReady } from "../readiness/postgres.ts";
import {
  type Decision,
  hasOrigin,
  type Plan,
  type PlanInput,
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
    standalone: config.collectorPackages === "standalone",
    definitions: await readDefinitions(db, config.db.schema),
    archColumn: shape.archColumn,
  });
  const whole = packages.filter(({ cut }) => !cut);
  const parts = [...collectors, ...packages.filter(({ cut }) => cut)];
  for (const pack of whole) {
    const names = parts.filter((part) => part.archive === pack.archive).map((part) => part.object);
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
    const controller = whole.find((pack) => pack.archive === collector.archive);
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
  for (const pack of desired.packages) wanted.push(await want(pack, read, options));
  return plan({ ...read, wanted, collectors: desired.collectors, onConflict: run.config.onConflict });
}

async function want(
  pack: Package,
  read: Pick<PlanInput, "archColumn" | "rows" | "objects">,
  { allDigests, signal }: DecideOptions,
): Promise<Wanted> {
  const { archive, cut } = pack;
  const stored = storedFor(pack, read);
  if (!cut) {
    const needed = allDigests || stored !== undefined;
    const sha256 = needed ? await digest(archive, signal) : archive.sha256;
    return { package: pack, sha256, bytes: archive.size };
  }
  const origin = originOf(await digest(archive, signal), cut);
  // An archive that was built anew may well hold the same collector, and somebody else's object the same bytes.
  const cutNow = stored !== undefined && !hasOrigin(stored, origin);
  const { sha256, bytes } = cutNow ? await cutDigest(archive, cut, signal) : { ...cut.digest };
  return { package: pack, origin, sha256, bytes: bytes ?? cutSource(archive, cut).size };
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
  const uploads = decisions.filter(({ upload, conflict }) => upload && !conflict);
  for (const archive of new Set(uploads.map(({ wanted }) => wanted.package.archive))) {
    if (checked.has(archive)) continue;
    await collectProblems(problems, async () => {
      await verifyEntries(archive, signal);
      checked.add(archive);
    });
  }
  if (problems.length > 0) throw new PackageProblemsError(problems);
}

export function sourceOf({ wanted }: Decision): Source {
  const { archive, cut } = wanted.package;
  return cut ? cutSource(archive, cut) : archiveSource(archive);
}
