import type { PackageAction, RowAction, RowEntry } from "./report.ts";
import type { Paint } from "./run-end.ts";
import { formatBytes, table } from "./tables.ts";

type Mark = [sign: string, word: string, colour: Parameters<Paint>[0]];

const MARKS: Record<PackageAction | RowAction | "conflict", Mark> = {
  uploaded: ["+", "upload", "green"],
  repaired: ["~", "repair", "yellow"],
  replaced: ["~", "replace", "yellow"],
  unchanged: ["=", "unchanged", "gray"],
  kept: ["=", "keep", "gray"],
  conflict: ["!", "conflict", "red"],
  inserted: ["+", "insert", "green"],
  updated: ["~", "update", "yellow"],
};

/** What the table shows of a plan. */
export interface PlanView {
  packages: readonly {
    desired: { bytes: number | undefined };
    key: string;
    action: PackageAction;
    upload: boolean;
    conflict?: unknown;
    obsolete: { key: string; size: number } | undefined;
  }[];
  rows: readonly {
    action: RowAction;
    values: Omit<RowEntry, "id" | "action">;
    row: { name: string } | undefined;
  }[];
}

/** What `init` would do, as people read a diff: `+ upload`, `~ replace`, `= unchanged`, `! conflict`, sizes and totals. */
export function planTable({ packages, rows }: PlanView, paint: Paint): string {
  const lines: string[][] = [];
  const colours: Mark[2][] = [];
  const add = ([sign, word, colour]: Mark, ...cells: string[]) => {
    lines.push([`${sign} ${word}`, ...cells]);
    colours.push(colour);
  };
  for (const decision of packages) {
    const { desired, key, action, conflict, obsolete } = decision;
    add(MARKS[conflict ? "conflict" : action], "object", key, size(desired.bytes));
    if (obsolete) add(["-", "remove", "red"], "object", obsolete.key, size(obsolete.size));
  }
  for (const { action, values, row } of rows) {
    const { type, os, arch, object, version, name } = values;
    const what = [type, os, arch, object, version].filter((part) => part !== null).join(" ");
    const from = action === "updated" ? `${row?.name} → ` : "";
    add(MARKS[action], "row", `${what} (${from}${name})`, "");
  }
  const [head, rule, ...body] = table(["", "what", "which", "size"], lines).split("\n");
  const painted = body.map((line, index) => paint(colours[index] as Mark[2], line));
  return [head, rule, ...painted, "", totals({ packages, rows })].join("\n");
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? "?" : formatBytes(bytes);
}

function totals({ packages, rows }: PlanView): string {
  const sent = packages.filter(({ upload, conflict }) => upload && !conflict);
  const bytes = sent.reduce((sum, { desired }) => sum + (desired.bytes ?? 0), 0);
  const written = rows.filter(({ action }) => action !== "unchanged").length;
  const conflicts = packages.filter(({ conflict }) => conflict).length;
  const refused = conflicts > 0 ? `, ${conflicts} in conflict` : "";
  return `${sent.length} of ${packages.length} objects to send (${formatBytes(bytes)}), ${written} of ${rows.length} rows to write${refused}`;
}
