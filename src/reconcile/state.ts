import type { StreamInfo } from "nats";
import { collectProblem, type Problem, ProblemError, problemCode } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { JobContext } from "../job.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import type { Support } from "../output/report.ts";
import { isPart } from "../packages/layouts.ts";
import { type Archive, type CollectorDefinition, type Package, shownPlatform } from "../packages/package.ts";
import { reportIgnored, reportPackages } from "../packages/read.ts";
import { resolvePackages } from "../packages/resolve.ts";
import {
  isZipOfEntries,
  packageDigests,
  packageEntries,
  packageOrigin,
  packageSize,
  readFileDigests,
} from "../packages/sources.ts";
import { readDefinitions } from "../postgres/platform-tables.ts";
import { type Row, readRows } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import type { Listing } from "../store/object.ts";
import { digest } from "../volume/files.ts";
import { checkTrust } from "./ca.ts";
import {
  isBelieved,
  isSame,
  type Plan,
  type PlanInput,
  plan,
  rowOf,
  type SharedCollector,
  storedFor,
} from "./decide.ts";
import { type DesiredPackage, hasEntries, saysEntries } from "./match.ts";

/** What the volume asks for. */
export interface Desired {
  packages: readonly Package[];
  collectors: readonly SharedCollector[];
  /** The platform's list of collectors, which judges what can be installed. */
  definitions: readonly CollectorDefinition[];
}

/** From archives to packages and collectors, as this database's table and its list of collectors want them. */
export async function resolveDesired(
  job: JobContext,
  archives: readonly Archive[],
  { postgres, nats }: Servers,
): Promise<Desired> {
  const { config, args, log } = job;
  const { archColumn } = postgres.shape;
  job.recorder.archColumn = archColumn;
  const { definitions, unusable } = await readDefinitions(postgres.db, config.db.schema);
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
  const { packages, collectors, problems } = resolved;
  if (problems.length > 0) throw new ProblemError(problems);
  reportIgnored(resolved, config, log);
  reportPackages(packages, args.file ?? config.packagesDir, log);
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

/** Says in which form an archive is stored, where that is not the one that it has or not the one that it needs. */
function reportForm({ archive: { file }, name, made, unfit }: Package, log: Log): void {
  if (made?.reasons) log.info("package.repacked", { file, name, reasons: made.reasons });
  if (unfit) log.warn("package.unfit", "repack.never", { reasons: unfit }, { file });
}

export interface DecideOptions {
  /** Read every archive, not only those that have an object to be compared with. */
  allDigests: boolean;
  signal: AbortSignal;
}

/** Compares what the volume asks for with what the servers hold. Reads an archive only where its digest decides something. */
export async function decideAll(
  job: JobContext,
  desired: Pick<Desired, "packages" | "collectors">,
  state: ObservedState,
  options: DecideOptions,
): Promise<Plan> {
  const { archColumn, hasDigest, hasStatus, rows, listing } = state;
  const read = { archColumn, rows, objects: listing.objects };
  const packages = await describeContents(job, desired.packages, read, options);
  return plan({
    ...read,
    hasDigest,
    hasStatus,
    desired: packages,
    collectors: desired.collectors,
    onConflict: job.config.onConflict,
  });
}

/** Packages with what tells whether a stored object has their content. */
async function describeContents(
  job: Pick<JobContext, "log">,
  packages: readonly Package[],
  read: Pick<PlanInput, "archColumn" | "rows" | "objects">,
  { allDigests, signal }: DecideOptions,
): Promise<DesiredPackage[]> {
  const described: DesiredPackage[] = [];
  for (const pkg of packages) {
    const stored = storedFor(pkg, read);
    if (!pkg.made && (allDigests || stored)) await digest(pkg.archive, signal);
    const origin = await packageOrigin(pkg, signal);
    const desired = describe(pkg, { ...(origin !== undefined && { origin }) });
    const row = rowOf(pkg, read);
    const mayTell = stored && isBelieved(row, stored) && saysEntries(stored) && isZipOfEntries(pkg);
    const entries =
      mayTell && !isSame(desired, stored, row) ? await readEntries(pkg, job, signal) : undefined;
    if (stored && entries !== undefined && hasEntries(stored, entries))
      job.log.debug("content.repackaged", { file: pkg.archive.file, key: stored.key });
    described.push({ ...desired, ...(entries !== undefined && { entries }) });
  }
  // An archive that was built again may hold the same collector, and another writer's object the same content.
  const isNeeded = (desired: DesiredPackage) => {
    const stored = storedFor(desired.package, read);
    const row = rowOf(desired.package, read);
    return desired.package.made && stored !== undefined && !isSame(desired, stored, row);
  };
  const needed = described.filter(isNeeded).map((desired) => desired.package);
  const problems: Problem[] = [];
  for (const group of Map.groupBy(needed, ({ archive }) => archive).values())
    await collectProblem(problems, () => packageDigests(group, signal));
  // a damaged archive is left to its upload, which fails by itself
  const left = problems.filter((one) => allDigests || problemCode(one) !== EXIT.invalidPackage);
  if (left.length > 0) throw new ProblemError(left);
  return described.map((desired) => describe(desired.package, desired));
}

/** A package with what is known of its bytes by now. */
function describe(
  pkg: Package,
  { origin, entries }: Pick<DesiredPackage, "origin" | "entries">,
): DesiredPackage {
  const { archive, made } = pkg;
  return {
    package: pkg,
    sha256: made ? made.digest?.sha256 : archive.sha256,
    bytes: made?.digest?.bytes ?? packageSize(pkg),
    ...(origin !== undefined && { origin }),
    ...(entries !== undefined && { entries }),
  };
}

/** The digest of a package's entries; undefined where it has none, or where its archive is damaged, which its check reports. */
async function readEntries(
  pkg: Package,
  { log }: Pick<JobContext, "log">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { archive } = pkg;
  let read = 0;
  const count = (bytes: number) => {
    read += bytes;
  };
  const progress = startProgress(
    log,
    { phase: "check", file: archive.file, total: archive.size },
    () => read,
  );
  try {
    await readFileDigests(archive, signal, count);
  } catch (error) {
    if (error instanceof ProblemError && error.code === EXIT.invalidPackage) return undefined;
    throw error;
  } finally {
    progress.end();
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

/** Reads table and bucket at once. */
export async function observe({ postgres, nats }: Servers, { support }: Recorder): Promise<ObservedState> {
  const [rows, listing] = await Promise.all([readRows(postgres.db, postgres.shape), nats.bucket.list()]);
  if (listing.info) support.store = describeStore(listing.info, listing);
  const { archColumn, optional } = postgres.shape;
  return { rows, listing, archColumn, hasDigest: optional.has("sha256"), hasStatus: optional.has("status") };
}

function describeStore({ config, state }: StreamInfo, { objects }: Listing): Support["store"] {
  return {
    replicas: config.num_replicas,
    maxBytes: config.max_bytes,
    maxMessageBytes: config.max_msg_size,
    sealed: config.sealed ?? false,
    bytes: state.bytes,
    messages: state.messages,
    lastSequence: state.last_seq,
    objects: [...objects.values()].filter((object) => !object.deleted).length,
  };
}
