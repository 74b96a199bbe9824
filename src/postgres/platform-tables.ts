import { archOf, isKeyPart, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import type { CollectorDefinition } from "../packages/package.ts";
import { askCatalog, type Database } from "./database.ts";
import { COLLECTOR_TABLE, MIGRATIONS_TABLE, quote } from "./table.ts";

interface DefinitionRow {
  name: string | null;
  os: string;
  arch: string | null;
  path: string | null;
  package: string | null;
}

/** What is in `node_mgmt_collector`. */
export interface Definitions {
  definitions: CollectorDefinition[];
  /** Names of definitions that are passed over: they could not be part of a key. */
  unusable: string[];
}

/**
 * The platform's own list of collectors, from `node_mgmt_collector`; none where the table does not exist or has no rows yet
 * (`node_init` fills it). Databases before state C have no cpu_architecture there, old ones no package_name.
 */
export async function readDefinitions(db: Database, schema: string): Promise<Definitions> {
  const columns = await askCatalog<{ name: string }>(
    db,
    "collectors",
    `SELECT column_name::text AS name FROM information_schema.columns
      WHERE table_schema = $1::text AND table_name = $2::text`,
    [schema, COLLECTOR_TABLE],
  );
  const has = new Set(columns.map((column) => column.name));
  if (!["name", "node_operating_system", "executable_path"].every((column) => has.has(column)))
    return { definitions: [], unusable: [] };
  const optional = (column: string) => (has.has(column) ? column : "NULL");
  const rows = await db.query<DefinitionRow>(
    `SELECT name, node_operating_system AS os, ${optional("cpu_architecture")} AS arch, executable_path AS path,
       ${optional("package_name")} AS package FROM ${quote(schema)}.${quote(COLLECTOR_TABLE)} ORDER BY name`,
  );
  const isUsable = ({ name }: DefinitionRow) => isKeyPart(name ?? "");
  return {
    definitions: rows.filter(isUsable).flatMap(definitionOf),
    unusable: rows.filter((row) => !isUsable(row)).map(({ name }) => name ?? ""),
  };
}

function definitionOf({ name, os, arch, path, package: packageName }: DefinitionRow): CollectorDefinition[] {
  const known = OPERATING_SYSTEMS.find((one) => one === os);
  const target = arch ? archOf(arch) : undefined;
  // a platform that the job has no packages for
  if (!known || (arch && !target)) return [];
  const executable = belowTop(path ?? "", known);
  return [{ object: name ?? "", os: known, arch: target, executable, packageName: packageName || undefined }];
}

/**
 * Returns what follows the top folder in `/opt/fusion-collectors/bin/telegraf` or `C:\fusion-collectors\bin\telegraf.exe`; undefined for a
 * path elsewhere. Doubled separators say nothing, and neither do capitals on Windows.
 */
function belowTop(path: string, os: Os): string | undefined {
  const plain = `/${path.replaceAll("\\", "/")}`.replaceAll(/\/(?:\.?\/)+/g, "/");
  if (os === "linux") return /\/fusion-collectors\/(.+)$/s.exec(plain)?.[1];
  return /\/fusion-collectors\/(.+)$/is.exec(plain)?.[1]?.replace(/^bin\//i, "bin/");
}

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
