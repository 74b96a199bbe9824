import { ProblemsError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { Log } from "../output/log.ts";
import { packageDigests, packageOrigin, packageSize } from "../packages/form.ts";
import { type Archive, type CollectorDefinition, type Package, shownPlatform } from "../packages/package.ts";
import { resolvePackages } from "../packages/resolve.ts";
import { reportIgnored } from "../packages/scan.ts";
import { isPart } from "../packages/standalone.ts";
import type { Servers } from "../readiness/wait.ts";
import { type DesiredPackage, hasOrigin } from "./content.ts";
import { platformDefinitions } from "./definitions.ts";
import type { ObservedState } from "./observed.ts";
import { type Plan, type PlanInput, plan, type SharedCollector, storedFor } from "./plan.ts";
import { checkTrust } from "./trust.ts";

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
  signal: AbortSignal,
): Promise<Desired> {
  const { config, args, log } = job;
  const { archColumn } = postgres.shape;
  job.recorder.archColumn = archColumn;
  const definitions = await platformDefinitions(job, archives, postgres, signal);
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
  if (problems.length > 0) throw new ProblemsError(problems);
  reportIgnored(resolved, config, log);
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
  const { archColumn, rows, listing } = state;
  const read = { archColumn, rows, objects: listing.objects };
  const packages = await describeContents(desired.packages, read, options);
  return plan({
    ...read,
    desired: packages,
    collectors: desired.collectors,
    onConflict: job.config.onConflict,
  });
}

/** Packages with what tells whether a stored object has their content. */
async function describeContents(
  packages: readonly Package[],
  read: Pick<PlanInput, "archColumn" | "rows" | "objects">,
  { allDigests, signal }: DecideOptions,
): Promise<DesiredPackage[]> {
  const origins = new Map<Package, string | undefined>();
  for (const pkg of packages) origins.set(pkg, await packageOrigin(pkg, signal));
  const isNeeded = (pkg: Package) => {
    const stored = storedFor(pkg, read);
    const origin = origins.get(pkg);
    if (origin === undefined) return allDigests || stored !== undefined;
    // An archive that was built anew may well hold the same collector, and somebody else's object the same content.
    return stored !== undefined && !hasOrigin(stored, origin);
  };
  const digests = await packageDigests(packages.filter(isNeeded), signal);
  return packages.map((pkg): DesiredPackage => {
    const { archive, made } = pkg;
    const origin = origins.get(pkg);
    const known = digests.get(pkg) ?? made?.digest;
    const sha256 = known?.sha256 ?? (made ? undefined : archive.sha256);
    const bytes = known?.bytes ?? packageSize(pkg);
    return { package: pkg, sha256, bytes, ...(origin !== undefined && { origin }) };
  });
}
