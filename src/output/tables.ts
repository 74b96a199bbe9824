import { escapeDeep, escapeText } from "./redact.ts";
import { cellWidth, shorten } from "./terminal.ts";

/** A cell's text, or a function that returns it for the cells that are left (empty if these are too few). */
export type Cell = string | ((cells: number) => string);

interface Layout {
  /** Terminal cells of a line. */
  width: number;
  /** Columns to drop if a line is too wide, the least useful first. */
  drop?: readonly number[];
  /** Minimum widths, so that tables of one line each are aligned. */
  least?: readonly number[];
}

/** Cells between two columns. */
export const GAP = 2;

/** Cells that a column keeps as long as wider columns can be shortened. */
const KEPT = 8;

/**
 * Returns lines of aligned columns, at most `width` cells wide: drops the least useful columns, then shortens
 * the widest in the middle. A cell that is a function is the last of its line and fills the rest.
 */
export function columns(
  given: readonly (readonly Cell[])[],
  { width, drop = [], least = [] }: Layout,
): string[] {
  const rows = escapeDeep(given);
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widthOf = (cell: Cell = "") => (typeof cell === "string" ? cellWidth(cell) : KEPT);
  let shown = Array.from({ length: count }, (_, column) => ({
    column,
    cells: Math.max(least[column] ?? 0, ...rows.map((row) => widthOf(row[column]))),
  }));
  const total = () => shown.reduce((sum, { cells }) => sum + GAP + cells, -GAP);
  for (const dropped of drop)
    if (total() > width && shown.length > 1) shown = shown.filter(({ column }) => column !== dropped);
  while (total() > width) {
    const widest = shown.reduce((found, one) => (one.cells > found.cells ? one : found));
    if (widest.cells <= 1) break;
    widest.cells -= 1;
  }
  return rows.map((row) => {
    let line = "";
    for (const { column, cells } of shown) {
      const cell = row[column] ?? "";
      const start = column === shown[0]?.column ? line : line + " ".repeat(GAP);
      const text =
        typeof cell === "string" ? shorten(cell, cells) : escapeText(cell(width - cellWidth(start)));
      line = `${start}${text}${" ".repeat(Math.max(0, cells - cellWidth(text)))}`;
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
