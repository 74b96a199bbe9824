import { styleText } from "node:util";
import { JOIN, type Language } from "../messages/define.ts";
import { cellWidth, shorten, wrap } from "./cells.ts";
import { escapeLines, escapeText } from "./escape.ts";

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
