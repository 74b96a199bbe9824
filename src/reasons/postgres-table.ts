import { reason } from "./define.ts";
import { type At, failure, type Said } from "./line.ts";

/** What a statement about the database's own catalog is for. */
const PURPOSES = {
  session: { en: "the session's settings", zh: "会话设置" },
  table: { en: "the table's columns and privileges", zh: "数据表的列与权限" },
  lock: { en: "the advisory lock", zh: "咨询锁" },
  sequence: { en: "the id sequence", zh: "id 序列" },
  collectors: { en: "BK-Lite's list of collectors", zh: "BK-Lite 的采集器清单" },
} as const;
export type CatalogPurpose = keyof typeof PURPOSES;

/** Behind Postgres' login: the database, the table, and what the job's user may do. */
export const postgresTable = {
  "postgres.database.missing": failure<Said & { database: string }>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `the database is not there ("${said}")`,
      remedy: ({ database: name }) =>
        `create database "${name}", which BK-Lite's first start does, or correct DB_NAME`,
    },
    {
      cause: ({ said }) => `数据库不存在（“${said}”）`,
      remedy: ({ database: name }) => `创建数据库“${name}”（BK-Lite 首次启动时会创建），或修正 DB_NAME`,
    },
  ),
  "postgres.database.denied": failure<Said & { database: string; user: string }>(
    "Postgres",
    77,
    {
      cause: ({ said }) => `the user may not connect to the database ("${said}")`,
      remedy: ({ database: name, user }) =>
        `run as its owner: GRANT CONNECT ON DATABASE "${name}" TO "${user}"`,
    },
    {
      cause: ({ said }) => `用户无权连接该数据库（“${said}”）`,
      remedy: ({ database: name, user }) =>
        `以库的属主执行：GRANT CONNECT ON DATABASE "${name}" TO "${user}"`,
    },
  ),
  "postgres.database.silent": failure<At & { seconds: number }>(
    "Postgres",
    69,
    {
      cause: ({ seconds }) => `accepts the login, but does not answer within ${seconds} s`,
      remedy: "check the server's log, its load, and locks on the table (pg_locks)",
    },
    {
      cause: ({ seconds }) => `登录成功，但 ${seconds} 秒内未应答查询`,
      remedy: "查看服务端日志与负载，以及表上的锁（pg_locks）",
    },
  ),
  "postgres.lost": failure<Said>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `the server closed the connection ("${said}")`,
      remedy: "check the server's log",
    },
    { cause: ({ said }) => `服务端关闭了连接（“${said}”）`, remedy: "查看服务端日志" },
  ),
  "postgres.table.missing": failure<At & { table: string; database: string }>(
    "Postgres",
    69,
    {
      cause: ({ table, database: name }) => `table ${table} does not exist in database "${name}"`,
      remedy:
        "BK-Lite's server creates it when it migrates: check that the server has started without errors, and DB_NAME and DB_SCHEMA",
    },
    {
      cause: ({ table, database: name }) => `数据库“${name}”中不存在表 ${table}`,
      remedy: "该表由 BK-Lite 服务端迁移时创建：确认服务端已正常启动，并检查 DB_NAME 与 DB_SCHEMA",
    },
  ),
  "postgres.table.changing": failure<Said>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `the table is being changed ("${said}")`,
      remedy: "BK-Lite's server is migrating: if it stays so, check the server's log",
    },
    {
      cause: ({ said }) => `数据表正在变更（“${said}”）`,
      remedy: "BK-Lite 服务端正在迁移：若持续如此，请查看其日志",
    },
  ),
  "postgres.catalog": reason<{ purpose: CatalogPurpose; version: string; said: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ purpose, version, said }) =>
        `this database does not answer what the job asks about ${PURPOSES[purpose]?.en ?? purpose}: ${said}; it calls itself "${version}"`,
      remedy: "use PostgreSQL 13 or newer, or send these words to the makers of bklite-package-init",
    },
    zh: {
      cause: ({ purpose, version, said }) =>
        `该数据库无法回答本任务关于${PURPOSES[purpose]?.zh ?? purpose}的查询：${said}；其版本为“${version}”`,
      remedy: "请使用 PostgreSQL 13 或更新版本，或将以上信息反馈给 bklite-package-init 的维护者",
    },
  }),
  "postgres.schema.denied": failure<Said & { schema: string; user: string }>(
    "Postgres",
    77,
    {
      cause: ({ said }) => `a privilege is missing ("${said}")`,
      remedy: ({ schema, user }) => `run as the schema's owner: GRANT USAGE ON SCHEMA ${schema} TO ${user}`,
    },
    {
      cause: ({ said }) => `缺少权限（“${said}”）`,
      remedy: ({ schema, user }) => `以模式的属主执行：GRANT USAGE ON SCHEMA ${schema} TO ${user}`,
    },
  ),
  "postgres.privileges": failure<At & { user: string; grants: readonly string[] }>(
    "Postgres",
    77,
    {
      cause: ({ user, grants }) => `user "${user}" lacks ${grants.map(privilege).join("; ")}`,
      remedy: ({ grants }) => `run as the table's owner: ${grants.join("; ")}`,
    },
    {
      cause: ({ user, grants }) => `用户“${user}”缺少权限：${grants.map(privilege).join("；")}`,
      remedy: ({ grants }) => `以表的属主执行：${grants.join("; ")}`,
    },
  ),
  "postgres.row-security": failure<At & { user: string; table: string; policy: string }>(
    "Postgres",
    77,
    {
      cause: ({ user, table }) =>
        `row-level security on ${table} hides rows from user "${user}" or refuses its own`,
      remedy: ({ policy }) =>
        `no GRANT helps against that; run as the table's owner: ${policy}, or give the user BYPASSRLS`,
    },
    {
      cause: ({ user, table }) => `表 ${table} 启用了行级安全，用户“${user}”看不到部分记录或无法写入`,
      remedy: ({ policy }) => `此问题不能用 GRANT 解决；以表的属主执行：${policy}，或授予该用户 BYPASSRLS`,
    },
  ),
  "postgres.read-only": failure<At>(
    "Postgres",
    69,
    {
      cause: "the server is read-only (a standby, or default_transaction_read_only)",
      remedy: "point DB_HOST at the primary",
    },
    {
      cause: "服务端只读（备库，或设置了 default_transaction_read_only）",
      remedy: "将 DB_HOST 指向主库",
    },
  ),
};

/** `GRANT INSERT ON t TO u` → `INSERT ON t`. */
function privilege(grant: string): string {
  return grant.replace(/^GRANT /, "").replace(/ TO .*$/, "");
}
