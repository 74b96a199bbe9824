import type { DbConfig } from "../config/db-settings.ts";
import type { Params } from "../messages/catalog.ts";
import { LayerFailure, words } from "./layer.ts";
import { type Line, tlsFailure } from "./line.ts";

/**
 * What a login that failed means: an ErrorResponse of Postgres or of a pooler, or pg's own words.
 * SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
export function loginFailure(line: Line, config: DbConfig, error: unknown): LayerFailure {
  const { where } = line;
  const { database, user } = config;
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const said = error instanceof Error ? words(error) : message;
  const login = <Id extends "password" | "refused" | "starting" | "connections" | "failed">(
    id: Id,
    params: Params<`postgres.login.${Id}`>,
  ) => LayerFailure.of("login", `postgres.login.${id}`, params, error);

  const tls = config.ssl.mode === "disable" ? undefined : tlsFailure(line, error);
  if (tls) return tls;
  if (code === "3D000" || /^no such database/.test(message)) {
    return LayerFailure.of("database", "postgres.database.missing", { where, said, database }, error);
  }
  if (code === "42501") {
    return LayerFailure.of("database", "postgres.database.denied", { where, said, database, user }, error);
  }
  if (/unsupported startup parameter/.test(message)) {
    return LayerFailure.of("login", "postgres.pooler.parameter", { where, said }, error);
  }
  // pgbouncer has one code for all that it refuses.
  if (
    code === "28P01" ||
    /password authentication failed|SASL authentication failed|no such user/.test(message)
  ) {
    return login("password", { where, said, user });
  }
  if (code === "28000") return login("refused", { where, said });
  if (code === "57P03") return login("starting", { where, said });
  if (code === "53300" || /no more connections allowed/.test(message))
    return login("connections", { where, said });
  return login("failed", { where, said });
}
