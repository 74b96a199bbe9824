import { CHANGED, type RowColumn, type TableShape } from "./catalog.ts";
import type { Database } from "./database.ts";

/** Who writes the rows that the platform makes by itself; anybody else in created_by is a person. */
export const SYSTEM = "system";
/** The one status in which BK-Lite offers and installs a package. */
export const READY = "ready";
/** The status of a row whose object is still on its way. */
export const PENDING = "pending";

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
  /** The stored object's digest, lower-case hex; empty: unknown; null where the table has no such column. */
  sha256: string | null;
  /** null where the table has no such column. */
  status: string | null;
}

export interface Row extends RowValues {
  id: number;
  createdBy: string;
}

/** True for a row that the job may change. */
export function isSystemRow(row: Row): boolean {
  return row.createdBy === SYSTEM;
}

/** Returns whether BK-Lite offers a row, as far as its status says so. */
export function isReady({ status }: Pick<RowValues, "status">): boolean {
  return (status ?? READY) === READY;
}

/** The columns in which a row differs from what it should say, of those that the job changes. */
export function differingColumns(row: Row, values: RowValues): RowColumn[] {
  return CHANGED.filter((column) => row[column] !== values[column]);
}

/** Every row of the table. */
export async function readRows(db: Database, shape: TableShape): Promise<Row[]> {
  return read(db, shape, "");
}

/** The rows with these ids, as they are now. */
export async function readSome(db: Database, shape: TableShape, ids: readonly number[]): Promise<Row[]> {
  return read(db, shape, "WHERE id = ANY ($1::bigint[])", [ids]);
}

async function read(db: Database, shape: TableShape, where: string, values: unknown[] = []): Promise<Row[]> {
  const arch = shape.archColumn ? "cpu_architecture" : "NULL";
  const orNull = (name: "sha256" | "status") => (shape.optional.has(name) ? name : `NULL AS ${name}`);
  const rows = await db.query<Omit<Row, "id"> & { id: string }>(
    `SELECT id, type, os, ${arch} AS arch, object, version, name, description, created_by AS "createdBy",
            ${orNull("sha256")}, ${orNull("status")}
       FROM ${shape.table} ${where} ORDER BY id`,
    values,
  );
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}
