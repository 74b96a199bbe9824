/**
 * npm run docs
 * Writes the parts of docs/ that come from the code: the pages of reasons, and the table of events in the
 * pages on output. A test checks that the pages are up to date.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT, type ExitCode } from "../src/exit.ts";
import { CATALOG } from "../src/messages/catalog.ts";
import { fill, type Language, type Reason } from "../src/messages/define.ts";
import { EVENTS } from "../src/messages/events.ts";

const root = join(import.meta.dirname, "..");

/** What the parts of a reason's id stand for; reasons are listed in this order. */
const FAMILIES: [title: Record<Language, string>, prefixes: string[]][] = [
  [{ en: "Command line", zh: "命令行" }, ["usage"]],
  [{ en: "Configuration", zh: "配置" }, ["config", "report", "output"]],
  [
    { en: "The volume and its files", zh: "卷与文件" },
    ["volume", "file", "manifest", "checksum", "signature"],
  ],
  [
    { en: "Names and packages", zh: "名称与探针包" },
    ["name", "version", "package", "collector", "definitions", "installer", "program", "probe"],
  ],
  [{ en: "Archives", zh: "压缩包" }, ["archive", "zip", "gzip", "tar", "repack"]],
  [{ en: "Postgres", zh: "Postgres" }, ["postgres", "table", "row"]],
  [{ en: "NATS", zh: "NATS" }, ["nats", "store", "cleanup", "orphans", "staging"]],
  [{ en: "Both servers", zh: "两个服务端" }, ["wait"]],
  [
    { en: "Content that differs, and what is missing", zh: "内容不一致与缺失" },
    ["conflict", "content", "drift", "object", "verification"],
  ],
  [{ en: "What can be installed", zh: "可安装的内容" }, ["platform", "gate"]],
  [{ en: "Cloud regions", zh: "云区域" }, ["region"]],
  [{ en: "The run", zh: "运行" }, ["lock", "run", "prune", "internal"]],
];

const REGION = { id: "{id}", name: "{name}", bucket: "{bucket}" };

/** Parameters that a text takes apart, so that a hole would not do. */
const EXAMPLES: Record<string, object> = {
  "archive.device": { entry: "{entry}", kind: "device" },
  "archive.kind.wrong": { found: "tar.gz" },
  "archive.limit.packed": { bytes: 5 * 1024 ** 3, limit: 4 * 1024 ** 3 },
  "archive.limit.unpacked": { bytes: 9 * 1024 ** 3, limit: 8 * 1024 ** 3 },
  "config.several": {
    problems: ["DB_HOST", "NATS_SERVERS"].map((name) => ({ reason: "config.missing", params: { name } })),
  },
  "config.stray": { name: "{name}", what: "carriage-return" },
  "config.keys.line": { path: "{path}", line: "{line}", fault: "option", word: "cert-authority" },
  "gate.closed": { missing: ["{missing}"], seconds: "{seconds}", hint: "init" },
  "installer.kind": { found: "{found}" },
  "manifest.schema": { pointer: "{pointer}", rule: "unknown", detail: "{detail}", near: "{near}" },
  "name.ambiguous": { what: "version", values: ["1.2.3", "2.0.0"] },
  "orphans.found": { objects: "{objects}", bytes: 512 * 1024 ** 2, atLeast: false },
  "package.field.long": { field: "name", length: 120, limit: 100 },
  "package.program": {
    os: "{os}",
    arch: "{arch}",
    entry: "{entry}",
    found: "linux arm64",
    source: "archive",
  },
  "prune.kept": { rows: ["linux/x86_64 Telegraf 1.0.0 (7, admin)"], version: "1.0.0", why: "volume" },
  "postgres.catalog": { purpose: "table", version: "{version}", said: "{said}" },
  "platform.incomplete": { incomplete: [{ platform: "linux/arm64", missing: ["installer"] }] },
  "region.incomplete": { ...REGION, missing: ["{key}"], damaged: [] },
  "region.dead": { ...REGION, bytes: 64 * 1024 ** 2, nuids: ["NUID"] },
  "region.required": {
    regions: [{ ...REGION, reachable: true, lag: 3, missing: [], damaged: [], deadBytes: 0 }],
  },
  "repack.too-large": { files: 120_000, bytes: 9 * 1024 ** 3 },
  "signature.invalid": { why: "changed" },
  "signature.key": { why: "stranger", fingerprint: "{fingerprint}" },
  "signature.missing": { list: "{list}" },
  "store.full": { bucket: "{bucket}", said: "maximum bytes exceeded (10077)" },
  "store.full.account": { bucket: "{bucket}", ...capacity() },
  "store.full.bucket": { bucket: "{bucket}", ...capacity() },
  "repack.never": { reasons: ["repack.tar-gz", "repack.links"] },
  "table.unknown": { table: "{table}", names: ["{column}"], types: "{column} {type}" },
  "store.unlisted": { bucket: "{bucket}", count: 1, bytes: 64 * 1024 ** 2, keys: ["{key}"] },
  "store.denied": { action: "publish to", subject: "{subject}" },
  "wait.both": halves("postgres.tcp.refused", "nats.dns"),
  "wait.both.config": halves("postgres.tcp.refused", "nats.tls.first"),
  "wait.both.denied": halves("postgres.login.refused", "nats.login.refused"),
  "wait.both.full": halves("postgres.tcp.refused", "nats.bucket.streams"),
};

/** Bytes of a limit that is too low. */
function capacity(): object {
  return { limit: 10 * 1024 ** 3, used: 9.5 * 1024 ** 3, needed: 1024 ** 3 };
}

/** Parameters of a failure of both servers. */
function halves(postgres: string, nats: string): object {
  const params = { where: "{where}", said: "{said}", bucket: "{bucket}" };
  return { postgres: { reason: postgres, params }, nats: { reason: nats, params } };
}

/** Stands for a parameter of whatever type, and reads `{name}`. */
function hole(name: string): unknown {
  const text = `{${name}}`;
  const words = new Set<string | symbol>(["toString", "toLocaleString", "join", "toFixed", "trim"]);
  const no = new Set<string | symbol>(["startsWith", "endsWith", "includes", "some", "every"]);
  return new Proxy(() => {}, {
    get(_, key) {
      if (key === Symbol.toPrimitive || words.has(key)) return () => text;
      if (key === "en" || key === "zh") return text;
      if (key === "length") return 2;
      if (no.has(key)) return () => false;
      if (key === Symbol.iterator)
        return function* () {
          yield text;
        };
      return typeof key === "string" && /^\d+$/.test(key) ? text : () => hole(name);
    },
  });
}

const { unavailable, fileRead, tryAgain, verification, sigint, sigterm } = EXIT;
const TRY_AGAIN: readonly ExitCode[] = [unavailable, fileRead, tryAgain, verification, sigint, sigterm];

/** Whether the same run, tried again later, may succeed. */
export function canTryAgain(exit: ExitCode): boolean {
  return TRY_AGAIN.includes(exit);
}

const WORDS = {
  en: {
    title: "Reasons",
    other: "[中文](zh-CN/reasons.md)",
    intro: [
      "Every refusal, failure and warning has an id that does not change: `reason` in the log and in the report's errors and warnings. Its words are those below,",
      "in the language of LOG_LANG; `{name}` stands for what the run fills in. *Again* says whether the same run, tried later, may succeed; an exit of “–” is a",
      "warning, which ends no run. Words of servers and of the system come as they are, in quotes.",
      "",
      "A cause that begins without a subject continues the file's name: “fusion-collectors.zip is empty”. In a remedy `FILE` stands for the file's path, and `STEM` for the path",
      "without an archive's ending; the log has the path itself, and the commands run in the volume's folder.",
    ],
    heads: ["reason", "exit", "again", "cause", "what to do"],
    again: ["yes", "no"],
    events: ["event", "says"],
    made: "Generated by `npm run docs`; do not edit.",
  },
  zh: {
    title: "原因一览",
    other: "[English](../reasons.md)",
    intro: [
      "每一种拒绝、失败和告警都有固定不变的标识：日志中的 `reason`，以及报告里错误和告警的 `reason`。文字如下表，语言由 LOG_LANG 决定；`{name}` 为运行时填入的内容。",
      "“可重试”表示原样再运行一次是否可能成功；退出码为“–”的是告警，不会使任务失败。服务端和操作系统的原话照原样放在引号中。",
      "",
      "没有主语的原因接在文件名之后：“fusion-collectors.zip：为空”。处理办法中的 `FILE` 代表该文件的路径，`STEM` 代表去掉扩展名的路径；日志中为实际路径，命令在探针包目录中执行。",
    ],
    heads: ["原因", "退出码", "可重试", "含义", "处理办法"],
    again: ["是", "否"],
    events: ["事件", "含义"],
    made: "由 `npm run docs` 根据代码生成，请勿手工修改。",
  },
} as const;

/** A row of a Markdown table: angle brackets would be taken for HTML, asterisks for emphasis. */
function row(...cells: string[]): string {
  const safe = cells.map((cell) =>
    cell
      .replaceAll("|", "\\|")
      .replaceAll("<", "&lt;")
      .replaceAll("*", "\\*")
      .replaceAll("\n- ", "<br>")
      .replace(/\s+/g, " "),
  );
  return `| ${safe.join(" | ")} |`;
}

function head(cells: readonly string[]): string {
  return [row(...cells), row(...cells.map(() => "---"))].join("\n");
}

function reasonRow(id: string, language: Language): string {
  const { exit, ...words } = (CATALOG as unknown as Record<string, Reason<unknown>>)[id] as Reason<unknown>;
  // Of servers, "(waited 12 s)" would be in every line.
  const server = /^(postgres|nats)\./.test(id);
  const params =
    EXAMPLES[id] ??
    new Proxy({}, { get: (_, name) => (server && name === "waited" ? undefined : hole(String(name))) });
  const [cause, remedy] = words[language];
  const [yes, no] = WORDS[language].again;
  return row(
    `\`${id}\``,
    exit === null ? "–" : String(exit),
    exit === null ? "" : canTryAgain(exit) ? yes : no,
    fill(cause, params),
    fill(remedy, params),
  );
}

/** docs/reasons.md, or the Chinese page. */
export function reasonsPage(language: Language): string {
  const words = WORDS[language];
  const ids = Object.keys(CATALOG).sort();
  const sections = FAMILIES.map(([title, prefixes]) => {
    const own = ids.filter((id) => prefixes.includes(id.split(".")[0] ?? ""));
    const rows = prefixes.flatMap((prefix) => own.filter((id) => id.split(".")[0] === prefix));
    return `## ${title[language]}\n\n${head(words.heads)}\n${rows.map((id) => reasonRow(id, language)).join("\n")}\n`;
  });
  return [
    `# ${words.title}`,
    "",
    `*${words.other}. ${words.made}*`,
    "",
    ...words.intro,
    "",
    ...sections,
  ].join("\n");
}

/** The table of events, as the page on output has it. */
export function eventsTable(language: Language): string {
  const rows = Object.entries(EVENTS).map(([name, { about }]) => row(`\`${name}\``, about[language]));
  return `${head(WORDS[language].events)}\n${rows.join("\n")}\n`;
}

/** A page with the table behind `<!-- table: events -->` made anew. */
export function withEvents(page: string, language: Language): string {
  return page.replace(
    /(<!-- table: events -->\n)(?:\|.*\n)*/,
    (_, mark: string) => `${mark}${eventsTable(language)}`,
  );
}

/** Ids that no family lists. */
export function homeless(): string[] {
  const known = new Set(FAMILIES.flatMap(([, prefixes]) => prefixes));
  return Object.keys(CATALOG).filter((id) => !known.has(id.split(".")[0] ?? ""));
}

export const PAGES = [
  ["docs/reasons.md", "en"],
  ["docs/zh-CN/reasons.md", "zh"],
] as const;
export const OUTPUT_PAGES = [
  ["docs/output.md", "en"],
  ["docs/zh-CN/output.md", "zh"],
] as const;

if (import.meta.main) {
  for (const [path, language] of PAGES) writeFileSync(join(root, path), reasonsPage(language));
  for (const [path, language] of OUTPUT_PAGES) {
    const page = readFileSync(join(root, path), "utf8");
    writeFileSync(join(root, path), withEvents(page, language));
  }
}
