import { JobError } from "../errors.ts";
import type { CatalogPurpose } from "../messages/postgres.ts";

/** What can be asked: a Database, or a session that is not one yet. */
interface Asked {
  query<R extends object>(sql: string, values?: unknown[]): Promise<R[]>;
}

/** undefined_table, undefined_column, undefined_function, undefined_object, syntax_error, feature_not_supported */
const REFUSED = ["42P01", "42703", "42883", "42704", "42601", "0A000"];

/**
 * Runs a statement of ours about the database's own catalog. A server that does not know what is in it speaks Postgres' protocol and
 * is another product: throws exit 78 that says what the statement was for. To wait for it would be in vain.
 */
export async function askCatalog<R extends object>(
  db: Asked,
  purpose: CatalogPurpose,
  sql: string,
  values: unknown[] = [],
): Promise<R[]> {
  try {
    return await db.query<R>(sql, values);
  } catch (error) {
    throw await catalogError(db, purpose, error);
  }
}

/** What it means that the server refused a statement about its catalog; other errors stay what they are. */
export async function catalogError(db: Asked, purpose: CatalogPurpose, error: unknown): Promise<unknown> {
  const { code, message } = serverError(error);
  if (!REFUSED.includes(code)) return error;
  const [row] = await db.query<{ version: string }>("SELECT version() AS version").catch(() => []);
  const params = { purpose, version: row?.version ?? "?", said: `${message} (${code})` };
  return new JobError("postgres.catalog", params, { layer: "table", cause: error });
}

/** Returns SQLSTATE and words of an error as the server sent it, also if the job has given it a reason; "" for any other error. */
export function serverError(error: unknown): { code: string; message: string } {
  const cause = error instanceof JobError ? error.cause : error;
  const { code = "", message = "" } = (cause ?? {}) as { code?: string; message?: string };
  return { code, message };
}
