import { askCatalog } from "./ask-catalog.ts";
import type { Database } from "./database.ts";
import { COLLECTOR_TABLE, MIGRATIONS_TABLE, quote } from "./names.ts";

/** How far BK-Lite's first start has come, as its tables show it. */
export interface StartProgress {
  /** Migrations that are applied, and whether the newest is younger than a minute; undefined: not to be seen. */
  migrations: { count: number; young: boolean } | undefined;
  /** The list of migrations is there, but this user may not read it. */
  unreadable: boolean;
  /** The list of collectors is there and has no row: `node_init` has yet to fill it. */
  definitionsEmpty: boolean;
}

/** Reads how far BK-Lite's first start has come. Time is the database's. */
export async function readStartProgress(db: Database, schema: string): Promise<StartProgress> {
  const qualified = (table: string) => `${quote(schema)}.${quote(table)}`;
  const [migrations, collectors] = [qualified(MIGRATIONS_TABLE), qualified(COLLECTOR_TABLE)];
  // null: there is no such table
  const [may] = await askCatalog<{ migrations: boolean | null; collectors: boolean | null }>(
    db,
    "collectors",
    `SELECT has_table_privilege(to_regclass($1::text), 'SELECT') AS migrations,
            has_table_privilege(to_regclass($2::text), 'SELECT') AS collectors`,
    [migrations, collectors],
  );
  const applied = may?.migrations
    ? `SELECT count(*)::int AS count, coalesce(max(applied) > now() - interval '1 minute', false) AS young FROM ${migrations}`
    : "SELECT NULL::int AS count, false AS young";
  const empty = may?.collectors ? `NOT EXISTS (SELECT 1 FROM ${collectors})` : "false";
  const [found] = await db.query<{ count: number | null; young: boolean; empty: boolean }>(
    `SELECT count, young, ${empty} AS empty FROM (${applied}) AS applied`,
  );
  const { count = null, young = false } = found ?? {};
  return {
    migrations: count === null ? undefined : { count, young },
    unreadable: may?.migrations === false,
    definitionsEmpty: found?.empty ?? false,
  };
}
