import { collectProblem, type Problem, ProblemError, problemCode } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { JobContext } from "../job.ts";
import type { Log } from "../output/log.ts";
import { isPart } from "../packages/layouts.ts";
import { type Archive, type CollectorDefinition, type Package, shownPlatform } from "../packages/package.ts";
import { type Resolved, resolvePackages } from "../packages/resolve.ts";
import {
  fileDigest,
  isZipOfEntries,
  knownDigest,
  packageDigests,
  packageEntries,
  packageOrigin,
  packageSize,
} from "../packages/sources.ts";
import { readDefinitions } from "../postgres/platform-tables.ts";
import { type Row, readRows } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import type { Listing } from "../store/object.ts";
import { checkTrust } from "./ca.ts";
import { readEntries } from "./checks.ts";
import { type Plan, plan, type SharedCollector } from "./decide.ts";
import {
  type DesiredPackage,
  hasEntries,
  isBelieved,
  isPackageKey,
  isSame,
  type Observed,
  otherArchitectures,
  packageKeys,
  platformOf,
  rowKeys,
  rowOf,
  saysEntries,
  storedFor,
} from "./match.ts";
import { rejectFiles, reportResolved } from "./prepare.ts";

/** What should be stored and registered. */
export interface Desired {
  packages: readonly Package[];
  collectors: readonly SharedCollector[];
  /** The platform's list of collectors, which judges what can be installed. */
  definitions: readonly CollectorDefinition[];
}

/**
 * Returns the packages and collectors of the archives, for this database's table and its list of collectors.
 */
export async function resolveDesired(
  job: JobContext,
  archives: readonly Archive[],
  { postgres, nats }: Servers,
): Promise<Desired> {
  const { config, log } = job;
  const { archColumn } = postgres.shape;
  job.recorder.learn({ archColumn });
  const { definitions, ...resolved } = await resolveArchives(job, archives, postgres);
  const { packages, collectors, problems } = resolved;
  if (problems.length > 0) rejectFiles(job, archives.length, problems);
  reportResolved(resolved, job);
  checkTrust(packages, nats.chain, config, log);
  const whole = packages.filter((pkg) => !isPart(pkg));
  const parts = [...collectors, ...packages.filter(isPart)];
  for (const pkg of whole) {
    const names = parts.filter((part) => part.archive === pkg.archive).map((part) => part.object);
    reportForm(pkg, log);
    const { archive, object, version } = pkg;
    log.info("package.found", {
      file: archive.file,
      bytes: archive.size,
      ...shownPlatform(pkg, archColumn),
      object,
      version,
      collectors: names,
    });
  }
  const shared = collectors.flatMap((collector) => {
    const controller = whole.find((pkg) => pkg.archive === collector.archive);
    return controller ? [{ ...collector, controller }] : [];
  });
  return { packages, collectors: shared, definitions };
}

/** Returns what archives become on this database, and the platform's list of collectors. */
export async function resolveArchives(
  { config, args, log }: JobContext,
  archives: readonly Archive[],
  { db, shape: { archColumn } }: Servers["postgres"],
): Promise<Resolved & { definitions: readonly CollectorDefinition[] }> {
  const { definitions, unusable } = await readDefinitions(db, config.db.schema);
  if (unusable.length > 0) log.warn("plan.warning", "definitions.name", { names: unusable });
  const resolved = await resolvePackages(archives, {
    options: args,
    packageVersion: config.packageVersion,
    repack: config.repack,
    collectors: config.collectors,
    standalone: config.collectorPackages === "auto" ? archColumn : config.collectorPackages === "standalone",
    definitions,
    archColumn,
  });
  return { ...resolved, definitions };
}

/** Logs that an archive is repacked, or that it would have to be. */
function reportForm({ archive: { file }, name, derived, repackNeeded }: Package, log: Log): void {
  if (derived?.kind === "repacked") log.info("package.repacked", { file, name, reasons: derived.reasons });
  if (repackNeeded) log.warn("package.unfit", "repack.never", { reasons: repackNeeded }, { file });
}

/**
 * Compares what is desired with what the servers hold. Reads an archive only if its digest decides something.
 */
export async function decideAll(
  job: JobContext,
  desired: Pick<Desired, "packages" | "collectors">,
  state: ObservedState,
  signal: AbortSignal,
): Promise<Plan> {
  const { archColumn, hasDigest, hasStatus, rows, listing } = state;
  const read = { archColumn, rows, objects: listing.objects };
  const packages = await describeContents(job, desired.packages, read, signal);
  return plan({
    ...read,
    hasDigest,
    hasStatus,
    desired: packages,
    collectors: desired.collectors,
    onConflict: job.config.onConflict,
  });
}

/** Returns the packages with what decides whether a stored object has their content. */
async function describeContents(
  job: Pick<JobContext, "log" | "mode">,
  packages: readonly Package[],
  read: Observed,
  signal: AbortSignal,
): Promise<DesiredPackage[]> {
  // plan and verify tell every digest; apply learns an upload's by sending it.
  const reports = job.mode !== "apply";
  const described: DesiredPackage[] = [];
  for (const pkg of packages) {
    const stored = storedFor(pkg, read);
    const row = rowOf(pkg, read);
    // What is only sent is read by its upload.
    const keys = packageKeys(pkg, row, pkg.name, read.archColumn);
    const isCompared =
      reports ||
      !!stored ||
      keys.some((key) => read.objects.has(key)) ||
      otherArchitectures(pkg, read).length > 0;
    if (!pkg.derived && isCompared) await fileDigest(pkg.archive, signal);
    const origin = isCompared ? await packageOrigin(pkg, signal) : undefined;
    const desired = describe(pkg, { ...(origin !== undefined && { origin }) });
    const mayTell = stored && isBelieved(row, stored) && saysEntries(stored) && isZipOfEntries(pkg);
    const entries = mayTell && !isSame(desired, stored, row) ? await entriesOf(pkg, job, signal) : undefined;
    if (stored && entries !== undefined && hasEntries(stored, entries))
      job.log.debug("content.repackaged", { file: pkg.archive.file, key: stored.key });
    described.push({ ...desired, ...(entries !== undefined && { entries }) });
  }
  // A rebuilt archive may contain the same collector, and another client's object may have the same content.
  const isNeeded = (desired: DesiredPackage) => {
    const stored = storedFor(desired.package, read);
    const row = rowOf(desired.package, read);
    return desired.package.derived && stored !== undefined && !isSame(desired, stored, row);
  };
  const needed = described.filter(isNeeded).map((desired) => desired.package);
  const problems: Problem[] = [];
  for (const group of Map.groupBy(needed, ({ archive }) => archive).values())
    await collectProblem(problems, () => packageDigests(group, signal));
  // apply reports a damaged archive at its upload, so that the others are stored.
  const left = problems.filter((one) => reports || problemCode(one) !== EXIT.invalidPackage);
  if (left.length > 0) throw new ProblemError(left);
  return described.map((desired) => describe(desired.package, desired));
}

/** Returns a package with what is known of its bytes. */
function describe(
  pkg: Package,
  { origin, entries }: Pick<DesiredPackage, "origin" | "entries">,
): DesiredPackage {
  const known = knownDigest(pkg);
  return {
    package: pkg,
    sha256: known?.sha256,
    bytes: known?.bytes ?? packageSize(pkg),
    ...(origin !== undefined && { origin }),
    ...(entries !== undefined && { entries }),
  };
}

/**
 * Returns the digest of a package's entries; undefined if it has none, or if its archive is damaged, which
 * its upload reports.
 */
async function entriesOf(
  pkg: Package,
  { log }: Pick<JobContext, "log">,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await readEntries(pkg.archive, log, signal);
  } catch (error) {
    if (error instanceof ProblemError && error.code === EXIT.invalidPackage) return undefined;
    throw error;
  }
  return packageEntries(pkg);
}

/** What the servers hold now. */
export interface ObservedState {
  rows: readonly Row[];
  listing: Listing;
  archColumn: boolean;
  /** Whether the table has the columns sha256 and status. */
  hasDigest: boolean;
  hasStatus: boolean;
}

/** Returns the state without rows and, by their keys, objects. */
export function without(state: ObservedState, gone: ReadonlySet<unknown>): ObservedState {
  if (gone.size === 0) return state;
  const objects = new Map([...state.listing.objects].filter(([key]) => !gone.has(key)));
  const rows = state.rows.filter((row) => !gone.has(row));
  return { ...state, rows, listing: { ...state.listing, objects } };
}

/** Reads the table, and of the bucket the objects of packages and rows. */
export async function observe(
  { postgres, nats }: Servers,
  { args, recorder }: Pick<JobContext, "args" | "recorder">,
  signal: AbortSignal,
): Promise<ObservedState> {
  const { archColumn, optional } = postgres.shape;
  const rows = await readRows(postgres.db, postgres.shape);
  // The keys of all other rows are a package's.
  const keys = rows.filter((row) => !platformOf(row, archColumn)).flatMap((row) => rowKeys(row, archColumn));
  const all = args.command === "init" || args.command === "status"; // they count orphans
  const listing = await nats.bucket.list({ keeps: isPackageKey, keys, all }, signal);
  if (listing.stream) {
    const { time, ...stream } = listing.stream;
    recorder.learn({ support: { store: { ...stream, objects: listing.keys } } });
  }
  return { rows, listing, archColumn, hasDigest: optional.has("sha256"), hasStatus: optional.has("status") };
}
