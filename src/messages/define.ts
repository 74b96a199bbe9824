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

/**
 * A sentence, or a function that returns one from the parameters. `{name}` stands for a parameter:
 * `{bytes:size}` in the largest unit, `{count:file}` with its noun, `{names: and }` as a list with these
 * words between.
 */
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

type Slot<Inside> = Inside extends `${infer Name}:${infer Format}`
  ? Record<Name, Format extends `${" " | "," | "、" | ";" | "；"}${string}` ? readonly (string | number)[] : number>
  : Record<Exclude<Inside & string, "">, string | number>;

/** The parameters that a text asks for. */
export type Asked<T> = T extends readonly [infer Cause, infer Remedy]
  ? Asked<Cause> & Asked<Remedy>
  : T extends (params: infer P) => string
    ? P
    : T extends `${string}{${infer Inside}}${infer Rest}`
      ? Slot<Inside> & Asked<Rest>
      : Record<never, never>;

/** Returns the maker of entries that end a run with `exit`. Their texts say which parameters they have. */
export function ending(exit: ExitCode | null) {
  return <const En extends Words<never>, const Zh extends Words<never>>(en: En, zh: Zh) => ({ exit, en, zh }) as unknown as Reason<Asked<En> & Asked<Zh>>;
}

export const warning = ending(null);
export const usage = ending(EXIT.usage);
export const invalid = ending(EXIT.invalidPackage);
export const noInput = ending(EXIT.noInput);
export const unavailable = ending(EXIT.unavailable);
export const storeFull = ending(EXIT.storeFull);
export const unreadable = ending(EXIT.fileRead);
export const tryAgain = ending(EXIT.tryAgain);
export const unverified = ending(EXIT.verification);
export const denied = ending(EXIT.denied);
export const misconfigured = ending(EXIT.config);

/** Returns the maker of entries that have one remedy. */
export function withRemedy(make: ReturnType<typeof ending>, remedy: Record<Language, string>) {
  return <const En extends Text<never>, const Zh extends Text<never>>(en: En, zh: Zh) => make([en, remedy.en], [zh, remedy.zh]);
}

/** Returns the text with its parameters filled in. */
export function fill<P>(text: Text<P>, params: P): string {
  if (typeof text !== "string") return text(params);
  return text.replace(/\{(\w+)(?::([^}]+))?\}/g, (_, name, format = "") => {
    const value = (params as Record<string, unknown>)[name];
    if (format === "") return String(value);
    if (format === "size") return formatBytes(value as number);
    return /^[a-z]/.test(format) ? plural(value as number, format) : (value as readonly string[]).join(format);
  });
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

/** `1 row`, `2 rows`. */
export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}

/** Remedy for a file whose bytes are not the original's. */
export const COPY_AGAIN = { en: "copy the file again and compare its SHA-256 with the original's (sha256sum)", zh: "请重新复制该文件，并用 sha256sum 与原文件核对" };

/** A server's address and, once the waiting is over, how many seconds it took. */
interface At {
  where: string;
  waited?: number;
}
/** `whole`: the answers came, but not all of them in time. */
type Slow = { seconds: number; whole: boolean };

const waitedEn = ({ waited }: At) => (waited === undefined ? "" : ` (waited ${waited} s)`);
const waitedZh = ({ waited }: At) => (waited === undefined ? "" : `（已等待 ${waited} 秒）`);

/**
 * Returns the makers of the failed readiness probes of a service. `said`: the cause ends with the server's
 * own words.
 */
export function probeFailures(service: "Postgres" | "NATS") {
  const failed =
    (exit: ExitCode) =>
    <const En extends Words<never>, const Zh extends Words<never>>(en: En, zh: Zh) =>
      ending(exit)(
        [(params: At & Asked<En> & Asked<Zh>) => `${service} at ${params.where}: ${fill(en[0], params as never)}${waitedEn(params)}`, en[1]],
        [(params: At & Asked<En> & Asked<Zh>) => `${service}（${params.where}）：${fill(zh[0], params as never)}${waitedZh(params)}`, zh[1]],
      );
  const said =
    (exit: ExitCode) =>
    <const Cause extends string, const CauseZh extends string, const En extends Text<never>, const Zh extends Text<never>>(en: readonly [Cause, En], zh: readonly [CauseZh, Zh]) =>
      failed(exit)([`${en[0]} ("{said}")`, en[1]] as const, [`${zh[0]}（“{said}”）`, zh[1]] as const);
  return { failed, said };
}

/**
 * Returns the reasons that the connections of both services have in common. `settings` names the settings of
 * this service.
 */
export function connectionReasons(
  service: "Postgres" | "NATS",
  settings: { host: string; port: string; tls: Record<Language, string>; ca: string; certificate: readonly [string, string]; hostname?: string },
) {
  const { host, port, tls, ca, certificate, hostname } = settings;
  const endpoint = [...new Set([host, port])];
  const address = { en: endpoint.join(" and "), zh: endpoint.join(" 和 ") };
  const pair = { en: certificate.join(" and "), zh: certificate.join(" 和 ") };
  const { failed, said } = probeFailures(service);
  return {
    dns: said(69)(
      [
        "the host name cannot be resolved",
        `check that the container or service of this name runs, that ${host} is spelled correctly, and that this job is in the same network (Compose) or names the namespace (Kubernetes)`,
      ],
      ["主机名无法解析", `请确认同名的容器或 Service 正在运行、${host} 拼写无误，且本任务与其处于同一网络（Compose）或已写明命名空间（Kubernetes）`],
    ),
    refused: said(69)(["connection refused", `check that the server runs and listens on the port in ${port}`], ["连接被拒绝", `请确认服务端正在运行，并监听 ${port} 中的端口`]),
    vanished: failed(69)(
      [
        "connection timed out after {seconds} s: packets are being dropped",
        `check the address and port in ${address.en}, and the network policies, security groups and firewalls between this job and the server`,
      ],
      ["连接在 {seconds} 秒后超时：数据包被丢弃", `请检查 ${address.zh} 中的地址与端口，以及本任务与服务端之间的网络策略、安全组和防火墙`],
    ),
    unreachable: said(69)(["no connection", `check the address and port in ${address.en}, and the route to it`], ["无法建立连接", `请检查 ${address.zh} 中的地址与端口，以及到达该地址的路由`]),
    untrusted: said(77)(["the server's certificate is not trusted", `set ${ca} to the certificate of the CA that signed it`], ["服务端证书不受信任", `请将 ${ca} 设为签发该证书的 CA 证书`]),
    expired: said(77)(
      ["the server's certificate is expired or not valid yet", "renew the server's certificate, or correct this machine's clock"],
      ["服务端证书不在有效期内", "请更新服务端证书，或校准本机时钟"],
    ),
    name: said(77)(
      ["the server's certificate is for another name", `use a host name that is in the certificate${hostname ? `, set ${hostname} to one,` : ""} or issue a certificate for this name`],
      ["服务端证书的名称与主机不符", `请改用证书中包含的主机名${hostname ? `（或将 ${hostname} 设为该主机名）` : ""}，或为该主机重新签发证书`],
    ),
    rejected: said(77)(
      ["the server rejected the TLS handshake", `set ${pair.en} if the server asks for a client certificate; otherwise compare the TLS versions of both sides`],
      ["服务端拒绝了 TLS 握手", `请在服务端要求客户端证书时设置 ${pair.zh}；否则请核对双方的 TLS 版本`],
    ),
    handshake: said(77)(
      ["the TLS handshake failed", `check the certificate files (${ca}, ${pair.en}) and the TLS versions of both sides`],
      ["TLS 握手失败", `请检查证书文件（${[ca, ...certificate].join("、")}）以及双方的 TLS 版本`],
    ),
    broken: said(69)(
      ["the connection broke during the TLS handshake", "check the server's log, and the proxies and firewalls between this job and the server"],
      ["TLS 握手期间连接中断", "请查看服务端日志，并检查本任务与服务端之间的代理和防火墙"],
    ),
    slow: failed(69)(
      [
        ({ seconds, whole }: Slow) =>
          whole ? `the server is slow: an answer takes up to ${seconds} s, and some are still missing` : `the server is slow: it began an answer and did not finish it within ${seconds} s`,
        ({ whole }: Slow) => `${whole ? "raise WAIT_TIMEOUT, and " : ""}check the load of the server's host and the network between this job and ${host}`,
      ],
      [
        ({ seconds, whole }: Slow) => (whole ? `服务端响应缓慢：单次应答最长 ${seconds} 秒，检查尚未完成` : `服务端响应缓慢：已开始应答，但 ${seconds} 秒内未完成`),
        ({ whole }: Slow) => `请${whole ? "调大 WAIT_TIMEOUT，并" : ""}检查服务端主机的负载，以及本任务与 ${host} 之间的网络`,
      ],
    ),
    mute: failed(69)(
      ["the connection is open, but the TLS request got no answer within {seconds} s", `check the server's log and load, ${tls.en}, and whether another program listens on this port`],
      ["连接已建立，但 {seconds} 秒内未应答 TLS 请求", `请查看服务端日志与负载，检查 ${tls.zh}，并确认该端口上不是其他程序`],
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
const ACTIONS: Record<string, string> = {
  uploaded: "已上传",
  repaired: "已修复",
  replaced: "已替换",
  unchanged: "未变",
  kept: "已保留",
  failed: "失败",
  inserted: "已新增",
  updated: "已更新",
  found: "已识别",
};

/** Returns an action's word. */
export function actionWord(action: string, language: Language): string {
  return language === "zh" ? (ACTIONS[action] ?? action) : action;
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

/** Returns `linux/x86_64`; "" for what is for any platform. */
export function platformOf({ os, arch }: { os: string | null; arch: string | null }): string {
  return [os, arch].filter((part) => part !== null).join("/");
}

/** Returns bytes in the largest unit that fits: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
