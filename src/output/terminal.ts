import { writeSync } from "node:fs";
import type { WriteStream } from "node:tty";
import { styleText } from "node:util";
import type { Environment } from "../config/env.ts";
import { cellWidth } from "./cells.ts";
import { escapePainted, escapeText } from "./escape.ts";
import { type Redact, redactDeep } from "./redact.ts";

/** Cells of a line where nobody says how many there are. */
const WIDTH = 80;

/** Where people read: a terminal, or a pretty log that ends up on one. */
export interface Terminal {
  fd: 1 | 2;
  isTerminal: boolean;
  /** Whether a line can be drawn again and again. */
  interactive: boolean;
  colour: boolean;
  /** Cells of a line, now: windows are resized. */
  width(): number;
}

/** What is known of the stream that the log goes to. TERM=dumb can neither paint nor go back in a line; CI keeps every state of it. */
export function openTerminal(fd: 1 | 2, stream: WriteStream, environment: Environment): Terminal {
  const { NO_COLOR, TERM, CI, COLUMNS } = environment;
  const terminal = stream.isTTY === true;
  const width = () => (terminal ? stream.getWindowSize()[0] : Number(COLUMNS)) || WIDTH;
  return {
    fd,
    isTerminal: terminal,
    interactive: terminal && TERM !== "dumb" && !CI,
    colour: terminal && TERM !== "dumb" && !NO_COLOR,
    width,
  };
}

/** Paints a text for a terminal; without colours it gives it back as it is. */
export type Paint = (colour: "green" | "yellow" | "red" | "gray", text: string) => string;

/** What people read besides the log. */
export interface Screen {
  /** Prints below the log. */
  print(text: string): void;
  /** What a table is made of, without secrets: a cell that is shortened could hide half of one. */
  redacted<T>(value: T): T;
  paint: Paint;
  /** Cells of a line. */
  width(): number;
}

/** What tables are shown on: written at once, without secrets. */
export function openScreen({ fd, colour, width }: Terminal, redact: Redact): Screen {
  return {
    print: (text) => {
      writeNow(fd, `\n${escapePainted(redact(text))}\n\n`);
    },
    redacted: (value) => redactDeep(value, redact),
    paint: (name, text) => (colour ? styleText(name, text, { validateStream: false }) : text),
    width,
  };
}

/** Makes a line of at most so many cells. Names pass `redact` before they are shortened. */
export type Draw = (cells: number, redact: Redact) => string;

/** A line that stays below the log; drawn anew for each width, so that a resized window keeps no rests of it. */
export function statusLine({ fd, width }: Terminal, redact: Redact) {
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
    drawn = draw ? escapeText(draw(width() - 1, redact)) : "";
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
