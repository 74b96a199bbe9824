import type { Decision, Plan, RowDecision } from "../reconcile/plan.ts";
import { formatBytes, table } from "./summary.ts";

/** Paints a text for a terminal; without colours it gives it back as it is. */
export type Paint = (colour: "green" | "yellow" | "red" | "gray", text: string) => string;

type Mark = [sign: string, word: string, colour: Parameters<Paint>[0]];

const MARKS: Record<Decision["action"] | RowDecision["action"] | "conflict", Mark> = {
  uploaded: ["+", "upload", "green"],
  repaired: ["~", "repair", "yellow"],
  replaced: ["~", "replace", "yellow"],
  unchanged: ["=", "unchanged", "gray"],
  kept: ["=", "keep", "gray"],
  conflict: ["!", "conflict", "red"],
  inserted: ["+", "insert", "green"],
  updated: ["~", "update", "yellow"],
};

/** What `init` would do, as people read a diff: `+ upload`, `~ replace`, `= unchanged`, `! conflict`, sizes and totals. */
export function planTable({ packages, rows }: Plan, paint: Paint): string {
  const lines: string[][] = [];
  const colours: Mark[2][] = [];
  const add = ([sign, word, colour]: Mark, ...cells: string[]) => {
    lines.push([`${sign} ${word}`, ...cells]);
    colours.push(colour);
  };
  for (const decision of packages) {
    const { wanted, key, action, conflict, obsolete } = decision;
    add(MARKS[conflict ? "conflict" : action], "object", key, size(wanted.bytes));
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

function totals({ packages, rows }: Plan): string {
  const sent = packages.filter(({ upload, conflict }) => upload && !conflict);
  const bytes = sent.reduce((sum, { wanted }) => sum + (wanted.bytes ?? 0), 0);
  const written = rows.filter(({ action }) => action !== "unchanged").length;
  const conflicts = packages.filter(({ conflict }) => conflict).length;
  const refused = conflicts > 0 ? `, ${conflicts} in conflict` : "";
  return `${sent.length} of ${packages.length} objects to send (${formatBytes(bytes)}), ${written} of ${rows.length} rows to write${refused}`;
}
