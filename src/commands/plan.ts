import type { Log } from "../log.ts";
import type { Plan } from "../reconcile/plan.ts";
import { readState } from "../reconcile/state.ts";
import { planTable } from "../report/plan-table.ts";
import type { Run } from "../run.ts";
import { checkArchives, decideAll, desire } from "./desired.ts";
import { prepare, withRetries } from "./prepare.ts";
import { recordDecision } from "./verify.ts";

/** Says what init would do, refusals included; writes nothing anywhere. */
export async function showPlan(run: Run): Promise<void> {
  const { servers: first, archives } = await prepare(run, false);
  const { log, recorder } = run;
  const plan = await withRetries(run, first, false, async (servers, signal) => {
    const desired = await desire(run, archives, servers.postgres);
    const decided = await decideAll(run, desired, await readState(servers, recorder), {
      allDigests: true,
      signal,
    });
    await checkArchives(run, decided.packages, new Set(), signal);
    return decided;
  });
  for (const decision of plan.packages) recordDecision(decision, decision.conflict, recorder);
  for (const { values, row, action } of plan.rows) recorder.row(values, row?.id, action);
  if (run.screen) run.screen.print(planTable(plan, run.screen.paint));
  else logPlan(log, plan);
  const conflict = plan.packages.find((decision) => decision.conflict)?.conflict;
  if (conflict) throw conflict;
}

function logPlan(log: Log, { packages, rows }: Plan): void {
  for (const { wanted, action, conflict, key, obsolete } of packages) {
    const { file } = wanted.package.archive;
    const what = conflict ? "conflict" : action;
    log.info("plan.package", `${file}: would be ${what}: ${key}`, {
      file,
      action: what,
      key,
      bytes: wanted.bytes,
      sha256: wanted.sha256,
      ...(obsolete && { removes: obsolete.key }),
    });
  }
  for (const { action, values, row } of rows) {
    const { type, os, object, version } = values;
    log.info("plan.row", `row ${type} ${os} ${object} ${version}: would be ${action}`, {
      id: row?.id ?? null,
      action,
      ...values,
    });
  }
}
