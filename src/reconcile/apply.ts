import type { Source } from "../archive/source.ts";
import { abortable } from "../async.ts";
import { RetryableError } from "../errors.ts";
import { describeError } from "../output/describe.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import { packageTitle } from "../packages/form.ts";
import { shownPlatform } from "../packages/package.ts";
import type { Servers } from "../readiness/wait.ts";
import type { Lock } from "../registry/lock.ts";
import { type RowChange, writeRows } from "../registry/rows.ts";
import type { StoredObject } from "../store/object.ts";
import { removeObject } from "../store/publish.ts";
import { put } from "../store/put.ts";
import { headersOf } from "./content.ts";
import type { Decision, Plan, RowDecision } from "./plan.ts";

export interface ApplyContext {
  servers: Servers;
  lock: Lock;
  /** The objects as they were read, deleted markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  source: (decision: Decision) => Source;
  stallSeconds: number;
  log: Log;
  recorder: Recorder;
  signal: AbortSignal;
  /** Awaited before anything is published: that the archives are whole, and the lock is held. */
  prove: () => Promise<void>;
}

/**
 * Stores what has to be stored, one package after the other. A package that fails does not stop the rest; what a clean start may
 * mend does. Returns the failures.
 */
export async function applyPackages(plan: Plan, context: ApplyContext): Promise<Map<Decision, unknown>> {
  const failures = new Map<Decision, unknown>();
  const uploads = plan.packages.filter(({ upload, conflict }) => upload && !conflict);
  for (const decision of plan.packages) {
    try {
      if (decision.conflict) throw decision.conflict;
      const place = { index: uploads.indexOf(decision) + 1, count: uploads.length };
      await applyPackage(decision, place, context);
    } catch (error) {
      if (error instanceof RetryableError || context.signal.aborted) throw error;
      failures.set(decision, error);
      recordFailure(decision, error, context);
    }
  }
  return failures;
}

/** File `index` of `count`, from 1. */
interface Place {
  index: number;
  count: number;
}

async function applyPackage(decision: Decision, place: Place, context: ApplyContext): Promise<void> {
  const { desired, action, key, name } = decision;
  let { sha256, bytes } = desired;
  let bytesUploaded = 0;
  const started = performance.now();
  if (decision.upload) {
    const stored = await upload(decision, place, context);
    sha256 = stored.sha256;
    bytes = stored.size;
    bytesUploaded = stored.size;
    // What was sent is what was scanned, or the upload had failed: the proof need not read it again.
    if (!desired.package.made) desired.package.archive.sha256 = stored.sha256;
  }
  context.recorder.package(desired.package, { action, key, name, sha256, bytes, bytesUploaded });
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  logPackage(decision, { sha256: sha256 ?? null, bytes: bytes ?? null, bytesUploaded, seconds }, context);
}

async function upload(
  decision: Decision,
  place: Place,
  { servers, objects, source, stallSeconds, log, signal, prove }: ApplyContext,
) {
  const { desired, key } = decision;
  const from = source(decision);
  const progress = startProgress(log, {
    phase: "upload",
    file: packageTitle(desired.package),
    total: from.size,
    ...place,
  });
  try {
    return await put(
      servers.nats.bucket,
      {
        key,
        description: decision.name,
        source: from,
        replaced: objects.get(key),
        supersedes: decision.obsolete.map((object) => object.nuid),
        sha256: desired.sha256,
        headers: headersOf(desired),
      },
      {
        signal,
        stallSeconds,
        onProgress: progress.update,
        prove,
        onLeftover: (error) =>
          log.warn("cleanup.failed", "cleanup.failed", { said: (error as Error).message }),
      },
    );
  } finally {
    progress.end();
  }
}

interface Outcome {
  sha256: string | null;
  bytes: number | null;
  bytesUploaded: number;
  seconds: number;
}

function logPackage(
  { action, desired, key, stored, name }: Decision,
  outcome: Outcome,
  { log, servers }: ApplyContext,
): void {
  const { type, object, version, archive, fixedKey } = desired.package;
  const platform = shownPlatform(desired.package, servers.postgres.shape.archColumn);
  const line = { file: archive.file, type, ...platform, object, version, name, key, ...outcome };
  const moves = version === "latest" || fixedKey !== undefined;
  if (action === "replaced" && moves) log.info("package.replaced", line);
  else if (action === "replaced" || action === "kept") {
    const digests = { key, stored: stored?.sha256 ?? "?", local: outcome.sha256 ?? "?" };
    const fields = { ...line, storedSha256: stored?.sha256 ?? null };
    log.warn(`package.${action}`, `content.${action}`, digests, fields);
  } else log.info(`package.${action}`, line);
}

function recordFailure(decision: Decision, error: unknown, { recorder, log }: ApplyContext): void {
  const { desired, key, name } = decision;
  const { file } = desired.package.archive;
  recorder.package(desired.package, {
    action: "failed",
    key,
    name,
    sha256: desired.sha256,
    bytes: desired.bytes,
    bytesUploaded: 0,
    error,
  });
  const described = describeError(error, log.language);
  log.failure("error", "package.failed", described, {
    file,
    ...(described.reason === "internal" && { stack: (error as Error).stack }),
  });
}

/** Writes the rows of the packages that are stored, all in one transaction. */
export async function applyRows(rows: readonly RowDecision[], context: ApplyContext): Promise<void> {
  const { servers, log, recorder, signal } = context;
  const { db, shape } = servers.postgres;
  const changed = rows.filter((decision) => decision.action !== "unchanged");
  const changes = changed.map(
    ({ row, values }): RowChange => (row ? { row, name: values.name } : { row: undefined, values }),
  );
  const ids = await abortable(writeRows(db, shape, changes), signal);
  const idOf = new Map(changed.map((decision, index) => [decision, ids[index]]));
  for (const decision of rows) {
    const { action, values, row } = decision;
    const id = idOf.get(decision) ?? row?.id;
    recorder.row(values, id, action);
    const line = { id: id ?? null, action, ...values };
    if (action === "updated")
      log.info("row.updated", { ...line, columns: ["name"], oldName: row?.name ?? "" });
    else if (action === "inserted") log.info("row.inserted", line);
    else log.debug("row.unchanged", line);
  }
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
