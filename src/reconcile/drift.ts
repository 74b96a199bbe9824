import { finding, JobError, type Problem } from "../errors.ts";
import { formatMessage } from "../messages/catalog.ts";
import type { Log } from "../output/log.ts";
import type { Recorder } from "../output/recorder.ts";
import { shownPlatform } from "../packages/package.ts";
import { sourceOf } from "../packages/sources.ts";
import { differingColumns } from "../postgres/rows.ts";
import { isUnreadable, isWhole } from "../store/object.ts";
import { contentNow, type Decision, isUploaded, type Plan, type RowDecision } from "./decide.ts";
import { bytesOf } from "./deep.ts";

/** One thing that differs from what the volume asks for, and of which package. */
export type Drift = Problem & {
  identity: { os: string | null; arch: string | null; object: string; version: string };
};

/** Returns what init would still have to do; empty if everything is stored and registered. */
export function findDrift({ packages, rows }: Plan): Drift[] {
  const ofPackages = packages.flatMap((decision) => {
    const { object, version } = decision.desired.package;
    const row = rows.find(({ after, hasObject }) => hasObject && after === decision);
    const platform = row
      ? { os: row.values.os, arch: row.values.arch }
      : shownPlatform(decision.desired.package);
    return packageDrift(decision).map((one) => ({ ...one, identity: { ...platform, object, version } }));
  });
  const ofRows = rows.flatMap((decision) => {
    const { os, arch, object, version } = decision.values;
    return rowDrift(decision).map((one) => ({ ...one, identity: { os, arch, object, version } }));
  });
  return [...ofPackages, ...ofRows];
}

/** Whether a plan would change nothing at all. */
export function isSettled(plan: Plan): boolean {
  const { packages, rows } = plan;
  const isLeft = (one: Decision) => !isUploaded(one) && one.obsolete.length === 0;
  return (
    findDrift(plan).length === 0 &&
    packages.every(isLeft) &&
    rows.every(({ action }) => action === "unchanged")
  );
}

function packageDrift({ action, conflict, stored, key: target, desired }: Decision): Problem[] {
  const { file } = desired.package.archive;
  const key = stored?.key ?? target;
  if (conflict) return [finding(file, conflict.reason, conflict.params)];
  if (action === "uploaded") return [finding(file, "drift.object.missing", { key })];
  if (!stored) return [];
  if (isUnreadable(stored)) return [finding(file, "drift.object.unreadable", { key })];
  if (stored.found) return [finding(file, "drift.object.bytes", { key, ...bytesOf(stored, stored.found) })];
  if (action === "repaired" || !isWhole(stored)) {
    return [finding(file, "drift.object.damaged", { key, stored: stored.stored, chunks: stored.chunks })];
  }
  if (action !== "replaced") return [];
  const digests = { stored: stored.sha256 ?? "?", local: desired.sha256 ?? "?" };
  return [finding(file, "drift.object.different", { key, ...digests })];
}

function rowDrift({ action, values, row, after, conflict }: RowDecision): Problem[] {
  const { file } = after.desired.package.archive;
  const { type, os, arch, object, version, name } = values;
  const identity = { type, os, arch, object, version };
  if (conflict) return [finding(file, conflict.reason, conflict.params)];
  if (action === "inserted") return [finding(file, "drift.row.missing", identity)];
  if (action !== "updated" || !row) return [];
  const what = { ...identity, id: row.id };
  return differingColumns(row, values).flatMap((column): Problem[] => {
    if (column === "name")
      return [finding(file, "drift.row.name", { ...what, name: row.name, expected: name })];
    if (column === "status")
      return [finding(file, "drift.row.status", { ...what, status: row.status ?? "" })];
    // An empty digest is unknown: init fills it in, but nothing is wrong.
    if (!row.sha256) return [];
    return [finding(file, "drift.row.digest", { ...what, found: row.sha256, stored: values.sha256 ?? "?" })];
  });
}

/** Logs one line for each difference. */
export function logDrift(log: Log, found: readonly Drift[]): void {
  for (const { file, reason, params, identity } of found)
    log.error("verify.failed", reason, params, { file, ...identity });
}

/** Returns the first difference in words, for use inside a sentence. */
export function firstDrift([first]: readonly Drift[]): Record<"en" | "zh", string> {
  const words = (language: "en" | "zh") =>
    first ? formatMessage(first.reason, first.params, language).message : "";
  return { en: words("en"), zh: words("zh") };
}

/** Returns the error that ends a `verify` with differences: exit 76. */
export function driftError(found: readonly Drift[]): JobError {
  return new JobError("verification.failed", { problems: found.length, first: firstDrift(found) });
}

/**
 * Puts the result of `verify` in the report: each package is unchanged or failed, each existing row is
 * unchanged.
 */
export function recordVerdict({ packages, rows }: Plan, recorder: Recorder): void {
  for (const decision of packages) {
    const [found] = packageDrift(decision);
    recordDecision(decision, found && new JobError(found.reason, found.params), recorder);
  }
  for (const { values, row } of rows)
    if (row) recorder.row({ ...values, name: row.name }, row.id, "unchanged");
}

/** Puts a decision in the report that has not been carried out. */
export function recordDecision(decision: Decision, error: JobError | undefined, recorder: Recorder): void {
  const { desired, action, key, name } = decision;
  const { sha256 = null, bytes = null } = desired;
  const content = !error && isUploaded(decision) ? { sha256, bytes } : contentNow(decision);
  recorder.package(desired.package, {
    action: error ? "failed" : action,
    source: sourceOf(desired.package),
    stored: { key, name, ...content },
    bytesUploaded: 0,
    ...(error && { error }),
  });
}

/** Logs a plan's warnings. */
export function logPlanWarnings(log: Log, { warnings }: Plan): void {
  for (const { file, reason, params } of warnings) log.warn("plan.warning", reason, params, { file });
}
