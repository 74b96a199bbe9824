import { escapeDeep, escapeText } from "./redact.ts";
import { cellWidth, pad, shorten } from "./terminal.ts";

/** A cell's text, or what makes it for the number of cells that are left; an empty text where that is too few. */
export type Cell = string | ((cells: number) => string);

export interface Layout {
  /** Terminal cells of a line. */
  width: number;
  /** Columns that go where a line is too wide, those of least use first. */
  drop: readonly number[];
  /** Least widths, so that tables of one line each stand below each other. */
  least?: readonly number[];
}

const GAP = 2;

/** Cells that a column keeps when it is shortened, as long as others are wider. */
const KEPT = 8;

/**
 * Lines of aligned columns, none wider than `width`: columns of least use go first, then the widest are shortened in the middle. A cell that
 * is a function stands last and takes what is left.
 */
export function columns(given: readonly (readonly Cell[])[], { width, drop, least = [] }: Layout): string[] {
  const rows = escapeDeep(given);
  const count = Math.max(0, ...rows.map((row) => row.length));
  let shown = Array.from({ length: count }, (_, column) => column);
  const wanted = shown.map((column) =>
    Math.max(
      least[column] ?? 0,
      ...rows.map(({ [column]: cell = "" }) => (typeof cell === "string" ? cellWidth(cell) : KEPT)),
    ),
  );
  const total = () =>
    shown.reduce((sum, column) => sum + (wanted[column] as number), GAP * (shown.length - 1));
  for (const column of drop)
    if (total() > width && shown.length > 1) shown = shown.filter((other) => other !== column);
  while (total() > width) {
    const widest = shown.reduce((found, column) =>
      (wanted[column] as number) > (wanted[found] as number) ? column : found,
    );
    if ((wanted[widest] as number) <= 1) break;
    wanted[widest] = (wanted[widest] as number) - 1;
  }
  return rows.map((row) => {
    let line = "";
    for (const column of shown) {
      const cell = row[column] ?? "";
      const start = column === shown[0] ? line : line + " ".repeat(GAP);
      line =
        typeof cell === "string"
          ? start + pad(shorten(cell, wanted[column] as number), wanted[column] as number)
          : start + escapeText(cell(width - cellWidth(start)));
    }
    return line.trimEnd();
  });
}

/** Returns as many names as there is space for, and how many there are in all: `Filebeat Telegraf …(5)`. */
export function someOf(names: readonly string[], cells: number): string {
  const all = names.join(" ");
  if (cellWidth(all) <= cells) return all;
  for (let shown = names.length - 1; shown >= 0; shown -= 1) {
    const text = [...names.slice(0, shown), `…(${names.length})`].join(" ");
    if (cellWidth(text) <= cells) return text;
  }
  return "";
}
