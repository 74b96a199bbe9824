import { formatBytes, type Language, plural } from "../messages/define.ts";
import type { PackageAction, RowAction, RowEntry } from "../messages/events.ts";
import { wrap } from "./cells.ts";
import { table } from "./tables.ts";
import type { Paint, Screen } from "./terminal.ts";

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
    values: Omit<RowEntry, "id" | "action">;
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
