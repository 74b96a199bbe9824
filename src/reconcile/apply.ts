import type { Source } from "../archive/source.ts";
import { inParallel } from "../async.ts";
import { RetryableError } from "../errors.ts";
import { describeError } from "../output/describe.ts";
import type { Log } from "../output/log.ts";
import { startUploads, type UploadsProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import { packageSources, packageTitle } from "../packages/form.ts";
import { type Package, shownPlatform } from "../packages/package.ts";
import type { Servers } from "../readiness/wait.ts";
import type { Lock } from "../registry/lock.ts";
import { Flight } from "../store/flight.ts";
import type { StoredObject } from "../store/object.ts";
import { removeObject } from "../store/publish.ts";
import { put } from "../store/put.ts";
import type { DesiredPackage } from "./content.ts";
import type { Decision, Plan } from "./plan.ts";
import type { Watched } from "./proofs.ts";

export interface ApplyContext {
  servers: Servers;
  lock: Lock;
  /** The objects as they were read, deleted markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  stallSeconds: number;
  log: Log;
  recorder: Recorder;
  signal: AbortSignal;
  /** Awaited before anything is published: that the archives are whole, and the lock is held. */
  prove: () => Promise<void>;
  /** The sources of what comes out of one archive, watched by those who judge it, and how many of them are to be taken at the same time. */
  watch: (sources: ReadonlyMap<Package, Source>) => Watched;
  /** The headers of a package's object; resolves when its archive has been checked. */
  headersOf: (desired: DesiredPackage) => Promise<Record<string, string[]>>;
}

/** What became of the packages. */
export interface Applied {
  /** In the packages' order. */
  failures: Map<Decision, unknown>;
  /** Lower-case hex; undefined where the stored object's own cannot be read. */
  digests: Map<Decision, string | undefined>;
}

/**
 * Stores what has to be stored, one archive after the other, and what comes out of one archive at the same time. A package that fails does
 * not stop the rest; what a clean start may mend does.
 */
export async function applyPackages(plan: Plan, context: ApplyContext): Promise<Applied> {
  const failures = new Map<Decision, unknown>();
  const digests = new Map<Decision, string | undefined>();
  const count = plan.packages.filter(isSent).length;
  const flight = new Flight();
  let first = 1;
  for (const group of Map.groupBy(plan.packages, ({ desired }) => desired.package.archive).values()) {
    const sent = group.filter(isSent);
    const watched = context.watch(packageSources(sent.map(({ desired }) => desired.package)));
    const progress = trackUploads(sent, watched.sources, { first, count }, context.log);
    await applyTogether(group, { ...watched, progress, flight, failures, digests }, context);
    first += sent.length;
  }
  return { failures, digests };
}

function isSent({ upload, conflict }: Decision): boolean {
  return upload && !conflict;
}

/** What became of a package, as far as it is known. */
interface Result {
  sha256: string | undefined;
  bytes: number | undefined;
  bytesUploaded: number;
  error?: unknown;
}

interface Together extends Watched, Applied {
  progress: UploadsProgress | undefined;
  flight: Flight;
}

/** Stores what comes out of one archive. Whatever happens, all uploads have ended when it does; what is done by then is recorded. */
async function applyTogether(
  group: readonly Decision[],
  together: Together,
  context: ApplyContext,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const results = new Map<Decision, Result>();
  const apply = async (decision: Decision) => {
    try {
      if (decision.conflict) throw decision.conflict;
      results.set(decision, await applyPackage(decision, together, { ...context, signal }));
    } catch (error) {
      if (error instanceof RetryableError || signal.aborted) {
        stop.abort(error);
        throw error;
      }
      const { sha256, bytes } = decision.desired;
      results.set(decision, { sha256, bytes, bytesUploaded: 0, error });
      logFailure(decision, error, context);
    }
  };
  try {
    await inParallel(group, together.lanes, apply);
  } finally {
    together.progress?.end();
    for (const decision of group) {
      const result = results.get(decision);
      if (!result) continue;
      const { desired, action, key, name } = decision;
      const failed = result.error !== undefined;
      context.recorder.package(desired.package, { ...result, action: failed ? "failed" : action, key, name });
      if (failed) together.failures.set(decision, result.error);
      together.digests.set(decision, result.sha256);
    }
  }
}

function trackUploads(
  sent: readonly Decision[],
  sources: ReadonlyMap<Package, Source>,
  { first, count }: { first: number; count: number },
  log: Log,
): UploadsProgress | undefined {
  const [one] = sent;
  if (!one) return undefined;
  const { package: pkg } = one.desired;
  const file = sent.length === 1 ? packageTitle(pkg) : pkg.archive.file;
  const sizes = [...sources.values()].map(({ size }) => size);
  return startUploads(log, { file, sizes, index: first, count });
}

async function applyPackage(decision: Decision, together: Together, context: ApplyContext): Promise<Result> {
  const { desired } = decision;
  const { sha256, bytes } = desired;
  const started = performance.now();
  let result: Result = { sha256, bytes, bytesUploaded: 0 };
  if (decision.upload) {
    const stored = await upload(decision, together, context);
    result = { sha256: stored.sha256, bytes: stored.size, bytesUploaded: stored.size };
    // What was sent is what was scanned, or the upload had failed: the proof need not read it again.
    if (!desired.package.made) desired.package.archive.sha256 = stored.sha256;
  }
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  logPackage(decision, { ...result, seconds }, context);
  return result;
}

async function upload(
  decision: Decision,
  { sources, progress, flight }: Together,
  { servers, objects, stallSeconds, log, signal, prove, headersOf }: ApplyContext,
) {
  const { desired, key } = decision;
  const source = sources.get(desired.package);
  if (!source) throw new Error(`no source for ${key}`);
  const stored = await put(
    servers.nats.bucket,
    {
      key,
      description: decision.name,
      source,
      replaced: objects.get(key),
      supersedes: decision.obsolete.flatMap(({ nuid }) => nuid ?? []),
      sha256: desired.sha256,
      headers: () => headersOf(desired),
    },
    {
      signal,
      stallSeconds,
      flight,
      onProgress: (bytes) => progress?.sent(desired.package, bytes),
      prove,
      onLeftover: (error) => log.warn("cleanup.failed", "cleanup.failed", { said: (error as Error).message }),
    },
  );
  progress?.stored();
  return stored;
}

interface Outcome extends Result {
  seconds: number;
}

function logPackage(
  { action, desired, key, stored, name }: Decision,
  { bytesUploaded, seconds, ...content }: Outcome,
  { log, servers }: ApplyContext,
): void {
  const sha256 = content.sha256 ?? null;
  const outcome = { sha256, bytes: content.bytes ?? null, bytesUploaded, seconds };
  const { type, object, version, archive, fixedKey } = desired.package;
  const platform = shownPlatform(desired.package, servers.postgres.shape.archColumn);
  const line = { file: archive.file, type, ...platform, object, version, name, key, ...outcome };
  const moves = version === "latest" || fixedKey !== undefined;
  if (action === "replaced" && moves) log.info("package.replaced", line);
  else if (action === "replaced" || action === "kept") {
    const digests = { key, stored: stored?.sha256 ?? "?", local: sha256 ?? "?" };
    const fields = { ...line, storedSha256: stored?.sha256 ?? null };
    log.warn(`package.${action}`, `content.${action}`, digests, fields);
  } else log.info(`package.${action}`, line);
}

function logFailure({ desired }: Decision, error: unknown, { log }: ApplyContext): void {
  const { file } = desired.package.archive;
  const described = describeError(error, log.language);
  log.failure("error", "package.failed", described, {
    file,
    ...(described.reason === "internal" && { stack: (error as Error).stack }),
  });
}

/** Removes objects that this run replaced, under keys that no row is served by any more. */
export async function removeObsolete(
  decisions: readonly Decision[],
  { servers, lock, log }: ApplyContext,
): Promise<void> {
  for (const object of decisions.flatMap(({ obsolete }) => obsolete)) {
    await removeObject(servers.nats.bucket, object, () => lock.prove());
    log.info("object.removed", { key: object.key });
  }
}
