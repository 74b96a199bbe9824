import type { ExitCode } from "../errors.ts";
import { type Language, reason, type Text } from "./define.ts";

/** Where a server is, and, once the waiting is over, how many seconds it took. */
export interface At {
  where: string;
  waited?: number;
}
/** `said`: in the words of the server or of the system. */
export interface Said extends At {
  said: string;
}

const waitedEn = ({ waited }: At) => (waited === undefined ? "" : ` (waited ${waited} s)`);
const waitedZh = ({ waited }: At) => (waited === undefined ? "" : `（已等待 ${waited} 秒）`);

/** One failure on the way up to a server: `cause` goes on after "Postgres at HOST: ". */
export function failure<P extends At>(
  service: "Postgres" | "NATS",
  exit: ExitCode,
  en: { cause: Text<P>; remedy: Text<P> },
  zh: { cause: Text<P>; remedy: Text<P> },
) {
  const text = (words: Text<P>, params: P) => (typeof words === "string" ? words : words(params));
  return reason<P>({
    exit,
    again: exit === 69,
    en: {
      cause: (params) => `${service} at ${params.where}: ${text(en.cause, params)}${waitedEn(params)}`,
      remedy: en.remedy,
    },
    zh: {
      cause: (params) => `${service}（${params.where}）：${text(zh.cause, params)}${waitedZh(params)}`,
      remedy: zh.remedy,
    },
  });
}

/** What the two services' lines have in common, in words. `variables`: where the operator sets what. */
export function lineWords(
  service: "Postgres" | "NATS",
  variables: {
    host: string;
    tls: Record<Language, string>;
    ca: string;
    certificate: readonly [string, string];
    hostname: string;
  },
) {
  const { host, tls, ca, certificate, hostname } = variables;
  const said = (exit: ExitCode, en: [string, string], zh: [string, string]) =>
    failure<Said>(
      service,
      exit,
      { cause: (p) => `${en[0]} ("${p.said}")`, remedy: en[1] },
      { cause: (p) => `${zh[0]}（“${p.said}”）`, remedy: zh[1] },
    );
  return {
    dns: said(
      69,
      [
        "the host's name cannot be resolved",
        `check that the container or service of this name runs, the spelling in ${host}, and that this job is in the same network (Compose) or names the namespace (Kubernetes)`,
      ],
      [
        "主机名无法解析",
        `确认同名的容器或 Service 正在运行、${host} 拼写无误，且本任务与其处于同一网络（Compose）或已写明命名空间（Kubernetes）`,
      ],
    ),
    refused: said(
      69,
      ["connection refused", "check that the server runs and listens on this port"],
      ["连接被拒绝", "确认服务正在运行并监听该端口"],
    ),
    vanished: failure<At & { seconds: number }>(
      service,
      69,
      {
        cause: ({ seconds }) => `no answer to the connection request within ${seconds} s: the packets vanish`,
        remedy: `check the port and the address in ${host}, and the network policies, security groups and firewalls between this job and the server`,
      },
      {
        cause: ({ seconds }) => `${seconds} 秒内连接请求无任何应答，数据包被丢弃`,
        remedy: `检查 ${host} 中的地址与端口，以及本任务与服务之间的网络策略、安全组和防火墙`,
      },
    ),
    unreachable: said(
      69,
      ["no connection", `check the address and port in ${host}, and the route to it`],
      ["无法建立连接", `检查 ${host} 中的地址与端口以及到达该地址的路由`],
    ),
    untrusted: said(
      77,
      ["its certificate is not trusted", `set ${ca} to the certificate of the CA that signed it`],
      ["服务端证书不受信任", `将 ${ca} 设为签发该证书的 CA 证书`],
    ),
    expired: said(
      77,
      [
        "its certificate is not valid at this time",
        "renew the server's certificate, or set this machine's clock",
      ],
      ["服务端证书不在有效期内", "更新服务端证书，或校准本机时钟"],
    ),
    name: said(
      77,
      [
        "its certificate is for another name",
        `use a host name that is in the certificate${hostname}, or have the certificate issued for this one`,
      ],
      [
        "服务端证书的名称与主机不符",
        `改用证书中包含的主机名${hostname && "（或设置 NATS_TLS_HOSTNAME）"}，或为该主机重新签发证书`,
      ],
    ),
    rejected: said(
      77,
      [
        "the server turned down the TLS handshake",
        `if it asks for a client certificate, set ${certificate.join(" and ")}; otherwise compare the TLS versions of both sides`,
      ],
      [
        "服务端拒绝了 TLS 握手",
        `如需客户端证书，请设置 ${certificate.join(" 和 ")}；否则核对双方的 TLS 版本`,
      ],
    ),
    handshake: said(
      77,
      [
        "the TLS handshake failed",
        `check the certificate files (${ca}, ${certificate.join(" and ")}) and the TLS versions of both sides`,
      ],
      ["TLS 握手失败", `检查证书文件（${[ca, ...certificate].join("、")}）以及双方的 TLS 版本`],
    ),
    broken: said(
      69,
      ["the connection broke during the TLS handshake", "check the server's log, and what is in between"],
      ["TLS 握手期间连接中断", "查看服务端日志，并检查中间的网络设备"],
    ),
    slow: failure<At & { seconds: number; whole: boolean }>(
      service,
      69,
      {
        cause: ({ seconds, whole }) =>
          whole
            ? `it is slow: an answer takes up to ${seconds} s, and not everything is answered yet`
            : `it is slow: it began an answer and did not finish it within ${seconds} s`,
        remedy: ({ whole }) =>
          `${whole ? "raise WAIT_TIMEOUT, and " : ""}check the load of the server's host and the network between this job and ${host}`,
      },
      {
        cause: ({ seconds, whole }) =>
          whole
            ? `响应缓慢：单次应答最长 ${seconds} 秒，检查尚未完成`
            : `响应缓慢：已开始应答，但 ${seconds} 秒内未完成`,
        remedy: ({ whole }) =>
          `请${whole ? "调大 WAIT_TIMEOUT，并" : ""}检查服务端主机的负载以及本任务与 ${host} 之间的网络`,
      },
    ),
    mute: failure<At & { seconds: number }>(
      service,
      69,
      {
        cause: ({ seconds }) =>
          `accepts the connection, but no answer to the TLS request within ${seconds} s`,
        remedy: `the server hangs, or something else listens there: check its log and its load, and ${tls.en}`,
      },
      {
        cause: ({ seconds }) => `连接已建立，但 ${seconds} 秒内未应答 TLS 请求`,
        remedy: `服务可能已挂起，或该端口上是其他程序：查看其日志与负载，并检查 ${tls.zh}`,
      },
    ),
  };
}
