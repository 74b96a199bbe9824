import { archOf, isKeyPart, OPERATING_SYSTEMS, type Os, regionId } from "../identity.ts";
import type { CollectorDefinition } from "../packages/package.ts";
import type { Database } from "./database.ts";
import { COLLECTOR_TABLE, MIGRATIONS_TABLE, qualified, REGION_TABLE } from "./table.ts";

interface DefinitionRow {
  name: string | null;
  os: string;
  arch: string | null;
  path: string | null;
  package: string | null;
}

/** The collectors that `node_mgmt_collector` defines. */
interface Definitions {
  definitions: CollectorDefinition[];
  /** Names of definitions that are skipped because they cannot be part of a key. */
  unusable: string[];
}

/**
 * Reads the platform's own list of collectors; none if the table does not exist or has no rows yet
 * (`node_init` fills it). Before state C it has no cpu_architecture, and in old databases no package_name.
 */
export async function readDefinitions(db: Database, schema: string): Promise<Definitions> {
  const columns = await db.query<{ name: string }>(
    `SELECT column_name::text AS name FROM information_schema.columns
      WHERE table_schema = $1::text AND table_name = $2::text`,
    [schema, COLLECTOR_TABLE],
    { about: "collectors" },
  );
  const has = new Set(columns.map((column) => column.name));
  if (!["name", "node_operating_system", "executable_path"].every((column) => has.has(column)))
    return { definitions: [], unusable: [] };
  const optional = (column: string) => (has.has(column) ? column : "NULL");
  const rows = await db.query<DefinitionRow>(
    `SELECT name, node_operating_system AS os, ${optional("cpu_architecture")} AS arch, executable_path AS path,
       ${optional("package_name")} AS package FROM ${qualified(schema, COLLECTOR_TABLE)} ORDER BY name`,
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
 * Returns what follows the top folder in `/opt/fusion-collectors/bin/telegraf` or
 * `C:\fusion-collectors\bin\telegraf.exe`; undefined for a path elsewhere. Doubled separators are ignored,
 * and so is case on Windows.
 */
function belowTop(path: string, os: Os): string | undefined {
  const plain = `/${path.replaceAll("\\", "/")}`.replaceAll(/\/(?:\.?\/)+/g, "/");
  if (os === "linux") return /\/fusion-collectors\/(.+)$/s.exec(plain)?.[1];
  return /\/fusion-collectors\/(.+)$/is.exec(plain)?.[1]?.replace(/^bin\//i, "bin/");
}

/** The progress of BK-Lite's first start, as its tables show it. */
export interface StartProgress {
  /** The number of migrations, and whether the newest is younger than a minute; undefined: not readable. */
  migrations: { count: number; young: boolean } | undefined;
  /** The list of migrations exists, but this user may not read it. */
  unreadable: boolean;
  /** The list of collectors exists and has no row: `node_init` has yet to fill it. */
  definitionsEmpty: boolean;
}

/** Reads the progress of BK-Lite's first start. Ages are by the database's clock. */
export async function readStartProgress(db: Database, schema: string): Promise<StartProgress> {
  const [migrations, collectors] = [qualified(schema, MIGRATIONS_TABLE), qualified(schema, COLLECTOR_TABLE)];
  // null: there is no such table
  const [may] = await db.query<{ migrations: boolean | null; collectors: boolean | null }>(
    `SELECT has_table_privilege(to_regclass($1::text), 'SELECT') AS migrations,
            has_table_privilege(to_regclass($2::text), 'SELECT') AS collectors`,
    [migrations, collectors],
    { about: "collectors" },
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

/** The cloud regions of BK-Lite's table. */
interface RegionTable {
  regions: { id: number; name: string }[];
  /** The table exists, but this user may not read it. */
  unreadable: boolean;
  /** Rows that are skipped because their id is no plain number. */
  unusable: number;
}

/** Reads the cloud regions; none without the table. Nothing in a name can end a line or hide text. */
export async function readRegions(db: Database, schema: string): Promise<RegionTable> {
  const table = qualified(schema, REGION_TABLE);
  const [found] = await db.query<{ may: boolean | null; columns: boolean }>(
    `SELECT has_table_privilege(to_regclass($1::text), 'SELECT') AS may,
            (SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = to_regclass($1::text)
              AND attname IN ('id', 'name') AND NOT attisdropped) AS columns`,
    [table],
    { about: "collectors" },
  );
  // null: there is no such table
  if (!found?.may || !found.columns) return { regions: [], unreadable: found?.may === false, unusable: 0 };
  const rows = await db.query<{ id: string; name: string }>(
    `SELECT coalesce(id::text, '') AS id, coalesce(name::text, '') AS name FROM ${table}`,
  );
  const regions = rows.flatMap(({ id, name }) => {
    const number = regionId(id);
    return number === undefined ? [] : [{ id: number, name: name.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "_") }];
  });
  return { regions, unreadable: false, unusable: rows.length - regions.length };
}
