import { actionWord, formatBytes, type Language, plural } from "../messages/define.ts";
import {
  INSTALL_WORDS,
  type InstallState,
  type PackageAction,
  type PlatformEntry,
  type RowAction,
  type RowLine,
} from "../messages/events.ts";
import { escapeDeep } from "./redact.ts";
import type { PackageEntry } from "./report.ts";
import { cellWidth, type Paint, pad, type Screen, shorten, wrap } from "./terminal.ts";

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
export function rowTable(rows: readonly RowLine[], language: Language, width: number): string {
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

const STATUS_HEADS = {
  en: ["id", "type", "platform", "object", "version", "name", "on installation"],
  zh: ["id", "类型", "平台", "对象", "版本", "名称", "安装结果"],
} as const;

/** Rows with what their installation would come to, in `width` cells. */
export function statusTable(
  rows: readonly (RowLine & { install: InstallState })[],
  language: Language,
  width: number,
): string {
  const cells = rows.map(({ id, type, os, arch, object, version, name, install }) => [
    String(id ?? ""),
    type,
    platformName(os, arch),
    object,
    version,
    name,
    INSTALL_WORDS[install][language],
  ]);
  return table(STATUS_HEADS[language], cells, { width, firm: [0, 2, 3], lists: true });
}

const PACKAGE_HEADS = {
  en: ["type", "platform", "object", "version", "name", "size"],
  zh: ["类型", "平台", "对象", "版本", "名称", "大小"],
} as const;

/** What the files on a volume would become, in `width` cells. */
export function packageTable(packages: readonly PackageEntry[], language: Language, width: number): string {
  const cells = packages.map(({ type, os, arch, object, version, stored }) => [
    type ?? "",
    platformName(os, arch),
    object ?? "",
    version ?? "",
    stored.name,
    stored.bytes === null ? "?" : formatBytes(stored.bytes),
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

type Colour = Parameters<Paint>[0];
type Mark = [sign: string, words: Record<Language, string>, colour: Colour];

const MARKS: Record<PackageAction | RowAction | "conflict" | "removed", Mark> = {
  uploaded: ["+", { en: "upload", zh: "上传" }, "green"],
  repaired: ["~", { en: "repair", zh: "修复" }, "yellow"],
  replaced: ["~", { en: "replace", zh: "替换" }, "yellow"],
  unchanged: ["=", { en: "unchanged", zh: "不变" }, "gray"],
  kept: ["=", { en: "keep", zh: "保留" }, "gray"],
  conflict: ["!", { en: "conflict", zh: "冲突" }, "red"],
  removed: ["-", { en: "remove", zh: "删除" }, "red"],
  inserted: ["+", { en: "insert", zh: "新增" }, "green"],
  updated: ["~", { en: "update", zh: "更新" }, "yellow"],
};

const WORDS = {
  en: { heads: ["", "kind", "key or row", "size"], object: "object", row: "row" },
  zh: { heads: ["", "类别", "内容", "大小"], object: "对象", row: "记录" },
} as const;

/** What the table shows of a plan. */
export interface PlanView {
  packages: readonly {
    desired: { bytes: number | undefined };
    key: string;
    action: PackageAction;
    upload: boolean;
    conflict?: unknown;
    obsolete: readonly { key: string; size: number }[];
  }[];
  rows: readonly {
    action: RowAction;
    values: Omit<RowLine, "id" | "action">;
    row: { name: string } | undefined;
  }[];
}

/** What `init` would do, as people read a diff: `+ upload`, `~ replace`, `= unchanged`, `! conflict`, sizes and totals. */
export function planTable(
  plan: PlanView,
  language: Language,
  { paint, width, redacted }: Omit<Screen, "print">,
): string {
  const words = WORDS[language];
  const lines: string[][] = [];
  const colours: Colour[] = [];
  const add = ([sign, verb, colour]: Mark, ...cells: string[]) => {
    lines.push([`${sign} ${verb[language]}`, ...cells]);
    colours.push(colour);
  };
  for (const { desired, key, action, conflict, obsolete } of plan.packages) {
    add(MARKS[conflict ? "conflict" : action], words.object, key, size(desired.bytes));
    for (const old of obsolete) add(MARKS.removed, words.object, old.key, size(old.size));
  }
  for (const { action, values, row } of plan.rows) {
    const { type, os, arch, object, version, name } = values;
    const platform = arch === null ? os : `${os}/${arch}`;
    const names = action === "updated" ? ` (${row?.name} → ${name})` : "";
    add(MARKS[action], words.row, `${type} ${platform} ${object} ${version}${names}`, "");
  }
  const cells = redacted(lines);
  const [head, rule, ...body] = table(words.heads, cells, { width: width(), firm: [0, 1, 3] }).split("\n");
  const painted = body.map((line, index) => paint(colours[index] as Colour, line));
  return [head, rule, ...painted, "", ...wrap(totals(plan, language), width())].join("\n");
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? "?" : formatBytes(bytes);
}

function totals({ packages, rows }: PlanView, language: Language): string {
  const sent = packages.filter(({ upload, conflict }) => upload && !conflict);
  const bytes = formatBytes(sent.reduce((sum, { desired }) => sum + (desired.bytes ?? 0), 0));
  const written = rows.filter(({ action }) => action !== "unchanged").length;
  const conflicts = packages.filter(({ conflict }) => conflict).length;
  if (language === "zh") {
    const refused = conflicts > 0 ? `，${conflicts} 个冲突` : "";
    return `共 ${packages.length} 个对象，其中 ${sent.length} 个待上传（${bytes}）；共 ${rows.length} 条记录，其中 ${written} 条待写入${refused}`;
  }
  const refused = conflicts > 0 ? `, ${conflicts} in conflict` : "";
  return `${sent.length} of ${plural(packages.length, "object")} to send (${bytes}), ${written} of ${plural(rows.length, "row")} to write${refused}`;
}
