import type { Language } from "../reasons/define.ts";
import type { RowEntry } from "./report.ts";
import { actionWord, JOIN } from "./words.ts";

/** Counts by action: `{uploaded: 1, unchanged: 2}`. */
export function countActions(entries: readonly { action: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { action } of entries) counts[action] = (counts[action] ?? 0) + 1;
  return counts;
}

/** Counts by action in words: `1 uploaded, 2 unchanged`. */
export function countWords(counts: Readonly<Record<string, number>>, language: Language): string {
  const words = Object.entries(counts).map(([action, count]) =>
    language === "zh" ? `${actionWord(action, language)} ${count}` : `${count} ${action}`,
  );
  return words.join(JOIN[language].comma) || (language === "zh" ? "无" : "none");
}

const COLUMN_WORDS = {
  type: "类型",
  os: "操作系统",
  arch: "架构",
  object: "对象",
  version: "版本",
  name: "名称",
  action: "操作",
} as const;

/** The guide's table of rows, with what was done to each. Empty where there is no row to show. */
export function rowTable(rows: readonly RowEntry[], language: Language): string {
  if (rows.length === 0) return "";
  const all = Object.keys(COLUMN_WORDS) as (keyof typeof COLUMN_WORDS)[];
  const columns = all.filter((column) => column !== "arch" || rows.some((row) => row.arch !== null));
  return table(
    columns.map((column) => (language === "zh" ? COLUMN_WORDS[column] : column)),
    rows.map((row) =>
      columns.map((column) => (column === "action" ? actionWord(row.action, language) : (row[column] ?? ""))),
    ),
  );
}

/** Aligned as psql does: centred heads, cells to the left. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => ` ${cells.join(" | ")}`.trimEnd();
  const centred = heads.map((head, i) => {
    const space = (widths[i] as number) - head.length;
    return " ".repeat(space >> 1) + head + " ".repeat(space - (space >> 1));
  });
  return [
    line(centred),
    widths.map((width) => "-".repeat(width + 2)).join("+"),
    ...rows.map((row) => line(row.map((cell, i) => cell.padEnd(widths[i] as number)))),
  ].join("\n");
}

/** Bytes for people. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
