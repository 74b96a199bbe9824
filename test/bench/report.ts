import type { Spread } from "./measure.ts";

const MIB = 1024 * 1024;

/** A Markdown table. */
export interface Table {
  title: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
  note?: string;
}

/** A promise about speed or memory, and what came out. */
export interface Bar {
  name: string;
  bar: string;
  value: string;
  /** undefined: could not be measured. */
  holds: boolean | undefined;
}

/** What one part of the bench found; `data` goes into the JSON file as it is. */
export interface Findings {
  tables: Table[];
  bars: Bar[];
  data: unknown;
}

/** A bar that a number must not exceed. */
export function atMost(name: string, value: number, limit: number, show: (value: number) => string): Bar {
  const holds = judge(value - limit, value <= limit);
  return { name, bar: `≤ ${shown(limit, show)}`, value: shown(value, show), holds };
}

/** A bar that a number must reach. */
export function atLeast(name: string, value: number, limit: number, show: (value: number) => string): Bar {
  return { name, bar: `≥ ${show(limit)}`, value: shown(value, show), holds: judge(value, value >= limit) };
}

function shown(value: number, show: (value: number) => string): string {
  return Number.isFinite(value) ? show(value) : "–";
}

function judge(value: number, holds: boolean): boolean | undefined {
  return Number.isFinite(value) ? holds : undefined;
}

export function markdown({ title, head, rows, note }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const ruler = line(head.map((_, column) => (column === 0 ? "---" : "---:")));
  return [`### ${title}`, "", line(head), ruler, ...rows.map(line), ...(note ? ["", note] : []), ""].join(
    "\n",
  );
}

export function barTable(bars: readonly Bar[]): Table {
  const verdict = (holds: boolean | undefined) =>
    holds === undefined ? "not measured" : holds ? "holds" : "MISSED";
  return {
    title: "Bars",
    head: ["what", "bar", "measured", "verdict"],
    rows: bars.map(({ name, bar, value, holds }) => [name, bar, value, verdict(holds)]),
  };
}

export const times = (value: number) => `${value.toFixed(2)} ×`;
export const seconds = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} s`;
export const milliseconds = (value: number) => `${Math.round(value * 1000)} ms`;
export const mebibytes = (value: number) => `${Math.round(value / MIB)} MiB`;
export const rate = (bytes: number, time: number) => `${Math.round(bytes / MIB / time)} MiB/s`;

/** Median, and the range around it. */
export function range({ median, min, max }: Spread, show: (value: number) => string): string {
  return `${show(median)} (${show(min)} … ${show(max)})`;
}
