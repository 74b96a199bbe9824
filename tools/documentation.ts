import { EVENTS } from "../src/output/events/catalog.ts";
import { CATALOG, type ReasonId } from "../src/reasons/catalog.ts";
import type { Language, Reason } from "../src/reasons/define.ts";
import { sayWithPlaceholders } from "./placeholders.ts";
import { FAMILIES, prefixOf } from "./reason-families.ts";

const WORDS = {
  en: {
    title: "Reasons",
    other: "*[中文](zh-CN/reasons.md)*",
    about: `Every refusal, failure and warning of the job has an id that never changes: \`reason\` in the log and in the report ([output](output.md)). What is
said of it is here, in the words of the log; names in braces stand for what the log fills in, \`{said}\` for the words of a server or of the
system. Of a file, the sentence begins with its name.

A warning ends no run and has no exit code. "Again?" says whether the same run, tried again later, may succeed by itself.

This page is made of the catalog in the source: \`npm run docs\`.`,
    heads: ["reason", "exit", "again?", "cause", "what to do"],
    warning: "warning",
    again: ["no", "yes"],
    events: ["event", "says"],
  },
  zh: {
    title: "原因标识",
    other: "*[English](../reasons.md)*",
    about: `每种拒绝、失败和告警都有一个固定不变的标识，即日志和报告中的 \`reason\`（见[输出](output.md)）。下表列出日志中的原因说明和处理办法：花括号中的名称由日志填入实际值，
\`{said}\` 是服务端或系统的原话。涉及文件时，句首是文件名。

告警不会终止运行，也没有退出码。“可重试”指同一任务稍后原样重新运行是否可能成功。

本页由源码中的目录生成：\`npm run docs\`。`,
    heads: ["标识", "退出码", "可重试", "原因", "处理办法"],
    warning: "告警",
    again: ["否", "是"],
    events: ["事件", "含义"],
  },
} as const satisfies Record<Language, unknown>;

const IDS = Object.keys(CATALOG) as ReasonId[];

/** docs/reasons.md. */
export function reasonsPage(language: Language): string {
  const { title, other, about } = WORDS[language];
  const sections = FAMILIES.map(({ title, prefixes }) => {
    const ids = IDS.filter((id) => prefixes.includes(prefixOf(id)));
    return `## ${title[language]}\n\n${table(
      WORDS[language].heads,
      ids.map((id) => reasonCells(id, language)),
    )}`;
  });
  return `${[`# ${title}`, other, about, ...sections].join("\n\n")}\n`;
}

function reasonCells(id: ReasonId, language: Language): string[] {
  const { warning, again } = WORDS[language];
  const entry = CATALOG[id] as Reason<never>;
  const { message, hint } = sayWithPlaceholders(id, language);
  const isWarning = entry.exit === null;
  return [
    `\`${id}\``,
    isWarning ? warning : String(entry.exit),
    isWarning ? "" : (again[Number(entry.again)] as string),
    plain(message),
    plain(hint),
  ];
}

/** The table of events in docs/output.md. */
export function eventsTable(language: Language): string {
  const rows = Object.entries(EVENTS).map(([name, { about }]) => [`\`${name}\``, plain(about[language])]);
  return table(WORDS[language].events, rows);
}

/** Text in which nothing means more to Markdown than it says. */
function plain(text: string): string {
  return text.replace(/[\\|*<`]/g, "\\$&");
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |");
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A page with the table behind `<!-- table: name -->` replaced by `lines`. */
export function withTable(page: string, name: string, lines: string): string {
  const mark = `<!-- table: ${name} -->\n`;
  const at = page.indexOf(mark);
  if (at === -1) throw new Error(`no table "${name}"`);
  const begin = at + mark.length;
  const length = /^(\|.*\n)*/.exec(page.slice(begin))?.[0].length ?? 0;
  return `${page.slice(0, begin)}${lines}\n${page.slice(begin + length)}`;
}
