import { styleText } from "node:util";
import { pino } from "pino";
import type { LogLevel } from "../config/job-settings.ts";
import type { Params, ReasonId } from "../messages/catalog.ts";
import { aboutFile, fill, JOIN, type Language } from "../messages/define.ts";
import {
  EVENTS,
  type EventFields,
  type EventName,
  type LogEvent,
  type ReasonEvent,
} from "../messages/events.ts";
import { type WordOf, zonedTime } from "../messages/words.ts";
import {
  escapeDeep,
  escapeJson,
  escapeLines,
  escapePainted,
  escapeText,
  type Redact,
  redactDeep,
} from "./redact.ts";
import { escapedMessage, type Report, type ReportError, type Warning } from "./report.ts";
import { isShown, reachedLine, type ScreenOptions, shortDigests, summarize } from "./screen.ts";
import { type Draw, shorten, statusLine, type Terminal, wrap, writeNow } from "./terminal.ts";
import type { Difference } from "./verdict.ts";

export type Fields = Record<string, unknown>;

/** The job's log: each line has a stable `event`, a sentence in the language of LOG_LANG, and fields. */
export interface Log {
  debug<E extends EventName>(event: E, fields: EventFields<E>): void;
  info<E extends EventName>(event: E, fields: EventFields<E>): void;
  /** Logs a warning of the catalog: the sentence is cause and remedy; `reason` and `hint` are fields. */
  warn<Id extends ReasonId>(event: EventName, reason: Id, params: Params<Id>, fields?: Fields): void;
  /** Logs a failure of the catalog in the same way. */
  error<Id extends ReasonId>(event: EventName, reason: Id, params: Params<Id>, fields?: Fields): void;
  /** Logs an error that report.ts has already described; the report does not list it as a warning. */
  failure(level: "warn" | "error", event: EventName, error: ReportError, fields?: Fields): void;
  readonly language: Language;
  /** Sets the line below the log on a terminal, as a function of its cells; undefined removes it. */
  status?: (draw: Draw | undefined) => void;
  /** Writes the end of the screen in pretty output, and the stack of a bug; JSON lines end with an event. */
  finish?: (report: Report, stack?: string) => void;
  /** The running tasks: startProgress adds and removes them, and shows one. */
  readonly tasks?: Set<RunningTask>;
}

/** A task whose progress is shown if no other is more important. */
export interface RunningTask {
  phase: WordOf<"phase">;
  /** Whether bytes are still to come. */
  goesOn: () => boolean;
}

interface LogOptions {
  level: LogLevel;
  format: "json" | "pretty";
  terminal: Terminal;
  redact: Redact;
  language: Language;
  /** Called with each warning, for the report. */
  onWarning?: (warning: Warning) => void;
}

type Level = "debug" | "info" | "warn" | "error";
type Said = Pick<Warning, "reason" | "message" | "hint">;

/** Writes the lines of a log in one of its formats; they contain no secrets. */
type Sink = Pick<Log, "status" | "finish"> & {
  write(level: Level, event: EventName, message: string, fields: Fields): void;
};

/** Opens the log. It is synchronous, so that the last line survives the exit. */
export function createLog(options: LogOptions): Log {
  const { language, redact, onWarning } = options;
  const { write: put, ...sink } = options.format === "pretty" ? prettySink(options) : jsonSink(options);
  const write: Sink["write"] = (level, event, message, fields) =>
    put(level, event, redactDeep(message, redact), redactDeep(fields, redact));
  const told =
    (level: "debug" | "info") =>
    <E extends EventName>(event: E, fields: EventFields<E>) => {
      const entry = EVENTS[event] as unknown as LogEvent<EventFields<E>>;
      write(level, event, fill(entry[language], escapeDeep(fields)), fields as Fields);
    };
  const spoken = (level: "warn" | "error", event: EventName, said: Said, fields: Fields = {}): void => {
    const { lead } = EVENTS[event] as ReasonEvent;
    const file = typeof fields.file === "string" ? escapeText(fields.file) : undefined;
    const { reason, message, hint } = said;
    // An error of a file already begins with the file's name.
    const isNamed = file === undefined || message.startsWith(file);
    const about = isNamed ? message : aboutFile(file, message, language);
    const cause = lead ? `${fill(lead[language], fields)}${message}` : about;
    write(level, event, `${cause}${JOIN[language].remedy}${hint}`, { ...fields, reason, hint });
  };
  const complained =
    (level: "warn" | "error") =>
    <Id extends ReasonId>(event: EventName, reason: Id, params: Params<Id>, fields: Fields = {}) => {
      const file = typeof fields.file === "string" ? fields.file : undefined;
      const said = { reason, ...escapedMessage(reason, params, language, file) };
      if (level === "warn") onWarning?.({ ...said, ...(file !== undefined && { file }) });
      spoken(level, event, said, fields);
    };
  return {
    ...sink,
    language,
    tasks: new Set(),
    debug: told("debug"),
    info: told("info"),
    warn: complained("warn"),
    error: complained("error"),
    failure: (level, event, { code, reason, layer, message, hint }, fields = {}) =>
      spoken(level, event, { reason, message, hint }, { ...fields, code, ...(layer && { layer }) }),
  };
}

/** Writes JSON lines, for machines. */
function jsonSink({ level, terminal }: LogOptions): Sink {
  const settings = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(settings, { write: (line) => void writeNow(terminal.fd, escapeJson(line)) });
  return { write: (method, event, message, fields) => logger[method]({ event, ...fields }, message) };
}

const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Writes one screen, for people. Everything else is at debug. */
function prettySink({ level, terminal, redact, language }: LogOptions): Sink {
  const { fd, colour, plain, width } = terminal;
  const isEnabled = (other: LogLevel) => LEVELS.indexOf(other) >= LEVELS.indexOf(level);
  const status = terminal.interactive ? statusLine(terminal, redact) : undefined;
  const differences: Difference[] = [];
  const screen = (): ScreenOptions => ({ language, colour, plain, width: width() });
  const print = (lines: readonly string[]) => {
    if (lines.length === 0) return;
    status?.hide();
    writeNow(fd, escapePainted(`${lines.join("\n")}\n`));
    status?.show();
  };
  return {
    ...(status && { status: status.set }),
    write(method, event, message, fields) {
      if (event === "verify.failed") differences.push(differenceOf(message, fields, language));
      if (isEnabled(isShown(event, fields) ? method : "debug"))
        print(prettyLines({ level: method, time: new Date(), msg: message, ...fields }, screen()));
      else if (isEnabled(method)) print([reachedLine(event, fields, screen()) ?? []].flat());
    },
    finish(report, stack) {
      status?.set(undefined);
      if (stack !== undefined) print(stackLines(stack, width()));
      for (const { level: from, lines } of summarize(report, differences, screen()))
        if (isEnabled(from)) print(lines);
    },
  };
}

/** One line of the log. */
interface LogRecord {
  level: Level;
  time: Date;
  msg: string;
  hint?: string;
  stack?: string;
}

const COLOURS = { error: "red", warn: "yellow", info: "green", debug: "blue" } as const;

/**
 * Returns a line of the log for people: local time and zone, level, sentence; the remedy on its own line.
 * Lines are wrapped at spaces to the terminal's width and indented below their beginning.
 */
export function prettyLines(
  record: LogRecord,
  { language, colour, width }: Pick<ScreenOptions, "language" | "colour" | "width">,
): string[] {
  const level = record.level === "info" ? "" : `${record.level.toUpperCase()} `;
  const head = `${clock(record.time)} ${level}`;
  const space = Math.max(20, width - head.length);
  const lines = parts(record, language).flatMap((part) =>
    wrap(shortDigests(escapeLines(part), space), space),
  );
  const painted =
    colour && level !== ""
      ? head.replace(level, styleText(COLOURS[record.level], level, { validateStream: false }))
      : head;
  const indent = " ".repeat(head.length);
  return [
    ...lines.map((line, index) => (index === 0 ? painted : indent) + line),
    ...stackLines(record.stack ?? "", width),
  ];
}

function stackLines(stack: string, width: number): string[] {
  const lines = stack.split("\n").filter((line) => line !== "");
  return lines.map((line) => shorten(escapeText(line), width));
}

function differenceOf(msg: string, fields: Fields, language: Language): Difference {
  const [message = "", hint = ""] = parts({ msg, hint: String(fields.hint) }, language);
  return {
    ...(fields as unknown as Difference),
    message,
    hint: hint.slice(JOIN[language].remedyLine.length),
  };
}

/** Cause, and remedy if there is one. */
function parts({ msg, hint }: Pick<LogRecord, "msg" | "hint">, language: Language): string[] {
  const { remedy, remedyLine } = JOIN[language];
  const end = `${remedy}${hint}`;
  if (hint === undefined || !msg.endsWith(end)) return [msg];
  return [msg.slice(0, -end.length), `${remedyLine}${hint}`];
}

/** Returns `12:03:04 +08`, by TZ. */
function clock(time: Date): string {
  const [, clock = "", zone = ""] = zonedTime(time).split(" ");
  return `${clock} ${zone.slice(3).replace(/:00$/, "")}`;
}
