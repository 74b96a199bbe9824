import { styleText } from "node:util";
import { readOutput } from "../config/config.ts";
import type { Reader } from "../config/env.ts";
import type { ExitCode } from "../errors.ts";
import { describeError } from "./describe.ts";
import { createLog, type Log, writeNow } from "./log.ts";
import { Recorder } from "./recorder.ts";
import { createRedact, redactDeep } from "./redact.ts";
import type { Report } from "./report.ts";
import { RunEnd, type Screen, toJson } from "./run-end.ts";
import { JOIN } from "./words.ts";
import { TERMINATION_LOG, writeReportFile, writeTerminationLog } from "./write.ts";

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
  const fd = args.json ? 2 : 1;
  const terminal = (fd === 1 ? process.stdout : process.stderr).isTTY === true;
  const { logLevel, logFormat, language } = readOutput(process.env);
  const format = logFormat === "auto" ? (terminal ? "pretty" : "json") : logFormat;
  const colour = terminal && !process.env.NO_COLOR;
  const recorder = new Recorder(args.command, language);
  const log = await createLog({
    level: logLevel,
    format,
    fd,
    terminal,
    colour,
    redact,
    language,
    onWarning: (warning) => recorder.warning(warning),
  });
  const screen: Screen | undefined =
    format === "pretty"
      ? {
          print: (text) => writeNow(fd, `\n${redact(text)}\n\n`),
          paint: (name, text) => (colour ? styleText(name, text, { validateStream: false }) : text),
        }
      : undefined;
  const reportFile = reader.text("REPORT_FILE");
  const end = new RunEnd({
    command: args.command,
    json: args.json,
    log,
    redact,
    recorder,
    screen,
    reportFile,
    leave,
  });
  return { log, recorder, screen, end };
}

/** A command line that says nothing: a person sees why and the usage, a machine gets its report all the same. */
export function refuse(
  error: unknown,
  usage: string,
  process: NodeJS.Process,
  reader: Reader,
  leave: (code: ExitCode) => void,
): void {
  // Somebody may have meant a URL with a password in it.
  const redact = createRedact(reader.secrets);
  const { language } = readOutput(process.env);
  const report = new Recorder("init", language).report(error);
  const json = toJson(report, redact);
  const { message, hint } = describeError(error, language);
  writeNow(2, `${redact(`${message}${JOIN[language].remedy}${hint}`)}\n\n${usage}\n`);
  const reportFile = reader.text("REPORT_FILE");
  try {
    if (reportFile) writeReportFile(reportFile, json);
  } catch (writeError) {
    writeNow(2, `${redact(describeError(writeError, language).message)}\n`);
  }
  writeTerminationLog(TERMINATION_LOG, redactDeep(report, redact) as Report);
  if (process.argv.includes("--json")) writeNow(1, json);
  leave(report.exitCode);
}
