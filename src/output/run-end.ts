import { writeReport } from "../config/report-file.ts";
import { JobError, ProblemsError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { describeError, describeProblem } from "./describe.ts";
import { escapeJson } from "./escape.ts";
import type { Log } from "./log.ts";
import type { Recorder } from "./recorder.ts";
import { type Redact, redactDeep } from "./redact.ts";
import type { Report } from "./report.ts";
import { countActions, platformTable, rowTable } from "./tables.ts";
import { type Screen, writeNow } from "./terminal.ts";
import { TERMINATION_LOG, writeTerminationLog } from "./write.ts";

export interface RunEndOptions {
  command: string;
  /** Whether the report goes to standard output. */
  json: boolean;
  log: Log;
  redact: Redact;
  recorder: Recorder;
  screen: Screen | undefined;
  reportPaths: readonly string[];
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
    const { recorder, redact, json, leave } = this.#options;
    // A bad REPORT_FILE is what the run has ended with already.
    this.#writeFiles(
      recorder.report(error),
      !(error instanceof JobError && error.reason.startsWith("config.")),
    );
    const failure = json ? writeNow(1, toJson(recorder.report(error), redact)) : undefined;
    if (failure) {
      error ??= new JobError("output.unwritable", { said: wordOf(failure) }, { cause: failure });
      this.#writeFiles(recorder.report(error), false);
    }
    const report = redactDeep(recorder.report(error), redact);
    this.#say(report, error);
    writeTerminationLog(TERMINATION_LOG, report);
    leave(report.exitCode);
  }

  /** Leaves the report at each of its places. A disk that has become full costs the report, not the run. */
  #writeFiles(report: Report, warns: boolean): void {
    const { reportPaths, redact, log } = this.#options;
    for (const path of reportPaths) {
      try {
        writeReport(path, toJson(report, redact));
      } catch (failure) {
        if (warns) log.warn("report.failed", "report.unwritable", { path, said: wordOf(failure) });
      }
    }
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
      ...(described.code === EXIT.internal && { stack: framesOf(error) }),
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
  return `${escapeJson(JSON.stringify(redactDeep(report, redact), null, 2))}\n`;
}

/** The system's word for an error. */
function wordOf(failure: unknown): string {
  return (failure as NodeJS.ErrnoException).code ?? String(failure);
}

/** Where an error was thrown, without its message: that is in the line already, and may look like a stack. */
function framesOf(error: unknown): string {
  const { stack = "", message = "" } = (error ?? {}) as Partial<Error>;
  return stack.slice(stack.indexOf(message) + message.length).trimStart();
}
