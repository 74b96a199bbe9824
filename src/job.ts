import type { Arguments } from "./cli.ts";
import type { Config, VolumeConfig } from "./config/settings.ts";
import { JobError } from "./errors.ts";
import type { Log } from "./output/log.ts";
import type { Recorder } from "./output/recorder.ts";
import { describeError } from "./output/report.ts";
import type { RunEnd } from "./output/run-output.ts";

/** What a command is given that reads the volume alone. */
export interface ScanContext {
  args: Arguments;
  config: VolumeConfig;
  log: Log;
  /** Aborted, with the JobError to end with, by a signal or RUN_TIMEOUT. */
  signal: AbortSignal;
  recorder: Recorder;
}

/** What every other command is given. */
export interface JobContext extends ScanContext {
  config: Config;
}

/** Milliseconds that a stop may take; Docker's own patience is ten seconds. */
const STOP_LIMIT = 4500;

/** Aborted by SIGTERM, SIGINT, SIGHUP and RUN_TIMEOUT. As PID 1 nobody else handles them. What does not end in time is ended. */
export function stopSignal(
  process: NodeJS.Process,
  config: VolumeConfig,
  log: Log,
  end: RunEnd,
): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: JobError) => {
    if (controller.signal.aborted) {
      end.finish(reason);
      return;
    }
    log.failure("warn", "run.stopping", describeError(reason, log.language));
    controller.abort(reason);
    setTimeout(() => end.finish(reason), STOP_LIMIT).unref();
  };
  process.on("SIGTERM", () => stop(new JobError("run.sigterm", {})));
  process.on("SIGINT", () => stop(new JobError("run.sigint", {})));
  process.on("SIGHUP", () => stop(new JobError("run.sighup", {})));
  const { runTimeout } = config;
  if (runTimeout > 0) {
    const late = () => stop(new JobError("run.timeout", { seconds: runTimeout }));
    setTimeout(late, runTimeout * 1000).unref();
  }
  return controller.signal;
}
