import {
  COLLECTOR_TABLE,
  changedColumns,
  insertedColumns,
  quote,
  type TableFacts,
  type TableShape,
  type TableUse,
} from "./table.ts";

/** Returns the GRANT statements that would give this user what the job lacks (PostgreSQL: "Privileges"). */
export function missingGrants(
  facts: TableFacts,
  { schema, shape, use }: { schema: string; shape: TableShape; use: TableUse },
): string[] {
  const { table, sequence } = shape;
  const to = quote(facts.user);
  const lacks = (what: "insert" | "update", names: readonly string[]) =>
    use.writes && !names.every((name) => facts.columns.find((column) => column.name === name)?.[what]);
  const updated = [...changedColumns(shape), "updated_at", "updated_by"];
  const missing: string[] = [];
  if (lacks("insert", insertedColumns(shape))) missing.push(`GRANT INSERT ON ${table} TO ${to}`);
  if (lacks("update", updated)) missing.push(`GRANT UPDATE (${updated.join(", ")}) ON ${table} TO ${to}`);
  if (deletesRows(shape, use) && !facts.mayDelete) missing.push(`GRANT DELETE ON ${table} TO ${to}`);
  if (use.writes && sequence !== undefined && facts.sequence?.usable === false)
    missing.push(`GRANT USAGE ON SEQUENCE ${sequence} TO ${to}`);
  if (facts.mayReadCollectors === false)
    missing.push(`GRANT SELECT ON ${quote(schema)}.${quote(COLLECTOR_TABLE)} TO ${to}`);
  return missing;
}

/** Only where the table has a status are there rows that were never finished. */
function deletesRows({ optional }: TableShape, { writes, deletes }: TableUse): boolean {
  return writes && deletes && optional.has("status");
}

/** Row-level security that keeps this user from rows: the statement that would mend it; undefined: all rows are in reach. */
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
