import { connectionReasons, denied, misconfigured, probeFailures, storeFull, tryAgain, unavailable, unverified } from "./define.ts";

const connection = connectionReasons("Postgres", {
  host: "DB_HOST",
  port: "DB_PORT",
  tls: { en: "DB_SSLMODE", zh: "DB_SSLMODE" },
  ca: "DB_SSL_CA_FILE",
  certificate: ["DB_SSL_CERT_FILE", "DB_SSL_KEY_FILE"],
});

const { failed, said } = probeFailures("Postgres");

/** What a query of the database's own catalog is for. */
const PURPOSES = {
  session: { en: "the session's settings", zh: "会话设置" },
  table: { en: "the table's columns and privileges", zh: "数据表的列与权限" },
  lock: { en: "the advisory lock", zh: "咨询锁" },
  sequence: { en: "the id sequence", zh: "id 序列" },
  collectors: { en: "BK-Lite's list of collectors", zh: "BK-Lite 的采集器清单" },
} as const;
export type CatalogPurpose = keyof typeof PURPOSES;

/** `GRANT INSERT ON t TO u` → `INSERT ON t`. */
function privilege(grant: string): string {
  return grant.replace(/^GRANT /, "").replace(/ TO .*$/, "");
}

type Grants = { user: string; grants: readonly string[] };
type Unanswered = { purpose: CatalogPurpose; version: string; said: string };

/** A statement that Postgres rejected. */
const REJECTED = { en: "Postgres rejected a statement: {said}", zh: "Postgres 拒绝执行：{said}" } as const;

/** Postgres: the connection, the table, its rows, and the lock. */
export const postgres = {
  // Connection and login.
  "postgres.dns": connection.dns,
  "postgres.tcp.refused": connection.refused,
  "postgres.tcp.silent": connection.vanished,
  "postgres.tcp.failed": connection.unreachable,
  "postgres.socket": said(69)(
    ["the socket cannot be opened", "check DB_PORT, the folder in DB_HOST, that the folder is mounted into this container, and that the server runs"],
    ["无法打开套接字", "请检查 DB_PORT 与 DB_HOST 中的目录，并确认该目录已挂载到本容器且服务端正在运行"],
  ),
  "postgres.slow": connection.slow,
  "postgres.tls.untrusted": connection.untrusted,
  "postgres.tls.expired": connection.expired,
  "postgres.tls.name": connection.name,
  "postgres.tls.rejected": connection.rejected,
  "postgres.tls.handshake": connection.handshake,
  "postgres.tls.broken": connection.broken,
  "postgres.tls.silent": connection.mute,
  "postgres.tls.off": failed(77)(
    ["the server does not support SSL connections, but DB_SSLMODE requires one", "set DB_SSLMODE=disable, or set ssl = on in postgresql.conf"],
    ["服务端不支持 SSL 连接，而 DB_SSLMODE 要求加密", "请设置 DB_SSLMODE=disable，或在 postgresql.conf 中设置 ssl = on"],
  ),
  "postgres.login.silent": failed(69)(
    ["the connection is open, but the login got no answer within {seconds} s", "check the server's log and load, DB_HOST and DB_PORT, and whether another program listens on this port"],
    ["连接已建立，但 {seconds} 秒内未应答登录请求", "请查看服务端日志与负载，检查 DB_HOST 与 DB_PORT，并确认该端口上不是其他程序"],
  ),
  "postgres.login.protocol": failed(69)(
    ['another program than Postgres listens on this port; it answered "{said}"', "check DB_HOST and DB_PORT, and the server's log"],
    ["该端口上的程序不是 Postgres，其应答为“{said}”", "请检查 DB_HOST 与 DB_PORT，并查看服务端日志"],
  ),
  "postgres.login.method": failed(78)(
    [
      "the server requires a login by {method}, which this job does not support",
      "allow scram-sha-256 or md5 for the job's user in pg_hba.conf; a product with only its own method, such as GaussDB or MySQL, is not supported: use BK-Lite's own commands with it",
    ],
    [
      "服务端要求以 {method} 方式登录，本任务不支持该方式",
      "请在 pg_hba.conf 中允许任务用户以 scram-sha-256 或 md5 登录；只提供自有登录方式的产品（如 GaussDB、MySQL）不受支持，请使用 BK-Lite 自带的管理命令",
    ],
  ),
  "postgres.login.password": said(77)(['the server rejected the password of user "{user}"', "correct DB_USER or DB_PASSWORD"], ["服务端拒绝了用户“{user}”的密码", "请修正 DB_USER 或 DB_PASSWORD"]),
  "postgres.login.no-password": failed(77)(
    ['the server requires a password for user "{user}", but none is set', "set DB_PASSWORD or DB_PASSWORD_FILE"],
    ["服务端要求用户“{user}”的密码，但未提供", "请设置 DB_PASSWORD 或 DB_PASSWORD_FILE"],
  ),
  "postgres.login.refused": said(77)(
    ["the server rejected the login", "check DB_USER, and the server's pg_hba.conf for this host, database and encryption (DB_SSLMODE, DB_SSL_CERT_FILE)"],
    ["登录被拒绝", "请检查 DB_USER，以及服务端 pg_hba.conf 中针对该主机、库与加密方式（DB_SSLMODE、DB_SSL_CERT_FILE）的规则"],
  ),
  "postgres.login.starting": said(69)(
    ["the server is not ready yet", "wait; if this stays, check the server's log: it may be recovering after a crash"],
    ["服务端尚未就绪", "请等待；如果持续如此，请查看服务端日志，可能正在崩溃恢复"],
  ),
  "postgres.login.connections": said(69)(
    ["the server has no free connection", "find out which clients use them (SELECT * FROM pg_stat_activity), or raise max_connections in postgresql.conf"],
    ["没有空闲连接", "请查明占用连接的客户端（SELECT * FROM pg_stat_activity），或调大 postgresql.conf 中的 max_connections"],
  ),
  "postgres.login.failed": said(69)(["the login failed", "check the server's log"], ["登录失败", "请查看服务端日志"]),
  "postgres.pooler.parameter": said(78)(
    ["the connection pooler rejects a startup parameter that every client sends", "set DB_HOST and DB_PORT to Postgres itself, or add the parameter to pgbouncer's ignore_startup_parameters"],
    ["连接池拒绝了客户端的启动参数", "请将 DB_HOST 与 DB_PORT 直接指向 Postgres，或将该参数加入 pgbouncer 的 ignore_startup_parameters"],
  ),
  // Database, table, and the privileges of the job's user.
  "postgres.database.missing": said(69)(
    ["the database does not exist", 'start BK-Lite\'s server, which creates it, run CREATE DATABASE "{database}", or correct DB_NAME'],
    ["数据库不存在", '请启动 BK-Lite 服务端（首次启动时会创建），或执行 CREATE DATABASE "{database}"，或修正 DB_NAME'],
  ),
  "postgres.database.denied": said(77)(
    ["the user may not connect to the database", 'run as its owner: GRANT CONNECT ON DATABASE "{database}" TO "{user}"'],
    ["用户无权连接该数据库", '请以库的属主执行：GRANT CONNECT ON DATABASE "{database}" TO "{user}"'],
  ),
  "postgres.database.silent": failed(69)(
    ["the login succeeded, but a query got no answer within {seconds} s", "check the server's log and load, and locks on the table (SELECT * FROM pg_locks)"],
    ["登录成功，但 {seconds} 秒内未应答查询", "请查看服务端日志与负载，以及表上的锁（SELECT * FROM pg_locks）"],
  ),
  "postgres.lost": said(69)(["the server closed the connection", "check the server's log"], ["服务端关闭了连接", "请查看服务端日志"]),
  "postgres.table.missing": failed(69)(
    ['table {table} does not exist in database "{database}"', "check that BK-Lite's server, whose migrations create it, has started without errors, and check DB_NAME and DB_SCHEMA"],
    ["数据库“{database}”中不存在表 {table}", "请确认 BK-Lite 服务端（其迁移会创建该表）已正常启动，并检查 DB_NAME 与 DB_SCHEMA"],
  ),
  "postgres.table.changing": said(69)(
    ["the table is being changed: BK-Lite's server is migrating", "wait; if this stays, check the log of BK-Lite's server"],
    ["数据表正在变更：BK-Lite 服务端正在迁移", "请等待；如果持续如此，请查看 BK-Lite 服务端的日志"],
  ),
  "postgres.catalog": misconfigured(
    [
      ({ purpose, version, said }: Unanswered) => `this database does not answer the job's query about ${PURPOSES[purpose]?.en ?? purpose}: ${said}; its version is "${version}"`,
      "use PostgreSQL 13 or later, or report this message to bklite-package-init",
    ],
    [
      ({ purpose, version, said }: Unanswered) => `该数据库无法回答本任务关于${PURPOSES[purpose]?.zh ?? purpose}的查询：${said}；其版本为“${version}”`,
      "请使用 PostgreSQL 13 或更新版本，或将以上信息反馈给 bklite-package-init 的维护者",
    ],
  ),
  "postgres.schema.denied": said(77)(
    ["a privilege on the schema is missing", "run as the schema's owner: GRANT USAGE ON SCHEMA {schema} TO {user}"],
    ["缺少模式的权限", "请以模式的属主执行：GRANT USAGE ON SCHEMA {schema} TO {user}"],
  ),
  "postgres.privileges": failed(77)(
    [({ user, grants }: Grants) => `user "${user}" lacks ${grants.map(privilege).join("; ")}`, "run as the table's owner: {grants:; }"],
    [({ user, grants }: Grants) => `用户“${user}”缺少权限：${grants.map(privilege).join("；")}`, "请以表的属主执行：{grants:; }"],
  ),
  "postgres.row-security": failed(77)(
    ['row-level security on {table} hides rows from user "{user}" or rejects its rows', "run as the table's owner: {policy}; or give the user BYPASSRLS (a GRANT does not help)"],
    ["表 {table} 启用了行级安全，用户“{user}”看不到部分记录或无法写入", "请以表的属主执行：{policy}；或授予该用户 BYPASSRLS（GRANT 无法解决此问题）"],
  ),
  "postgres.read-only": failed(69)(
    ["the server is read-only (a standby, or default_transaction_read_only)", "set DB_HOST to the primary"],
    ["服务端只读（备库，或设置了 default_transaction_read_only）", "请将 DB_HOST 指向主库"],
  ),
  // Writing rows.
  "row.sequence.behind": misconfigured(
    [
      "no row can be inserted into {table}: the id sequence {sequence} is behind the ids in use, as after the restore of a dump",
      "run as the table's owner: SELECT setval('{sequence}', (SELECT max(id) FROM {table}))",
    ],
    ["无法向 {table} 插入记录：id 序列 {sequence} 落后于已有的 id（恢复备份后常见）", "请以表的属主执行：SELECT setval('{sequence}', (SELECT max(id) FROM {table}))"],
  ),
  "row.denied": denied([REJECTED.en, "grant the job's user the privileges in bklite-package-init help permissions"], [REJECTED.zh, "请按 bklite-package-init help permissions 授予任务用户所需的权限"]),
  "row.disk.full": storeFull([REJECTED.en, "free space on the disk of Postgres"], [REJECTED.zh, "请释放 Postgres 所在磁盘的空间"]),
  "row.readonly": unavailable([REJECTED.en, "set DB_HOST to the primary: this server is read-only now"], [REJECTED.zh, "请将 DB_HOST 指向主库：该服务端目前只读"]),
  "row.busy": unavailable(
    [REJECTED.en, "run again: the server is busy, or another session (a migration?) holds a lock on the table"],
    [REJECTED.zh, "请重新运行：服务端繁忙，或表被其他会话锁定（可能正在迁移）"],
  ),
  "row.refused": misconfigured(
    [REJECTED.en, "check the table for a trigger or constraint that rejects the job's rows, or use a newer bklite-package-init"],
    [REJECTED.zh, "请检查数据表上拒绝写入的触发器或约束，或使用更新版本的 bklite-package-init"],
  ),
  "table.changed": misconfigured(
    [REJECTED.en, "compare the table with BK-Lite's migrations (were a trigger or a column added?), or use a newer bklite-package-init"],
    [REJECTED.zh, "请对照 BK-Lite 的迁移检查数据表（是否有自行添加的触发器或列），或使用更新版本的 bklite-package-init"],
  ),
  "row.altered": misconfigured(
    [
      'the database changed a row of {table} while it was written: {column} became "{found}" instead of "{written}"; everything was rolled back',
      "find and remove the trigger on {table} or the column type that pads or shortens (char(n))",
    ],
    ["写入 {table} 的记录被数据库改动：{column} 应为“{written}”，实际为“{found}”；已全部回滚", "请检查并去除 {table} 上的触发器，或会补空格、截断的列类型（如 char(n)）"],
  ),
  "row.suppressed": misconfigured(
    ["the database accepted {statement} on {table}, but changed no row; everything was rolled back", "find and remove the trigger on {table} that suppresses rows"],
    ["数据库接受了对 {table} 的 {statement}，但没有改动记录；已全部回滚", "请检查并去除 {table} 上丢弃记录的触发器"],
  ),
  "row.not-ready": unverified(
    [
      'row {id} ({what}, created by "{user}") has status "{status}": BK-Lite neither offers nor installs it, and the job leaves it unchanged',
      "wait until BK-Lite has finished with row {id}, or delete the package on BK-Lite's page, then run again",
    ],
    ["记录 {id}（{what}，创建者“{user}”）的状态为“{status}”：BK-Lite 不会提供或安装它，本任务不改动它", "请等待 BK-Lite 处理完记录 {id}，或在 BK-Lite 页面上删除该探针包，然后重新运行"],
  ),
  "row.defaults.known": misconfigured(
    ["ROW_DEFAULTS names columns that the job fills itself: {columns}", "remove {columns} from ROW_DEFAULTS"],
    ["ROW_DEFAULTS 包含由本任务自行填写的列：{columns}", "请从 ROW_DEFAULTS 中去掉 {columns}"],
  ),
  "row.defaults.refused": misconfigured(
    ["Postgres does not accept the values of ROW_DEFAULTS ({columns}): {said}", "correct the values of {columns} in ROW_DEFAULTS"],
    ["Postgres 不接受 ROW_DEFAULTS 的值（{columns}）：{said}", "请修正 ROW_DEFAULTS 中 {columns} 的值"],
  ),
  // Tables that this version cannot write to.
  "table.unknown": misconfigured(
    [
      "{table} has NOT NULL columns without a default that this version does not know: {types}",
      ({ names }: { names: readonly string[] }) => `set ROW_DEFAULTS=${names.map((name) => `${name}=VALUE`).join(",")} with the values that BK-Lite itself writes, or use a newer bklite-package-init`,
    ],
    [
      "{table} 有本版本不认识、且没有默认值的 NOT NULL 列：{types}",
      ({ names }: { names: readonly string[] }) => `请设置 ROW_DEFAULTS=${names.map((name) => `${name}=值`).join(",")}（填 BK-Lite 自己写入的值），或使用更新版本的 bklite-package-init`,
    ],
  ),
  "table.unique": misconfigured(
    [
      "a unique constraint or index of {table} has columns that this version does not know: {columns}",
      "use a newer bklite-package-init: without these columns it cannot know which rows are the same package",
    ],
    ["{table} 的唯一约束或唯一索引含有本版本不认识的列：{columns}", "请使用更新版本的 bklite-package-init：不认识这些列就无法判断哪些记录是同一个探针包"],
  ),
  "table.incomplete": misconfigured(
    ["{table} has no column {columns}", "correct DB_SCHEMA if this is not BK-Lite's table; use a newer bklite-package-init if BK-Lite has dropped the column"],
    ["{table} 缺少列 {columns}", "请修正 DB_SCHEMA（如果这不是 BK-Lite 的表）；如果是 BK-Lite 去掉了该列，请使用更新版本的 bklite-package-init"],
  ),
  // The lock.
  "lock.held": tryAgain(
    [
      'another run holds the lock for bucket "{bucket}" and did not release it within {waited} s: Postgres session {pid}, client {client}, {age} s old',
      "wait until that run ends; if it hangs or its machine is gone, run SELECT pg_terminate_backend({pid})",
    ],
    [
      "另一个任务持有存储桶“{bucket}”的锁，{waited} 秒内没有释放：Postgres 会话 {pid}，客户端 {client}，已持续 {age} 秒",
      "请等待该任务结束；如果它已挂起或所在主机已下线，请执行 SELECT pg_terminate_backend({pid})",
    ],
  ),
  "lock.pooled": misconfigured(
    [
      "the connection to Postgres is pooled per transaction (such as pgbouncer's pool_mode = transaction), so the lock that keeps two runs apart cannot be held",
      "set DB_HOST and DB_PORT to Postgres itself, or to a pool with pool_mode = session",
    ],
    ["到 Postgres 的连接按事务复用（如 pgbouncer 的 pool_mode = transaction），防止两个任务同时写入的锁无法保持", "请将 DB_HOST 和 DB_PORT 直接指向 Postgres，或使用 pool_mode = session 的连接池"],
  ),
};
