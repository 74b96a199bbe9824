/**
 * messages/: every sentence that an operator reads, in English and Chinese. A reason is a refusal, a failure or a warning: a stable
 * id, an exit code, typed parameters, a cause and a remedy. An event is a line of the log. Errors carry id and parameters; `formatMessage`
 * makes the words at the edge. `npm run docs` writes docs/reasons.md and the events of docs/output.md from both.
 *
 * This folder imports only exit.ts: an entry is data and pure functions of its parameters. Add one to the file of its area
 * (`archive.ts`, `postgres.ts`, …), and raise it with `new JobError(id, params)`, `problem(file, id, params)` or `log.warn`.
 */
import { EXIT, type ExitCode } from "../exit.ts";

export const LANGUAGES = ["en", "zh"] as const;
export type Language = (typeof LANGUAGES)[number];

/** A sentence, or what makes one from the parameters. */
export type Text<P> = string | ((params: P) => string);

/**
 * Cause and remedy. The cause has no full stop; for a file on the volume it continues the sentence that the file's name begins
 * ("FILE: is cut short"). The remedy is one sentence.
 */
export type Words<P> = readonly [cause: Text<P>, remedy: Text<P>];

export interface Reason<P> {
  /** null: a warning, which ends no run. */
  exit: ExitCode | null;
  en: Words<P>;
  zh: Words<P>;
}

/** One entry; the parameters are named explicitly: `reason<{ entry: string }>({ … })`. */
export function reason<P extends object = Record<never, never>>(entry: Reason<P>): Reason<P> {
  return entry;
}

const TRY_AGAIN: readonly ExitCode[] = [EXIT.unavailable, EXIT.fileRead, EXIT.tryAgain, EXIT.verification, EXIT.sigint, EXIT.sigterm];

/** Whether the same run, tried again later, may succeed. */
export function canTryAgain(exit: ExitCode): boolean {
  return TRY_AGAIN.includes(exit);
}

/** A text with its parameters filled in. */
export function fill<P>(text: Text<P>, params: P): string {
  return typeof text === "string" ? text : text(params);
}

/** One a line, each once: nobody reads a sentence with twenty parts. */
export function list(head: string, parts: readonly string[]): string {
  return [head, ...[...new Set(parts)].map((part) => `- ${part}`)].join("\n");
}

/** `1 row`, `2 rows`; `many` where an `s` is not enough. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** What to do about a file that is not what was written once: cut short, or with other bytes in it. */
export const COPY_AGAIN = {
  en: "copy the file again and compare its SHA-256 with the original's",
  zh: "重新复制该文件，并与原文件核对 SHA-256",
};

/** For what no copying can mend. */
export const REBUILD = {
  en: "rebuild the archive from a clean fusion-collectors folder",
  zh: "用干净的 fusion-collectors 目录重新打包",
};

export const RENAME = {
  en: "rename the file so that its name says each thing once, as in fusion-collectors-linux-amd64-1.2.3.zip",
  zh: "重命名该文件，使每项信息只出现一次，例如 fusion-collectors-linux-amd64-1.2.3.zip",
};

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
export function failure<P extends At>(service: "Postgres" | "NATS", exit: ExitCode, en: Words<P>, zh: Words<P>) {
  return reason<P>({
    exit,
    en: [(params) => `${service} at ${params.where}: ${fill(en[0], params)}${waitedEn(params)}`, en[1]],
    zh: [(params) => `${service}（${params.where}）：${fill(zh[0], params)}${waitedZh(params)}`, zh[1]],
  });
}

/** Makes the reasons that both services' connections have in common. `variables`: where the operator sets what. */
export function connectionReasons(
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
  const said = (exit: ExitCode, en: [string, string], zh: [string, string]) => failure<Said>(service, exit, [(p) => `${en[0]} ("${p.said}")`, en[1]], [(p) => `${zh[0]}（“${p.said}”）`, zh[1]]);
  return {
    dns: said(
      69,
      [
        "the host's name cannot be resolved",
        `check that the container or service of this name runs, the spelling in ${host}, and that this job is in the same network (Compose) or names the namespace (Kubernetes)`,
      ],
      ["主机名无法解析", `确认同名的容器或 Service 正在运行、${host} 拼写无误，且本任务与其处于同一网络（Compose）或已写明命名空间（Kubernetes）`],
    ),
    refused: said(69, ["connection refused", "check that the server runs and listens on this port"], ["连接被拒绝", "确认服务正在运行并监听该端口"]),
    vanished: failure<At & { seconds: number }>(
      service,
      69,
      [
        ({ seconds }) => `no answer to the connection request within ${seconds} s: the packets vanish`,
        `check the port and the address in ${host}, and the network policies, security groups and firewalls between this job and the server`,
      ],
      [({ seconds }) => `${seconds} 秒内连接请求无任何应答，数据包被丢弃`, `检查 ${host} 中的地址与端口，以及本任务与服务之间的网络策略、安全组和防火墙`],
    ),
    unreachable: said(69, ["no connection", `check the address and port in ${host}, and the route to it`], ["无法建立连接", `检查 ${host} 中的地址与端口以及到达该地址的路由`]),
    untrusted: said(77, ["its certificate is not trusted", `set ${ca} to the certificate of the CA that signed it`], ["服务端证书不受信任", `将 ${ca} 设为签发该证书的 CA 证书`]),
    expired: said(77, ["its certificate is not valid at this time", "renew the server's certificate, or set this machine's clock"], ["服务端证书不在有效期内", "更新服务端证书，或校准本机时钟"]),
    name: said(
      77,
      ["its certificate is for another name", `use a host name that is in the certificate${hostname}, or have the certificate issued for this one`],
      ["服务端证书的名称与主机不符", `改用证书中包含的主机名${hostname && "（或设置 NATS_TLS_HOSTNAME）"}，或为该主机重新签发证书`],
    ),
    rejected: said(
      77,
      ["the server turned down the TLS handshake", `if it asks for a client certificate, set ${certificate.join(" and ")}; otherwise compare the TLS versions of both sides`],
      ["服务端拒绝了 TLS 握手", `如需客户端证书，请设置 ${certificate.join(" 和 ")}；否则核对双方的 TLS 版本`],
    ),
    handshake: said(
      77,
      ["the TLS handshake failed", `check the certificate files (${ca}, ${certificate.join(" and ")}) and the TLS versions of both sides`],
      ["TLS 握手失败", `检查证书文件（${[ca, ...certificate].join("、")}）以及双方的 TLS 版本`],
    ),
    broken: said(69, ["the connection broke during the TLS handshake", "check the server's log, and what is in between"], ["TLS 握手期间连接中断", "查看服务端日志，并检查中间的网络设备"]),
    slow: failure<At & { seconds: number; whole: boolean }>(
      service,
      69,
      [
        ({ seconds, whole }) =>
          whole ? `it is slow: an answer takes up to ${seconds} s, and not everything is answered yet` : `it is slow: it began an answer and did not finish it within ${seconds} s`,
        ({ whole }) => `${whole ? "raise WAIT_TIMEOUT, and " : ""}check the load of the server's host and the network between this job and ${host}`,
      ],
      [
        ({ seconds, whole }) => (whole ? `响应缓慢：单次应答最长 ${seconds} 秒，检查尚未完成` : `响应缓慢：已开始应答，但 ${seconds} 秒内未完成`),
        ({ whole }) => `请${whole ? "调大 WAIT_TIMEOUT，并" : ""}检查服务端主机的负载以及本任务与 ${host} 之间的网络`,
      ],
    ),
    mute: failure<At & { seconds: number }>(
      service,
      69,
      [({ seconds }) => `accepts the connection, but no answer to the TLS request within ${seconds} s`, `the server hangs, or something else listens there: check its log and its load, and ${tls.en}`],
      [({ seconds }) => `连接已建立，但 ${seconds} 秒内未应答 TLS 请求`, `服务可能已挂起，或该端口上是其他程序：查看其日志与负载，并检查 ${tls.zh}`],
    ),
  };
}

/** What stands between a cause and its remedy, between a name and what is said of it, and between parts of a list. */
export const JOIN: Record<Language, { remedy: string; remedyLine: string; colon: string; comma: string; semicolon: string }> = {
  en: { remedy: ". What to do: ", remedyLine: "What to do: ", colon: ": ", comma: ", ", semicolon: "; " },
  zh: { remedy: "。处理办法：", remedyLine: "处理办法：", colon: "：", comma: "，", semicolon: "；" },
};

/** Actions of packages and rows, as people read them. The report has the key. */
const ACTION_WORDS: Record<Language, Record<string, string>> = {
  en: {},
  zh: {
    uploaded: "已上传",
    repaired: "已修复",
    replaced: "已替换",
    unchanged: "未变",
    kept: "已保留",
    failed: "失败",
    inserted: "已新增",
    updated: "已更新",
    found: "已识别",
  },
};

/** An action's word; English has the key itself. */
export function actionWord(action: string, language: Language): string {
  return ACTION_WORDS[language][action] ?? action;
}

/** Counts by action in words: `1 uploaded, 2 unchanged`. */
export function countWords(counts: Readonly<Record<string, number>>, language: Language): string {
  const words = Object.entries(counts).map(([action, count]) => (language === "zh" ? `${actionWord(action, language)} ${count}` : `${count} ${action}`));
  return words.join(JOIN[language].comma) || (language === "zh" ? "无" : "none");
}

/** Bytes for people. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
