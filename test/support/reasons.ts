import type { JobReport, JobResult } from "./run.ts";

/**
 * Every reason that a run's report and log name: its error, its packages', its warnings', and why a form was
 * changed.
 */
export function reasonsIn({ report, events }: Pick<JobResult, "report" | "events">): Set<string> {
  const { error, packages = [], warnings = [] } = report ?? ({} as Partial<JobReport>);
  const found: unknown[] = [error?.reason, ...warnings.map(({ reason }) => reason)];
  for (const one of packages) found.push(one.error?.reason, ...(one.repacked ?? []));
  for (const { reason } of events) found.push(reason);
  return new Set(found.filter((reason) => typeof reason === "string"));
}
