import type { Arguments, ReportForm } from "../cli.ts";
import type { Reader } from "../config/env.ts";
import { readOutput } from "../config/job-settings.ts";
import { reportPaths, writeReport } from "../config/report-file.ts";
import { JobError, ProblemError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { formatMessage } from "../messages/catalog.ts";
import { JOIN, type Language } from "../messages/define.ts";
import { createLog, type Log } from "./log.ts";
import { Recorder } from "./recorder.ts";
import { createRedact, escapeLines, type Redact, redactDeep } from "./redact.ts";
import {
  countActions,
  countRemoved,
  describeError,
  describeProblem,
  type Report,
  TERMINATION_LOG,
  toJson,
  type Warning,
  writeTerminationLog,
} from "./report.ts";
import { loadCells, openTerminal, wrap, writeNow } from "./terminal.ts";

/** What the output needs of the program: its settings, and how it ends. */
interface ProgramContext {
  program: Report["program"];
  process: NodeJS.Process;
  reader: Reader;
  /** Ends the process. */
  leave: (code: ExitCode) => void;
}

/**
 * Opens log, report and screen as the environment configures them; `shown` are public values of the
 * configuration.
 */
export async function openOutput(
  { command, report }: Pick<Arguments, "command" | "report">,
  shown: readonly string[],
  { program, process, reader, leave }: ProgramContext,
): Promise<{ log: Log; recorder: Recorder; end: RunEnd }> {
  const redact = createRedact(reader.secrets, shown);
  const terminal = openTerminal(report ? 2 : 1, process, process.env);
  const { logLevel, logFormat, language } = readOutput(process.env);
  const format = logFormat === "auto" ? (terminal.isTerminal ? "pretty" : "json") : logFormat;
  if (format === "pretty") await loadCells();
  const recorder = new Recorder(command, language, program);
  const onWarning = (warning: Warning) => recorder.warning(warning);
  const log = createLog({ level: logLevel, format, terminal, redact, language, onWarning });
  const paths = reportPaths(reader.text("REPORT_FILE"));
  const render = await createRender([...paths.map(formOf), report], redact, language);
  const end = new RunEnd({ report, log, redact, recorder, render, reportPaths: paths, leave });
  return { log, recorder, end };
}

/** Reports an invalid command line: message and usage for people, and the report if one was requested. */
export async function printUsageError(
  error: unknown,
  usage: string,
  { program, process, reader, leave }: ProgramContext,
): Promise<void> {
  // The word may be a URL with a password.
  const redact = createRedact(reader.secrets);
  const { language } = readOutput(process.env);
  const write = (text: string) => writeNow(2, escapeLines(redact(text)));
  const terminal = openTerminal(2, process, process.env);
  if (terminal.isTerminal) await loadCells();
  const { message, hint } = redactDeep(describeError(error, language), redact);
  const said = `${message}\n${JOIN[language].remedyLine}${hint}`;
  const lines = terminal.isTerminal ? wrap(escapeLines(said), terminal.width()).join("\n") : said;
  write(`${lines}\n\n${usage}\n`);
  const log: Log = {
    ...createLog({ level: "silent", format: "json", terminal, redact, language }),
    finish: () => {},
    warn: (_, reason, params) => write(`${formatMessage(reason, params, language).message}\n`),
  };
  const paths = reportPaths(reader.text("REPORT_FILE"));
  const report = (["json", "html"] as const).find((form) => process.argv.includes(`--${form}`));
  const render = await createRender([...paths.map(formOf), report], redact, language);
  const recorder = new Recorder("init", language, program);
  new RunEnd({ report, log, redact, recorder, render, reportPaths: paths, leave }).finish(error);
}

export interface RunEndOptions {
  /** The form in which the report goes to standard output, if it does. */
  report: ReportForm | undefined;
  log: Log;
  redact: Redact;
  recorder: Recorder;
  render: Render;
  reportPaths: readonly string[];
  leave: ProgramContext["leave"];
}

/** Writes the end of a run: last line, table, report, termination message. */
export class RunEnd {
  readonly #options: RunEndOptions;
  #over = false;

  constructor(options: RunEndOptions) {
    this.#options = options;
  }

  /** Writes how the run ended and ends the process. Only the first call counts. */
  finish(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const { recorder, redact, report: form, render, leave } = this.#options;
    // The run has already ended with the bad REPORT_FILE.
    this.#writeFiles(
      recorder.report(error),
      !(error instanceof JobError && error.reason.startsWith("config.")),
    );
    const failure = form && writeNow(1, render(recorder.report(error), form));
    if (failure) {
      error ??= new JobError("output.unwritable", { said: wordOf(failure) }, { cause: failure });
      this.#writeFiles(recorder.report(error), false);
    }
    const report = redactDeep(recorder.report(error), redact);
    this.#say(report, error);
    writeTerminationLog(TERMINATION_LOG, report);
    leave(report.exitCode);
  }

  /** Writes the report to each of its paths. A full disk costs the report, not the run. */
  #writeFiles(report: Report, warns: boolean): void {
    const { reportPaths, render, log } = this.#options;
    for (const path of reportPaths) {
      try {
        writeReport(path, render(report, formOf(path)));
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
    const { command, orphans, durationMs } = report;
    const [packages, rows] = [countActions(report.packages), countActions(report.rows)];
    const counts = { packages, rows, removed: countRemoved(report), orphans, durationMs };
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

/** The form of a report at a path of REPORT_FILE. */
function formOf(path: string): ReportForm {
  return /\.html$/i.test(path) ? "html" : "json";
}

/** Returns a report in one of its forms. */
type Render = (report: Report, form: ReportForm) => string;

/** Makes a Render for these forms: most runs need no page, so that it is loaded on demand. */
export async function createRender(
  forms: readonly (ReportForm | undefined)[],
  redact: Redact,
  language: Language,
): Promise<Render> {
  const page = forms.includes("html") ? await import("./page.ts") : undefined;
  return (report, form) => {
    const json = toJson(report, redact);
    return form === "html" && page ? page.reportPage(redactDeep(report, redact), json, language) : json;
  };
}

/** Returns the system's word for an error. */
function wordOf(failure: unknown): string {
  return (failure as NodeJS.ErrnoException).code ?? String(failure);
}

/**
 * Returns where an error was thrown, without its message, which the line already has and which may look like
 * a stack.
 */
function framesOf(error: unknown): string {
  const { stack = "", message = "" } = (error ?? {}) as Partial<Error>;
  return stack.slice(stack.indexOf(message) + message.length).trimStart();
}
