import { type At, failure, lineWords, type Said } from "./line.ts";

const line = lineWords("Postgres", {
  host: "DB_HOST",
  tls: { en: "DB_SSLMODE", zh: "DB_SSLMODE" },
  ca: "DB_SSL_CA_FILE",
  certificate: ["DB_SSL_CERT_FILE", "DB_SSL_KEY_FILE"],
  hostname: "",
});

/** Reaching Postgres, and logging in. */
export const postgres = {
  "postgres.dns": line.dns,
  "postgres.tcp.refused": line.refused,
  "postgres.tcp.silent": line.vanished,
  "postgres.tcp.failed": line.unreachable,
  "postgres.socket": failure<Said>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `the socket cannot be opened ("${said}")`,
      remedy:
        "check the folder in DB_HOST and DB_PORT, that the folder is mounted into this container, and that the server runs",
    },
    {
      cause: ({ said }) => `无法打开套接字（“${said}”）`,
      remedy: "检查 DB_HOST 中的目录与 DB_PORT，确认该目录已挂载到本容器且服务正在运行",
    },
  ),
  "postgres.slow": line.slow,
  "postgres.tls.untrusted": line.untrusted,
  "postgres.tls.expired": line.expired,
  "postgres.tls.name": line.name,
  "postgres.tls.rejected": line.rejected,
  "postgres.tls.handshake": line.handshake,
  "postgres.tls.broken": line.broken,
  "postgres.tls.silent": line.mute,
  "postgres.tls.off": failure<At>(
    "Postgres",
    77,
    {
      cause: "the server does not support SSL connections, and DB_SSLMODE asks for one",
      remedy: "set DB_SSLMODE=disable, or switch ssl on in Postgres",
    },
    {
      cause: "服务端不支持 SSL 连接，而 DB_SSLMODE 要求加密",
      remedy: "设置 DB_SSLMODE=disable，或在 Postgres 中启用 ssl",
    },
  ),
  "postgres.login.silent": failure<At & { seconds: number }>(
    "Postgres",
    69,
    {
      cause: ({ seconds }) => `accepts the connection, but does not answer the login within ${seconds} s`,
      remedy:
        "the server hangs, or something else listens there: check its log and its load, DB_HOST and DB_PORT",
    },
    {
      cause: ({ seconds }) => `连接已建立，但 ${seconds} 秒内未应答登录请求`,
      remedy: "服务可能已挂起，或该端口上是其他程序：查看其日志与负载，并检查 DB_HOST 与 DB_PORT",
    },
  ),
  "postgres.login.protocol": failure<Said>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `what listens there does not speak like Postgres: it said "${said}"`,
      remedy: "check DB_HOST and DB_PORT, and the server's log",
    },
    {
      cause: ({ said }) => `该端口上的程序不是 Postgres，其应答为“${said}”`,
      remedy: "检查 DB_HOST 与 DB_PORT，并查看服务端日志",
    },
  ),
  "postgres.login.product": failure<At & { product: string }>(
    "Postgres",
    78,
    {
      cause: ({ product }) => `the server is ${product}, not PostgreSQL`,
      remedy:
        "this job registers packages in PostgreSQL only: point DB_HOST and DB_PORT at it, or use BK-Lite's own commands with this database",
    },
    {
      cause: ({ product }) => `该服务是 ${product}，不是 PostgreSQL`,
      remedy:
        "本任务仅支持 PostgreSQL：请将 DB_HOST 与 DB_PORT 指向 PostgreSQL，或对该数据库使用 BK-Lite 自带的管理命令",
    },
  ),
  "postgres.login.method": failure<At & { method: string }>(
    "Postgres",
    78,
    {
      cause: ({ method }) => `the server asks for a login by ${method}, which this job does not know`,
      remedy:
        "let the job's user log in by scram-sha-256 or md5 (pg_hba.conf); a product that has its own method only, such as GaussDB, is not supported",
    },
    {
      cause: ({ method }) => `服务端要求以 ${method} 方式登录，本任务不支持该方式`,
      remedy:
        "在 pg_hba.conf 中允许任务用户以 scram-sha-256 或 md5 登录；只提供自有登录方式的产品（如 GaussDB）不受支持",
    },
  ),
  "postgres.login.password": failure<Said & { user: string }>(
    "Postgres",
    77,
    {
      cause: ({ user, said }) => `the password of user "${user}" was refused ("${said}")`,
      remedy: "check DB_USER and DB_PASSWORD",
    },
    {
      cause: ({ user, said }) => `用户“${user}”的密码被拒绝（“${said}”）`,
      remedy: "检查 DB_USER 与 DB_PASSWORD",
    },
  ),
  "postgres.login.no-password": failure<At & { user: string }>(
    "Postgres",
    77,
    {
      cause: ({ user }) => `the server asks for the password of user "${user}", and none is given`,
      remedy: "set DB_PASSWORD or DB_PASSWORD_FILE",
    },
    {
      cause: ({ user }) => `服务端要求用户“${user}”的密码，但未提供`,
      remedy: "设置 DB_PASSWORD 或 DB_PASSWORD_FILE",
    },
  ),
  "postgres.login.refused": failure<Said>(
    "Postgres",
    77,
    {
      cause: ({ said }) => `the login was refused ("${said}")`,
      remedy:
        "check DB_USER, and the server's pg_hba.conf for this host, database and encryption (DB_SSLMODE, DB_SSL_CERT_FILE)",
    },
    {
      cause: ({ said }) => `登录被拒绝（“${said}”）`,
      remedy:
        "检查 DB_USER，以及服务端 pg_hba.conf 中针对该主机、库与加密方式（DB_SSLMODE、DB_SSL_CERT_FILE）的规则",
    },
  ),
  "postgres.login.starting": failure<Said>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `the server is not ready yet ("${said}")`,
      remedy: "if it stays so, look into the server's log: it may be recovering after a crash",
    },
    {
      cause: ({ said }) => `服务尚未就绪（“${said}”）`,
      remedy: "若持续如此，请查看服务端日志，可能正在崩溃恢复",
    },
  ),
  "postgres.login.connections": failure<Said>(
    "Postgres",
    69,
    {
      cause: ({ said }) => `there is no free connection ("${said}")`,
      remedy: "find out who uses them (pg_stat_activity), or raise max_connections",
    },
    {
      cause: ({ said }) => `没有空闲连接（“${said}”）`,
      remedy: "通过 pg_stat_activity 查明占用者，或调大 max_connections",
    },
  ),
  "postgres.login.failed": failure<Said>(
    "Postgres",
    69,
    { cause: ({ said }) => `the login failed ("${said}")`, remedy: "check the server's log" },
    { cause: ({ said }) => `登录失败（“${said}”）`, remedy: "查看服务端日志" },
  ),
  "postgres.pooler.parameter": failure<Said>(
    "Postgres",
    78,
    {
      cause: ({ said }) =>
        `the connection pooler there refuses what every client sends at its start ("${said}")`,
      remedy:
        "point DB_HOST and DB_PORT at Postgres itself, or name the parameter in pgbouncer's ignore_startup_parameters",
    },
    {
      cause: ({ said }) => `该处的连接池拒绝了客户端的启动参数（“${said}”）`,
      remedy:
        "将 DB_HOST 与 DB_PORT 直接指向 Postgres，或把该参数加入 pgbouncer 的 ignore_startup_parameters",
    },
  ),
};
