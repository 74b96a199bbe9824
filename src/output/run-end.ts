import { EXIT, type ExitCode, ProblemsError } from "../errors.ts";
import { describeError, describeProblem } from "./describe.ts";
import type { Log } from "./log.ts";
import type { Recorder } from "./recorder.ts";
import { type Redact, redactDeep } from "./redact.ts";
import type { Report } from "./report.ts";
import { countActions, platformTable, rowTable } from "./tables.ts";
import { type Screen, writeNow } from "./terminal.ts";
import { TERMINATION_LOG, writeReportFile, writeTerminationLog } from "./write.ts";

export interface RunEndOptions {
  command: string;
  /** Whether the report goes to standard output. */
  json: boolean;
  log: Log;
  redact: Redact;
  recorder: Recorder;
  screen: Screen | undefined;
  reportFile: string | undefined;
  /** Ends the process. */
  leave: (code: ExitCode) => void;
}

/** Everything that is written when the run is over: last line, table, report, termination message. */
export class RunEnd {
  readonly #options: RunEndOptions;
  #over = false;

  constructor(options: RunEndOptions) {
    this.#options = options;
  }

  /** Says how it ended and ends the process. The first call counts. */
  finish(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const { recorder, reportFile, redact, json, leave } = this.#options;
    let report = recorder.report(error);
    if (reportFile) {
      try {
        writeReportFile(reportFile, toJson(report, redact));
      } catch (writeError) {
        error ??= writeError;
        report = recorder.report(error);
      }
    }
    this.#say(report, error);
    writeTerminationLog(TERMINATION_LOG, redactDeep(report, redact) as Report);
    if (json) writeNow(1, toJson(report, redact));
    leave(report.exitCode);
  }

  #say({ packages, rows, platforms, orphans, durationMs }: Report, error: unknown): void {
    const { command, log, screen } = this.#options;
    const counts = { packages: countActions(packages), rows: countActions(rows), orphans, durationMs };
    log.status?.(undefined);
    // plan has printed a table of its own.
    if (screen) {
      const width = screen.width();
      const tables = [
        command === "plan" ? "" : rowTable(rows, log.language, width),
        platforms.length > 0 ? platformTable(platforms, log.language, width) : "",
      ].filter((text) => text !== "");
      if (tables.length > 0) screen.print(tables.join("\n\n"));
    }
    if (error === undefined) {
      log.info("run.done", { command, ...counts });
      return;
    }
    if (error instanceof ProblemsError) this.#sayProblems(error);
    const described = describeError(error, log.language);
    log.failure("error", "run.failed", described, {
      command,
      ...counts,
      ...(described.code === EXIT.internal && { stack: (error as Error)?.stack }),
    });
  }

  #sayProblems({ problems }: ProblemsError): void {
    const { log } = this.#options;
    for (const one of problems) {
      const described = describeProblem(one, log.language);
      log.failure("error", "package.invalid", described, { file: one.file, cause: described.message });
    }
  }
}

/** The report as REPORT_FILE and --json have it. */
export function toJson(report: Report, redact: Redact): string {
  return `${JSON.stringify(redactDeep(report, redact), null, 2)}\n`;
}
