import { type At, connectionReasons, failure, reason, type Said } from "./define.ts";

const connection = connectionReasons("Postgres", {
  host: "DB_HOST",
  tls: { en: "DB_SSLMODE", zh: "DB_SSLMODE" },
  ca: "DB_SSL_CA_FILE",
  certificate: ["DB_SSL_CERT_FILE", "DB_SSL_KEY_FILE"],
  hostname: "",
});

/** What a statement about the database's own catalog is for. */
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

/** What Postgres says of a statement of ours; `said` in its own words. */
interface RowSaid {
  said: string;
}

const refused = ({ said }: RowSaid) => `Postgres refused: ${said}`;
const refusedZh = ({ said }: RowSaid) => `Postgres 拒绝执行：${said}`;

/** Postgres: the connection, the table, its rows, and the lock. */
export const postgres = {
  // Reaching Postgres, and logging in.
  "postgres.dns": connection.dns,
  "postgres.tcp.refused": connection.refused,
  "postgres.tcp.silent": connection.vanished,
  "postgres.tcp.failed": connection.unreachable,
  "postgres.socket": failure<Said>(
    "Postgres",
    69,
    [({ said }) => `the socket cannot be opened ("${said}")`, "check the folder in DB_HOST and DB_PORT, that the folder is mounted into this container, and that the server runs"],
    [({ said }) => `无法打开套接字（“${said}”）`, "检查 DB_HOST 中的目录与 DB_PORT，确认该目录已挂载到本容器且服务正在运行"],
  ),
  "postgres.slow": connection.slow,
  "postgres.tls.untrusted": connection.untrusted,
  "postgres.tls.expired": connection.expired,
  "postgres.tls.name": connection.name,
  "postgres.tls.rejected": connection.rejected,
  "postgres.tls.handshake": connection.handshake,
  "postgres.tls.broken": connection.broken,
  "postgres.tls.silent": connection.mute,
  "postgres.tls.off": failure<At>(
    "Postgres",
    77,
    ["the server does not support SSL connections, and DB_SSLMODE asks for one", "set DB_SSLMODE=disable, or switch ssl on in Postgres"],
    ["服务端不支持 SSL 连接，而 DB_SSLMODE 要求加密", "设置 DB_SSLMODE=disable，或在 Postgres 中启用 ssl"],
  ),
  "postgres.login.silent": failure<At & { seconds: number }>(
    "Postgres",
    69,
    [
      ({ seconds }) => `accepts the connection, but does not answer the login within ${seconds} s`,
      "the server hangs, or something else listens there: check its log and its load, DB_HOST and DB_PORT",
    ],
    [({ seconds }) => `连接已建立，但 ${seconds} 秒内未应答登录请求`, "服务可能已挂起，或该端口上是其他程序：查看其日志与负载，并检查 DB_HOST 与 DB_PORT"],
  ),
  "postgres.login.protocol": failure<Said>(
    "Postgres",
    69,
    [({ said }) => `what listens there does not speak like Postgres: it said "${said}"`, "check DB_HOST and DB_PORT, and the server's log"],
    [({ said }) => `该端口上的程序不是 Postgres，其应答为“${said}”`, "检查 DB_HOST 与 DB_PORT，并查看服务端日志"],
  ),
  "postgres.login.product": failure<At & { product: string }>(
    "Postgres",
    78,
    [({ product }) => `the server is ${product}, not PostgreSQL`, "this job registers packages in PostgreSQL only: point DB_HOST and DB_PORT at it, or use BK-Lite's own commands with this database"],
    [({ product }) => `该服务是 ${product}，不是 PostgreSQL`, "本任务仅支持 PostgreSQL：请将 DB_HOST 与 DB_PORT 指向 PostgreSQL，或对该数据库使用 BK-Lite 自带的管理命令"],
  ),
  "postgres.login.method": failure<At & { method: string }>(
    "Postgres",
    78,
    [
      ({ method }) => `the server asks for a login by ${method}, which this job does not know`,
      "let the job's user log in by scram-sha-256 or md5 (pg_hba.conf); a product that has its own method only, such as GaussDB, is not supported",
    ],
    [({ method }) => `服务端要求以 ${method} 方式登录，本任务不支持该方式`, "在 pg_hba.conf 中允许任务用户以 scram-sha-256 或 md5 登录；只提供自有登录方式的产品（如 GaussDB）不受支持"],
  ),
  "postgres.login.password": failure<Said & { user: string }>(
    "Postgres",
    77,
    [({ user, said }) => `the password of user "${user}" was refused ("${said}")`, "check DB_USER and DB_PASSWORD"],
    [({ user, said }) => `用户“${user}”的密码被拒绝（“${said}”）`, "检查 DB_USER 与 DB_PASSWORD"],
  ),
  "postgres.login.no-password": failure<At & { user: string }>(
    "Postgres",
    77,
    [({ user }) => `the server asks for the password of user "${user}", and none is given`, "set DB_PASSWORD or DB_PASSWORD_FILE"],
    [({ user }) => `服务端要求用户“${user}”的密码，但未提供`, "设置 DB_PASSWORD 或 DB_PASSWORD_FILE"],
  ),
  "postgres.login.refused": failure<Said>(
    "Postgres",
    77,
    [({ said }) => `the login was refused ("${said}")`, "check DB_USER, and the server's pg_hba.conf for this host, database and encryption (DB_SSLMODE, DB_SSL_CERT_FILE)"],
    [({ said }) => `登录被拒绝（“${said}”）`, "检查 DB_USER，以及服务端 pg_hba.conf 中针对该主机、库与加密方式（DB_SSLMODE、DB_SSL_CERT_FILE）的规则"],
  ),
  "postgres.login.starting": failure<Said>(
    "Postgres",
    69,
    [({ said }) => `the server is not ready yet ("${said}")`, "if it stays so, look into the server's log: it may be recovering after a crash"],
    [({ said }) => `服务尚未就绪（“${said}”）`, "若持续如此，请查看服务端日志，可能正在崩溃恢复"],
  ),
  "postgres.login.connections": failure<Said>(
    "Postgres",
    69,
    [({ said }) => `there is no free connection ("${said}")`, "find out who uses them (pg_stat_activity), or raise max_connections"],
    [({ said }) => `没有空闲连接（“${said}”）`, "通过 pg_stat_activity 查明占用者，或调大 max_connections"],
  ),
  "postgres.login.failed": failure<Said>("Postgres", 69, [({ said }) => `the login failed ("${said}")`, "check the server's log"], [({ said }) => `登录失败（“${said}”）`, "查看服务端日志"]),
  "postgres.pooler.parameter": failure<Said>(
    "Postgres",
    78,
    [
      ({ said }) => `the connection pooler there refuses what every client sends at its start ("${said}")`,
      "point DB_HOST and DB_PORT at Postgres itself, or name the parameter in pgbouncer's ignore_startup_parameters",
    ],
    [({ said }) => `该处的连接池拒绝了客户端的启动参数（“${said}”）`, "将 DB_HOST 与 DB_PORT 直接指向 Postgres，或把该参数加入 pgbouncer 的 ignore_startup_parameters"],
  ),
  // Behind Postgres' login: the database, the table, and what the job's user may do.
  "postgres.database.missing": failure<Said & { database: string }>(
    "Postgres",
    69,
    [({ said }) => `the database is not there ("${said}")`, ({ database: name }) => `create database "${name}", which BK-Lite's first start does, or correct DB_NAME`],
    [({ said }) => `数据库不存在（“${said}”）`, ({ database: name }) => `创建数据库“${name}”（BK-Lite 首次启动时会创建），或修正 DB_NAME`],
  ),
  "postgres.database.denied": failure<Said & { database: string; user: string }>(
    "Postgres",
    77,
    [({ said }) => `the user may not connect to the database ("${said}")`, ({ database: name, user }) => `run as its owner: GRANT CONNECT ON DATABASE "${name}" TO "${user}"`],
    [({ said }) => `用户无权连接该数据库（“${said}”）`, ({ database: name, user }) => `以库的属主执行：GRANT CONNECT ON DATABASE "${name}" TO "${user}"`],
  ),
  "postgres.database.silent": failure<At & { seconds: number }>(
    "Postgres",
    69,
    [({ seconds }) => `accepts the login, but does not answer within ${seconds} s`, "check the server's log, its load, and locks on the table (pg_locks)"],
    [({ seconds }) => `登录成功，但 ${seconds} 秒内未应答查询`, "查看服务端日志与负载，以及表上的锁（pg_locks）"],
  ),
  "postgres.lost": failure<Said>(
    "Postgres",
    69,
    [({ said }) => `the server closed the connection ("${said}")`, "check the server's log"],
    [({ said }) => `服务端关闭了连接（“${said}”）`, "查看服务端日志"],
  ),
  "postgres.table.missing": failure<At & { table: string; database: string }>(
    "Postgres",
    69,
    [
      ({ table, database: name }) => `table ${table} does not exist in database "${name}"`,
      "BK-Lite's server creates it when it migrates: check that the server has started without errors, and DB_NAME and DB_SCHEMA",
    ],
    [({ table, database: name }) => `数据库“${name}”中不存在表 ${table}`, "该表由 BK-Lite 服务端迁移时创建：确认服务端已正常启动，并检查 DB_NAME 与 DB_SCHEMA"],
  ),
  "postgres.table.changing": failure<Said>(
    "Postgres",
    69,
    [({ said }) => `the table is being changed ("${said}")`, "BK-Lite's server is migrating: if it stays so, check the server's log"],
    [({ said }) => `数据表正在变更（“${said}”）`, "BK-Lite 服务端正在迁移：若持续如此，请查看其日志"],
  ),
  "postgres.catalog": reason<{ purpose: CatalogPurpose; version: string; said: string }>({
    exit: 78,
    en: [
      ({ purpose, version, said }) => `this database does not answer what the job asks about ${PURPOSES[purpose]?.en ?? purpose}: ${said}; it calls itself "${version}"`,
      "use PostgreSQL 13 or newer, or send these words to the makers of bklite-package-init",
    ],
    zh: [
      ({ purpose, version, said }) => `该数据库无法回答本任务关于${PURPOSES[purpose]?.zh ?? purpose}的查询：${said}；其版本为“${version}”`,
      "请使用 PostgreSQL 13 或更新版本，或将以上信息反馈给 bklite-package-init 的维护者",
    ],
  }),
  "postgres.schema.denied": failure<Said & { schema: string; user: string }>(
    "Postgres",
    77,
    [({ said }) => `a privilege is missing ("${said}")`, ({ schema, user }) => `run as the schema's owner: GRANT USAGE ON SCHEMA ${schema} TO ${user}`],
    [({ said }) => `缺少权限（“${said}”）`, ({ schema, user }) => `以模式的属主执行：GRANT USAGE ON SCHEMA ${schema} TO ${user}`],
  ),
  "postgres.privileges": failure<At & { user: string; grants: readonly string[] }>(
    "Postgres",
    77,
    [({ user, grants }) => `user "${user}" lacks ${grants.map(privilege).join("; ")}`, ({ grants }) => `run as the table's owner: ${grants.join("; ")}`],
    [({ user, grants }) => `用户“${user}”缺少权限：${grants.map(privilege).join("；")}`, ({ grants }) => `以表的属主执行：${grants.join("; ")}`],
  ),
  "postgres.row-security": failure<At & { user: string; table: string; policy: string }>(
    "Postgres",
    77,
    [
      ({ user, table }) => `row-level security on ${table} hides rows from user "${user}" or refuses its own`,
      ({ policy }) => `no GRANT helps against that; run as the table's owner: ${policy}, or give the user BYPASSRLS`,
    ],
    [({ user, table }) => `表 ${table} 启用了行级安全，用户“${user}”看不到部分记录或无法写入`, ({ policy }) => `此问题不能用 GRANT 解决；以表的属主执行：${policy}，或授予该用户 BYPASSRLS`],
  ),
  "postgres.read-only": failure<At>(
    "Postgres",
    69,
    ["the server is read-only (a standby, or default_transaction_read_only)", "point DB_HOST at the primary"],
    ["服务端只读（备库，或设置了 default_transaction_read_only）", "将 DB_HOST 指向主库"],
  ),
  "row.sequence.behind": reason<{ sequence: string; table: string }>({
    exit: 78,
    en: [
      ({ sequence, table }) => `no row can be inserted into ${table}: the id sequence ${sequence} lags behind the ids that are taken (a restored dump leaves it so)`,
      ({ sequence, table }) => `run as the table's owner: SELECT setval('${sequence}', (SELECT max(id) FROM ${table}))`,
    ],
    zh: [
      ({ sequence, table }) => `无法向 ${table} 插入记录：id 序列 ${sequence} 落后于已有的 id（恢复备份后常见）`,
      ({ sequence, table }) => `请以表的所有者执行：SELECT setval('${sequence}', (SELECT max(id) FROM ${table}))`,
    ],
  }),
  "row.denied": reason<RowSaid>({
    exit: 77,
    en: [refused, "grant the job's user what docs/permissions.md lists"],
    zh: [refusedZh, "请按 docs/zh-CN/permissions.md 授予任务用户所需的权限"],
  }),
  "row.disk.full": reason<RowSaid>({
    exit: 73,
    en: [refused, "free room on the disk of Postgres"],
    zh: [refusedZh, "请释放 Postgres 所在磁盘的空间"],
  }),
  "row.readonly": reason<RowSaid>({
    exit: 69,
    en: [refused, "the server only reads now: point DB_HOST at the primary"],
    zh: [refusedZh, "该服务器目前只读，请将 DB_HOST 指向主库"],
  }),
  "row.busy": reason<RowSaid>({
    exit: 69,
    en: [refused, "the server is busy, or something (a migration?) holds a lock on the table: run again"],
    zh: [refusedZh, "服务器繁忙，或表被锁定（可能正在迁移）：请重新运行"],
  }),
  "row.refused": reason<RowSaid>({
    exit: 78,
    en: [refused, "something in this database refuses what the job does (a trigger, a constraint): check the table, or use a newer bklite-package-init"],
    zh: [refusedZh, "该数据库中有触发器或约束拒绝写入：请检查数据表，或使用更新版本的 bklite-package-init"],
  }),
  "table.changed": reason<RowSaid>({
    exit: 78,
    en: [refused, "check the table against BK-Lite's migrations (a trigger or column of somebody's own?), or use a newer bklite-package-init"],
    zh: [refusedZh, "请对照 BK-Lite 的迁移检查数据表（是否有自行添加的触发器或列），或使用更新版本的 bklite-package-init"],
  }),
  "row.altered": reason<{ table: string; column: string; written: string; found: string }>({
    exit: 78,
    en: [
      ({ table, column, written, found }) => `the database changed a row of ${table} while it was written: ${column} became "${found}" instead of "${written}"; nothing was kept`,
      ({ table }) => `look for a trigger on ${table} or a column type that pads or shortens (char(n)), and remove it`,
    ],
    zh: [
      ({ table, column, written, found }) => `写入 ${table} 的记录被数据库改动：${column} 应为“${written}”，实际为“${found}”；已全部回滚`,
      ({ table }) => `请检查 ${table} 上的触发器，以及会补空格或截断的列类型（如 char(n)），并将其去除`,
    ],
  }),
  "row.suppressed": reason<{ table: string; statement: "INSERT" | "UPDATE" }>({
    exit: 78,
    en: [
      ({ table, statement }) => `the database accepted ${statement} on ${table}, but wrote no row; nothing was kept`,
      ({ table }) => `look for a trigger on ${table} that suppresses rows, and remove it`,
    ],
    zh: [({ table, statement }) => `数据库接受了对 ${table} 的 ${statement}，但没有写入记录；已全部回滚`, ({ table }) => `请检查 ${table} 上是否有丢弃记录的触发器，并将其去除`],
  }),
  "row.not-ready": reason<{ id: number; status: string; what: string; user: string }>({
    exit: 76,
    en: [
      ({ id, status, what, user }) => `row ${id} (${what}, created by "${user}") has status "${status}": BK-Lite neither offers nor installs it, and the job leaves it as it is`,
      ({ id }) => `wait until BK-Lite has finished with row ${id}, or delete the package on the web page, then run again`,
    ],
    zh: [
      ({ id, status, what, user }) => `记录 ${id}（${what}，创建者“${user}”）的状态为“${status}”：BK-Lite 不会提供或安装它，本任务不改动它`,
      ({ id }) => `请等待 BK-Lite 处理完记录 ${id}，或在页面上删除该包，然后重新运行`,
    ],
  }),
  "row.defaults.known": reason<{ columns: string }>({
    exit: 78,
    en: [({ columns }) => `ROW_DEFAULTS names columns that the job fills itself: ${columns}`, ({ columns }) => `remove ${columns} from ROW_DEFAULTS`],
    zh: [({ columns }) => `ROW_DEFAULTS 包含由本任务自行填写的列：${columns}`, ({ columns }) => `请从 ROW_DEFAULTS 中去掉 ${columns}`],
  }),
  "row.defaults.refused": reason<RowSaid & { columns: string }>({
    exit: 78,
    en: [({ columns, said }) => `Postgres does not accept the values of ROW_DEFAULTS (${columns}): ${said}`, ({ columns }) => `correct the values of ${columns} in ROW_DEFAULTS`],
    zh: [({ columns, said }) => `Postgres 不接受 ROW_DEFAULTS 的值（${columns}）：${said}`, ({ columns }) => `请修正 ROW_DEFAULTS 中 ${columns} 的值`],
  }),
  "table.unknown": reason<{ table: string; names: readonly string[]; types: string }>({
    exit: 78,
    en: [
      ({ table, types }) => `${table} has NOT NULL columns without a default that this version does not know: ${types}`,
      ({ names }) => `set ROW_DEFAULTS=${names.map((name) => `${name}=VALUE`).join(",")} with what BK-Lite itself writes there, or use a newer bklite-package-init`,
    ],
    zh: [
      ({ table, types }) => `${table} 有本版本不认识、且没有默认值的 NOT NULL 列：${types}`,
      ({ names }) => `请设置 ROW_DEFAULTS=${names.map((name) => `${name}=值`).join(",")}（填 BK-Lite 自己写入的值），或使用更新版本的 bklite-package-init`,
    ],
  }),
  "table.unique": reason<{ table: string; columns: string }>({
    exit: 78,
    en: [
      ({ table, columns }) => `a unique constraint or index of ${table} has columns that this version does not know: ${columns}`,
      "use a newer bklite-package-init: which rows are the same package cannot be told without knowing these columns",
    ],
    zh: [({ table, columns }) => `${table} 的唯一约束或唯一索引含有本版本不认识的列：${columns}`, "请使用更新版本的 bklite-package-init：不认识这些列就无法判断哪些记录是同一个包"],
  }),
  "table.incomplete": reason<{ table: string; columns: string }>({
    exit: 78,
    en: [({ table, columns }) => `${table} has no column ${columns}`, "check DB_SCHEMA: this is no table of BK-Lite's; or use a newer bklite-package-init if BK-Lite has dropped the column"],
    zh: [({ table, columns }) => `${table} 缺少列 ${columns}`, "请检查 DB_SCHEMA：这不是 BK-Lite 的表；如果是 BK-Lite 去掉了该列，请使用更新版本的 bklite-package-init"],
  }),
  "lock.held": reason<{ bucket: string; pid: number; client: string; age: number; waited: number }>({
    exit: 75,
    en: [
      ({ bucket, pid, client, age, waited }) => `another run holds the lock for bucket "${bucket}" and did not release it within ${waited} s: Postgres session ${pid}, client ${client}, ${age} s old`,
      ({ pid }) => `wait until it ends; if it hangs, or its machine is gone, end it: SELECT pg_terminate_backend(${pid})`,
    ],
    zh: [
      ({ bucket, pid, client, age, waited }) => `另一个任务持有存储桶“${bucket}”的锁，${waited} 秒内没有释放：Postgres 会话 ${pid}，客户端 ${client}，已持续 ${age} 秒`,
      ({ pid }) => `等待它结束；如果它已挂起或所在机器已不在，请终止该会话：SELECT pg_terminate_backend(${pid})`,
    ],
  }),
  "lock.pooled": reason({
    exit: 78,
    en: [
      "the connection to Postgres is pooled per transaction (pgbouncer's pool_mode = transaction, or the like): the lock that keeps two runs apart cannot hold there",
      "point DB_HOST and DB_PORT at Postgres itself, or at a pool with pool_mode = session",
    ],
    zh: ["到 Postgres 的连接按事务复用（如 pgbouncer 的 pool_mode = transaction），防止两个任务同时写入的锁无法保持", "让 DB_HOST 和 DB_PORT 直连 Postgres，或使用 pool_mode = session 的连接池"],
  }),
};
