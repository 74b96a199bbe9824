/**
 * postgres/: the table of packages in Postgres, its rows, and the lock. Only this folder knows SQL; it knows
 * nothing of archives or of NATS.
 */
import { JobError } from "../errors.ts";
import type { Params, ReasonId } from "../messages/catalog.ts";
import type { Database } from "./database.ts";

export const TABLE = "node_mgmt_packageversion";
export const COLLECTOR_TABLE = "node_mgmt_collector";
/** Django's own list of the migrations that it has applied. */
export const MIGRATIONS_TABLE = "django_migrations";
export const REGION_TABLE = "node_mgmt_cloudregion";

/** Returns a table's name with its schema, quoted. */
export function qualified(schema: string, table: string): string {
  return `${quote(schema)}.${quote(table)}`;
}

/** Returns an SQL identifier, quoted. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** Columns that BK-Lite's migrations made (BKLITE.md, states A to E). */
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
const OPTIONAL = ["domain", "updated_by_domain", "cpu_architecture", "sha256", "status"] as const;
type OptionalColumn = (typeof OPTIONAL)[number];
/** The newest known column of each state; state A has none of them. */
const STATES = [
  ["status", "E"],
  ["sha256", "D"],
  ["cpu_architecture", "C"],
  ["domain", "B"],
] as const;
const KNOWN: ReadonlySet<string> = new Set(["id", ...REQUIRED, ...OPTIONAL]);

/** Columns of an existing row that the job updates if they differ, and if the table has them. */
export const CHANGED = ["name", "sha256", "status"] as const;
export type RowColumn = (typeof CHANGED)[number];

/** The columns of the table on this server. */
export interface TableShape {
  /** Quoted and qualified, ready for SQL. */
  table: string;
  state: (typeof STATES)[number][1] | "A";
  optional: ReadonlySet<OptionalColumn>;
  /** State C and later: the architecture is part of a package's identity and key. */
  archColumn: boolean;
  /** The sequence behind `id` if that is a bigserial; an identity column needs no privilege of its own. */
  sequence: string | undefined;
  /** Columns that the job does not know, with their values from ROW_DEFAULTS, as an INSERT names them. */
  defaults: ReadonlyMap<string, string>;
  /** Why a command that writes cannot work with this table; a command that only reads can. */
  refusal: JobError | undefined;
}

/** Returns the table's shape. Throws exit 78 if it lacks a column that the job cannot do without. */
export function shapeOf(
  facts: TableFacts,
  schema: string,
  rowDefaults: ReadonlyMap<string, string>,
): TableShape {
  const table = qualified(schema, TABLE);
  const byName = new Map(facts.columns.map((column) => [column.name, column]));
  const missing = ["id", ...REQUIRED].filter((name) => !byName.has(name));
  if (missing.length > 0) throw refuse("table.incomplete", { table, columns: missing.join(", ") });
  const optional = new Set(OPTIONAL.filter((name) => byName.has(name)));
  const defaults = new Map([...rowDefaults].filter(([name]) => byName.has(name) && !KNOWN.has(name)));
  return {
    table,
    state: STATES.find(([column]) => optional.has(column))?.[1] ?? "A",
    optional,
    archColumn: optional.has("cpu_architecture"),
    sequence: byName.get("id")?.identity ? undefined : (facts.sequence?.name ?? undefined),
    defaults,
    refusal: refusalOf(table, facts, rowDefaults),
  };
}

function refuse<Id extends ReasonId>(reason: Id, params: Params<Id>): JobError<Id> {
  return new JobError(reason, params, { layer: "table" });
}

/** Returns why the job would have to guess what a column means, or what makes two rows the same. */
function refusalOf(
  table: string,
  { columns, unique }: TableFacts,
  rowDefaults: ReadonlyMap<string, string>,
): JobError | undefined {
  const known = [...rowDefaults.keys()].filter((name) => KNOWN.has(name));
  if (known.length > 0) return refuse("row.defaults.known", { columns: known.join(", ") });
  const guessed = unique.filter((name) => !KNOWN.has(name));
  if (guessed.length > 0) return refuse("table.unique", { table, columns: guessed.join(", ") });
  const isOpen = ({ name, needed }: ColumnFacts) => needed && !KNOWN.has(name) && !rowDefaults.has(name);
  const open = columns.filter(isOpen);
  if (open.length === 0) return undefined;
  const names = open.map(({ name }) => name);
  const types = open.map(({ name, type }) => `${name} ${type}`).join(", ");
  return refuse("table.unknown", { table, names, types });
}

/** What a command does with the table. */
export interface TableUse {
  /** Inserts and updates rows. */
  writes: boolean;
  /** Deletes rows that were never finished (PURGE_ORPHANS), or old versions (`prune`, KEEP_VERSIONS). */
  deletes: "nothing" | "unfinished" | "versions";
}

/** Whether a command changes rows. */
export function changesRows({ writes, deletes }: TableUse): boolean {
  return writes || deletes !== "nothing";
}

/** Returns the columns of an existing row that the job may update on this server. */
export function changedColumns({ optional }: TableShape): RowColumn[] {
  return CHANGED.filter((name) => name === "name" || optional.has(name));
}

/** A column of the packages' table, and what this user may do with it. */
interface ColumnFacts {
  name: string;
  /** In SQL's words: `character varying(10)`. */
  type: string;
  /** NOT NULL, and the database has no value for it. */
  needed: boolean;
  identity: boolean;
  insert: boolean;
  update: boolean;
}

/** One row-level security policy that applies to this user. */
interface PolicyFacts {
  /** ALL, SELECT, INSERT, UPDATE or DELETE. */
  command: string;
  permissive: boolean;
  /** It is a plain `true`, so that it lets all rows pass. */
  open: boolean;
}

/** What the database's catalog says of the packages' table. */
interface TableFacts {
  version: string;
  readOnly: boolean;
  user: string;
  found: boolean;
  /** The columns that this user may see: all of them with SELECT. */
  columns: readonly ColumnFacts[];
  /** Columns of unique indexes and constraints, exclusions and the primary key, also in their expressions. */
  unique: readonly string[];
  mayRead: boolean;
  mayDelete: boolean;
  /** null: there is no table of collectors yet. */
  mayReadCollectors: boolean | null;
  /** The sequence behind `id`, if any, and whether this user may take numbers from it. */
  sequence: { name: string | null; usable: boolean | null } | null;
  secured: boolean;
  policies: readonly PolicyFacts[];
}

/**
 * One statement, because each is a round trip. It reads the views of the SQL standard if they have the fact:
 * KingbaseES has Postgres' own tables under other names. pg_index, because the standard has constraints but
 * no unique index.
 */
const FACTS = `
  SELECT current_setting('server_version') AS version,
    current_setting('transaction_read_only') = 'on' AS "readOnly",
    current_user::text AS "user",
    packages.id IS NOT NULL AS found,
    coalesce((
      SELECT json_agg(json_build_object(
        'name', column_name,
        'type', CASE data_type WHEN 'ARRAY' THEN ltrim(udt_name, '_') || '[]' WHEN 'USER-DEFINED' THEN udt_name
          ELSE data_type || coalesce('(' || character_maximum_length || ')', '') END,
        'needed', is_nullable = 'NO' AND column_default IS NULL
          AND coalesce(is_identity, 'NO') <> 'YES' AND coalesce(is_generated, 'NEVER') <> 'ALWAYS',
        'identity', coalesce(is_identity, 'NO') = 'YES',
        'insert', has_column_privilege(packages.id, column_name::text, 'INSERT'),
        'update', has_column_privilege(packages.id, column_name::text, 'UPDATE')) ORDER BY ordinal_position)
      FROM information_schema.columns WHERE table_schema = $1::text AND table_name = $2::text), '[]') AS columns,
    coalesce((
      SELECT json_agg(DISTINCT a.attname::text)
      FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
        AND (a.attnum = ANY ((i.indkey::int2[])[0:array_upper(i.indclass::oid[], 1)])
          OR coalesce(i.indexprs, i.indpred) IS NOT NULL AND EXISTS (SELECT 1 FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
              AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
      WHERE i.indrelid = packages.id AND (i.indisunique OR i.indisexclusion)), '[]') AS "unique",
    has_table_privilege(packages.id, 'SELECT') AS "mayRead",
    has_table_privilege(packages.id, 'DELETE') AS "mayDelete",
    has_table_privilege(to_regclass($4::text), 'SELECT') AS "mayReadCollectors",
    CASE WHEN EXISTS (
      SELECT 1 FROM information_schema.columns
      WHERE table_schema = $1::text AND table_name = $2::text AND column_name = 'id')
    THEN (SELECT json_build_object('name', name, 'usable', has_sequence_privilege(name, 'USAGE'))
      FROM (SELECT pg_get_serial_sequence($3::text, 'id') AS name OFFSET 0) AS id) END AS sequence,
    row_security_active(packages.id) AS secured,
    coalesce((
      SELECT json_agg(json_build_object('command', cmd, 'permissive', permissive = 'PERMISSIVE',
        'open', coalesce(qual, 'true') = 'true' AND coalesce(with_check, 'true') = 'true'))
      FROM pg_policies WHERE schemaname = $1::text AND tablename = $2::text AND EXISTS (
        SELECT 1 FROM unnest(roles) AS role
        WHERE CASE WHEN role = 'public' THEN true ELSE pg_has_role(current_user, role, 'USAGE') END)), '[]') AS policies
  FROM (SELECT to_regclass($3::text)::oid AS id) AS packages`;

/** Reads, in one statement, all that the catalog says of the packages' table. */
export async function readFacts(db: Database, schema: string): Promise<TableFacts> {
  const values = [schema, TABLE, qualified(schema, TABLE), qualified(schema, COLLECTOR_TABLE)];
  const [facts] = await db.query<TableFacts>(FACTS, values, { about: "table" });
  if (!facts) throw new Error("the catalog's answer has no row");
  return facts;
}

/** Returns the GRANT statements that would give this user what the job lacks (PostgreSQL: "Privileges"). */
export function missingGrants(facts: TableFacts, schema: string, shape: TableShape, use: TableUse): string[] {
  const { table, sequence, optional, defaults } = shape;
  const to = quote(facts.user);
  const lacks = (what: "insert" | "update", names: readonly string[]) =>
    use.writes && !names.every((name) => facts.columns.find((column) => column.name === name)?.[what]);
  const updated = [...changedColumns(shape), "updated_at", "updated_by"];
  const missing: string[] = [];
  if (lacks("insert", [...REQUIRED, ...optional, ...defaults.keys()]))
    missing.push(`GRANT INSERT ON ${table} TO ${to}`);
  if (lacks("update", updated)) missing.push(`GRANT UPDATE (${updated.join(", ")}) ON ${table} TO ${to}`);
  if (deletesRows(shape, use) && !facts.mayDelete) missing.push(`GRANT DELETE ON ${table} TO ${to}`);
  if (use.writes && sequence !== undefined && facts.sequence?.usable === false)
    missing.push(`GRANT USAGE ON SEQUENCE ${sequence} TO ${to}`);
  if (facts.mayReadCollectors === false)
    missing.push(`GRANT SELECT ON ${qualified(schema, COLLECTOR_TABLE)} TO ${to}`);
  return missing;
}

/** Returns whether rows are deleted: only a table with a status has rows that were never finished. */
function deletesRows({ optional }: TableShape, { deletes }: TableUse): boolean {
  return deletes === "versions" || (deletes === "unfinished" && optional.has("status"));
}

/** Returns the statement that lets this user reach rows which row-level security hides; undefined: none. */
export function missingPolicy(facts: TableFacts, shape: TableShape, use: TableUse): string | undefined {
  if (!facts.secured) return undefined;
  const open = facts.policies.filter((policy) => policy.permissive && policy.open);
  const closed = facts.policies.some((policy) => !policy.permissive && !policy.open);
  const covered = (command: string) => open.some((one) => one.command === "ALL" || one.command === command);
  const commands = ["SELECT", ...(use.writes ? ["INSERT", "UPDATE"] : [])];
  if (deletesRows(shape, use)) commands.push("DELETE");
  if (!closed && commands.every(covered)) return undefined;
  return `CREATE POLICY package_init ON ${shape.table} TO ${quote(facts.user)} USING (true) WITH CHECK (true)`;
}
