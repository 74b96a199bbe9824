import type { Language } from "../reasons/define.ts";
import type { Report, RowEntry } from "./report.ts";
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

/** Outcome, counts and error in at most `limit` bytes of JSON, for Kubernetes' termination message (4096 bytes there). */
export function terminationMessage(report: Report, limit = 4096): string {
  const message = (text: (s: string) => string) =>
    JSON.stringify({
      outcome: report.outcome,
      exitCode: report.exitCode,
      packages: countActions(report.packages),
      rows: countActions(report.rows),
      ...(report.error && {
        error: { ...report.error, message: text(report.error.message), hint: text(report.error.hint) },
      }),
    });
  let length = limit;
  let out = message((s) => s);
  while (Buffer.byteLength(out) > limit && length > 1) {
    length = Math.floor(length / 2);
    const keep = length;
    out = message((s) => (s.length > keep ? `${s.slice(0, keep)}...` : s));
  }
  return out;
}
