import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import type { Recorder } from "../output/recorder.ts";
import { isWhole } from "../store/object.ts";
import type { Decision, Plan, RowDecision } from "./plan.ts";

const RUN_INIT = "run init, and look at its exit code";

/** One thing that differs from what the volume asks for. */
export interface Drift {
  message: string;
  file: string;
}

/** What init would still have to do; empty when everything is stored and registered. */
export function findDrift({ packages, rows }: Plan): Drift[] {
  return [...packages.flatMap(packageDrift), ...rows.flatMap(rowDrift)];
}

function packageDrift(decision: Decision): Drift[] {
  const { action, conflict, stored, key, desired } = decision;
  const { file } = desired.package.archive;
  const say = (what: string) => [{ file, message: `object ${stored?.key ?? key} ${what}` }];
  if (conflict) return [{ file, message: conflict.message }];
  if (action === "uploaded") return say("is missing");
  if (action === "repaired" || (stored && !isWhole(stored))) {
    return say(`is damaged: ${stored?.stored} of ${stored?.chunks} chunks are stored`);
  }
  if (action === "replaced")
    return say(`holds other bytes: SHA-256 ${stored?.sha256}, on the volume ${desired.sha256}`);
  return [];
}

function rowDrift({ action, values, row, after }: RowDecision): Drift[] {
  const { file } = after.desired.package.archive;
  const what = `${values.type} ${values.os} ${values.object} ${values.version}`;
  if (action === "inserted") return [{ file, message: `row ${what} is missing` }];
  if (action === "updated")
    return [{ file, message: `row ${row?.id} (${what}) names ${row?.name}, not ${values.name}` }];
  return [];
}

/** One line for each difference. */
export function logDrift(log: Log, drift: readonly Drift[]): void {
  for (const { message, file } of drift) log.legacy("error", "verify.failed", message, { file });
}

/** The end of a `verify` that found differences: exit 76. */
export function driftError(drift: readonly Drift[]): JobError {
  return JobError.legacy(
    EXIT.verification,
    `${drift.length} things are not as they must be: ${drift[0]?.message}`,
    { hint: RUN_INIT },
  );
}

/** In the report of `verify` a package is as it must be, or failed; rows are those that there are. */
export function recordVerdict({ packages, rows }: Plan, recorder: Recorder): void {
  for (const decision of packages) {
    const [drift] = packageDrift(decision);
    recordDecision(
      decision,
      drift && JobError.legacy(EXIT.verification, drift.message, { hint: RUN_INIT }),
      recorder,
    );
  }
  for (const { values, row } of rows)
    if (row) recorder.row({ ...values, name: row.name }, row.id, "unchanged");
}

/** Puts a decision in the report; nothing of it has been done. */
export function recordDecision(decision: Decision, error: JobError | undefined, recorder: Recorder): void {
  const { desired, action, key, name } = decision;
  recorder.package(desired.package, {
    action: error ? "failed" : action,
    key,
    name,
    sha256: desired.sha256,
    bytes: desired.bytes,
    bytesUploaded: 0,
    ...(error && { error }),
  });
}

/** What a person should know of a plan, though it stops nothing. */
export function logPlanWarnings(log: Log, { warnings }: Plan): void {
  for (const { file, reason, params } of warnings) log.warn("plan.warning", reason, params, { file });
}
