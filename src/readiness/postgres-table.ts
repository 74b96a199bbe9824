import type { DbConfig } from "../config/db-settings.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import { shapeOf, type TableShape } from "../postgres/catalog.ts";
import { type Database, DatabaseLostError, TableChangedError } from "../postgres/database.ts";
import { readFacts } from "../postgres/facts.ts";
import { quote, TABLE } from "../postgres/names.ts";
import { missingGrants, missingPolicy } from "../postgres/privileges.ts";
import { type Layer, LayerFailure, words } from "./layer.ts";
import type { Line } from "./line.ts";

/** Reads what the table looks like and what may be done with it. Throws LayerFailure `table`, `privileges` or `login`. */
export async function inspect(
  line: Line,
  db: Database,
  config: DbConfig,
  writes: boolean,
): Promise<{ db: Database; shape: TableShape; version: string }> {
  const { where } = line;
  const { schema, user, database } = config;
  try {
    const facts = await readFacts(db, schema);
    if (!facts.found) {
      const table = `${schema}.${TABLE}`;
      throw LayerFailure.of("table", "postgres.table.missing", { where, table, database });
    }
    if (!facts.mayRead) {
      // Without SELECT the catalog shows this user only a part of the table.
      const table = `${quote(schema)}.${quote(TABLE)}`;
      const grants = [`GRANT SELECT ON ${table} TO ${quote(facts.user)}`];
      throw LayerFailure.of("privileges", "postgres.privileges", { where, user, grants });
    }
    const use = { writes, deletes: config.deletesRows };
    const shape = shapeOf(facts, schema, config.rowDefaults);
    if (writes && shape.refusal) throw shape.refusal;
    const grants = missingGrants(facts, { schema, shape, use });
    if (grants.length > 0) {
      throw LayerFailure.of("privileges", "postgres.privileges", { where, user, grants });
    }
    const policy = missingPolicy(facts, shape, use);
    if (policy) {
      const { table } = shape;
      throw LayerFailure.of("privileges", "postgres.row-security", { where, user, table, policy });
    }
    if ((writes || config.writable) && facts.readOnly) {
      throw LayerFailure.of("privileges", "postgres.read-only", { where });
    }
    return { db, shape, version: facts.version };
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
