import { type Language, reason, type Words } from "./define.ts";

/** An entry of this area: never with a value, which may be a secret in the wrong place. */
export function setting<P extends object>(words: Record<Language, Words<P>>) {
  return reason<P>({ exit: 78, again: false, ...words });
}

export type Named = { name: string };

/** What may be wrong with where the servers are said to be. */
export const addresses = {
  "config.host": setting<Named>({
    en: {
      cause: ({ name }) => `${name}: should be a host name, an IP address or the folder of a socket`,
      remedy: "give the name alone; the port goes into DB_PORT, a whole URL into DATABASE_URL",
    },
    zh: {
      cause: ({ name }) => `${name}：应为主机名、IP 地址或套接字目录`,
      remedy: "此处只填主机名；端口写入 DB_PORT，完整 URL 写入 DATABASE_URL",
    },
  }),
  "config.ports": setting<Named>({
    en: {
      cause: ({ name }) => `${name}: should be a port from 1 to 65535, or one for each host`,
      remedy: ({ name }) => `correct ${name}`,
    },
    zh: {
      cause: ({ name }) => `${name}：应为 1 到 65535 之间的端口，或与主机一一对应的端口列表`,
      remedy: ({ name }) => `修正 ${name}`,
    },
  }),
  "config.url.database": setting({
    en: {
      cause: "DATABASE_URL: should look like postgres://USER:PASSWORD@HOST:5432/DATABASE",
      remedy:
        "percent-encode special characters in user, password and database (/ is %2F, @ is %40, # is %23)",
    },
    zh: {
      cause: "DATABASE_URL：格式应为 postgres://USER:PASSWORD@HOST:5432/DATABASE",
      remedy: "用户名、密码和库名中的特殊字符须做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23）",
    },
  }),
  "config.url.parameter": setting<{ known: readonly string[] }>({
    en: {
      cause: "DATABASE_URL: has a parameter that this job does not know, or a value that it cannot use",
      remedy: ({ known }) => `known are ${known.join(", ")}; for search_path use DB_SCHEMA`,
    },
    zh: {
      cause: "DATABASE_URL：含有本任务不支持的参数或取值",
      remedy: ({ known }) => `支持的参数：${known.join("、")}；search_path 请改用 DB_SCHEMA`,
    },
  }),
  "config.url.sslmode": setting<{ allowed: readonly string[] }>({
    en: {
      cause: ({ allowed }) => `DATABASE_URL: sslmode should be one of ${allowed.join(", ")}`,
      remedy: "say whether the connection has to be encrypted",
    },
    zh: {
      cause: ({ allowed }) => `DATABASE_URL：sslmode 应为 ${allowed.join("、")} 之一`,
      remedy: "请明确连接是否加密",
    },
  }),
  "config.url.nats": setting<{ entry: number }>({
    en: {
      cause: ({ entry }) =>
        `NATS_SERVERS: entry ${entry} should look like nats://HOST:4222, tls://USER:PASSWORD@HOST:4222 or HOST:4222`,
      remedy:
        "percent-encode special characters in user and password (/ is %2F, @ is %40, # is %23), or use NATS_USER and NATS_PASSWORD",
    },
    zh: {
      cause: ({ entry }) =>
        `NATS_SERVERS：第 ${entry} 项格式应为 nats://HOST:4222、tls://USER:PASSWORD@HOST:4222 或 HOST:4222`,
      remedy:
        "用户名和密码中的特殊字符须做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23），或改用 NATS_USER 和 NATS_PASSWORD",
    },
  }),
  "config.separator": setting<{ character: string }>({
    en: {
      cause: ({ character }) => `NATS_SERVERS: contains "${character}", which separates nothing`,
      remedy: "write a plain comma between the servers in NATS_SERVERS, as in nats://a:4222,nats://b:4222",
    },
    zh: {
      cause: ({ character }) => `NATS_SERVERS：含有“${character}”，它不能作为分隔符`,
      remedy: "请在 NATS_SERVERS 中用英文逗号分隔各服务器，例如 nats://a:4222,nats://b:4222",
    },
  }),
};
