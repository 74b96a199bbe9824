import { styleText } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { type Arguments, type Command, HELP, parseArguments, USAGE } from "./cli.ts";
import { type Config, Reader, readConfig, readOutput } from "./config.ts";
import { EXIT, type ExitCode, JobError, PackageProblemsError } from "./errors.ts";
import { createLog, type Log, writeNow } from "./log.ts";
import { createRedact, type Redact, redactDeep } from "./redact.ts";
import { describeError, Recorder, type Report } from "./report/recorder.ts";
import { countActions, countWords, rowTable } from "./report/summary.ts";
import { TERMINATION_LOG, writeReportFile, writeTerminationLog } from "./report/write.ts";
import type { Run, Screen } from "./run.ts";

/** Milliseconds that a stop may take; Docker's own patience is ten seconds. */
const STOP_LIMIT = 4500;
/** Loaded only now: the libraries behind them take longer to start than everything up to the first log line. */
const COMMAND: Record<Command, () => Promise<(run: Run) => Promise<void>>> = {
  init: async () => (await import("./commands/init.ts")).init,
  plan: async () => (await import("./commands/plan.ts")).showPlan,
  verify: async () => (await import("./commands/verify.ts")).verify,
  wait: async () => (await import("./commands/wait.ts")).waitOnly,
};

/** Everything that is written when the run is over. */
class Ending {
  readonly #args: Arguments;
  readonly #log: Log;
  readonly #redact: Redact;
  readonly #recorder: Recorder;
  readonly #screen: Screen | undefined;
  reportFile: string | undefined;
  #over = false;

  constructor(args: Arguments, log: Log, redact: Redact, recorder: Recorder, screen: Screen | undefined) {
    this.#args = args;
    this.#log = log;
    this.#redact = redact;
    this.#recorder = recorder;
    this.#screen = screen;
  }

  /** Says how it ended and ends the process. The first call counts. */
  finish(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    let report = this.#recorder.report(error);
    if (this.reportFile) {
      try {
        writeReportFile(this.reportFile, toJson(report, this.#redact));
      } catch (writeError) {
        error ??= writeError;
        report = this.#recorder.report(error);
      }
    }
    this.#say(report, error);
    writeTerminationLog(TERMINATION_LOG, redactDeep(report, this.#redact) as Report);
    if (this.#args.json) process.stdout.write(toJson(report, this.#redact), () => leave(report.exitCode));
    else leave(report.exitCode);
  }

  #say({ packages, rows, orphans, durationMs }: Report, error: unknown): void {
    const counts = { packages: countActions(packages), rows: countActions(rows), orphans, durationMs };
    this.#log.status?.(undefined);
    // plan has printed a table of its own.
    if (this.#args.command !== "plan" && rows.length > 0) this.#screen?.print(rowTable(rows));
    if (error === undefined) {
      const words = `packages: ${countWords(packages, "none")}; rows: ${countWords(rows, "none")}`;
      const did = this.#args.command === "plan" ? "wrote nothing; init would come to this" : "succeeded";
      this.#log.info("run.done", `${this.#args.command} ${did}. ${words}`, counts);
      return;
    }
    const { code, layer, message, hint } = describeError(error);
    if (error instanceof PackageProblemsError) {
      for (const { file, reason, hint: remedy, code: exit } of error.problems) {
        this.#log.error("package.invalid", `${file}: ${reason}. What to do: ${remedy}`, {
          file,
          reason,
          hint: remedy,
          code: exit,
        });
      }
    }
    this.#log.error(
      "run.failed",
      `${this.#args.command} failed (exit ${code}): ${message}. What to do: ${hint}`,
      {
        code,
        ...(layer && { layer }),
        hint,
        ...counts,
        ...(code === EXIT.internal && { stack: (error as Error)?.stack }),
      },
    );
  }
}

/** The report as REPORT_FILE and --json have it. */
function toJson(report: Report, redact: Redact): string {
  return `${JSON.stringify(redactDeep(report, redact), null, 2)}\n`;
}

/** The log is synchronous and the report is written: whatever still hangs (a dead peer's socket) is not waited for. */
function leave(code: ExitCode): void {
  process.exit(code);
}

async function main(): Promise<void> {
  let args: Arguments;
  try {
    args = parseArguments(process.argv.slice(2));
  } catch (error) {
    refuse(error as JobError);
    return;
  }
  if (args.help) {
    process.stdout.write(HELP, () => leave(EXIT.ok));
    return;
  }
  await start(args);
}

/** A command line that says nothing: a person sees why and the usage, a machine gets its report all the same. */
function refuse(error: JobError): void {
  const reader = new Reader(process.env);
  // Somebody may have meant a URL with a password in it.
  const redact = createRedact(reader.secrets);
  const report = new Recorder("init").report(error);
  const json = toJson(report, redact);
  writeNow(2, `${redact(error.message)}\n${USAGE}\n`);
  const reportFile = reader.text("REPORT_FILE");
  try {
    if (reportFile) writeReportFile(reportFile, json);
  } catch (writeError) {
    writeNow(2, `${(writeError as Error).message}\n`);
  }
  writeTerminationLog(TERMINATION_LOG, redactDeep(report, redact) as Report);
  if (process.argv.includes("--json")) process.stdout.write(json, () => leave(report.exitCode));
  else leave(report.exitCode);
}

async function start(args: Arguments): Promise<void> {
  const reader = new Reader(process.env);
  let config: Config | undefined;
  let problem: unknown;
  try {
    config = readConfig(reader);
  } catch (error) {
    problem = error;
  }
  const redact = createRedact(reader.secrets, config ? publicValues(config) : []);
  const fd = args.json ? 2 : 1;
  const terminal = (fd === 1 ? process.stdout : process.stderr).isTTY === true;
  const { logLevel, logFormat } = readOutput(process.env);
  const format = logFormat === "auto" ? (terminal ? "pretty" : "json") : logFormat;
  const colour = terminal && !process.env.NO_COLOR;
  const log = await createLog({ level: logLevel, format, fd, terminal, colour, redact });
  const screen: Screen | undefined =
    format === "pretty"
      ? {
          print: (text) => writeNow(fd, `\n${redact(text)}\n\n`),
          paint: (name, text) => (colour ? styleText(name, text, { validateStream: false }) : text),
        }
      : undefined;
  const recorder = new Recorder(args.command);
  const ending = new Ending(args, log, redact, recorder, screen);
  // The nats library prints there when a connection breaks; standard output is the log's, or the report's.
  console.log = () => {};
  process.on("uncaughtException", (error) => ending.finish(error));
  process.on("unhandledRejection", (error) => ending.finish(error));
  if (!config) {
    ending.reportFile = reader.text("REPORT_FILE");
    ending.finish(problem);
    return;
  }
  ending.reportFile = config.reportFile;
  recorder.bucket = config.nats.bucket;
  const signal = stopSignal(config, log, ending);
  const run: Run = { args, config, log, signal, recorder, screen };
  log.info("run.started", `bklite-package-init ${manifest.version}: ${args.command}`, {
    command: args.command,
    version: manifest.version,
    bucket: config.nats.bucket,
    packagesDir: config.packagesDir,
  });
  try {
    await (await COMMAND[args.command]())(run);
    // A stop that came with the last answers is still a stop: what was logged as stopping does not end as a success.
    signal.throwIfAborted();
    ending.finish();
  } catch (error) {
    ending.finish(signal.aborted ? signal.reason : error);
  }
}

/** Aborted by SIGTERM, SIGINT and RUN_TIMEOUT. As PID 1 nobody else handles them. What does not end in time is ended. */
function stopSignal(config: Config, log: Log, ending: Ending): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: JobError) => {
    if (controller.signal.aborted) {
      ending.finish(reason);
      return;
    }
    log.warn("run.stopping", `${reason.message}: stopping`, { code: reason.code });
    controller.abort(reason);
    setTimeout(() => ending.finish(reason), STOP_LIMIT).unref();
  };
  const onSignal = (name: "SIGTERM" | "SIGINT", code: ExitCode) => {
    process.on(name, () => {
      stop(
        new JobError(code, `stopped by ${name}`, {
          hint: "run again: what is stored already will not be sent again",
        }),
      );
    });
  };
  onSignal("SIGTERM", EXIT.sigterm);
  onSignal("SIGINT", EXIT.sigint);
  if (config.runTimeout > 0) {
    setTimeout(() => {
      const hint = "raise RUN_TIMEOUT, or find out what takes so long: the log has a line each 10 s";
      stop(
        new JobError(EXIT.tryAgain, `the run took longer than RUN_TIMEOUT (${config.runTimeout} s)`, {
          hint,
        }),
      );
    }, config.runTimeout * 1000).unref();
  }
  return controller.signal;
}

/** Values that are no secret even where somebody chose one of them as a password. */
function publicValues({ db, nats }: Config): string[] {
  const servers = nats.servers.flatMap((server) => [
    server.host,
    server.auth?.kind === "password" ? server.auth.user : "",
  ]);
  const user = nats.auth?.kind === "password" ? nats.auth.user : "";
  return [db.host, db.database, db.user, db.schema, nats.bucket, user, ...servers].filter(
    (value) => value !== "",
  );
}

// Whatever happens, an end that was not decided on is no success.
process.exitCode = EXIT.internal;
main().catch((error) => {
  process.stderr.write(`${(error as Error).stack}\n`);
  leave(EXIT.internal);
});
