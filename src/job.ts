import type { Arguments } from "./cli.ts";
import type { Config, VolumeConfig } from "./config/job-settings.ts";
import { JobError } from "./errors.ts";
import type { Log } from "./output/log.ts";
import type { Recorder } from "./output/recorder.ts";
import { describeError } from "./output/report.ts";
import type { RunEnd } from "./output/run-output.ts";
import type { Signatures } from "./volume/signatures.ts";

/** What `scan` needs, which reads the volume alone. */
export interface ScanContext {
  args: Arguments;
  config: VolumeConfig;
  log: Log;
  /** Aborted by a signal or RUN_TIMEOUT; its reason is the JobError that ends the run. */
  signal: AbortSignal;
  recorder: Recorder;
  /** The signed lists that VERIFY_KEY_FILE asks for; undefined: signatures are ignored. */
  signatures: Signatures | undefined;
}

/**
 * What a command is about: `apply` makes the servers what the volume asks for, `plan` shows what that would
 * change, `verify` says whether anything differs.
 */
export type Mode = "plan" | "apply" | "verify";

/** What every other command needs. */
export interface JobContext extends ScanContext {
  config: Config;
  mode: Mode;
}

/** Whether a command changes anything on the servers. */
export function writes({ mode }: Pick<JobContext, "mode">): boolean {
  return mode === "apply";
}

/** Milliseconds that a stop may take; Docker kills after ten seconds. */
const STOP_LIMIT = 4500;

/**
 * Returns a signal that SIGTERM, SIGINT, SIGHUP and RUN_TIMEOUT abort: as PID 1 the job has no default
 * handler. A stop that takes too long is cut off.
 */
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
  const reasons = { SIGTERM: "run.sigterm", SIGINT: "run.sigint", SIGHUP: "run.sighup" } as const;
  for (const [name, reason] of Object.entries(reasons))
    process.on(name, () => stop(new JobError(reason, {})));
  const { runTimeout } = config;
  if (runTimeout > 0) {
    const late = () => stop(new JobError("run.timeout", { seconds: runTimeout }));
    setTimeout(late, runTimeout * 1000).unref();
  }
  return controller.signal;
}
