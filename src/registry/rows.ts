import { JobError, RetryableError } from "../errors.ts";
import type { TableShape } from "./catalog.ts";
import type { Database } from "./database.ts";

/** Who writes the rows that the platform makes by itself; anybody else in created_by is a person. */
const SYSTEM = "system";
const DOMAIN = "domain.com";

/** What a row says, in the table's own terms. */
export interface RowValues {
  type: string;
  os: string;
  /** null where the table has no such column. */
  arch: string | null;
  object: string;
  version: string;
  name: string;
  description: string;
}

export interface Row extends RowValues {
  id: number;
  createdBy: string;
}

/** Somebody else wrote a row in between: read everything again and decide again. */
export class RowConflictError extends RetryableError<"row.contended"> {
  override readonly name = "RowConflictError";

  constructor(said: string, cause?: unknown) {
    super("row.contended", { said }, { cause });
  }
}

/** True for a row that the job may change. */
export function isSystemRow(row: Row): boolean {
  return row.createdBy === SYSTEM;
}

/** Every row of the table. */
export async function readRows(db: Database, shape: TableShape): Promise<Row[]> {
  const arch = shape.archColumn ? "cpu_architecture" : "NULL";
  const rows = await db.query<Omit<Row, "id"> & { id: string }>(
    `SELECT id, type, os, ${arch} AS arch, object, version, name, description, created_by AS "createdBy"
       FROM ${shape.table} ORDER BY id`,
  );
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}

export type RowChange = { row: undefined; values: RowValues } | { row: Row; name: string };

/** Writes all changes in one transaction; returns each row's id in the order of the changes. Throws RowConflictError. */
export async function writeRows(
  db: Database,
  shape: TableShape,
  changes: readonly RowChange[],
): Promise<number[]> {
  if (changes.length === 0) return [];
  await db.query("BEGIN");
  try {
    const ids: number[] = [];
    for (const change of changes) {
      ids.push(
        change.row
          ? await rename(db, shape, change.row, change.name)
          : await insert(db, shape, change.values),
      );
    }
    await db.query("COMMIT");
    return ids;
  } catch (error) {
    await db.query("ROLLBACK").catch(() => {}); // a lost connection has rolled back by itself
    const { code, message, constraint } = error as Error & { code?: string; constraint?: string };
    if (code !== "23505") throw error;
    await checkSequence(db, shape, constraint);
    throw new RowConflictError(message, error);
  }
}

/** A primary key that is taken is nobody's doing: the sequence that makes it lags behind, as a restored dump leaves it. */
async function checkSequence(
  db: Database,
  { table }: TableShape,
  constraint: string | undefined,
): Promise<void> {
  const [found] = await db.query<{ sequence: string }>(
    `SELECT pg_get_serial_sequence($1, 'id') AS sequence FROM pg_constraint
      WHERE conrelid = to_regclass($1) AND contype = 'p' AND conname = $2`,
    [table, constraint],
  );
  if (found) throw new JobError("row.sequence.behind", { table, sequence: found.sequence });
}

async function insert(db: Database, shape: TableShape, values: RowValues): Promise<number> {
  const columns: Record<string, unknown> = {
    created_by: SYSTEM,
    updated_by: SYSTEM,
    type: values.type,
    os: values.os,
    object: values.object,
    version: values.version,
    name: values.name,
    description: values.description,
    // Django keeps its defaults to itself: the columns have none (BKLITE.md).
    ...(shape.optional.has("domain") && { domain: DOMAIN }),
    ...(shape.optional.has("updated_by_domain") && { updated_by_domain: DOMAIN }),
    ...(shape.archColumn && { cpu_architecture: values.arch }),
  };
  const names = Object.keys(columns);
  const [row] = await db.query<{ id: string }>(
    `INSERT INTO ${shape.table} (created_at, updated_at, ${names.join(", ")})
     VALUES (now(), now(), ${names.map((_, index) => `$${index + 1}`).join(", ")}) RETURNING id`,
    Object.values(columns),
  );
  return Number(row?.id);
}

async function rename(db: Database, shape: TableShape, row: Row, name: string): Promise<number> {
  const [updated] = await db.query<{ id: string }>(
    `UPDATE ${shape.table} SET name = $1, updated_at = now(), updated_by = '${SYSTEM}'
      WHERE id = $2 AND name = $3 AND created_by = '${SYSTEM}' RETURNING id`,
    [name, row.id, row.name],
  );
  if (!updated) throw new RowConflictError(`row ${row.id} was changed by somebody else`);
  return Number(updated.id);
}
