import type { Language } from "../../reasons/define.ts";
import { countWords } from "../tables.ts";
import { event, reasonEvent } from "./define.ts";

type Counts = Record<string, number>;

interface Done {
  command: string;
  packages: Counts;
  rows: Counts;
  orphans: { objects: number; bytes: number };
  durationMs: number;
}

/** `packages: 1 uploaded, 2 unchanged; rows: none`. */
function counts({ packages, rows }: Done, language: Language): string {
  return language === "zh"
    ? `安装包：${countWords(packages, language)}；记录：${countWords(rows, language)}`
    : `packages: ${countWords(packages, language)}; rows: ${countWords(rows, language)}`;
}

/** What there is to count: nothing after waiting, and no rows after reading the volume alone. */
function succeeded(done: Done, language: Language): string {
  const { command, packages } = done;
  const zh = language === "zh";
  const begin = zh ? `${command} 成功` : `${command} succeeded`;
  if (command === "wait" || command === "gate") return begin;
  const stop = zh ? "。" : "; ";
  const scanned = zh
    ? `安装包：${countWords(packages, language)}`
    : `packages: ${countWords(packages, language)}`;
  return `${begin}${stop}${command === "scan" ? scanned : counts(done, language)}`;
}

export const run = {
  "run.started": event<{
    command: string;
    version: string;
    bucket: string | null;
    packagesDir: string;
  }>({
    about: { en: "the run begins: command, version, bucket", zh: "运行开始：命令、版本、存储桶" },
    en: ({ command, version }) => `bklite-package-init ${version}: ${command}`,
    zh: ({ command, version }) => `bklite-package-init ${version}：${command}`,
  }),
  "run.done": event<Done>({
    about: {
      en: "it succeeded: counts of packages and rows, orphans, duration",
      zh: "运行成功：安装包与记录的计数、孤立分块、耗时",
    },
    en: (done) =>
      done.command === "plan"
        ? `plan wrote nothing; init would come to this: ${counts(done, "en")}`
        : succeeded(done, "en"),
    zh: (done) =>
      done.command === "plan"
        ? `plan 未写入任何内容；执行 init 的结果将是：${counts(done, "zh").replaceAll("已", "")}`
        : succeeded(done, "zh"),
  }),
  "run.failed": reasonEvent(
    {
      en: "it failed: exit code, reason, layer, hint; always the last line",
      zh: "运行失败：退出码、原因标识、层、处理办法；总是最后一行",
    },
    {
      en: ({ command, code }) => `${command} failed (exit ${code}): `,
      zh: ({ command, code }) => `${command} 失败（退出码 ${code}）：`,
    },
  ),
  "run.stopping": reasonEvent(
    { en: "a signal or RUN_TIMEOUT stops the run", zh: "收到信号或超过 RUN_TIMEOUT，正在停止" },
    { en: () => "stopping: ", zh: () => "正在停止：" },
  ),
  "report.failed": reasonEvent({
    en: "the report could not be written to REPORT_FILE; the run goes on as it would",
    zh: "报告无法写入 REPORT_FILE；不影响运行结果",
  }),
  "run.retry": reasonEvent({
    en: "a connection was lost, somebody else wrote in between, or the table was migrated: a clean start",
    zh: "连接中断、期间有他人写入或表被迁移：从头开始一次",
  }),
};
