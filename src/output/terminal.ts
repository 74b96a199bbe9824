import { writeSync } from "node:fs";
import type { WriteStream } from "node:tty";
import type { Environment } from "../config/env.ts";
import { escapeText, type Redact } from "./redact.ts";

/** Cells of a line where nobody says how many there are. */
const WIDTH = 80;

/** Where people read: a terminal, or a pretty log that ends up on one. */
export interface Terminal {
  fd: 1 | 2;
  isTerminal: boolean;
  /** Whether a line can be drawn again and again. */
  interactive: boolean;
  colour: boolean;
  /** Whether only signs that are in every character set can be shown. */
  plain: boolean;
  /** Cells of a line, now: windows are resized. */
  width(): number;
}

/** What is known of the stream that the log goes to. TERM=dumb can neither paint nor go back in a line; CI keeps every state of it. */
export function openTerminal(fd: 1 | 2, stream: WriteStream, environment: Environment): Terminal {
  const { NO_COLOR, TERM, CI, COLUMNS, LC_ALL, LC_CTYPE, LANG } = environment;
  // A container has no locale, and whatever shows its log has UTF-8.
  const locale = LC_ALL || LC_CTYPE || LANG || "UTF-8";
  const terminal = stream.isTTY === true;
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

/** Makes a line of at most so many cells. Names pass `redact` before they are shortened. */
export type Draw = (cells: number, redact: Redact) => string;

/** A line that stays below the log; drawn anew for each width, so that a resized window keeps no rests of it. */
export function statusLine({ fd, plain, width }: Terminal, redact: Redact) {
  let draw: Draw | undefined;
  let drawn = "";
  const hide = () => {
    if (drawn === "") return;
    // A window that became narrower has broken the line into several.
    const rows = Math.ceil(cellWidth(drawn) / width());
    writeNow(fd, `\r${rows > 1 ? `\x1b[${rows - 1}A` : ""}\x1b[J`);
    drawn = "";
  };
  const show = () => {
    // In the last cell the cursor would be on the next line already.
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
 * Writes all of a text at once. A reader that has gone away (`| head`) or a full disk is no reason to fail: returns the system's error,
 * which is for the caller whose text is all that the run is for.
 */
export function writeNow(fd: 1 | 2, text: string): NodeJS.ErrnoException | undefined {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return error as NodeJS.ErrnoException;
      // A full pipe that somebody made non-blocking: its reader needs a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
  return undefined;
}

/** What measures, once it is loaded. */
let measure: { stringWidth: (text: string) => number; graphemes: Intl.Segmenter } | undefined;

/**
 * To be awaited before anything here is used. Not loaded at the start: Unicode's tables take as long as all that comes before the first log line,
 * and JSON lines need none of them.
 */
export async function loadCells(): Promise<void> {
  const { default: stringWidth } = await import("string-width");
  measure ??= { stringWidth, graphemes: new Intl.Segmenter() };
}

function loaded(): NonNullable<typeof measure> {
  if (!measure) throw new Error("loadCells comes first");
  return measure;
}

/** Terminal cells that a text takes: Chinese characters and emoji take two. */
export function cellWidth(text: string): number {
  return loaded().stringWidth(text);
}

function clusters(text: string): string[] {
  return Array.from(loaded().graphemes.segment(text), ({ segment }) => segment);
}

/** The text in at most `cells` cells; what does not fit is left out in the middle: `fusion-co…amd64.zip`. */
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

/** The text, filled up with blanks to `cells` cells. */
export function pad(text: string, cells: number): string {
  return text + " ".repeat(Math.max(0, cells - cellWidth(text)));
}

/** Nothing may be parted in front of the first, and behind the second, of these. */
const CLOSING = /^[，。、；：？！）》」』”’…,.;:?!)\]}]/u;
const OPENING = /[（《「『“‘([{]$/u;

/** What a line of a list begins with. */
const ITEM = "- ";

/**
 * The text in lines of at most `cells` cells, parted at blanks and between Chinese characters. A word that is longer than a line
 * is shortened in the middle. Line breaks of the text stay; what of a list goes on in the next line stands below its own beginning.
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
  for (const piece of pieces(text)) {
    const part = shorten(piece, cells);
    if (line !== "" && cellWidth(line) + cellWidth(part.trimEnd()) > cells) {
      lines.push(line.trimEnd());
      line = part;
    } else line += part;
  }
  return [...lines, line.trimEnd()];
}

/** `12 s`, `3 秒`, `1.5 MiB/s`: a number and its unit are not parted. */
const NUMBER = /^[（(]?[\d.,]*\d $/;
const UNIT = /^(?:s|min|h|bytes|B|[KMGT]iB|[秒分小字个处次条])(?![\p{L}\d])/u;

/** Words with the blanks behind them, and Chinese characters with the marks that belong to them; numbers with their units. */
function pieces(text: string): string[] {
  const found: string[] = [];
  for (const piece of smallest(text)) {
    if (NUMBER.test(found.at(-1) ?? "") && UNIT.test(piece)) found[found.length - 1] += piece;
    else found.push(piece);
  }
  return found;
}

function smallest(text: string): string[] {
  const found: string[] = [];
  // Joined when it is whole: a long word that grows letter by letter would be copied with each of them.
  let piece: string[] = [];
  for (const cluster of clusters(text)) {
    const last = piece.at(-1) ?? "";
    const parts =
      (last === " " && cluster !== " ") ||
      (last !== "" && last !== " " && cluster !== " " && (cellWidth(last) > 1 || cellWidth(cluster) > 1));
    if (parts && !CLOSING.test(cluster) && !OPENING.test(last)) {
      found.push(piece.join(""));
      piece = [];
    }
    piece.push(cluster);
  }
  return piece.length === 0 ? found : [...found, piece.join("")];
}
