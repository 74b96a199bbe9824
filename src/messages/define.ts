/**
 * messages/: every sentence that an operator reads, in English and Chinese. A reason is a refusal, a failure
 * or a warning: a stable id, an exit code, typed parameters, a cause and a remedy. An event is a line of the
 * log. Errors carry id and parameters; `formatMessage` returns the words where they are printed. `npm run
 * docs` writes docs/reasons.md and the events of docs/output.md from both.
 *
 * This folder imports only exit.ts: an entry is data and pure functions of its parameters. Add one to the
 * file of its area (`archive.ts`, `postgres.ts`, …), and raise it with `new JobError(id, params)`,
 * `problem(file, id, params)` or `log.warn`.
 *
 * A remedy is an imperative that can be pasted. FILE in it becomes the file's path, STEM the path without an
 * archive's ending, both as a shell accepts them; the commands run in the volume's folder.
 */
import { EXIT, type ExitCode } from "../exit.ts";

export const LANGUAGES = ["en", "zh"] as const;
export type Language = (typeof LANGUAGES)[number];

/** A sentence, or a function that returns one from the parameters. */
export type Text<P> = string | ((params: P) => string);

/**
 * Cause and remedy. The cause has no full stop; if it is about a file on the volume, it continues the
 * sentence that begins with the file's name ("FILE: is cut short"). The remedy begins with a verb.
 */
export type Words<P> = readonly [cause: Text<P>, remedy: Text<P>];

export interface Reason<P> {
  /** null: a warning, which ends no run. */
  exit: ExitCode | null;
  en: Words<P>;
  zh: Words<P>;
}

/** Parameters of an entry whose text is fixed. */
type None = Record<never, never>;

/** Returns the entry; its parameters are named explicitly: `reason<{ entry: string }>({ … })`. */
export function reason<P extends object = None>(entry: Reason<P>): Reason<P> {
  return entry;
}

/** A file on the volume that cannot be used: exit 65. */
export function invalid<P extends object = None>(en: Words<P>, zh: Words<P>): Reason<P> {
  return { exit: EXIT.invalidPackage, en, zh };
}

/** Something that a person should know and that ends no run. */
export function warning<P extends object = None>(en: Words<P>, zh: Words<P>): Reason<P> {
  return { exit: null, en, zh };
}

const TRY_AGAIN: readonly ExitCode[] = [EXIT.unavailable, EXIT.fileRead, EXIT.tryAgain, EXIT.verification, EXIT.sigint, EXIT.sigterm];

/** Whether the same run, tried again later, may succeed. */
export function canTryAgain(exit: ExitCode): boolean {
  return TRY_AGAIN.includes(exit);
}

/** Returns the text with its parameters filled in. */
export function fill<P>(text: Text<P>, params: P): string {
  return typeof text === "string" ? text : text(params);
}

/** Returns a remedy with the file's path in place of FILE and STEM. */
export function fillFile(remedy: string, file: string): string {
  return remedy.replace(/\b(?:FILE|STEM)\b/g, (word) => quoteForShell(word === "FILE" ? file : file.replace(/\.(?:zip|tar\.gz|tgz|gz|tar)$/i, "")));
}

/** Returns a path as a shell accepts it. */
export function quoteForShell(path: string): string {
  const safe = path.startsWith("-") ? `./${path}` : path;
  return /^[\w./+-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}

/** Returns a head line and one line for each distinct part. */
export function list(head: string, parts: readonly string[]): string {
  return [head, ...[...new Set(parts)].map((part) => `- ${part}`)].join("\n");
}

/** `1 row`, `2 rows`; `many` is the plural if an `s` is not enough. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Remedy for a file whose bytes are not the original's. */
export const COPY_AGAIN = { en: "copy the file again and compare its SHA-256 with the original's (sha256sum)", zh: "请重新复制该文件，并用 sha256sum 与原文件核对" };

/** Remedy for an archive that was damaged when it was built. */
export const REBUILD = { en: "rebuild the archive from a clean fusion-collectors folder, with zip -r or tar -czf", zh: "请用干净的 fusion-collectors 目录重新打包（zip -r 或 tar -czf）" };

/** Remedy for a server's answer that was saved as the file. */
export const DOWNLOAD_AGAIN = {
  en: "open the file to read why the download failed, then download it again from the right address: curl -fLO URL",
  zh: "请打开该文件查看下载失败的原因，再从正确的地址重新下载：curl -fLO URL",
};

/** A server's address and, once the waiting is over, how many seconds it took. */
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

/** Returns the entry of a failed readiness probe: `cause` goes on after "Postgres at HOST: ". */
export function failure<P extends At>(service: "Postgres" | "NATS", exit: ExitCode, en: Words<P>, zh: Words<P>) {
  return reason<P>({
    exit,
    en: [(params) => `${service} at ${params.where}: ${fill(en[0], params)}${waitedEn(params)}`, en[1]],
    zh: [(params) => `${service}（${params.where}）：${fill(zh[0], params)}${waitedZh(params)}`, zh[1]],
  });
}

/** A failure whose cause ends with the server's own words. */
export function saidFailure<P extends Said = Said>(service: "Postgres" | "NATS", exit: ExitCode, en: Words<P>, zh: Words<P>) {
  return failure<P>(service, exit, [(p) => `${fill(en[0], p)} ("${p.said}")`, en[1]], [(p) => `${fill(zh[0], p)}（“${p.said}”）`, zh[1]]);
}

/**
 * Returns the reasons that the connections of both services have in common. `settings` names the settings of
 * this service.
 */
export function connectionReasons(service: "Postgres" | "NATS", settings: { host: string; tls: Record<Language, string>; ca: string; certificate: readonly [string, string]; hostname?: string }) {
  const { host, tls, ca, certificate, hostname } = settings;
  const pair = { en: certificate.join(" and "), zh: certificate.join(" 和 ") };
  const said = (exit: ExitCode, en: Words<Said>, zh: Words<Said>) => saidFailure(service, exit, en, zh);
  return {
    dns: said(
      69,
      [
        "the host name cannot be resolved",
        `check that the container or service of this name runs, that ${host} is spelled correctly, and that this job is in the same network (Compose) or names the namespace (Kubernetes)`,
      ],
      ["主机名无法解析", `请确认同名的容器或 Service 正在运行、${host} 拼写无误，且本任务与其处于同一网络（Compose）或已写明命名空间（Kubernetes）`],
    ),
    refused: said(69, ["connection refused", `check that the server runs and listens on the port in ${host}`], ["连接被拒绝", `请确认服务端正在运行，并监听 ${host} 中的端口`]),
    vanished: failure<At & { seconds: number }>(
      service,
      69,
      [
        ({ seconds }) => `connection timed out after ${seconds} s: packets are being dropped`,
        `check the address and port in ${host}, and the network policies, security groups and firewalls between this job and the server`,
      ],
      [({ seconds }) => `连接在 ${seconds} 秒后超时：数据包被丢弃`, `请检查 ${host} 中的地址与端口，以及本任务与服务端之间的网络策略、安全组和防火墙`],
    ),
    unreachable: said(69, ["no connection", `check the address and port in ${host}, and the route to it`], ["无法建立连接", `请检查 ${host} 中的地址与端口，以及到达该地址的路由`]),
    untrusted: said(77, ["the server's certificate is not trusted", `set ${ca} to the certificate of the CA that signed it`], ["服务端证书不受信任", `请将 ${ca} 设为签发该证书的 CA 证书`]),
    expired: said(
      77,
      ["the server's certificate is expired or not valid yet", "renew the server's certificate, or correct this machine's clock"],
      ["服务端证书不在有效期内", "请更新服务端证书，或校准本机时钟"],
    ),
    name: said(
      77,
      ["the server's certificate is for another name", `use a host name that is in the certificate${hostname ? `, set ${hostname} to one,` : ""} or issue a certificate for this name`],
      ["服务端证书的名称与主机不符", `请改用证书中包含的主机名${hostname ? `（或将 ${hostname} 设为该主机名）` : ""}，或为该主机重新签发证书`],
    ),
    rejected: said(
      77,
      ["the server rejected the TLS handshake", `set ${pair.en} if the server asks for a client certificate; otherwise compare the TLS versions of both sides`],
      ["服务端拒绝了 TLS 握手", `请在服务端要求客户端证书时设置 ${pair.zh}；否则请核对双方的 TLS 版本`],
    ),
    handshake: said(
      77,
      ["the TLS handshake failed", `check the certificate files (${ca}, ${pair.en}) and the TLS versions of both sides`],
      ["TLS 握手失败", `请检查证书文件（${[ca, ...certificate].join("、")}）以及双方的 TLS 版本`],
    ),
    broken: said(
      69,
      ["the connection broke during the TLS handshake", "check the server's log, and the proxies and firewalls between this job and the server"],
      ["TLS 握手期间连接中断", "请查看服务端日志，并检查本任务与服务端之间的代理和防火墙"],
    ),
    slow: failure<At & { seconds: number; whole: boolean }>(
      service,
      69,
      [
        ({ seconds, whole }) =>
          whole ? `the server is slow: an answer takes up to ${seconds} s, and some are still missing` : `the server is slow: it began an answer and did not finish it within ${seconds} s`,
        ({ whole }) => `${whole ? "raise WAIT_TIMEOUT, and " : ""}check the load of the server's host and the network between this job and ${host}`,
      ],
      [
        ({ seconds, whole }) => (whole ? `服务端响应缓慢：单次应答最长 ${seconds} 秒，检查尚未完成` : `服务端响应缓慢：已开始应答，但 ${seconds} 秒内未完成`),
        ({ whole }) => `请${whole ? "调大 WAIT_TIMEOUT，并" : ""}检查服务端主机的负载，以及本任务与 ${host} 之间的网络`,
      ],
    ),
    mute: failure<At & { seconds: number }>(
      service,
      69,
      [
        ({ seconds }) => `the connection is open, but the TLS request got no answer within ${seconds} s`,
        `check the server's log and load, ${tls.en}, and whether another program listens on this port`,
      ],
      [({ seconds }) => `连接已建立，但 ${seconds} 秒内未应答 TLS 请求`, `请查看服务端日志与负载，检查 ${tls.zh}，并确认该端口上不是其他程序`],
    ),
  };
}

/**
 * What stands between a cause and its remedy, between a name and its sentence, and between the parts of a
 * list.
 */
export const JOIN: Record<Language, { remedy: string; remedyLine: string; colon: string; comma: string; semicolon: string }> = {
  en: { remedy: ". What to do: ", remedyLine: "What to do: ", colon: ": ", comma: ", ", semicolon: "; " },
  zh: { remedy: "。处理办法：", remedyLine: "处理办法：", colon: "：", comma: "，", semicolon: "；" },
};

/** Actions of packages and rows in Chinese. English and the report have the key itself. */
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

/** Returns an action's word. */
export function actionWord(action: string, language: Language): string {
  return ACTION_WORDS[language][action] ?? action;
}

/** Returns counts by action: `1 uploaded, 2 unchanged`. */
export function countWords(counts: Readonly<Record<string, number>>, language: Language): string {
  const words = Object.entries(counts).map(([action, count]) => (language === "zh" ? `${actionWord(action, language)} ${count}` : `${count} ${action}`));
  return words.join(JOIN[language].comma) || (language === "zh" ? "无" : "none");
}

/** Words that begin a cause without a subject. */
const PREDICATE = /^(?:is|has|was|would be|contains|names|needs|packs|unpacks|changed|cannot|could not|does not)\b/;

/** Returns a message about a file: `a.zip is empty`, but `a.zip: the bucket is full`. */
export function aboutFile(file: string, message: string, language: Language): string {
  return language === "en" && PREDICATE.test(message) ? `${file} ${message}` : `${file}${JOIN[language].colon}${message}`;
}

/** Returns bytes in the largest unit that fits: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
