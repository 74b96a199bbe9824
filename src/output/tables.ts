import type { Language } from "../reasons/define.ts";
import { cellWidth, pad, shorten } from "./cells.ts";
import type { PackageEntry, PlatformEntry, RowEntry } from "./report.ts";
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
    width,
  );
}

const PACKAGE_HEADS = {
  en: ["type", "os", "arch", "object", "version", "name", "file", "size"],
  zh: ["类型", "操作系统", "架构", "对象", "版本", "名称", "文件", "大小"],
} as const;

/** What the files on a volume would become, in `width` cells. */
export function packageTable(packages: readonly PackageEntry[], language: Language, width: number): string {
  const cells = packages.map(({ type, os, arch, object, version, name, file, bytes }) =>
    [type, os, arch, object, version, name, file, bytes === null ? "?" : formatBytes(bytes)].map(
      (cell) => cell ?? "",
    ),
  );
  return table(PACKAGE_HEADS[language], cells, width);
}

const PLATFORM_WORDS = {
  en: {
    heads: ["platform", "controller", "installer", "bootstrap", "collectors", "only listed", "state"],
    yes: "yes",
    no: "missing",
    complete: "complete",
    incomplete: "incomplete",
  },
  zh: {
    heads: ["平台", "控制器", "安装器", "引导程序", "可安装的采集器", "仅登记", "状态"],
    yes: "有",
    no: "缺少",
    complete: "完整",
    incomplete: "不完整",
  },
} as const;

/** What can be installed on which platform, in `width` cells. */
export function platformTable(
  platforms: readonly PlatformEntry[],
  language: Language,
  width: number,
): string {
  const words = PLATFORM_WORDS[language];
  const there = (found: boolean | null) => (found === null ? "-" : found ? words.yes : words.no);
  const list = (names: readonly string[]) => names.join(", ") || "-";
  return table(
    words.heads,
    platforms.map(({ os, arch, controller, installer, bootstrap, collectors, complete }) => [
      arch === null ? os : `${os}/${arch}`,
      list(controller),
      there(installer),
      there(bootstrap),
      list(collectors.installable),
      list(collectors.listed),
      complete ? words.complete : words.incomplete,
    ]),
    width,
  );
}

/** Aligned as psql does: centred heads, cells to the left; in `width` terminal cells, the widest columns shortened. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string {
  const wanted = heads.map((head, column) =>
    Math.max(...[head, ...rows.map((row) => row[column] ?? "")].map(cellWidth)),
  );
  const widths = fitted(wanted, width - 3 * heads.length + 1);
  const line = (cells: readonly string[]) => ` ${cells.join(" | ")}`.trimEnd();
  const cell = (text: string, column: number) => shorten(text, widths[column] as number);
  const centred = heads.map((head, column) => {
    const text = cell(head, column);
    const space = (widths[column] as number) - cellWidth(text);
    return " ".repeat(space >> 1) + text + " ".repeat(space - (space >> 1));
  });
  return [
    line(centred),
    widths.map((cells) => "-".repeat(cells + 2)).join("+"),
    ...rows.map((row) => line(row.map((text, column) => pad(cell(text, column), widths[column] as number)))),
  ].join("\n");
}

/** Widths that add up to no more than `room`: the widest column gives first, one cell at a time. */
function fitted(wanted: readonly number[], room: number): number[] {
  const widths = [...wanted];
  for (let over = widths.reduce((sum, cells) => sum + cells, 0) - room; over > 0; over -= 1) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] as number) <= 1) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

/** Bytes for people. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
