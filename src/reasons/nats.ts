import { type At, failure, lineWords, type Said } from "./line.ts";

const line = lineWords("NATS", {
  host: "NATS_SERVERS",
  tls: { en: "NATS_SERVERS (nats:// or tls://)", zh: "NATS_SERVERS（nats:// 或 tls://）" },
  ca: "NATS_TLS_CA_FILE",
  certificate: ["NATS_TLS_CERT_FILE", "NATS_TLS_KEY_FILE"],
  hostname: ", or name it in NATS_TLS_HOSTNAME",
});

/** Reaching NATS, logging in, and JetStream. */
export const nats = {
  "nats.dns": line.dns,
  "nats.tcp.refused": line.refused,
  "nats.tcp.silent": line.vanished,
  "nats.tcp.failed": line.unreachable,
  "nats.slow": line.slow,
  "nats.tls.untrusted": line.untrusted,
  "nats.tls.expired": line.expired,
  "nats.tls.name": line.name,
  "nats.tls.rejected": line.rejected,
  "nats.tls.handshake": line.handshake,
  "nats.tls.broken": line.broken,
  "nats.tls.silent": line.mute,
  "nats.tls.required": failure<At>(
    "NATS",
    77,
    {
      cause: "the server requires TLS, and the job is not set up for it",
      remedy: "use tls:// in NATS_SERVERS or NATS_TLS_ENABLED=true, with NATS_TLS_CA_FILE",
    },
    {
      cause: "服务端要求 TLS，而本任务未启用",
      remedy: "在 NATS_SERVERS 中使用 tls:// 或设置 NATS_TLS_ENABLED=true，并设置 NATS_TLS_CA_FILE",
    },
  ),
  "nats.tls.off": failure<At>(
    "NATS",
    77,
    {
      cause: "the server offers no TLS, and the job is set up for it",
      remedy: "use nats:// in NATS_SERVERS and NATS_TLS_ENABLED=false, or give the server a certificate",
    },
    {
      cause: "服务端未提供 TLS，而本任务已启用",
      remedy: "在 NATS_SERVERS 中使用 nats:// 并设置 NATS_TLS_ENABLED=false，或为服务端配置证书",
    },
  ),
  "nats.tls.first": failure<At>(
    "NATS",
    78,
    {
      cause: "the server waits for the TLS handshake before it says anything (handshake_first)",
      remedy: "set NATS_TLS_HANDSHAKE_FIRST=true",
    },
    {
      cause: "服务端要求先完成 TLS 握手（handshake_first）",
      remedy: "设置 NATS_TLS_HANDSHAKE_FIRST=true",
    },
  ),
  "nats.tls.not-first": failure<Said>(
    "NATS",
    78,
    {
      cause: ({ said }) => `the server speaks before the TLS handshake ("${said}")`,
      remedy:
        "unset NATS_TLS_HANDSHAKE_FIRST, or set handshake_first in the server's tls block (nats-server 2.10)",
    },
    {
      cause: ({ said }) => `服务端在 TLS 握手之前就已发送数据（“${said}”）`,
      remedy: "取消 NATS_TLS_HANDSHAKE_FIRST，或在服务端 tls 段中配置 handshake_first（nats-server 2.10 起）",
    },
  ),
  "nats.login.silent": failure<At & { seconds: number }>(
    "NATS",
    69,
    {
      cause: ({ seconds }) => `accepts the connection, but does not answer within ${seconds} s`,
      remedy:
        "the nats-server hangs, or something else listens there: check its log and its load, and NATS_SERVERS",
    },
    {
      cause: ({ seconds }) => `连接已建立，但 ${seconds} 秒内没有应答`,
      remedy: "nats-server 可能已挂起，或该端口上是其他程序：查看其日志与负载，并检查 NATS_SERVERS",
    },
  ),
  "nats.login.protocol": failure<Said>(
    "NATS",
    69,
    {
      cause: ({ said }) => `what listens there does not speak like a nats-server: no INFO, but "${said}"`,
      remedy: "check NATS_SERVERS, and the nats-server's log",
    },
    {
      cause: ({ said }) => `该端口上的程序不是 nats-server：未收到 INFO，而是“${said}”`,
      remedy: "检查 NATS_SERVERS，并查看 nats-server 日志",
    },
  ),
  "nats.login.refused": failure<Said>(
    "NATS",
    77,
    {
      cause: ({ said }) => `the login was refused ("${said}")`,
      remedy:
        "check the credentials: user and password in NATS_SERVERS or NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_CREDS_FILE, NATS_NKEY_SEED_FILE",
    },
    {
      cause: ({ said }) => `登录被拒绝（“${said}”）`,
      remedy:
        "检查凭据：NATS_SERVERS 中或 NATS_USER、NATS_PASSWORD 的用户名和密码，NATS_TOKEN，NATS_CREDS_FILE，NATS_NKEY_SEED_FILE",
    },
  ),
  "nats.login.credentials": failure<Said>(
    "NATS",
    77,
    {
      cause: ({ said }) => `the credentials file holds no usable credentials ("${said}")`,
      remedy: "check the file in NATS_CREDS_FILE or NATS_NKEY_SEED_FILE",
    },
    {
      cause: ({ said }) => `凭据文件中没有可用的凭据（“${said}”）`,
      remedy: "检查 NATS_CREDS_FILE 或 NATS_NKEY_SEED_FILE 指定的文件",
    },
  ),
  "nats.login.connections": failure<Said>(
    "NATS",
    69,
    {
      cause: ({ said }) => `the server takes no more connections ("${said}")`,
      remedy: "raise max_connections of the server or of the account, or find out who uses them",
    },
    {
      cause: ({ said }) => `服务端不再接受新连接（“${said}”）`,
      remedy: "调大服务端或账户的 max_connections，或查明占用者",
    },
  ),
  "nats.login.failed": failure<Said>(
    "NATS",
    69,
    { cause: ({ said }) => `the login failed ("${said}")`, remedy: "check the nats-server's log" },
    { cause: ({ said }) => `登录失败（“${said}”）`, remedy: "查看 nats-server 日志" },
  ),
  "nats.jetstream.off": failure<At>(
    "NATS",
    69,
    {
      cause: "the server runs without JetStream",
      remedy: "start nats-server with JetStream (jetstream {} in its configuration, or -js)",
    },
    {
      cause: "服务端未启用 JetStream",
      remedy: "启用 JetStream 后启动 nats-server（配置中加入 jetstream {}，或使用 -js）",
    },
  ),
  "nats.jetstream.account": failure<Said>(
    "NATS",
    77,
    {
      cause: ({ said }) => `JetStream is not enabled for the account ("${said}")`,
      remedy: "enable JetStream for the account of the job's NATS user",
    },
    {
      cause: ({ said }) => `该账户未启用 JetStream（“${said}”）`,
      remedy: "为任务的 NATS 用户所属账户启用 JetStream",
    },
  ),
  "nats.jetstream.failed": failure<Said>(
    "NATS",
    69,
    {
      cause: ({ said }) => `JetStream cannot be used yet ("${said}")`,
      remedy: "check the nats-server's log; in a cluster, that a majority of its servers runs",
    },
    {
      cause: ({ said }) => `JetStream 暂不可用（“${said}”）`,
      remedy: "查看 nats-server 日志；集群环境下确认多数节点正在运行",
    },
  ),
  "nats.jetstream.silent": failure<At & { seconds: number }>(
    "NATS",
    69,
    {
      cause: ({ seconds }) => `accepts the login, but JetStream does not answer within ${seconds} s`,
      remedy: "check the nats-server's log and its load; in a cluster, that a majority of its servers runs",
    },
    {
      cause: ({ seconds }) => `登录成功，但 JetStream 在 ${seconds} 秒内没有应答`,
      remedy: "查看 nats-server 日志与负载；集群环境下确认多数节点正在运行",
    },
  ),
};
