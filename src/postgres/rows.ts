import { isRetryable, JobError } from "../errors.ts";
import { createSweep } from "../memory.ts";
import { type Database, serverError } from "./database.ts";
import { CHANGED, changedColumns, quote, type RowColumn, type TableShape } from "./table.ts";

/** created_by of the rows that the platform writes itself; any other value is a person. */
export const SYSTEM = "system";
/** The only status in which BK-Lite offers and installs a package. */
export const READY = "ready";
/** The status of a row whose object is not uploaded yet. */
export const PENDING = "pending";

/** The values of a row, in the table's own terms. */
export interface RowValues {
  type: string;
  os: string;
  /** null where the table has no such column. */
  arch: string | null;
  object: string;
  version: string;
  name: string;
  description: string;
  /** The stored object's digest, lower-case hex; empty: unknown; null where the table has no such column. */
  sha256: string | null;
  /** null where the table has no such column. */
  status: string | null;
}

export interface Row extends RowValues {
  id: number;
  createdBy: string;
}

/** Returns whether the job may change a row. */
export function isSystemRow(row: Row): boolean {
  return row.createdBy === SYSTEM;
}

/** Returns whether BK-Lite offers a row, as far as its status says so. */
export function isReady({ status }: Pick<RowValues, "status">): boolean {
  return (status ?? READY) === READY;
}

/** Returns the columns in which a row differs from its wanted values, of those that the job updates. */
export function differingColumns(row: Row, values: RowValues): RowColumn[] {
  return CHANGED.filter((column) => row[column] !== values[column]);
}

/** Bytes that reading a row leaves behind. */
const ROW = 2048;

/** Reads the table's rows: all, or those with these ids, in the order of their ids. */
export async function readRows(db: Database, shape: TableShape, ids?: readonly number[]): Promise<Row[]> {
  const arch = shape.archColumn ? "cpu_architecture" : "NULL";
  const orNull = (name: "sha256" | "status") => (shape.optional.has(name) ? name : `NULL AS ${name}`);
  const rows: Row[] = [];
  const sweep = createSweep();
  const texts = new Map<string, string>();
  /** Many rows have the same values: each is kept once. */
  const shared = <T extends string | null>(text: T): T => {
    if (text === null) return text;
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return (known ?? text) as T;
  };
  const onRow = (row: Omit<Row, "id"> & { id: string }) => {
    sweep(ROW);
    rows.push({
      id: Number(row.id),
      type: shared(row.type),
      os: shared(row.os),
      arch: shared(row.arch),
      object: shared(row.object),
      version: row.version,
      name: shared(row.name),
      description: shared(row.description),
      createdBy: shared(row.createdBy),
      sha256: row.sha256,
      status: shared(row.status),
    });
  };
  await db.query(
    `SELECT id, type, os, ${arch} AS arch, object, version, name, description, created_by AS "createdBy",
            ${orNull("sha256")}, ${orNull("status")}
       FROM ${shape.table} ${ids ? "WHERE id = ANY ($1::bigint[])" : ""}`,
    ids ? [ids] : [],
    { onRow },
  );
  // Sorted by the server, a long table would need its disk.
  return rows.sort((a, b) => a.id - b.id);
}

const DOMAIN = "domain.com";

/** A row to insert, or one of `system` to update; `columns` are those that differ. */
export type RowChange =
  | { row: undefined; values: RowValues }
  | { row: Row; values: RowValues; columns: readonly RowColumn[] };

/**
 * Writes all changes in one transaction; returns each row's id in the order of the changes. Throws retryable
 * `row.contended`.
 */
export async function writeRows(
  db: Database,
  shape: TableShape,
  changes: readonly RowChange[],
): Promise<number[]> {
  if (changes.length === 0) return [];
  return inTransaction(db, shape, "COMMIT", async () => {
    const ids: number[] = [];
    for (const change of changes) {
      ids.push(change.row ? await update(db, shape, change) : await insert(db, shape, change.values));
    }
    await assertWritten(db, shape, new Map(changes.map((change, index) => [ids[index] as number, change])));
    return ids;
  });
}

/**
 * Inserts a row and rolls that back: only the database knows whether it accepts the values of ROW_DEFAULTS.
 * Throws exit 78 with its words if it does not.
 */
export async function tryDefaults(db: Database, shape: TableShape, values: RowValues): Promise<void> {
  try {
    await inTransaction(db, shape, "ROLLBACK", async () => {
      const id = await insert(db, shape, values);
      await assertWritten(db, shape, new Map([[id, { row: undefined, values }]]));
    });
  } catch (error) {
    if (isRetryable(error)) throw error;
    const { code, message } = serverError(error);
    // Class 22: data; 23: constraints, except a key that is taken; 42: a column or a type.
    if (!/^(22|23|42)/.test(code) || code === "23505" || code === "42501") throw error;
    const columns = [...shape.defaults.keys()].join(", ");
    const said = `${message} (${code})`;
    throw new JobError("row.defaults.refused", { columns, said }, { layer: "table", cause: error });
  }
}

/**
 * Deletes a row that was never finished, unless it changed within a day by the database's clock. Returns
 * whether it did.
 */
export async function deleteStale(db: Database, shape: TableShape, { id }: Row): Promise<boolean> {
  const gone = await db.query(
    `DELETE FROM ${shape.table}
      WHERE id = $1 AND status = '${PENDING}' AND greatest(created_at, updated_at) < now() - interval '1 day'
      RETURNING id`,
    [id],
  );
  return gone.length > 0;
}

/**
 * Deletes a row of `system`, unless it changed since it was read: then retryable `row.contended`. One that is
 * gone already is no error.
 */
export async function deleteRow(db: Database, shape: TableShape, row: Row): Promise<void> {
  const { type, os, arch, object, version, name, status } = row;
  const columns = { type, os, object, version, name, ...(shape.archColumn && { cpu_architecture: arch }) };
  const same = { ...columns, created_by: SYSTEM, ...(shape.optional.has("status") && { status }) };
  const where = Object.keys(same).map((column, index) => `${column} = $${index + 2}`);
  const gone = await db.query(
    `DELETE FROM ${shape.table} WHERE id = $1 AND ${where.join(" AND ")} RETURNING id`,
    [row.id, ...Object.values(same)],
  );
  const [now] = gone.length > 0 ? [] : await readRows(db, shape, [row.id]);
  if (now) throw unwritten(shape, row, now, "DELETE");
}

/** Returns why a statement about a row changed nothing: a trigger, or another program changed the row. */
function unwritten(
  shape: TableShape,
  row: Row,
  now: Row | undefined,
  statement: "UPDATE" | "DELETE",
): JobError {
  const isSame = now && isSystemRow(now) && differingColumns(row, now).length === 0;
  if (isSame) return new JobError("row.suppressed", { table: shape.table, statement });
  const said = `row ${row.id} was changed by another program`;
  return new JobError("row.contended", { said }, { retryable: true });
}

async function inTransaction<T>(
  db: Database,
  shape: TableShape,
  end: "COMMIT" | "ROLLBACK",
  work: () => Promise<T>,
): Promise<T> {
  await db.query("BEGIN");
  try {
    const result = await work();
    await db.query(end);
    return result;
  } catch (error) {
    await db.query("ROLLBACK").catch(() => {}); // the server rolls back when the connection is lost
    const { code, message, constraint } = error as Error & { code?: string; constraint?: string };
    if (code !== "23505") throw error;
    await checkSequence(db, shape, constraint);
    throw new JobError("row.contended", { said: message }, { cause: error, retryable: true });
  }
}

/**
 * Throws exit 78 if the taken key is the primary one: its sequence lags behind the ids, as a restored dump
 * leaves it.
 */
async function checkSequence(
  db: Database,
  { table }: TableShape,
  constraint: string | undefined,
): Promise<void> {
  const [found] = await db.query<{ sequence: string }>(
    `SELECT pg_get_serial_sequence($1, 'id') AS sequence FROM pg_constraint
      WHERE conrelid = to_regclass($1) AND contype = 'p' AND conname = $2`,
    [table, constraint],
    { about: "sequence" },
  );
  if (found) throw new JobError("row.sequence.behind", { table, sequence: found.sequence });
}

async function insert(db: Database, shape: TableShape, values: RowValues): Promise<number> {
  const { optional, defaults } = shape;
  const columns: Record<string, unknown> = {
    created_by: SYSTEM,
    updated_by: SYSTEM,
    type: values.type,
    os: values.os,
    object: values.object,
    version: values.version,
    name: values.name,
    description: values.description,
    // Django applies its defaults itself: the columns have none (BKLITE.md).
    ...(optional.has("domain") && { domain: DOMAIN }),
    ...(optional.has("updated_by_domain") && { updated_by_domain: DOMAIN }),
    ...(shape.archColumn && { cpu_architecture: values.arch }),
    ...(optional.has("sha256") && { sha256: values.sha256 }),
    ...(optional.has("status") && { status: values.status }),
    // Parameters without a type: Postgres casts them to the column's.
    ...Object.fromEntries(defaults),
  };
  const names = Object.keys(columns);
  const [row] = await db.query<{ id: string }>(
    `INSERT INTO ${shape.table} (created_at, updated_at, ${names.map(quote).join(", ")})
     VALUES (now(), now(), ${names.map((_, index) => `$${index + 1}`).join(", ")}) RETURNING id`,
    Object.values(columns),
  );
  if (!row) throw new JobError("row.suppressed", { table: shape.table, statement: "INSERT" });
  return Number(row.id);
}

async function update(
  db: Database,
  shape: TableShape,
  { row, values, columns }: Extract<RowChange, { row: Row }>,
): Promise<number> {
  const parameters: unknown[] = [row.id];
  const equals = (column: RowColumn, value: string | null) => `${column} = $${parameters.push(value)}`;
  const set = columns.map((column) => equals(column, values[column]));
  const before = changedColumns(shape).map((column) => equals(column, row[column]));
  const [updated] = await db.query<{ id: string }>(
    `UPDATE ${shape.table} SET ${set.join(", ")}, updated_at = now(), updated_by = '${SYSTEM}'
      WHERE id = $1 AND ${before.join(" AND ")} AND created_by = '${SYSTEM}' RETURNING id`,
    parameters,
  );
  if (updated) return Number(updated.id);
  const [now] = await readRows(db, shape, [row.id]);
  throw unwritten(shape, row, now, "UPDATE");
}

/** Reads the rows back before they are committed: a trigger or a column's type may have changed a value. */
async function assertWritten(
  db: Database,
  shape: TableShape,
  changes: ReadonlyMap<number, RowChange>,
): Promise<void> {
  // Run deferred triggers now.
  await db.query("SET CONSTRAINTS ALL IMMEDIATE");
  const rows = new Map((await readRows(db, shape, [...changes.keys()])).map((row) => [row.id, row]));
  for (const [id, change] of changes) {
    const found = rows.get(id);
    const { table } = shape;
    if (!found) throw new JobError("row.suppressed", { table, statement: change.row ? "UPDATE" : "INSERT" });
    // A description is not part of the identity: a user may have changed it before.
    const { description, ...values } = change.values;
    const wanted = change.row ? values : { ...values, description, createdBy: SYSTEM };
    for (const [column, value] of Object.entries(wanted)) {
      const is = found[column as keyof Row];
      if (is === value) continue;
      const what = { column: COLUMN_NAMES[column] ?? column, written: String(value), found: String(is) };
      throw new JobError("row.altered", { table, ...what });
    }
  }
}

/** Columns whose name in Row is another. */
const COLUMN_NAMES: Record<string, string> = { arch: "cpu_architecture", createdBy: "created_by" };
