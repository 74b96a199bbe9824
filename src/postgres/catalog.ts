/**
 * postgres/: the table of packages in Postgres: its shape, its rows, and the lock. Nothing else knows SQL; it knows nothing of
 * archives or of NATS.
 */
import { JobError } from "../errors.ts";
import type { ColumnFacts, TableFacts } from "./facts.ts";
import { quote, TABLE } from "./names.ts";

/** Columns that BK-Lite's migrations made (BKLITE.md, states A to E). */
const REQUIRED = [
  "created_at",
  "updated_at",
  "created_by",
  "updated_by",
  "type",
  "os",
  "object",
  "version",
  "name",
  "description",
] as const;
const OPTIONAL = ["domain", "updated_by_domain", "cpu_architecture", "sha256", "status"] as const;
export type OptionalColumn = (typeof OPTIONAL)[number];
const KNOWN: ReadonlySet<string> = new Set(["id", ...REQUIRED, ...OPTIONAL]);

/** Columns of an existing row that the job changes where they differ, if the table has them. */
export const CHANGED = ["name", "sha256", "status"] as const;
export type RowColumn = (typeof CHANGED)[number];

/** What the table looks like on this server. */
export interface TableShape {
  /** Quoted and qualified, ready for SQL. */
  table: string;
  /** The newest known column: E has status, D sha256, C cpu_architecture, B domain, A none of them. */
  state: "A" | "B" | "C" | "D" | "E";
  optional: ReadonlySet<OptionalColumn>;
  /** State C and later: the architecture is part of a package's identity and key. */
  archColumn: boolean;
  /** The sequence behind `id` where that is a bigserial; an identity column needs no privilege of its own. */
  sequence: string | undefined;
  /** Columns that the job does not know, with their values from ROW_DEFAULTS, as an INSERT names them. */
  defaults: ReadonlyMap<string, string>;
  /** Why a command that writes cannot work with this table; those that only read do not care. */
  refusal: JobError | undefined;
}

/** What the catalog says of the table, as a shape that the job works with. Throws exit 78 where a column is missing that it cannot do without. */
export function shapeOf(
  facts: TableFacts,
  schema: string,
  rowDefaults: ReadonlyMap<string, string>,
): TableShape {
  const table = `${quote(schema)}.${quote(TABLE)}`;
  const byName = new Map(facts.columns.map((column) => [column.name, column]));
  const missing = ["id", ...REQUIRED].filter((name) => !byName.has(name));
  if (missing.length > 0)
    throw new JobError("table.incomplete", { table, columns: missing.join(", ") }, { layer: "table" });
  const optional = new Set(OPTIONAL.filter((name) => byName.has(name)));
  const defaults = new Map([...rowDefaults].filter(([name]) => byName.has(name) && !KNOWN.has(name)));
  return {
    table,
    state: stateOf(optional),
    optional,
    archColumn: optional.has("cpu_architecture"),
    sequence: byName.get("id")?.identity ? undefined : (facts.sequence?.name ?? undefined),
    defaults,
    refusal: refusalOf(table, facts, rowDefaults),
  };
}

function stateOf(optional: ReadonlySet<OptionalColumn>): TableShape["state"] {
  if (optional.has("status")) return "E";
  if (optional.has("sha256")) return "D";
  if (optional.has("cpu_architecture")) return "C";
  return optional.has("domain") ? "B" : "A";
}

/** Where to go on would be to guess: what a column means, or what makes two rows the same. */
function refusalOf(
  table: string,
  { columns, unique }: TableFacts,
  rowDefaults: ReadonlyMap<string, string>,
): JobError | undefined {
  const known = [...rowDefaults.keys()].filter((name) => KNOWN.has(name));
  if (known.length > 0)
    return new JobError("row.defaults.known", { columns: known.join(", ") }, { layer: "table" });
  const guessed = unique.filter((name) => !KNOWN.has(name));
  if (guessed.length > 0)
    return new JobError("table.unique", { table, columns: guessed.join(", ") }, { layer: "table" });
  const isOpen = ({ name, needed }: ColumnFacts) => needed && !KNOWN.has(name) && !rowDefaults.has(name);
  const open = columns.filter(isOpen);
  if (open.length === 0) return undefined;
  const names = open.map(({ name }) => name);
  const types = open.map(({ name, type }) => `${name} ${type}`).join(", ");
  return new JobError("table.unknown", { table, names, types }, { layer: "table" });
}

/** What a command does with the table. */
export interface TableUse {
  writes: boolean;
  /** Removes rows that were never finished (PURGE_ORPHANS). */
  deletes: boolean;
}

/** Columns that an INSERT names, without the identity. */
export function insertedColumns({ optional, defaults }: TableShape): string[] {
  return [...REQUIRED, ...optional, ...defaults.keys()];
}

/** Columns of an existing row that may change on this server. */
export function changedColumns({ optional }: TableShape): RowColumn[] {
  return CHANGED.filter((name) => name === "name" || optional.has(name));
}
