import { readState } from "../reconcile/state.ts";
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
    const decided = await decideAll(run, desired, await readState(servers), { allDigests: true, signal });
    await checkArchives(run, decided.packages, new Set(), signal);
    return decided;
  });
  for (const decision of plan.packages) recordDecision(decision, decision.conflict, recorder);
  for (const { values, row, action } of plan.rows) recorder.row(values, row?.id, action);
  for (const { wanted, action, conflict, key, obsolete } of plan.packages) {
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
  for (const { action, values, row } of plan.rows) {
    const { type, os, object, version } = values;
    log.info("plan.row", `row ${type} ${os} ${object} ${version}: would be ${action}`, {
      id: row?.id ?? null,
      action,
      ...values,
    });
  }
  const conflict = plan.packages.find((decision) => decision.conflict)?.conflict;
  if (conflict) throw conflict;
}
