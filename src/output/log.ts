import { styleText } from "node:util";
import { type Logger, pino } from "pino";
import type { LogLevel } from "../config/settings.ts";
import { formatMessage, type Params, type ReasonId } from "../messages/catalog.ts";
import { JOIN, type Language } from "../messages/define.ts";
import {
  EVENTS,
  type EventFields,
  type EventName,
  type LogEvent,
  type ReasonEvent,
  sentence,
} from "../messages/events.ts";
import { escapeDeep, escapeJson, escapeLines, escapeText, type Redact, redactDeep } from "./redact.ts";
import type { ReportError, Warning } from "./report.ts";
import { cellWidth, type Draw, shorten, statusLine, type Terminal, wrap, writeNow } from "./terminal.ts";

export type Fields = Record<string, unknown>;

/** The job's log: every line has a stable `event`, a sentence in the language of LOG_LANG, and fields. */
export interface Log {
  debug<E extends EventName>(event: E, fields: EventFields<E>): void;
  info<E extends EventName>(event: E, fields: EventFields<E>): void;
  /** A warning of the catalog: cause and remedy as the sentence, `reason` and `hint` among the fields. */
  warn<Id extends ReasonId>(event: EventName, reason: Id, params: Params<Id>, fields?: Fields): void;
  /** A refusal or failure of the catalog, in the same form. */
  error<Id extends ReasonId>(event: EventName, reason: Id, params: Params<Id>, fields?: Fields): void;
  /** An error that has been described already (output/report.ts); no warning of the report, whatever its level. */
  failure(level: "warn" | "error", event: EventName, error: ReportError, fields?: Fields): void;
  readonly language: Language;
  /** On a terminal: a line that stays below the log until it is replaced or, with undefined, removed; made for a number of cells. */
  status?: (draw: Draw | undefined) => void;
}

export interface LogOptions {
  level: LogLevel;
  format: "json" | "pretty";
  terminal: Terminal;
  redact: Redact;
  language: Language;
  /** Told every warning, for the report. */
  onWarning?: (warning: Warning) => void;
}

/** Opens the log. Synchronous, so that the last line survives the exit. */
export function createLog(options: LogOptions): Log {
  const { level, terminal, redact } = options;
  const isPretty = options.format === "pretty";
  const settings = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(settings, isPretty ? prettyStream(terminal, options.language) : jsonStream(terminal));
  const status = isPretty && terminal.interactive ? statusLine(terminal, redact) : undefined;
  const write = (method: Level, event: EventName, message: string, fields: Fields = {}): void => {
    if (!(logger as Logger).isLevelEnabled(method)) return;
    status?.hide();
    logger[method]({ event, ...redactDeep(fields, redact) }, redactDeep(message, redact));
    status?.show();
  };
  const told =
    (method: "debug" | "info") =>
    <E extends EventName>(event: E, fields: EventFields<E>) => {
      const entry = EVENTS[event] as unknown as LogEvent<EventFields<E>>;
      write(method, event, sentence(entry, escapeDeep(fields), options.language), fields as Fields);
    };
  const spoken = (method: "warn" | "error", event: EventName, said: Said, fields: Fields): void => {
    const { language } = options;
    const { lead } = EVENTS[event] as ReasonEvent;
    const place = typeof fields.file === "string" ? `${escapeText(fields.file)}${JOIN[language].colon}` : "";
    const { reason, message, hint } = said;
    // An error of one file begins with its name already.
    const begin = lead ? lead[language](fields) : message.startsWith(place) ? "" : place;
    write(method, event, `${begin}${message}${JOIN[language].remedy}${hint}`, { ...fields, reason, hint });
  };
  const complained =
    (method: "warn" | "error") =>
    <Id extends ReasonId>(event: EventName, reason: Id, params: Params<Id>, fields: Fields = {}) => {
      const { file } = fields;
      const path = typeof file === "string" ? escapeText(file) : undefined;
      const said = { reason, ...formatMessage(reason, escapeDeep(params), options.language, path) };
      if (method === "warn") options.onWarning?.({ ...said, ...(typeof file === "string" && { file }) });
      spoken(method, event, said, fields);
    };
  return {
    ...(status && { status: status.set }),
    language: options.language,
    debug: told("debug"),
    info: told("info"),
    warn: complained("warn"),
    error: complained("error"),
    failure: (level, event, { code, reason, layer, message, hint }, fields = {}) =>
      spoken(level, event, { reason, message, hint }, { ...fields, code, ...(layer && { layer }) }),
  };
}

type Level = "debug" | "info" | "warn" | "error";
type Said = Pick<Warning, "reason" | "message" | "hint">;

/** Writes pino's lines as they are, but for what nobody sees. */
function jsonStream({ fd }: Terminal) {
  return { write: (line: string) => void writeNow(fd, escapeJson(line)) };
}

/** Writes pino's lines as people read them. A remedy that holds for several lines in a row is said once. */
function prettyStream({ fd, colour, width }: Terminal, language: Language) {
  let said: string | undefined;
  return {
    write: (line: string) => {
      const record = JSON.parse(line) as LogRecord & { event: EventName };
      const repeated = record.hint !== undefined && record.hint === said && record.event !== "run.failed";
      said = record.hint;
      writeNow(fd, prettyLine(record, { language, colour, width: width(), withoutRemedy: repeated }));
    },
  };
}

/** One line of the log, as pino has it. */
export interface LogRecord {
  level: string;
  time: string;
  msg: string;
  hint?: string;
  stack?: string;
}

export interface PrettyOptions {
  language: Language;
  colour: boolean;
  /** Cells of a line. */
  width: number;
  /** Leaves the remedy out. */
  withoutRemedy?: boolean;
}

/** SHA-256 in hexadecimal. */
const DIGEST = /\b([0-9a-f]{12})[0-9a-f]{52}\b/g;

const COLOURS: Record<string, "red" | "yellow" | "green" | "blue" | "gray"> = {
  fatal: "red",
  error: "red",
  warn: "yellow",
  info: "green",
  debug: "blue",
};

/**
 * A line of the log for people: local time and zone, level, sentence; the remedy on a line of its own. No line is wider than the
 * terminal: they are parted at blanks, below their own beginning.
 */
export function prettyLine(
  record: LogRecord,
  { language, colour, width, withoutRemedy = false }: PrettyOptions,
): string {
  const level = record.level.toUpperCase().padEnd(5);
  const head = `${clock(new Date(record.time))} ${level} `;
  const room = Math.max(20, width - head.length);
  const [said = "", ...remedy] = parts(record, language).map(escapeLines);
  // Enough to tell two digests apart; the log's JSON and the report have all of them.
  const cause = cellWidth(said) > room ? said.replace(DIGEST, "$1…") : said;
  const lines = [cause, ...(withoutRemedy ? [] : remedy)].flatMap((part) => wrap(part, room));
  const painted = colour
    ? head.replace(level, styleText(COLOURS[record.level] ?? "gray", level, { validateStream: false }))
    : head;
  const indent = " ".repeat(head.length);
  const stack = (record.stack ?? "").split("\n").filter((line) => line !== "");
  return [
    ...lines.map((line, index) => (index === 0 ? painted : indent) + line),
    ...stack.map((line) => shorten(escapeText(line), width)),
    "",
  ].join("\n");
}

/** Cause, and remedy where there is one. */
function parts({ msg, hint }: LogRecord, language: Language): string[] {
  const { remedy, remedyLine } = JOIN[language];
  const end = `${remedy}${hint}`;
  if (hint === undefined || !msg.endsWith(end)) return [msg];
  return [msg.slice(0, -end.length), `${remedyLine}${hint}`];
}

/** `12:03:04 +08`, by TZ. */
function clock(time: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = -time.getTimezoneOffset();
  const size = Math.abs(minutes);
  const zone = `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${size % 60 ? `:${two(size % 60)}` : ""}`;
  return `${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")} ${zone}`;
}
