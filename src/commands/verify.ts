import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Archive } from "../packages/package.ts";
import type { Servers } from "../readiness/wait.ts";
import type { Decision, Plan, RowDecision } from "../reconcile/plan.ts";
import { pause, readState } from "../reconcile/state.ts";
import type { Recorder } from "../report/recorder.ts";
import type { Run } from "../run.ts";
import { isWhole } from "../store/bucket.ts";
import { decideAll, desire } from "./desired.ts";
import { prepare, withRetries } from "./prepare.ts";

/** Milliseconds between two looks of `verify --wait`. */
const POLL = 2000;

const RUN_INIT = "run init, and look at its exit code";

/** One thing that is not as it must be. */
export interface Shortcoming {
  message: string;
  file: string;
}

/** What init would still have to do; empty when everything is stored and registered. */
export function findShortcomings({ packages, rows }: Plan): Shortcoming[] {
  return [...packages.flatMap(packageShortcoming), ...rows.flatMap(rowShortcoming)];
}

function packageShortcoming(decision: Decision): Shortcoming[] {
  const { action, conflict, stored, key, wanted } = decision;
  const { file } = wanted.package.archive;
  const say = (what: string) => [{ file, message: `object ${stored?.key ?? key} ${what}` }];
  if (conflict) return [{ file, message: conflict.message }];
  if (action === "uploaded") return say("is missing");
  if (action === "repaired" || (stored && !isWhole(stored))) {
    return say(`is damaged: ${stored?.stored} of ${stored?.chunks} chunks are stored`);
  }
  if (action === "replaced")
    return say(`holds other bytes: SHA-256 ${stored?.sha256}, on the volume ${wanted.sha256}`);
  return [];
}

function rowShortcoming({ action, values, row, after }: RowDecision): Shortcoming[] {
  const { file } = after.wanted.package.archive;
  const what = `${values.type} ${values.os} ${values.object} ${values.version}`;
  if (action === "inserted") return [{ file, message: `row ${what} is missing` }];
  if (action === "updated")
    return [{ file, message: `row ${row?.id} (${what}) names ${row?.name}, not ${values.name}` }];
  return [];
}

/** One line for each shortcoming. */
export function complain(log: Log, shortcomings: readonly Shortcoming[]): void {
  for (const { message, file } of shortcomings) log.error("verify.failed", message, { file });
}

/** Checks that everything on the volume is stored and registered. Writes nothing; exit 76 if not. */
export async function verify(run: Run): Promise<void> {
  const deadline = performance.now() + run.config.waitTimeout * 1000;
  const { servers, archives } = await prepare(run, false);
  const left = await withRetries(run, servers, false, (live, signal) =>
    look(run, live, archives, signal, deadline),
  );
  if (left.length === 0) {
    run.log.info("verify.done", "every package is whole and every row is there", {
      rows: run.recorder.rows.length,
    });
    return;
  }
  complain(run.log, left);
  throw new JobError(
    EXIT.verification,
    `${left.length} things are not as they must be: ${left[0]?.message}`,
    {
      hint: RUN_INIT,
    },
  );
}

async function look(
  run: Run,
  servers: Servers,
  archives: readonly Archive[],
  signal: AbortSignal,
  deadline: number,
) {
  const desired = await desire(run, archives, servers.postgres);
  for (;;) {
    const plan = await decideAll(run, desired, await readState(servers, run.recorder), {
      allDigests: true,
      signal,
    });
    recordVerdict(plan, run.recorder);
    const left = findShortcomings(plan);
    if (left.length === 0 || !run.args.wait || performance.now() + POLL > deadline) return left;
    await pause(POLL, signal);
  }
}

/** In the report of `verify` a package is as it must be, or failed; rows are those that there are. */
function recordVerdict({ packages, rows }: Plan, recorder: Recorder): void {
  for (const decision of packages) {
    const [shortcoming] = packageShortcoming(decision);
    recordDecision(
      decision,
      shortcoming && new JobError(EXIT.verification, shortcoming.message, { hint: RUN_INIT }),
      recorder,
    );
  }
  for (const { values, row } of rows)
    if (row) recorder.row({ ...values, name: row.name }, row.id, "unchanged");
}

/** Puts a decision in the report; nothing of it has been done. */
export function recordDecision(decision: Decision, error: JobError | undefined, recorder: Recorder): void {
  const { wanted, action, key, name } = decision;
  recorder.package(wanted.package, {
    action: error ? "failed" : action,
    key,
    name,
    sha256: wanted.sha256,
    bytes: wanted.bytes,
    bytesUploaded: 0,
    ...(error && { error }),
  });
}
