import type { Source } from "../archive/source.ts";
import { abortable } from "../async.ts";
import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import type { Recorder } from "../output/recorder.ts";
import type { PackageAction } from "../output/report.ts";
import { formatBytes } from "../output/tables.ts";
import { packageTitle } from "../packages/form.ts";
import type { Servers } from "../readiness/wait.ts";
import { DatabaseLostError, TableChangedError } from "../registry/database.ts";
import { type RowChange, RowConflictError, writeRows } from "../registry/rows.ts";
import { StoreConflictError, StoreLostError } from "../store/errors.ts";
import { ORIGIN_HEADER } from "../store/meta.ts";
import type { StoredObject } from "../store/object.ts";
import { put } from "../store/put.ts";
import type { Decision, Plan, RowDecision } from "./plan.ts";

export interface ApplyContext {
  servers: Servers;
  /** The objects as they were read, deleted markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  source: (decision: Decision) => Source;
  stallSeconds: number;
  log: Log;
  recorder: Recorder;
  signal: AbortSignal;
}

/** Whether a clean start may help: a connection that is gone, somebody who wrote in between, or a migration that ran. */
export function isRetryable(error: unknown): boolean {
  return [StoreLostError, StoreConflictError, DatabaseLostError, RowConflictError, TableChangedError].some(
    (kind) => error instanceof kind,
  );
}

/**
 * Stores what has to be stored, one package after the other. A package that fails does not stop the rest; what a clean start may
 * mend does. Returns the failures.
 */
export async function applyPackages(plan: Plan, context: ApplyContext): Promise<Map<Decision, unknown>> {
  const failures = new Map<Decision, unknown>();
  for (const decision of plan.packages) {
    try {
      if (decision.conflict) throw decision.conflict;
      await applyPackage(decision, context);
    } catch (error) {
      if (isRetryable(error) || context.signal.aborted) throw error;
      failures.set(decision, error);
      recordFailure(decision, error, context);
    }
  }
  return failures;
}

async function applyPackage(decision: Decision, context: ApplyContext): Promise<void> {
  const { desired, action, key, name } = decision;
  let { sha256, bytes } = desired;
  let bytesUploaded = 0;
  const started = performance.now();
  if (decision.upload) {
    const stored = await upload(decision, context);
    sha256 = stored.sha256;
    bytes = stored.size;
    bytesUploaded = stored.size;
    // What was sent is what was scanned, or the upload had failed: the proof need not read it again.
    if (!desired.package.made) desired.package.archive.sha256 = stored.sha256;
  }
  context.recorder.package(desired.package, { action, key, name, sha256, bytes, bytesUploaded });
  const seconds = (performance.now() - started) / 1000;
  logPackage(decision, { sha256, bytes, bytesUploaded, seconds: Number(seconds.toFixed(3)) }, context.log);
}

async function upload(
  decision: Decision,
  { servers, objects, source, stallSeconds, log, signal }: ApplyContext,
) {
  const { desired, key } = decision;
  const from = source(decision);
  const progress = startProgress(log, {
    phase: "upload",
    file: packageTitle(desired.package),
    total: from.size,
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
        ...(desired.origin !== undefined && { headers: { [ORIGIN_HEADER]: [desired.origin] } }),
      },
      {
        signal,
        stallSeconds,
        onProgress: progress.update,
        onLeftover: (error) =>
          log.legacy(
            "warn",
            "cleanup.failed",
            `the unfinished upload could not be purged (the next run does it): ${(error as Error).message}`,
          ),
      },
    );
  } finally {
    progress.end();
  }
}

const VERBS: Record<PackageAction, string> = {
  unchanged: "is stored already",
  uploaded: "uploaded",
  repaired: "stored again: chunks were missing",
  replaced: "replaced other bytes that were stored under this version",
  kept: "other bytes are stored under this version and stay (ON_CONFLICT=keep)",
};

function logPackage(
  decision: Decision,
  fields: { sha256: string | undefined; bytesUploaded: number } & Record<string, unknown>,
  log: Log,
): void {
  const { action, desired, key, stored } = decision;
  const { package: pkg } = desired;
  const both = action === "replaced" || action === "kept";
  const message = `${pkg.archive.file}: ${VERBS[action]}${fields.bytesUploaded > 0 ? ` (${formatBytes(fields.bytesUploaded)})` : ""}: ${key}`;
  log.legacy(both ? "warn" : "info", `package.${action}`, message, {
    file: pkg.archive.file,
    type: pkg.type,
    os: pkg.os,
    object: pkg.object,
    version: pkg.version,
    key,
    ...fields,
    ...(both && { storedSha256: stored?.sha256 ?? null }),
  });
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
  const known = error instanceof JobError ? error : undefined;
  log.legacy("error", "package.failed", `${file}: ${(error as Error).message}`, {
    file,
    code: known?.code ?? EXIT.internal,
    hint: known?.hint,
    ...(known ? {} : { stack: (error as Error).stack }),
  });
}

/** Writes the rows of the packages that are stored, all in one transaction, then removes the objects that nothing is served by any more. */
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
    const what = `${values.type} ${values.os} ${values.object} ${values.version}`;
    log.legacy(action === "unchanged" ? "debug" : "info", `row.${action}`, `row ${id}: ${what}: ${action}`, {
      id,
      ...values,
      ...(action === "updated" && { columns: ["name"], oldName: row?.name }),
    });
  }
}

/** Removes objects that this run replaced, under keys that no row is served by any more. */
export async function removeObsolete(
  decisions: readonly Decision[],
  { servers, log }: ApplyContext,
): Promise<void> {
  for (const object of decisions.flatMap(({ obsolete }) => obsolete)) {
    await servers.nats.bucket.remove(object);
    log.legacy("info", "object.removed", `${object.key}: removed, no row is served by it any more`, {
      key: object.key,
    });
  }
}
