import type { Arguments } from "./cli.ts";
import type { Config } from "./config/config.ts";
import { EXIT, type ExitCode, JobError } from "./errors.ts";
import type { Log } from "./output/log.ts";
import type { Recorder } from "./output/recorder.ts";
import type { RunEnd, Screen } from "./output/run-end.ts";

/** What every command is given. */
export interface JobContext {
  args: Arguments;
  config: Config;
  log: Log;
  /** Aborted, with the JobError to end with, by a signal or RUN_TIMEOUT. */
  signal: AbortSignal;
  recorder: Recorder;
  /** Where people read; undefined where the log is all there is. */
  screen: Screen | undefined;
}

/** Milliseconds that a stop may take; Docker's own patience is ten seconds. */
const STOP_LIMIT = 4500;

/** Aborted by SIGTERM, SIGINT and RUN_TIMEOUT. As PID 1 nobody else handles them. What does not end in time is ended. */
export function stopSignal(process: NodeJS.Process, config: Config, log: Log, end: RunEnd): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: JobError) => {
    if (controller.signal.aborted) {
      end.finish(reason);
      return;
    }
    log.legacy("warn", "run.stopping", `${reason.message}: stopping`, { code: reason.code });
    controller.abort(reason);
    setTimeout(() => end.finish(reason), STOP_LIMIT).unref();
  };
  const onSignal = (name: "SIGTERM" | "SIGINT", code: ExitCode) => {
    const hint = "run again: what is stored already will not be sent again";
    process.on(name, () => stop(JobError.legacy(code, `stopped by ${name}`, { hint })));
  };
  onSignal("SIGTERM", EXIT.sigterm);
  onSignal("SIGINT", EXIT.sigint);
  if (config.runTimeout > 0) {
    const message = `the run took longer than RUN_TIMEOUT (${config.runTimeout} s)`;
    const hint = "raise RUN_TIMEOUT, or find out what takes so long: the log has a line each 10 s";
    const timer = setTimeout(
      () => stop(JobError.legacy(EXIT.tryAgain, message, { hint })),
      config.runTimeout * 1000,
    );
    timer.unref();
  }
  return controller.signal;
}
