/**
 * registry/: the table of packages in Postgres: its shape, its rows, and the lock. Nothing else knows SQL; it knows nothing of
 * archives or of NATS.
 */
import { JobError } from "../errors.ts";
import type { Database } from "./database.ts";

export const TABLE = "node_mgmt_packageversion";
export const COLLECTOR_TABLE = "node_mgmt_collector";

/** Columns that BK-Lite's migrations made, in the order in which rows are written (BKLITE.md, states A, B, C). */
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
const OPTIONAL = ["domain", "updated_by_domain", "cpu_architecture"] as const;
export type OptionalColumn = (typeof OPTIONAL)[number];

/** What the table looks like on this server. */
export interface TableShape {
  /** Quoted and qualified, ready for SQL. */
  table: string;
  /** A: neither domain nor cpu_architecture; B: with domain; C: with cpu_architecture. */
  state: "A" | "B" | "C";
  optional: ReadonlySet<OptionalColumn>;
  /** State C: the architecture is part of a package's identity and key. */
  archColumn: boolean;
  /** The sequence behind `id` where that is a bigserial; an identity column needs no privilege of its own. */
  sequence: string | undefined;
}

interface Column {
  name: string;
  not_null: boolean;
  filled: boolean;
  identity: boolean;
}

/**
 * Reads the table's shape from the database's own catalog. undefined: no such table (not migrated yet).
 * Throws exit 78 for a table that is no state of BK-Lite's.
 */
export async function readShape(db: Database, schema: string): Promise<TableShape | undefined> {
  const table = `${quote(schema)}.${quote(TABLE)}`;
  // pg_attribute: https://www.postgresql.org/docs/15/catalog-pg-attribute.html
  const columns = await db.query<Column>(
    `SELECT attname AS name, attnotnull AS not_null, attidentity <> '' AS identity,
            atthasdef OR attidentity <> '' OR attgenerated <> '' AS filled
       FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [table],
  );
  if (columns.length === 0) return undefined;
  const byName = new Map(columns.map((column) => [column.name, column]));
  const missing = ["id", ...REQUIRED].filter((name) => !byName.has(name));
  if (missing.length > 0) throw unknownShape(table, missing, "missing");
  const known = new Set<string>([...REQUIRED, ...OPTIONAL]);
  const unfilled = columns.filter((c) => !known.has(c.name) && c.not_null && !c.filled);
  if (unfilled.length > 0)
    throw unknownShape(
      table,
      unfilled.map((c) => c.name),
      "unknown",
    );
  const optional = new Set(OPTIONAL.filter((name) => byName.has(name)));
  const archColumn = optional.has("cpu_architecture");
  const sequence = byName.get("id")?.identity ? undefined : await idSequence(db, table);
  return {
    table,
    optional,
    archColumn,
    sequence,
    state: archColumn ? "C" : optional.has("domain") ? "B" : "A",
  };
}

async function idSequence(db: Database, table: string): Promise<string | undefined> {
  const [row] = await db.query<{ sequence: string | null }>(
    "SELECT pg_get_serial_sequence($1, 'id') AS sequence",
    [table],
  );
  return row?.sequence ?? undefined;
}

function unknownShape(table: string, columns: readonly string[], what: "missing" | "unknown"): JobError {
  return new JobError("table.unknown", { table, columns: columns.join(", "), what }, { layer: "table" });
}

/** Privileges that the job lacks, as GRANT statements that would give them (PostgreSQL: "Privileges", has_*_privilege). */
export async function missingGrants(
  db: Database,
  schema: string,
  shape: TableShape,
  writes: boolean,
): Promise<string[]> {
  const [user] = await db.query<{ name: string }>("SELECT current_user AS name");
  const to = quote(user?.name ?? "");
  const written = writes ? [...REQUIRED, ...shape.optional] : [];
  const [has] = await db.query<
    Record<"select" | "insert" | "update" | "collectors" | "sequence", boolean | null>
  >(
    `SELECT has_table_privilege($1, 'SELECT') AS select,
            (SELECT bool_and(has_column_privilege($1, c, 'INSERT')) FROM unnest($2::text[]) c) AS insert,
            (SELECT bool_and(has_column_privilege($1, c, 'UPDATE')) FROM unnest($3::text[]) c) AS update,
            has_table_privilege(to_regclass($4), 'SELECT') AS collectors,
            has_sequence_privilege($5, 'USAGE') AS sequence`,
    [
      shape.table,
      written,
      writes ? ["name", "updated_at", "updated_by"] : [],
      `${quote(schema)}.${quote(COLLECTOR_TABLE)}`,
      writes ? (shape.sequence ?? null) : null,
    ],
  );
  // NULL: nothing of the kind is needed here.
  const missing: string[] = [];
  if (has?.select === false) missing.push(`GRANT SELECT ON ${shape.table} TO ${to}`);
  if (has?.insert === false) missing.push(`GRANT INSERT ON ${shape.table} TO ${to}`);
  if (has?.update === false)
    missing.push(`GRANT UPDATE (name, updated_at, updated_by) ON ${shape.table} TO ${to}`);
  if (has?.sequence === false) missing.push(`GRANT USAGE ON SEQUENCE ${shape.sequence} TO ${to}`);
  if (has?.collectors === false)
    missing.push(`GRANT SELECT ON ${quote(schema)}.${quote(COLLECTOR_TABLE)} TO ${to}`);
  return missing;
}

/** An SQL identifier, quoted. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
