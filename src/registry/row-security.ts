import { quote, type TableShape } from "./catalog.ts";
import type { Database } from "./database.ts";

/** Row-level security that keeps this user from rows: the statement that would mend it; undefined: all rows are in reach. */
export async function missingPolicy(
  db: Database,
  shape: TableShape,
  writes: boolean,
): Promise<string | undefined> {
  // row_security_active: https://www.postgresql.org/docs/15/functions-info.html; a policy that is a plain `true` lets all rows pass.
  const [found] = await db.query<{ active: boolean; user: string; open: string[]; closed: boolean }>(
    `SELECT row_security_active($1::regclass) AS active, current_user AS user,
            coalesce(array_agg(p.polcmd) FILTER (WHERE p.polpermissive AND p.passes), '{}') AS open,
            coalesce(bool_or(NOT p.polpermissive AND NOT p.passes), false) AS closed
       FROM (SELECT polcmd::text, polpermissive,
                    coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true'
                      AND coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true' AS passes
               FROM pg_policy
              WHERE polrelid = $1::regclass
                AND (polroles = '{0}' OR EXISTS (
                      SELECT FROM unnest(polroles) r WHERE r <> 0 AND pg_has_role(current_user, r, 'USAGE')))) p`,
    [shape.table],
  );
  if (!found?.active) return undefined;
  // polcmd: r, a, w for SELECT, INSERT, UPDATE; * for all.
  const covered = (command: string) => found.open.includes("*") || found.open.includes(command);
  if (!found.closed && (writes ? ["r", "a", "w"] : ["r"]).every(covered)) return undefined;
  const to = quote(found.user);
  return `CREATE POLICY package_init ON ${shape.table} TO ${to} USING (true) WITH CHECK (true)`;
}
