import { JobError, type Problem, problemCode } from "../errors.ts";
import { EXIT } from "../exit.ts";
import { formatMessage } from "../messages/catalog.ts";
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
      ...formatMessage("internal", escapeDeep({ message: cause }), language),
    };
  }
  const { code, reason, params, layer, file, server, others } = error;
  const { message, hint } = formatMessage(reason, escapeDeep(params), language);
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
  const { message, hint } = formatMessage(problem.reason, escapeDeep(problem.params), language);
  return { code: problemCode(problem), reason: problem.reason, message, hint };
}
