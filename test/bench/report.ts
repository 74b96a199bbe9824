import { cpus, loadavg, release, totalmem } from "node:os";
import { basename } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { findNats, findPostgres } from "../support/majors.ts";

const MIB = 1024 * 1024;

/** A Markdown table. */
export interface Table {
  title: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
  note?: string;
}

/** A promise about speed or memory, and what came out. */
export interface Goal {
  name: string;
  limit: number;
  /** NaN: it could not be measured. */
  value: number;
  unit: "s" | "MiB";
}

/** What one part of the bench found; `data` goes into the JSON file as it is. */
export interface Findings {
  tables: readonly Table[];
  goals: readonly Goal[];
  data: unknown;
}

/** Describes what the numbers were measured on. */
export async function describeMachine() {
  const all = cpus();
  const servers = [...(await findPostgres()).slice(0, 1), ...(await findNats())];
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    /** Bytes. */
    memory: totalmem(),
    kernel: release(),
    /** Of the last minute, when the bench began: above the number of cores, trust ratios alone. */
    load: loadavg()[0] ?? 0,
    versions: [
      `${manifest.name} ${manifest.version}`,
      `node ${process.versions.node}`,
      ...servers.map(({ program, version }) => `${basename(program)} ${version}`),
    ],
  };
}

export function machineLine({
  date,
  cpu,
  cores,
  memory,
  load,
  versions,
}: Awaited<ReturnType<typeof describeMachine>>) {
  const gib = (memory / 1024 ** 3).toFixed(0);
  return `${date}; ${cores} cores (${cpu}), ${gib} GiB, load ${load.toFixed(1)} at the start; ${versions.join(", ")}.`;
}

export function markdown({ title, head, rows, note }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const ruler = line(head.map((_, column) => (column === 0 ? "---" : "---:")));
  const lines = [`### ${title}`, "", line(head), ruler, ...rows.map(line), ...(note ? ["", note] : [])];
  return `${lines.join("\n")}\n`;
}

/** Returns a table of all goals, each with its ratio; a goal is kept at 1.00 × and below. */
export function goalTable(goals: readonly Goal[]): Table {
  return {
    title: "Goals",
    head: ["what", "goal", "measured", "ratio", ""],
    rows: goals.map(({ name, limit, value, unit }) => {
      const show = unit === "s" ? seconds : mebibytes;
      const ratio = value / limit;
      if (!Number.isFinite(ratio)) return [name, "–", "–", "–", "not measured"];
      return [name, `≤ ${show(limit)}`, show(value), times(ratio), ratio <= 1 ? "" : "missed"];
    }),
  };
}

export const times = (value: number) => `${value.toFixed(2)} ×`;
export const seconds = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} s`;
export const mebibytes = (value: number) => `${Math.round(value / MIB)} MiB`;
