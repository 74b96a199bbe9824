/** Rows as psql shows them: headings centred, numbers to the right, text to the left. */
export function psqlTable<Row extends object>(
  columns: readonly (keyof Row & string)[],
  found: readonly Row[],
): string {
  const widths = columns.map((name) =>
    Math.max(name.length, ...found.map((row) => String(row[name] ?? "").length)),
  );
  const width = (index: number) => widths[index] ?? 0;
  const line = (cells: readonly string[]) => ` ${cells.join(" | ")}`.trimEnd();
  const centred = (text: string, index: number) =>
    text.padStart(text.length + Math.floor((width(index) - text.length) / 2)).padEnd(width(index));
  const aligned = (value: unknown, index: number) =>
    typeof value === "number"
      ? String(value).padStart(width(index))
      : String(value ?? "").padEnd(width(index));
  return [
    line(columns.map(centred)),
    widths.map((size) => "-".repeat(size + 2)).join("+"),
    ...found.map((row) => line(columns.map((name, index) => aligned(row[name], index)))),
    `(${found.length} ${found.length === 1 ? "row" : "rows"})`,
  ].join("\n");
}
