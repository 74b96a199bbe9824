import { archOf, type Os } from "../identity.ts";
import type { CollectorDefinition } from "../packages/package.ts";
import { COLLECTOR_TABLE, quote } from "./catalog.ts";
import type { Database } from "./database.ts";

interface DefinitionRow {
  name: string;
  os: string;
  arch: string | null;
  path: string;
  package: string | null;
}

/** What is in `node_mgmt_collector`. */
export interface Definitions {
  /** A table without a row: BK-Lite's first start has made it, and `node_init` has yet to fill it. */
  pending: boolean;
  definitions: CollectorDefinition[];
}

/**
 * The platform's own list of collectors, from `node_mgmt_collector`; none where the table does not exist or has no rows yet
 * (`node_init` fills it). Databases before state C have no cpu_architecture there, old ones no package_name.
 */
export async function readDefinitions(db: Database, schema: string): Promise<Definitions> {
  const table = `${quote(schema)}.${quote(COLLECTOR_TABLE)}`;
  const columns = await db.query<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
    [table],
  );
  const has = new Set(columns.map((column) => column.name));
  if (!["name", "node_operating_system", "executable_path"].every((column) => has.has(column)))
    return { pending: false, definitions: [] };
  const optional = (column: string) => (has.has(column) ? column : "NULL");
  const rows = await db.query<DefinitionRow>(
    `SELECT name, node_operating_system AS os, ${optional("cpu_architecture")} AS arch, executable_path AS path,
       ${optional("package_name")} AS package FROM ${table} ORDER BY name`,
  );
  return { pending: rows.length === 0, definitions: rows.flatMap(definitionOf) };
}

function definitionOf({ name, os, arch, path, package: packageName }: DefinitionRow): CollectorDefinition[] {
  const executable = belowTop(path);
  if (os !== "linux" && os !== "windows") return [];
  return [
    {
      object: name,
      os: os as Os,
      arch: arch ? archOf(arch) : undefined,
      executable,
      packageName: packageName || undefined,
    },
  ];
}

/** `/opt/fusion-collectors/bin/telegraf`, `C:\fusion-collectors\bin\telegraf.exe` → what follows the top folder; undefined for a path elsewhere. */
function belowTop(path: string): string | undefined {
  return /(?:^|\/)fusion-collectors\/(.+)$/.exec(path.replaceAll("\\", "/"))?.[1];
}
