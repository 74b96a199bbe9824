import { JobError, type Problem, problemCode } from "../errors.ts";
import { EXIT } from "../exit.ts";
import { say } from "../messages/catalog.ts";
import { JOIN, type Language } from "../messages/define.ts";
import { escapeDeep, escapeText } from "./escape.ts";
import type { ReportError } from "./report.ts";

/** How many problems more than the one named, in words. */
const MORE: Record<Language, (others: number) => string> = {
  en: (others) => ` (and ${others} more, see the log)`,
  zh: (others) => `（另有 ${others} 个问题，见日志）`,
};

/** Any error as code, reason, message and remedy; what the job does not know is a bug of its own. */
export function describeError(error: unknown, language: Language): ReportError {
  if (!(error instanceof JobError)) {
    const cause = error instanceof Error ? error.message : String(error);
    return {
      code: EXIT.internal,
      reason: "internal",
      ...say("internal", escapeDeep({ message: cause }), language),
    };
  }
  const { code, reason, params, layer, file, server, others } = error;
  const path = file === undefined ? undefined : escapeText(file);
  const { message, hint } = say(reason, escapeDeep(params), language, path);
  const where = file ?? server;
  const place = where === undefined ? "" : `${escapeText(where)}${JOIN[language].colon}`;
  return {
    code,
    reason,
    ...(layer && { layer }),
    message: `${place}${message}${others > 0 ? MORE[language](others) : ""}`,
    hint,
  };
}

/** A problem by itself, as the report has it for its file. */
export function describeProblem(problem: Problem, language: Language): ReportError {
  const { message, hint } = say(
    problem.reason,
    escapeDeep(problem.params),
    language,
    escapeText(problem.file),
  );
  return { code: problemCode(problem), reason: problem.reason, message, hint };
}
