import type { Source } from "../archive/types.ts";
import { abortable, inParallel } from "../async.ts";
import { isRetryable, JobError } from "../errors.ts";
import type { Params } from "../messages/catalog.ts";
import type { Log } from "../output/log.ts";
import { startUploads, type UploadsProgress } from "../output/progress.ts";
import { describeError } from "../output/report.ts";
import { type Archive, isMoving, isZip, type Package, shownPlatform } from "../packages/package.ts";
import { Findings, lanesFor, packageSources, packageTitle, sourceOf } from "../packages/sources.ts";
import type { Lock } from "../postgres/lock.ts";
import { differingColumns, isSystemRow, type RowChange, tryDefaults, writeRows } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import { readChunkSize } from "../store/capacity.ts";
import type { StoredObject } from "../store/object.ts";
import { discard, publish, removeObject, type Staged, stage, type Upload } from "../store/put.ts";
import { InFlightBudget } from "../store/window.ts";
import type { Signatures } from "../volume/signatures.ts";
import { type CheckContext, checkSignatures } from "./checks.ts";
import { contentNow, type Decision, isUploaded, type Plan, type RowDecision } from "./decide.ts";
import { headersOf } from "./match.ts";

export interface ApplyContext extends StageContext {
  lock: Lock;
}

/** The results of all packages. */
interface Applied {
  /** In the packages' order. */
  failures: Map<Decision, unknown>;
  /** Of the stored objects, lower-case hex; undefined if an object's own cannot be read. */
  digests: Map<Decision, string | undefined>;
}

/** The result of one package, as far as it is known. */
interface Result {
  sha256: string | undefined;
  bytes: number | undefined;
  bytesUploaded: number;
  error?: unknown;
}

/** Objects of one archive that are published at the same time: each needs a few round trips. */
const PUBLISHED_TOGETHER = 4;

/**
 * Uploads the packages that have to be stored, one archive at a time. An archive that fails does not stop the
 * others; a retryable error does.
 */
export async function applyPackages(plan: Plan, context: ApplyContext): Promise<Applied> {
  const applied: Applied = { failures: new Map(), digests: new Map() };
  const all = plan.packages.filter(isUploaded);
  const count = all.length;
  const total = sizeOf(all);
  const budget = new InFlightBudget();
  let index = 1;
  let before = 0;
  for (const group of Map.groupBy(plan.packages, ({ desired }) => desired.package.archive).values()) {
    const results = new Map<Decision, Result>();
    const uploads = group.filter(isUploaded);
    for (const decision of group.filter((one) => !isUploaded(one)))
      results.set(decision, resultOf(decision, context));
    try {
      await storeArchive(uploads, results, { budget, index, count, before, total }, context);
    } finally {
      // In the packages' order; finished packages are recorded even if the run starts again.
      for (const decision of group) recordResult(decision, results.get(decision), applied, context);
    }
    index += uploads.length;
    before += sizeOf(uploads) ?? 0;
  }
  return applied;
}

/** Returns the bytes of uploads together; undefined if one is not known before it is sent. */
function sizeOf(uploads: readonly Decision[]): number | undefined {
  return uploads.reduce<number | undefined>(
    (sum, { desired: { bytes } }) => (sum === undefined || bytes === undefined ? undefined : sum + bytes),
    0,
  );
}

/** Returns the result of a package that is not uploaded. */
function resultOf(decision: Decision, context: ApplyContext): Result {
  const { sha256, bytes } = decision.desired;
  const result: Result = { sha256, bytes, bytesUploaded: 0 };
  if (decision.conflict) {
    logFailure(decision, decision.conflict, context);
    return { ...result, error: decision.conflict };
  }
  logPackage(decision, { ...result, seconds: 0 }, context);
  return result;
}

function recordResult(
  decision: Decision,
  result: Result | undefined,
  { failures, digests }: Applied,
  { recorder }: ApplyContext,
): void {
  if (!result) return;
  const { desired, key, name } = decision;
  const action = result.error === undefined ? decision.action : "failed";
  const done = { sha256: result.sha256 ?? null, bytes: result.bytes ?? null };
  const content = result.bytesUploaded > 0 ? done : contentNow(decision);
  recorder.package(desired.package, {
    ...result,
    action,
    source: sourceOf(desired.package),
    stored: { key, name, ...content },
  });
  if (result.error !== undefined) failures.set(decision, result.error);
  digests.set(decision, result.sha256);
}

/**
 * Stages all objects of one archive, publishes them, and adds their results to `results`. If an entry is
 * damaged or an object cannot be staged, none of them is published; an object that cannot be published fails
 * alone.
 */
async function storeArchive(
  uploads: readonly Decision[],
  results: Map<Decision, Result>,
  run: RunUploads,
  context: ApplyContext,
): Promise<void> {
  const [first] = uploads;
  if (!first) return;
  const fail = (decisions: readonly Decision[], cause: unknown) => {
    if (isRetryable(cause) || context.signal.aborted) throw cause;
    const error = withSpace(cause, context.space);
    logFailure(first, error, context);
    for (const decision of decisions) {
      const { sha256, bytes } = decision.desired;
      results.set(decision, { sha256, bytes, bytesUploaded: 0, error });
    }
  };
  const { archive } = first.desired.package;
  let staged: StagedPackage[];
  try {
    staged = await stageArchive(archive, uploads, run, context);
  } catch (error) {
    fail(uploads, error);
    return;
  }
  const left = new Set(staged);
  try {
    await inParallel(staged, PUBLISHED_TOGETHER, async (one) => {
      left.delete(one);
      try {
        results.set(one.decision, await publishPackage(one, context));
      } catch (error) {
        fail([one.decision], error);
      }
    });
  } finally {
    await discardAll(left, context);
  }
}

async function publishPackage(
  { decision, object, headers, startedAt }: StagedPackage,
  context: ApplyContext,
): Promise<Result> {
  const { servers, lock, signal } = context;
  await publish(servers.nats.bucket, object, {
    headers,
    prove: async () => {
      signal.throwIfAborted();
      await lock.prove();
    },
    onLeftover: (error) => logLeftover(error, context),
  });
  const { sha256, size } = object;
  const result = { sha256, bytes: size, bytesUploaded: size };
  const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(3));
  logPackage(decision, { ...result, seconds }, context);
  return result;
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
  const { type, object, version, archive } = desired.package;
  const platform = shownPlatform(desired.package, servers.postgres.shape.archColumn);
  const line = { file: archive.file, type, ...platform, object, version, name, key, ...outcome };
  if (action === "replaced" && isMoving(desired.package)) log.info("package.replaced", line);
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

/** Removes objects that this run replaced, under keys that no longer serve a row. */
export async function removeObsolete(
  decisions: readonly Decision[],
  { servers, lock, log }: ApplyContext,
): Promise<void> {
  for (const object of decisions.flatMap(({ obsolete }) => obsolete)) {
    await removeObject(servers.nats.bucket, object, () => lock.prove());
    log.info("object.removed", { key: object.key });
  }
}

interface StageContext extends CheckContext {
  servers: Servers;
  /** The objects as they were read, deletion markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  stallSeconds: number;
  /** Bytes in the bucket before the run's first chunk, and how many more it needs at most. */
  space: { used: number; most: number };
  signatures: Signatures | undefined;
}

/** What the archives of one run share. */
interface RunUploads {
  budget: InFlightBudget;
  /** The number of the archive's first upload among all `count` of the run, from 1. */
  index: number;
  count: number;
  /** Bytes of the uploads before these, and of all of the run; undefined: not known before they are sent. */
  before: number;
  total: number | undefined;
}

/** A package whose chunks are sent. */
interface StagedPackage {
  decision: Decision;
  object: Staged;
  headers: Record<string, string[]>;
  /** By performance.now(). */
  startedAt: number;
}

/** Returns the error with what the whole run needs, if a limit was reached that JetStream had not told. */
function withSpace(error: unknown, { used, most }: StageContext["space"]): unknown {
  if (!(error instanceof JobError) || error.reason !== "store.full") return error;
  const params = error.params as Params<"store.full">;
  return new JobError("store.full", { ...params, more: most, enough: used + most + 1 }, { cause: error });
}

/**
 * Sends the chunks of all objects of one archive, which is verified meanwhile. If one of them fails, the
 * others are stopped, all chunks are purged, and the first failure is thrown. A sound zip gets its
 * `digests.entries`.
 */
async function stageArchive(
  archive: Archive,
  uploads: readonly Decision[],
  { budget, index, count, ...run }: RunUploads,
  context: StageContext,
): Promise<StagedPackage[]> {
  const { bucket } = context.servers.nats;
  const packages = uploads.map(({ desired }) => desired.package);
  const findings = new Findings({ entries: context.full && isZip(archive) && !archive.digests.entries });
  const sources = packageSources(packages, { onRead: () => budget.touch(), findings });
  const sizes = [...sources.values()].map(({ size }) => size);
  const chunkSize = await readChunkSize(bucket);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const progress = trackUploads(packages, { sizes, index, count, run }, context.log);
  const staged = new Set<Omit<StagedPackage, "headers">>();
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
    staged.add({ decision, object, startedAt });
    findings.add(decision.desired.package, object.sha256);
    progress.stored();
  };
  const orStop = (error: unknown) => stop.abort(error);
  try {
    // All have ended before anything is purged.
    await inParallel(uploads, lanesFor(packages), (decision) => sendOne(decision).catch(orStop));
    if (signal.aborted) throw signal.reason;
    if (context.signatures) await checkSignatures(packages, findings.files, context.signatures);
    for (const [file, sha256] of findings.files) archive.digests.files.set(file, sha256);
    archive.digests.entries ??= findings.entries;
    const sent: StagedPackage[] = [];
    for (const one of staged.values()) {
      const headers = await headersOf(one.decision.desired, { entries: context.full, signal });
      sent.push({ ...one, headers });
    }
    return sent;
  } catch (error) {
    await discardAll(staged, context);
    throw error;
  } finally {
    progress.end();
  }
}

/** Purges the chunks of objects that will not be published. */
async function discardAll(
  staged: Iterable<Pick<StagedPackage, "object">>,
  context: StageContext,
): Promise<void> {
  const { bucket } = context.servers.nats;
  const purges = [...staged].map(({ object }) =>
    discard(bucket, object.nuid, (error) => logLeftover(error, context)),
  );
  await Promise.all(purges);
}

function logLeftover(error: unknown, { log }: { log: Log }): void {
  log.warn("cleanup.failed", "cleanup.failed", { said: (error as Error).message });
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
  options: Omit<Parameters<typeof startUploads>[1], "file">,
  log: Log,
): UploadsProgress {
  const [first, ...others] = packages;
  if (!first) throw new Error("there is nothing to upload");
  const file = others.length === 0 ? packageTitle(first) : first.archive.file;
  return startUploads(log, { file, ...options });
}

/**
 * Tries to insert one of the new rows before anything is uploaded: only the database can judge the values of
 * ROW_DEFAULTS.
 */
export async function tryRowDefaults({ rows }: Plan, { db, shape }: Servers["postgres"]): Promise<void> {
  const first = rows.find(({ row }) => row === undefined);
  if (first && shape.defaults.size > 0) await tryDefaults(db, shape, first.values);
}

/**
 * Writes the rows of the stored packages in one transaction. `digests`: of the stored objects, some of which
 * were not known before the upload.
 */
export async function applyRows(
  rows: readonly RowDecision[],
  digests: Applied["digests"],
  context: ApplyContext,
): Promise<void> {
  const { servers, log, recorder, signal } = context;
  const { db, shape } = servers.postgres;
  const settled = rows.map((decision) => settleRow(decision, digests));
  const changes = settled.flatMap(({ change }) => change ?? []);
  const ids = await abortable(writeRows(db, shape, changes), signal);
  const idOf = new Map(changes.map((change, index) => [change, ids[index]]));
  for (const { row, values, change } of settled) {
    const id = change ? idOf.get(change) : row?.id;
    const action = !change ? "unchanged" : change.row ? "updated" : "inserted";
    recorder.row(values, id, action);
    const line = { id: id ?? null, action, ...values } as const;
    if (change?.row)
      log.info("row.updated", { ...line, columns: [...change.columns], oldName: change.row.name });
    else if (change) log.info("row.inserted", line);
    else log.debug("row.unchanged", line);
  }
}

/** Returns a row with its object's digest, and the change that has to be written, if any. */
function settleRow(
  { row, values: planned, conflict, hasObject, after }: RowDecision,
  digests: Applied["digests"],
): { row: RowDecision["row"]; values: RowDecision["values"]; change?: RowChange } {
  const sha256 = (after.upload && hasObject && digests.get(after)) || planned.sha256;
  const values = { ...planned, sha256: planned.sha256 === null ? null : sha256 };
  if (!row) return { row, values, change: { row, values } };
  const columns = differingColumns(row, values);
  const isRight = conflict !== undefined || !isSystemRow(row) || columns.length === 0;
  return isRight ? { row, values } : { row, values, change: { row, values, columns } };
}
