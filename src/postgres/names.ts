export const TABLE = "node_mgmt_packageversion";
export const COLLECTOR_TABLE = "node_mgmt_collector";
/** Django's own list of the migrations that it has applied. */
export const MIGRATIONS_TABLE = "django_migrations";

/** Returns an SQL identifier, quoted. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
