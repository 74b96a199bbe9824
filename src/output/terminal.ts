import { fstatSync, writeSync } from "node:fs";
import type { Environment } from "../config/env.ts";
import { escapeText, type Redact } from "./redact.ts";

/** Cells of a line if the width is unknown. */
const WIDTH = 80;

/** An output for people: a terminal, or a pretty log that ends up on one. */
export interface Terminal {
  fd: 1 | 2;
  isTerminal: boolean;
  /** Whether a line can be redrawn. */
  interactive: boolean;
  colour: boolean;
  /** Whether only ASCII signs can be shown. */
  plain: boolean;
  /** Current cells of a line: windows are resized. */
  width(): number;
}

/**
 * Describes the stream of the log. TERM=dumb supports neither colours nor redrawing; a CI log keeps every
 * redrawn state.
 */
export function openTerminal(
  fd: 1 | 2,
  streams: Pick<NodeJS.Process, "stdout" | "stderr">,
  environment: Environment,
): Terminal {
  const { NO_COLOR, TERM, CI, COLUMNS, LC_ALL, LC_CTYPE, LANG } = environment;
  // A container has no locale, and the program that shows its log supports UTF-8.
  const locale = LC_ALL || LC_CTYPE || LANG || "UTF-8";
  // node loads its streams for process.stdout: a pipe or file does without them
  const stream = fstatSync(fd).isCharacterDevice() ? streams[fd === 1 ? "stdout" : "stderr"] : undefined;
  const terminal = stream?.isTTY === true;
  const width = () => (terminal ? stream.getWindowSize()[0] : Number(COLUMNS)) || WIDTH;
  return {
    fd,
    isTerminal: terminal,
    interactive: terminal && TERM !== "dumb" && !CI,
    colour: terminal && TERM !== "dumb" && !NO_COLOR,
    plain: !/utf-?8/i.test(locale),
    width,
  };
}

/** Returns a line of at most so many cells. Names are redacted before they are shortened. */
export type Draw = (cells: number, redact: Redact) => string;

/**
 * A line that stays below the log; it is drawn again for each width, so that a resized window has no remains
 * of it.
 */
export function statusLine({ fd, plain, width }: Terminal, redact: Redact) {
  let draw: Draw | undefined;
  let drawn = "";
  const hide = () => {
    if (drawn === "") return;
    // A narrower window has wrapped the line.
    const rows = Math.ceil(cellWidth(drawn) / width());
    writeNow(fd, `\r${rows > 1 ? `\x1b[${rows - 1}A` : ""}\x1b[J`);
    drawn = "";
  };
  const show = () => {
    // After the last cell the cursor would already be on the next line.
    const text = draw ? escapeText(draw(width() - 1, redact)) : "";
    drawn = plain ? text.replace(/[\u2800-\u28ff]/, "-").replaceAll("…", "~") : text;
    if (drawn !== "") writeNow(fd, drawn);
  };
  const set = (next: typeof draw) => {
    hide();
    draw = next;
    show();
  };
  return { hide, show, set };
}

/**
 * Writes a whole text synchronously. Returns the system's error for a closed pipe (`| head`) or a full disk,
 * which matters only to a caller whose text is the purpose of the run.
 */
export function writeNow(fd: 1 | 2, text: string): NodeJS.ErrnoException | undefined {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return error as NodeJS.ErrnoException;
      // A full non-blocking pipe: the program that reads it needs a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
  return undefined;
}

/** The function that measures, once it is loaded. */
let measure: { stringWidth: (text: string) => number; graphemes: Intl.Segmenter } | undefined;

/**
 * Loads Unicode's tables; await it before using the functions below. They are not loaded at the start,
 * because this would double the time to the first log line, and JSON lines do not need them.
 */
export async function loadCells(): Promise<void> {
  const { default: stringWidth } = await import("string-width");
  measure ??= { stringWidth, graphemes: new Intl.Segmenter() };
}

function loaded(): NonNullable<typeof measure> {
  if (!measure) throw new Error("loadCells comes first");
  return measure;
}

/** Returns the terminal cells of a text: Chinese characters and emoji have two. */
export function cellWidth(text: string): number {
  return loaded().stringWidth(text);
}

function clusters(text: string): string[] {
  return Array.from(loaded().graphemes.segment(text), ({ segment }) => segment);
}

/** Returns the text in at most `cells` cells, shortened in the middle: `fusion-co…amd64.zip`. */
export function shorten(text: string, cells: number): string {
  if (cellWidth(text) <= cells) return text;
  if (cells < 1) return "";
  const all = clusters(text);
  const head = fitting(all, (cells - 1) >> 1);
  const tail = fitting(all.toReversed(), cells - 1 - cellWidth(head.join("")));
  return `${head.join("")}…${tail.toReversed().join("")}`;
}

function fitting(parts: readonly string[], cells: number): string[] {
  let used = 0;
  const end = parts.findIndex((part) => {
    used += cellWidth(part);
    return used > cells;
  });
  return parts.slice(0, end === -1 ? parts.length : end);
}

/** The beginning of a list's line. */
const ITEM = "- ";

/**
 * Returns the text in lines of at most `cells` cells, broken at spaces and between Chinese characters. A word
 * longer than a line is shortened in the middle. Line breaks stay; continued lines of a list are indented.
 */
export function wrap(text: string, cells: number): string[] {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith(ITEM)) return wrapLine(line, cells);
    const parts = wrapLine(line.slice(ITEM.length), cells - ITEM.length);
    return parts.map((part, index) => (index === 0 ? ITEM : " ".repeat(ITEM.length)) + part);
  });
}

function wrapLine(text: string, cells: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of text.split(BREAK)) {
    const part = shorten(piece, cells);
    if (line !== "" && cellWidth(line) + cellWidth(part.trimEnd()) > cells) {
      lines.push(line.trimEnd());
      line = part;
    } else line += part;
  }
  return [...lines, line.trimEnd()];
}

/** Characters of two cells: Chinese, Japanese, Korean, full-width forms and emoji. */
const WIDE =
  "[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6\\p{Emoji_Presentation}\\u{20000}-\\u{3fffd}]";

/** Where a line may break: behind spaces, and beside a wide character. */
const BREAK = new RegExp(
  [
    // not after an opening bracket, nor before a closing one, nor inside a character of several parts
    "(?<![（《「『“‘([{\\u200d])(?![，。、；：？！）》」』”’…,.;:?!)\\]}\\p{M}\\p{Emoji_Modifier}\\u200d])",
    // not between a number and its unit: `12 s`, `3 秒`, `1.5 MiB/s`
    `(?<!(?:^| |${WIDE})[(（]?[\\d.,]*\\d (?=(?:s|min|h|bytes|B|[KMGT]iB)(?![\\p{L}\\d])|[秒分小字个处次条]))`,
    `(?:(?<= )(?! )|(?<=${WIDE})(?! )|(?<! )(?=${WIDE}))`,
  ].join(""),
  "u",
);
