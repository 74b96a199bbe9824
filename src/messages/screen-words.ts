import { countWords, formatBytes, type Language, plural } from "./define.ts";
import { duration, pruneWords, type RemovedCounts, removedWords, type Snapshot } from "./events.ts";

/**
 * The name of a difference between servers and volume in a list; its reason in the catalog has the details.
 */
const DIFFERENCES = {
  "drift.object.missing": { en: "not stored", zh: "未存储" },
  "drift.object.damaged": { en: "damaged", zh: "已损坏" },
  "drift.object.bytes": { en: "damaged: other bytes", zh: "已损坏：内容不符" },
  "drift.object.unreadable": { en: "unreadable", zh: "不可读" },
  "drift.object.different": { en: "other content stored", zh: "已存储的内容不同" },
  "drift.row.missing": { en: "not registered", zh: "未登记" },
  "drift.row.name": { en: "other name registered", zh: "登记的名称不同" },
  "drift.row.status": { en: "not ready", zh: "未就绪" },
  "row.not-ready": { en: "not ready", zh: "未就绪" },
  "drift.row.digest": { en: "other SHA-256 registered", zh: "登记的 SHA-256 不同" },
} as const;

/** The action on a package or its row, done or (`plan`) intended. */
const DONE: Record<string, Record<Language, string>> = {
  uploaded: { en: "uploaded", zh: "已上传" },
  repaired: { en: "repaired", zh: "已修复" },
  replaced: { en: "replaced", zh: "已替换" },
  kept: { en: "kept: other content is stored", zh: "保留已存储的其他内容" },
  failed: { en: "failed", zh: "失败" },
  inserted: { en: "registered", zh: "已登记" },
  updated: { en: "row updated", zh: "已更新记录" },
  found: { en: "", zh: "" },
};
const PLANNED: typeof DONE = {
  uploaded: { en: "would be uploaded", zh: "将上传" },
  repaired: { en: "would be repaired", zh: "将修复" },
  replaced: { en: "would be replaced", zh: "将替换" },
  kept: { en: "would be kept: other content is stored", zh: "将保留已存储的其他内容" },
  failed: { en: "would fail", zh: "将失败" },
  inserted: { en: "would be registered", zh: "将登记" },
  updated: { en: "row would be updated", zh: "将更新记录" },
};

/** The counts of a verdict. */
export interface Counts {
  command: string;
  seconds: number;
  packages: Readonly<Record<string, number>>;
  rows: Readonly<Record<string, number>>;
  removed: RemovedCounts;
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, count) => total + count, 0);
const written = ({ unchanged, ...changed }: Readonly<Record<string, number>>) => changed;

const took = (seconds: number) => (seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds));

/** The words of the screen, beside the sentences of events and reasons. */
export const SCREEN = {
  en: {
    files: (files: number, packages: number, to: string) => `${plural(files, "file")} ${to} ${plural(packages, "package")}`,
    rejected: (files: number, bad: number) => `${bad} of ${plural(files, "file")} cannot be used`,
    tableState: (state: string) => `table state ${state}`,
    bucket: (name: string, exists: boolean) => `bucket ${name}${exists ? "" : " (does not exist yet)"}`,
    unchanged: (count: number) => `${plural(count, "package")} unchanged`,
    removed: (done: boolean) => (done ? "removed" : "would be removed"),
    row: (id: number) => `row ${id}`,
    noRow: "no row",
    others: (count: number) => `and ${plural(count, "other")}`,
    heads: ["platform", "controller", "installer", "collectors"],
    yes: "yes",
    no: "missing",
    noBootstrap: "no bootstrap",
    notNeeded: "not needed",
    cannotInstall: "cannot be installed from the page",
    onlyListed: (count: number) => `${count} only listed`,
    probe: "APM probe",
    probes: "APM probes",
    region: "region",
    regions: "regions",
    notStored: (names: string) => `not stored: ${names}`,
    above: (count: number) => `and ${count} more above`,
    unusable: (count: number) => `${plural(count, "file")} cannot be used`,
    failures: (count: number) => plural(count, "failure"),
    differences: (count: number, each: string) => `${plural(count, "difference")}${each === "" ? "" : `: ${each}`}`,
    failed: (command: string, code: number) => `${command} failed (exit ${code}): `,
    succeeded: (command: string) => `${command} succeeded`,
    warned: (said: string, count: number) => `${said} with ${plural(count, "warning")}`,
    warnedAbove: (said: string, count: number) => `${said}, with ${plural(count, "warning")} above`,
  },
  zh: {
    files: (files: number, packages: number, to: string) => `${files} 个文件 ${to} ${packages} 个探针包`,
    rejected: (files: number, bad: number) => `${files} 个文件中有 ${bad} 个无法使用`,
    tableState: (state: string) => `表结构 ${state}`,
    bucket: (name: string, exists: boolean) => `存储桶 ${name}${exists ? "" : "（尚不存在）"}`,
    unchanged: (count: number) => `${count} 个探针包未变`,
    removed: (done: boolean) => (done ? "已删除" : "将删除"),
    row: (id: number) => `记录 ${id}`,
    noRow: "没有记录",
    others: (count: number) => `及另外 ${count} 个`,
    heads: ["平台", "控制器", "安装器", "采集器"],
    yes: "有",
    no: "缺少",
    noBootstrap: "缺少引导程序",
    notNeeded: "不需要",
    cannotInstall: "无法从页面安装",
    onlyListed: (count: number) => `${count} 个仅登记`,
    probe: "APM 探针",
    probes: "APM 探针",
    region: "云区域",
    regions: "云区域",
    notStored: (names: string) => `未存储：${names}`,
    above: (count: number) => `另有 ${count} 项见上文`,
    unusable: (count: number) => `${count} 个文件无法使用`,
    failures: (count: number) => `${count} 处失败`,
    differences: (count: number, each: string) => `${count} 处不一致${each === "" ? "" : `：${each}`}`,
    failed: (command: string, code: number) => `${command} 失败（退出码 ${code}）：`,
    succeeded: (command: string) => `${command} 成功`,
    warned: (said: string, count: number) => `${said}，有 ${count} 条告警`,
    warnedAbove: (said: string, count: number) => `${said}，有 ${count} 条告警（见上文）`,
  },
} as const;

/** Returns the word for an action in a list; with the command `plan` it is only intended. */
export function doneWords(action: string, command: string, language: Language): string {
  return (command === "plan" ? PLANNED[action] : undefined)?.[language] ?? DONE[action]?.[language] ?? action;
}

/** A difference in a list. */
export function differenceWords(reason: string, language: Language): string {
  return (DIFFERENCES as Record<string, Record<Language, string>>)[reason]?.[language] ?? reason;
}

/** Returns the verdict of a successful run. */
export function successWords({ command, seconds, packages, rows, removed }: Counts, language: Language): string {
  const zh = language === "zh";
  const total = sum(packages);
  const changes = countWords(written(packages), language);
  const registered = sum(written(rows));
  const time = zh ? `（${took(seconds)} 秒）` : ` (${took(seconds)} s)`;
  const begin = SCREEN[language].succeeded(command);
  const colon = zh ? "：" : ": ";
  const old = removed.versions > 0 ? [removedWords(removed, language)] : [];
  const all = [sum(written(packages)) > 0 ? changes : "", registered > 0 ? (zh ? `写入记录 ${registered} 条` : `${plural(registered, "row")} written`) : "", ...old]
    .filter((part) => part !== "")
    .join(zh ? "，" : ", ");
  switch (command) {
    case "plan": {
      if (all === "") return zh ? "plan 未写入任何内容；init 将不做任何改动" : "plan wrote nothing; init would change nothing";
      return zh ? `plan 未写入任何内容；init 将报告：${all}` : `plan wrote nothing; init would report: ${all}`;
    }
    case "verify":
      return `${begin}${colon}${zh ? `${total} 个探针包均已完整存储并登记` : `${plural(total, "package")} stored, whole and registered`}${time}`;
    case "scan":
      return `${begin}${colon}${zh ? `${total} 个探针包` : plural(total, "package")}${time}`;
    case "init": {
      if (total === 0) return `${begin}${time}`;
      return `${begin}${colon}${all || (zh ? "没有改动" : "nothing to change")}${time}`;
    }
    case "prune":
      return `${begin}${colon}${pruneWords(removed, language)}${time}`;
    default:
      return `${begin}${time}`;
  }
}

/** What is being done, before a bar. */
export const PHASES = {
  deep: { en: "reading back", zh: "回读" },
  read: { en: "reading", zh: "读取" },
  check: { en: "checking", zh: "检查" },
  upload: { en: "", zh: "" },
} as const;

/** `39 of 61 MiB`, in the unit of the whole. */
function amountOf(bytes: number, total: number, language: Language): string {
  const [size = "", unit = ""] = formatBytes(total).split(" ");
  const part = Number(size) > 0 ? (bytes / total) * Number(size) : 0;
  const digits = Number(size) < 10 && unit !== "B" ? 1 : 0;
  return `${part.toFixed(digits)}${language === "zh" ? " / " : " of "}${Number(size).toFixed(digits)} ${unit}`;
}

/** How far something is, in parts: amount, rate, and the time that is left. */
export function uploadParts({ bytes, total, bytesPerSecond, secondsLeft }: Pick<Snapshot, "bytes" | "total" | "bytesPerSecond" | "secondsLeft">, language: Language): string[] {
  const amount = total === null ? formatBytes(bytes) : amountOf(bytes, total, language);
  const isOver = secondsLeft === null || (total !== null && bytes >= total);
  const left = isOver ? [] : [language === "zh" ? `剩余 ${duration(secondsLeft, language)}` : `${duration(secondsLeft, language)} left`];
  return [amount, `${formatBytes(bytesPerSecond)}/s`, ...left];
}
