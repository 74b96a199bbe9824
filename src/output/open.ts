import type { Reader } from "../config/env.ts";
import { reportPaths, writeReport } from "../config/report-file.ts";
import { readOutput } from "../config/settings.ts";
import { JobError } from "../errors.ts";
import type { ExitCode } from "../exit.ts";
import { JOIN } from "../messages/define.ts";
import { loadCells, wrap } from "./cells.ts";
import { describeError } from "./describe.ts";
import { escapeLines } from "./escape.ts";
import { createLog, type Log } from "./log.ts";
import { Recorder } from "./recorder.ts";
import { createRedact, redactDeep } from "./redact.ts";
import type { Warning } from "./report.ts";
import { RunEnd, toJson } from "./run-end.ts";
import { openScreen, openTerminal, type Screen, writeNow } from "./terminal.ts";
import { TERMINATION_LOG, writeTerminationLog } from "./write.ts";

export interface Output {
  log: Log;
  recorder: Recorder;
  screen: Screen | undefined;
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
  const screen = format === "pretty" ? openScreen(terminal, redact) : undefined;
  const end = new RunEnd({
    command: args.command,
    json: args.json,
    log,
    redact,
    recorder,
    screen,
    reportPaths: reportPaths(reader.text("REPORT_FILE")),
    leave,
  });
  return { log, recorder, screen, end };
}

/** A command line that says nothing: a person sees why and the usage, a machine gets its report all the same. */
export async function refuse(
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
