import type { Reader } from "../config/env.ts";
import { readOutput } from "../config/job-settings.ts";
import { reportPaths, writeReport } from "../config/report-file.ts";
import { JobError, ProblemError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { JOIN } from "../messages/define.ts";
import { createLog, type Log } from "./log.ts";
import { Recorder } from "./recorder.ts";
import { createRedact, escapeLines, type Redact, redactDeep } from "./redact.ts";
import {
  countActions,
  describeError,
  describeProblem,
  type Report,
  TERMINATION_LOG,
  toJson,
  type Warning,
  writeTerminationLog,
} from "./report.ts";
import { loadCells, openTerminal, wrap, writeNow } from "./terminal.ts";

export interface Output {
  log: Log;
  recorder: Recorder;
  end: RunEnd;
}

/** Opens log, report and screen as the environment asks for; `shown` are values of the configuration that are no secret. */
export async function openOutput(
  args: { command: string; json: boolean },
  process: NodeJS.Process,
  reader: Reader,
  shown: readonly string[],
  leave: (code: ExitCode) => void,
): Promise<Output> {
  const redact = createRedact(reader.secrets, shown);
  const terminal = args.json
    ? openTerminal(2, process.stderr, process.env)
    : openTerminal(1, process.stdout, process.env);
  const { logLevel, logFormat, language } = readOutput(process.env);
  const format = logFormat === "auto" ? (terminal.isTerminal ? "pretty" : "json") : logFormat;
  if (format === "pretty") await loadCells();
  const recorder = new Recorder(args.command, language);
  const onWarning = (warning: Warning) => recorder.warning(warning);
  const log = createLog({ level: logLevel, format, terminal, redact, language, onWarning });
  const end = new RunEnd({
    command: args.command,
    json: args.json,
    log,
    redact,
    recorder,
    reportPaths: reportPaths(reader.text("REPORT_FILE")),
    leave,
  });
  return { log, recorder, end };
}

/** A command line that says nothing: a person sees why and the usage, a machine gets its report all the same. */
export async function printUsageError(
  error: unknown,
  usage: string,
  process: NodeJS.Process,
  reader: Reader,
  leave: (code: ExitCode) => void,
): Promise<void> {
  // Somebody may have meant a URL with a password in it.
  const redact = createRedact(reader.secrets);
  const { language } = readOutput(process.env);
  const report = new Recorder("init", language).report(error);
  const json = toJson(report, redact);
  const write = (text: string) => writeNow(2, escapeLines(redact(text)));
  const { isTerminal, width } = openTerminal(2, process.stderr, process.env);
  if (isTerminal) await loadCells();
  const { message, hint } = redactDeep(describeError(error, language), redact);
  const said = `${message}\n${JOIN[language].remedyLine}${hint}`;
  write(`${isTerminal ? wrap(escapeLines(said), width()).join("\n") : said}\n\n${usage}\n`);
  for (const path of reportPaths(reader.text("REPORT_FILE"))) {
    try {
      writeReport(path, json);
    } catch (failure) {
      const said = (failure as NodeJS.ErrnoException).code ?? String(failure);
      write(`${describeError(new JobError("report.unwritable", { path, said }), language).message}\n`);
    }
  }
  writeTerminationLog(TERMINATION_LOG, redactDeep(report, redact));
  if (process.argv.includes("--json")) writeNow(1, json);
  leave(report.exitCode);
}

export interface RunEndOptions {
  command: string;
  /** Whether the report goes to standard output. */
  json: boolean;
  log: Log;
  redact: Redact;
  recorder: Recorder;
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

  #say(report: Report, error: unknown): void {
    const { log } = this.#options;
    const stack = report.exitCode === EXIT.internal ? framesOf(error) : undefined;
    if (log.finish) {
      log.finish(report, stack);
      return;
    }
    const { command, packages, rows, orphans, durationMs } = report;
    const counts = { packages: countActions(packages), rows: countActions(rows), orphans, durationMs };
    if (error === undefined) {
      log.info("run.done", { command, ...counts });
      return;
    }
    for (const one of error instanceof ProblemError ? error.problems : []) {
      const described = describeProblem(one, log.language);
      log.failure("error", "package.invalid", described, { file: one.file, cause: described.message });
    }
    const described = describeError(error, log.language);
    log.failure("error", "run.failed", described, {
      command,
      ...counts,
      ...(stack !== undefined && { stack }),
    });
  }
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
