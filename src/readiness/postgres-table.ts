import type { DbConfig } from "../config/db.ts";
import { EXIT, JobError } from "../errors.ts";
import { missingGrants, quote, readShape, TABLE, type TableShape } from "../registry/catalog.ts";
import { type Database, DatabaseLostError, TableChangedError } from "../registry/database.ts";
import { missingPolicy } from "../registry/row-security.ts";
import { type Layer, LayerFailure, words } from "./layer.ts";
import type { Line } from "./line.ts";

/** Looks at the table and at what may be done with it. Throws LayerFailure `table`, `privileges` or `login`. */
export async function inspect(
  line: Line,
  db: Database,
  config: DbConfig,
  writes: boolean,
): Promise<{ db: Database; shape: TableShape; version: string }> {
  const { where } = line;
  const { schema, user, database } = config;
  try {
    const [server] = await db.query<{ version: string; read_only: string }>(
      "SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') AS read_only",
    );
    const shape = await readShape(db, schema);
    if (!shape) {
      const table = `${schema}.${TABLE}`;
      throw LayerFailure.of("table", "postgres.table.missing", { where, table, database });
    }
    const grants = await missingGrants(db, schema, shape, writes);
    if (grants.length > 0) {
      throw LayerFailure.of("privileges", "postgres.privileges", { where, user, grants });
    }
    const policy = await missingPolicy(db, shape, writes);
    if (policy) {
      const { table } = shape;
      throw LayerFailure.of("privileges", "postgres.row-security", { where, user, table, policy });
    }
    if ((writes || config.writable) && server?.read_only === "on") {
      throw LayerFailure.of("privileges", "postgres.read-only", { where });
    }
    return { db, shape, version: server?.version ?? "" };
  } catch (error) {
    throw inspectFailure(line, config, error);
  }
}

function inspectFailure({ where }: Line, { schema, user }: DbConfig, error: unknown): unknown {
  const said = words(error);
  if (error instanceof DatabaseLostError) {
    return LayerFailure.of("login", "postgres.lost", { where, said }, error);
  }
  if (error instanceof TableChangedError) {
    return LayerFailure.of("table", "postgres.table.changing", { where, said }, error);
  }
  if (!(error instanceof JobError)) return error;
  // The registry's own verdicts: an unknown shape (78), a server that is busy (69), and a schema that may not be used.
  if (error.code === EXIT.denied) {
    const params = { where, said: words(error.cause ?? error), schema: quote(schema), user: quote(user) };
    return LayerFailure.of("privileges", "postgres.schema.denied", params, error);
  }
  return LayerFailure.from((error.layer ?? "table") as Layer, error, `Postgres at ${where}`);
}
