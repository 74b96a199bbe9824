import { archOf, type Os } from "../identity.ts";
import type { CollectorDefinition } from "../packages/package.ts";
import { COLLECTOR_TABLE, quote } from "./catalog.ts";
import type { Database } from "./database.ts";

interface DefinitionRow {
  name: string;
  os: string;
  arch: string | null;
  path: string;
}

/**
 * The platform's own list of collectors, from `node_mgmt_collector`. Empty where the table does not exist or has no rows yet
 * (`node_init` fills it). Databases before state C have no cpu_architecture there.
 */
export async function readDefinitions(db: Database, schema: string): Promise<CollectorDefinition[]> {
  const table = `${quote(schema)}.${quote(COLLECTOR_TABLE)}`;
  const columns = await db.query<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
    [table],
  );
  const has = new Set(columns.map((column) => column.name));
  if (!["name", "node_operating_system", "executable_path"].every((column) => has.has(column))) return [];
  const arch = has.has("cpu_architecture") ? "cpu_architecture" : "NULL";
  const rows = await db.query<DefinitionRow>(
    `SELECT name, node_operating_system AS os, ${arch} AS arch, executable_path AS path FROM ${table} ORDER BY name`,
  );
  return rows.flatMap((row) => {
    const executable = belowTop(row.path);
    if ((row.os !== "linux" && row.os !== "windows") || executable === undefined) return [];
    return [
      { object: row.name, os: row.os as Os, arch: row.arch ? archOf(row.arch) : undefined, executable },
    ];
  });
}

/** `/opt/fusion-collectors/bin/telegraf`, `C:\fusion-collectors\bin\telegraf.exe` → what follows the top folder; undefined for a path elsewhere. */
function belowTop(path: string): string | undefined {
  return /(?:^|\/)fusion-collectors\/(.+)$/.exec(path.replaceAll("\\", "/"))?.[1];
}
