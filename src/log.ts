import { writeSync } from "node:fs";
import { type Logger, pino } from "pino";
import { type Redact, redactDeep } from "./redact.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Fields = Record<string, unknown>;

/** The job's log: every line has a stable `event` (listed in the README), a sentence, and fields. */
export interface Log {
  debug(event: EventName, message: string, fields?: Fields): void;
  info(event: EventName, message: string, fields?: Fields): void;
  warn(event: EventName, message: string, fields?: Fields): void;
  error(event: EventName, message: string, fields?: Fields): void;
  /** On a terminal: a line that stays below the log until it is replaced or, with undefined, removed. */
  status?: (text: string | undefined) => void;
}

/** Every event there is, with what it says; README's table is made of it. */
export const EVENTS = {
  "run.started": "the run begins: command, version",
  "run.done": "it succeeded: counts of packages and rows, orphans, duration",
  "run.failed": "it failed: exit code, layer, cause, hint; always the last line",
  "run.stopping": "a signal or RUN_TIMEOUT stops the run",
  "run.retry":
    "a connection was lost, somebody else wrote in between, or the table was migrated: a clean start",
  "wait.postgres.layer": "Postgres: highest layer passed, first failed, and why",
  "wait.postgres.ready": "Postgres is usable, down to the privileges on the table",
  "wait.nats.layer": "NATS: highest layer passed, first failed, and why",
  "wait.nats.ready": "NATS is usable, down to the bucket",
  "bucket.created": "the bucket was missing and has been made",
  "scan.done": "the volume is read: number of archives, bytes, duration",
  "scan.ignored": "a file on the volume that is no archive (debug)",
  "package.found": "a package on the volume: file, identity, collectors in it",
  "package.invalid": "a file that cannot be used: reason and hint",
  "lock.waiting": "another run holds the lock",
  "lock.acquired": "this run is the only one (debug)",
  "plan.package": "what is to be done with a package (plan)",
  "plan.row": "what is to be done with a row (plan)",
  "upload.progress": "bytes, percent, rate, seconds left; every 10 s and at each end",
  "package.unchanged": "stored already, same bytes, all chunks",
  "package.uploaded": "was not stored, now is",
  "package.repaired": "chunks were missing, stored again",
  "package.replaced": "other bytes were stored under this version: both digests",
  "package.kept": "other bytes are stored under this version and stay: both digests",
  "package.failed": "this package could not be stored: code and cause",
  "object.removed": "an object that this run replaced, under a key that no row is served by",
  "chunks.reclaimed": "chunks that no metadata names, left by an earlier run of ours, purged",
  "orphans.found": "chunks that no metadata names, left by somebody's crashed upload",
  "orphans.purged": "PURGE_ORPHANS: those whose last chunk is over a day old",
  "row.inserted": "a row was written",
  "row.updated": "a row was changed: which columns",
  "row.unchanged": "a row was right already (debug)",
  "verify.done": "read back: every package whole, every row there",
  "verify.failed": "one thing that is not as it must be (one line each)",
  "cleanup.failed": "something could not be undone; the next run will",
} as const;
export type EventName = keyof typeof EVENTS;

export interface LogOptions {
  level: LogLevel;
  format: "json" | "pretty";
  /** File descriptor: 1, or 2 when the report has standard output. */
  fd: 1 | 2;
  /** Whether somebody sits in front of it. */
  terminal: boolean;
  colour: boolean;
  redact: Redact;
}

/** Opens the log. Synchronous, so that the last line survives the exit. */
export async function createLog(options: LogOptions): Promise<Log> {
  const { level, fd, redact } = options;
  const settings = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(
    settings,
    options.format === "json" ? pino.destination({ fd, sync: true }) : await pretty(fd, options.colour),
  );
  const status = options.terminal && options.format === "pretty" ? statusLine(fd, redact) : undefined;
  const write =
    (method: "debug" | "info" | "warn" | "error") =>
    (event: EventName, message: string, fields: Fields = {}): void => {
      if (!(logger as Logger).isLevelEnabled(method)) return;
      status?.hide();
      logger[method]({ event, ...(redactDeep(fields, redact) as Fields) }, redact(message));
      status?.show();
    };
  return {
    ...(status && { status: status.set }),
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

/** Writes all of a text at once. A reader that has gone away (`| head`) is no reason to fail. */
export function writeNow(fd: 1 | 2, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      // A full pipe that somebody made non-blocking: its reader needs a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function statusLine(fd: 1 | 2, redact: Redact) {
  let line: string | undefined;
  const draw = (text: string) => writeNow(fd, text);
  const hide = () => line !== undefined && draw("\r\x1b[K");
  const show = () => line !== undefined && draw(line);
  const set = (text: string | undefined) => {
    hide();
    line = text === undefined ? undefined : redact(text);
    show();
  };
  return { hide, show, set };
}

async function pretty(fd: 1 | 2, colour: boolean) {
  // Loaded only where a person looks: in a container's log it would cost start-up time for nothing.
  const { default: pinoPretty } = await import("pino-pretty");
  return pinoPretty({
    destination: fd,
    sync: true,
    colorize: colour,
    translateTime: "SYS:HH:MM:ss",
    hideObject: true,
    ignore: "event,name",
  });
}
