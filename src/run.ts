import type { Arguments } from "./cli.ts";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import type { Paint } from "./report/plan-table.ts";
import type { Recorder } from "./report/recorder.ts";

/** What every command is given. */
export interface Run {
  args: Arguments;
  config: Config;
  log: Log;
  /** Aborted, with the JobError to end with, by a signal or RUN_TIMEOUT. */
  signal: AbortSignal;
  recorder: Recorder;
  /** Where people read: paints, and prints below the log. undefined where the log is all there is. */
  screen: Screen | undefined;
}

export interface Screen {
  print(text: string): void;
  paint: Paint;
}
