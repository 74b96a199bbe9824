import { escapeJson } from "./escape.ts";
import type { Report, ReportError } from "./report.ts";
import { countActions } from "./tables.ts";

/**
 * Outcome, counts, what can be installed and the error in at most `limit` bytes of JSON, for Kubernetes' termination message
 * (4096 bytes there). Where it is too long the error's words are cut.
 */
export function terminationMessage(report: Report, limit = 4096): string {
  let keep = limit;
  let out = escapeJson(JSON.stringify(summary(report)));
  while (Buffer.byteLength(out) > limit && keep > 1) {
    keep = Math.floor(keep / 2);
    out = escapeJson(JSON.stringify(summary(report, keep)));
  }
  return out;
}

function summary({ outcome, exitCode, packages, rows, platforms, warnings, error }: Report, keep = Infinity) {
  return {
    outcome,
    exitCode,
    packages: countActions(packages),
    rows: countActions(rows),
    platforms: Object.fromEntries(
      platforms.map(({ os, arch, complete }) => [
        arch === null ? os : `${os}/${arch}`,
        complete ? "complete" : "incomplete",
      ]),
    ),
    warnings: warnings.length,
    ...(error && { error: shortened(error, keep) }),
  };
}

function shortened(error: ReportError, keep: number): ReportError {
  const cut = (text: string) => (text.length > keep ? `${text.slice(0, keep)}...` : text);
  return { ...error, message: cut(error.message), hint: cut(error.hint) };
}
