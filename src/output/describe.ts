import { EXIT, JobError, type Problem, ProblemsError, problemCode } from "../errors.ts";
import { say } from "../reasons/catalog.ts";
import type { Language } from "../reasons/define.ts";
import type { ReportError } from "./report.ts";

/** Any error as code, reason, message and remedy; what the job does not know is a bug of its own. */
export function describeError(error: unknown, language: Language): ReportError {
  if (!(error instanceof JobError)) {
    return {
      code: EXIT.internal,
      reason: "internal",
      message: `internal error: ${error instanceof Error ? error.message : String(error)}`,
      hint: "this is a bug in bklite-package-init: please report it with the log",
    };
  }
  const { code, reason, params, layer, file } = error;
  const { message, hint } = say(reason, params, language);
  const others = error instanceof ProblemsError ? error.problems.length - 1 : 0;
  const more = others > 0 ? ` (and ${others} more, each logged as package.invalid)` : "";
  return {
    code,
    reason,
    ...(layer && { layer }),
    message: `${file === undefined ? "" : `${file}: `}${message}${more}`,
    hint,
  };
}

/** A problem by itself, as the report has it for its file. */
export function describeProblem(problem: Problem, language: Language): ReportError {
  const { message, hint } = say(problem.reason, problem.params, language);
  return { code: problemCode(problem), reason: problem.reason, message, hint };
}
