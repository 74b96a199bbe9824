import type { Source } from "../archive/types.ts";
import { inParallel } from "../async.ts";
import type { Log } from "../output/log.ts";
import { startUploads, type UploadsProgress } from "../output/progress.ts";
import { cutEntry, lanesFor, packageSources, packageTitle } from "../packages/form.ts";
import type { Archive, Package } from "../packages/package.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import { checkCapacity } from "../store/capacity.ts";
import type { StoredObject } from "../store/object.ts";
import { discard, type Staged, stage, type Upload } from "../store/put.ts";
import type { InFlightBudget } from "../store/window.ts";
import { type CheckContext, checkEntries } from "./checks.ts";
import type { Decision } from "./decision.ts";

export interface StageContext extends CheckContext {
  servers: Servers;
  /** The objects as they were read, deleted markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  stallSeconds: number;
}

/** Values that the archives of one run share. */
export interface RunUploads {
  budget: InFlightBudget;
  /** Place of the archive's first upload among all `count` of the run, from 1. */
  index: number;
  count: number;
}

/** A package whose chunks are sent. */
export interface StagedPackage {
  decision: Decision;
  object: Staged;
  /** As performance.now() has it. */
  startedAt: number;
}

/**
 * Sends the chunks of all objects that come out of one archive, and verifies meanwhile the entries that this does not read. If any of it fails,
 * the rest is stopped, no chunk stays, and the first failure is thrown. An archive that was found whole has its `fileDigests`.
 */
export async function stageArchive(
  archive: Archive,
  uploads: readonly Decision[],
  { budget, index, count }: RunUploads,
  context: StageContext,
): Promise<StagedPackage[]> {
  const { bucket } = context.servers.nats;
  const packages = uploads.map(({ desired }) => desired.package);
  const sources = packageSources(packages, () => budget.touch());
  const sizes = [...sources.values()].map(({ size }) => size);
  const { chunkSize } = await checkCapacity(bucket, sizes);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const progress = trackUploads(packages, { sizes, index, count }, context.log);
  const staged = new Map<Decision, StagedPackage>();
  const sendOne = async (decision: Decision) => {
    signal.throwIfAborted();
    const startedAt = performance.now();
    const object = await stage(bucket, uploadOf(decision, sources, context), {
      signal,
      stallSeconds: context.stallSeconds,
      chunkSize,
      budget,
      onProgress: (bytes) => progress.sent(decision, bytes),
      onLeftover: (error) => logLeftover(error, context),
    });
    staged.set(decision, { decision, object, startedAt });
    progress.stored();
  };
  const orStop = (error: unknown) => stop.abort(error);
  const cut = packages.flatMap((pkg) => cutEntry(pkg) ?? []);
  try {
    // both have ended before anything is purged, so no file is open any more
    const [digests] = await Promise.all([
      checkEntries(archive, cut, { ...context, signal }).catch(orStop),
      inParallel(uploads, lanesFor(packages), (decision) => sendOne(decision).catch(orStop)),
    ]);
    if (signal.aborted) throw signal.reason;
    const sent = uploads.flatMap((decision) => staged.get(decision) ?? []);
    if (digests) archive.fileDigests = new Map([...digests, ...sent.flatMap(entryDigest)]);
    return sent;
  } catch (error) {
    await discardAll(staged.values(), context);
    throw error;
  } finally {
    progress.end();
  }
}

/** Purges the chunks of objects that are not going to be published. */
export async function discardAll(staged: Iterable<StagedPackage>, context: StageContext): Promise<void> {
  const { bucket } = context.servers.nats;
  const purges = [...staged].map(({ object }) =>
    discard(bucket, object.nuid, (error) => logLeftover(error, context)),
  );
  await Promise.all(purges);
}

export function logLeftover(error: unknown, { log }: { log: Log }): void {
  log.warn("cleanup.failed", "cleanup.failed", { said: (error as Error).message });
}

/** The bytes of an object that is cut out of a zip are those of the entry. */
function entryDigest({ decision, object }: StagedPackage): [number, string][] {
  const entry = cutEntry(decision.desired.package);
  return entry ? [[entry.offset, object.sha256]] : [];
}

function uploadOf(
  { desired, key, name, obsolete }: Decision,
  sources: ReadonlyMap<Package, Source>,
  { objects }: StageContext,
): Upload {
  const source = sources.get(desired.package);
  if (!source) throw new Error(`no source for ${key}`);
  return {
    key,
    description: name,
    source,
    replaced: objects.get(key),
    supersedes: obsolete.flatMap(({ nuid }) => nuid ?? []),
    sha256: desired.sha256,
  };
}

function trackUploads(
  packages: readonly Package[],
  { sizes, index, count }: { sizes: (number | undefined)[]; index: number; count: number },
  log: Log,
): UploadsProgress {
  const [first, ...others] = packages;
  if (!first) throw new Error("there is nothing to upload");
  const file = others.length === 0 ? packageTitle(first) : first.archive.file;
  return startUploads(log, { file, sizes, index, count });
}
