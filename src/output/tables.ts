import { actionWord, formatBytes, type Language } from "../messages/define.ts";
import type { PlatformEntry, RowEntry } from "../messages/events.ts";
import { cellWidth, pad, shorten, wrap } from "./cells.ts";
import { escapeDeep } from "./escape.ts";
import type { PackageEntry } from "./report.ts";

/** Counts by action: `{uploaded: 1, unchanged: 2}`. */
export function countActions(entries: readonly { action: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { action } of entries) counts[action] = (counts[action] ?? 0) + 1;
  return counts;
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

/** Columns that give room first: the others tell rows apart. */
const SHORTENED: readonly string[] = ["version", "name"];

/** The guide's table of rows, with what was done to each, in `width` cells. Empty where there is no row to show. */
export function rowTable(rows: readonly RowEntry[], language: Language, width: number): string {
  if (rows.length === 0) return "";
  const all = Object.keys(COLUMN_WORDS) as (keyof typeof COLUMN_WORDS)[];
  const columns = all.filter((column) => column !== "arch" || rows.some((row) => row.arch !== null));
  return table(
    columns.map((column) => (language === "zh" ? COLUMN_WORDS[column] : column)),
    rows.map((row) =>
      columns.map((column) => (column === "action" ? actionWord(row.action, language) : (row[column] ?? ""))),
    ),
    { width, firm: columns.flatMap((column, index) => (SHORTENED.includes(column) ? [] : [index])) },
  );
}

const PACKAGE_HEADS = {
  en: ["type", "platform", "object", "version", "name", "size"],
  zh: ["类型", "平台", "对象", "版本", "名称", "大小"],
} as const;

/** What the files on a volume would become, in `width` cells. */
export function packageTable(packages: readonly PackageEntry[], language: Language, width: number): string {
  const cells = packages.map(({ type, os, arch, object, version, name, bytes }) => [
    type ?? "",
    platformName(os, arch),
    object ?? "",
    version ?? "",
    name,
    bytes === null ? "?" : formatBytes(bytes),
  ]);
  return table(PACKAGE_HEADS[language], cells, { width, firm: [0, 1, 2, 5] });
}

/** `linux/x86_64`, or what of it is known. */
function platformName(os: string | null, arch: string | null): string {
  return [os, arch].filter((part) => part !== null).join("/");
}

const PLATFORM_WORDS = {
  en: {
    heads: ["platform", "state", "controller", "collectors", "only listed"],
    complete: "complete",
    lacks: (missing: readonly string[]) => missing.map((part) => `no ${part}`).join(", "),
  },
  zh: {
    heads: ["平台", "状态", "控制器", "可安装的采集器", "仅登记"],
    complete: "完整",
    lacks: (missing: readonly string[]) => `缺少${missing.join("、")}`,
  },
} as const;

/** What can be installed on which platform, and what is missing, in `width` cells. */
export function platformTable(
  platforms: readonly PlatformEntry[],
  language: Language,
  width: number,
): string {
  const words = PLATFORM_WORDS[language];
  const list = (names: readonly string[]) => names.join(", ") || "-";
  const cells = platforms.map(({ os, arch, controller, collectors, complete, missing }) => [
    platformName(os, arch),
    complete ? words.complete : words.lacks(missing),
    list(controller),
    list(collectors.installable),
    list(collectors.listed),
  ]);
  // Most volumes leave nothing that is only listed.
  const columns = platforms.some(({ collectors }) => collectors.listed.length > 0) ? 5 : 4;
  return table(
    words.heads.slice(0, columns),
    cells.map((row) => row.slice(0, columns)),
    { width, firm: [0], lists: true },
  );
}

export interface TableOptions {
  /** Terminal cells. */
  width?: number;
  /** Columns that give no room as long as others can. */
  firm?: readonly number[];
  /** Cells that are too long are lists: they go on in the next line. */
  lists?: boolean;
}

/**
 * Aligned as psql does: centred heads, cells to the left; where they do not fit, the widest columns are shortened. Cells are
 * text of others: what nobody sees is escaped in them, and secrets are gone from them already (Screen.redacted).
 */
export function table(
  heads: readonly string[],
  given: readonly (readonly string[])[],
  { width = Number.POSITIVE_INFINITY, firm = [], lists = false }: TableOptions = {},
): string {
  const rows = escapeDeep(given);
  const wanted = heads.map((head, column) =>
    rows.reduce((most, row) => Math.max(most, cellWidth(row[column] ?? "")), cellWidth(head)),
  );
  const widths = fitted(wanted, width - 3 * heads.length + 1, firm);
  const line = (cells: readonly string[]) => ` ${cells.join(" | ")}`.trimEnd();
  const cell = (text: string, column: number) => shorten(text, widths[column] as number);
  const centred = heads.map((head, column) => {
    const text = cell(head, column);
    const space = (widths[column] as number) - cellWidth(text);
    return " ".repeat(space >> 1) + text + " ".repeat(space - (space >> 1));
  });
  const parted = rows.flatMap((row) => (lists ? linesOf(row, widths) : [row]));
  return [
    line(centred),
    widths.map((cells) => "-".repeat(cells + 2)).join("+"),
    ...parted.map((row) =>
      line(row.map((text, column) => pad(cell(text, column), widths[column] as number))),
    ),
  ].join("\n");
}

/** A row whose long cells go on in the lines below it. */
function linesOf(row: readonly string[], widths: readonly number[]): string[][] {
  const cells = row.map((text, column) => wrap(text, widths[column] as number));
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, index) => cells.map((lines) => lines[index] ?? ""));
}

/** Cells that a column keeps before those that are firm give some. */
const LEAST = 8;

/** Widths that add up to no more than `room`: the widest column gives first, one cell at a time; firm ones after the others. */
function fitted(wanted: readonly number[], room: number, firm: readonly number[]): number[] {
  const widths = [...wanted];
  const widest = (columns: readonly number[]) =>
    columns.reduce((found, column) =>
      (widths[column] as number) > (widths[found] as number) ? column : found,
    );
  const all = [...widths.keys()];
  const soft = all.filter((column) => !firm.includes(column));
  for (let over = widths.reduce((sum, cells) => sum + cells, 0) - room; over > 0; over -= 1) {
    const first = widest(soft);
    const gives = (widths[first] as number) > LEAST ? first : widest(all);
    if ((widths[gives] as number) <= 1) break;
    widths[gives] = (widths[gives] as number) - 1;
  }
  return widths;
}
