import type { Language } from "../../reasons/define.ts";
import { plural } from "../../reasons/define.ts";
import type { PackageAction, RowEntry } from "../report.ts";
import { formatBytes } from "../tables.ts";
import { actionWord } from "../words.ts";
import { event, reasonEvent } from "./define.ts";

interface Lock {
  bucket: string;
}

interface Waiting extends Lock {
  /** Of the Postgres session that holds it. */
  pid: number;
  client: string;
  age: number;
  seconds: number;
  left: number;
}

/** What was done to a package, or would be. */
interface PackageLine {
  file: string;
  type: string;
  os: string | null;
  arch: string | null;
  object: string;
  version: string;
  key: string;
  bytes: number | null;
  sha256: string | null;
}

interface Stored extends PackageLine {
  bytesUploaded: number;
  seconds: number;
}

const platform = (os: string | null, arch: string | null) =>
  [os, arch].filter((part) => part !== null).join("/");

function row({ id, type, os, arch, object, version, name }: RowEntry): string {
  return `${id ?? "-"}: ${type} ${object} ${version} ${platform(os, arch)} (${name})`;
}

/** The name that a row had, where that is what changed. */
function was({ columns, oldName }: { columns: string[]; oldName: string }, words: string): string {
  return columns.includes("name") ? words + oldName : "";
}

const stored = (what: Record<Language, string>) => ({
  en: ({ file, key, bytesUploaded }: Stored) =>
    `${file}: ${what.en}${bytesUploaded > 0 ? ` (${formatBytes(bytesUploaded)})` : ""}: ${key}`,
  zh: ({ file, key, bytesUploaded }: Stored) =>
    `${file}：${what.zh}${bytesUploaded > 0 ? `（${formatBytes(bytesUploaded)}）` : ""}：${key}`,
});

/** Of the lock, the plan, and what comes of it. */
export const reconcile = {
  "lock.waiting": event<Waiting>({
    about: {
      en: "another run holds the lock: its session, client and age; every 10 s",
      zh: "另一个任务持有锁：其会话、客户端和持续时间；每 10 秒输出",
    },
    en: ({ bucket, pid, client, age, seconds, left }) =>
      `another run holds the lock for bucket "${bucket}" (Postgres session ${pid}, client ${client}, ${age} s old): waiting, ${seconds} s so far, ${left} s left`,
    zh: ({ bucket, pid, client, age, seconds, left }) =>
      `另一个任务持有存储桶“${bucket}”的锁（Postgres 会话 ${pid}，客户端 ${client}，已持续 ${age} 秒）：已等待 ${seconds} 秒，剩余 ${left} 秒`,
  }),
  "lock.acquired": event<Lock>({
    about: { en: "this run is the only one (debug)", zh: "已取得锁，当前只有本任务（debug）" },
    en: ({ bucket }) => `this is the only run on bucket "${bucket}"`,
    zh: ({ bucket }) => `存储桶“${bucket}”上只有本任务在运行`,
  }),
  "plan.package": event<PackageLine & { action: PackageAction | "conflict"; removes?: string[] }>({
    about: { en: "what is to be done with a package (plan)", zh: "将对包执行的操作（plan）" },
    en: ({ file, action, key }) => `${file}: would be ${action}: ${key}`,
    zh: ({ file, action, key }) => `${file}：将${actionWord(action, "zh").replace(/^已/, "")}：${key}`,
  }),
  "plan.row": event<RowEntry>({
    about: { en: "what is to be done with a row (plan)", zh: "将对记录执行的操作（plan）" },
    en: (line) => `row ${row(line)}: would be ${line.action}`,
    zh: (line) => `记录 ${row(line)}：将${actionWord(line.action, "zh").replace(/^已/, "")}`,
  }),
  "content.repackaged": event<{ file: string; key: string }>({
    about: {
      en: "a zip with the same entries as the stored object in another packaging: it is unchanged (debug)",
      zh: "压缩包与已存储对象的条目相同，只是打包方式不同：视为未变化（debug）",
    },
    en: ({ file, key }) => `${file}: the same entries as in ${key} in another packaging: nothing to upload`,
    zh: ({ file, key }) => `${file}：条目与 ${key} 相同，只是打包方式不同：无需上传`,
  }),
  "plan.warning": reasonEvent({
    en: "something about what is stored that a person should know",
    zh: "已存储内容中需要人工注意的问题",
  }),
  "package.unchanged": event<Stored>({
    about: { en: "stored already, same content, all chunks", zh: "已存储，内容相同，分块齐全" },
    ...stored({ en: "is stored already", zh: "已存储，无需上传" }),
  }),
  "package.uploaded": event<Stored>({
    about: { en: "was not stored, now is", zh: "原先没有，现已存储" },
    ...stored({ en: "uploaded", zh: "已上传" }),
  }),
  "package.repaired": event<Stored>({
    about: { en: "chunks were missing, stored again", zh: "缺少分块，已重新存储" },
    ...stored({ en: "stored again, because chunks were missing", zh: "缺少分块，已重新存储" }),
  }),
  "package.replaced": event<Stored>({
    about: {
      en: "different content was stored under this version, or what moves (latest, installers, probes) is newer; the former a warning with both digests",
      zh: "该版本原有内容不同（告警，附两个摘要），或随版本更新的内容（latest、安装器、探针）有了新的：已替换",
    },
    ...stored({ en: "replaced by newer content", zh: "已更新为新内容" }),
  }),
  "package.kept": reasonEvent({
    en: "different content is stored under this version and stays: both digests",
    zh: "该版本的内容不同，予以保留：两个摘要",
  }),
  "package.failed": reasonEvent({
    en: "this package could not be stored: code, reason, hint",
    zh: "该包未能存储：退出码、原因、处理办法",
  }),
  "object.removed": event<{ key: string }>({
    about: {
      en: "an object that this run replaced, under a key that no row is served by",
      zh: "本次替换掉、且不再有记录使用的对象",
    },
    en: ({ key }) => `${key}: removed, no row is served by it any more`,
    zh: ({ key }) => `${key}：已删除，不再有记录使用它`,
  }),
  "chunks.reclaimed": event<{ objects: number; chunks: number }>({
    about: {
      en: "chunks that no metadata names, left by an earlier run of this job, purged",
      zh: "本任务以前的运行留下的孤立分块，已清除",
    },
    en: ({ chunks }) => `purged ${plural(chunks, "chunk")} that an earlier run left behind`,
    zh: ({ chunks }) => `已清除以前的运行留下的 ${chunks} 个孤立分块`,
  }),
  "orphans.found": reasonEvent({
    en: "chunks that no metadata names, left by somebody's crashed upload",
    zh: "其他程序中断的上传留下的孤立分块",
  }),
  "orphans.purged": event<{ objects: number; bytes: number }>({
    about: {
      en: "PURGE_ORPHANS: those whose last chunk is over a day old",
      zh: "PURGE_ORPHANS：最后一块超过一天的孤立分块，已清除",
    },
    en: ({ objects, bytes }) => `purged the orphans of ${plural(objects, "upload")} (${formatBytes(bytes)})`,
    zh: ({ objects, bytes }) => `已清除 ${objects} 次上传的孤立分块（${formatBytes(bytes)}）`,
  }),
  "staging.found": reasonEvent({
    en: "uploads of BK-Lite's own page that have not ended: staged objects and pending rows",
    zh: "页面上传尚未结束：暂存对象与 pending 记录",
  }),
  "staging.purged": event<{ objects: number; rows: number }>({
    about: {
      en: "PURGE_ORPHANS: staged objects and pending rows over a day old",
      zh: "PURGE_ORPHANS：超过一天的暂存对象与 pending 记录，已清除",
    },
    en: ({ objects, rows }) =>
      `removed ${plural(objects, "staged object")} and ${plural(rows, "pending row")}`,
    zh: ({ objects, rows }) => `已清除暂存对象 ${objects} 个、pending 记录 ${rows} 条`,
  }),
  "row.inserted": event<RowEntry>({
    about: { en: "a row was written", zh: "新增一条记录" },
    en: (line) => `row ${row(line)}: inserted`,
    zh: (line) => `记录 ${row(line)}：已新增`,
  }),
  "row.updated": event<RowEntry & { columns: string[]; oldName: string }>({
    about: { en: "a row was changed: which columns", zh: "更新一条记录：哪些列" },
    en: (line) => `row ${row(line)}: updated (${line.columns.join(", ")})${was(line, ", the name was ")}`,
    zh: (line) => `记录 ${row(line)}：已更新（${line.columns.join("、")}）${was(line, "，原名称为 ")}`,
  }),
  "row.unchanged": event<RowEntry>({
    about: { en: "a row was right already (debug)", zh: "记录原本就正确（debug）" },
    en: (line) => `row ${row(line)}: unchanged`,
    zh: (line) => `记录 ${row(line)}：未变`,
  }),
  "verify.done": event<{ packages: number; rows: number }>({
    about: {
      en: "read back: every package whole, every row there",
      zh: "已读回校验：每个安装包完整，每条记录都在",
    },
    en: ({ packages, rows }) =>
      `verified: ${plural(packages, "package")} stored and whole, ${plural(rows, "row")} registered`,
    zh: ({ packages, rows }) => `校验通过：${packages} 个安装包已完整存储，${rows} 条记录已登记`,
  }),
  "verify.failed": reasonEvent({
    en: "one thing that differs from what it should be (one line each)",
    zh: "一处与预期不一致（每处一行）",
  }),
  "verify.waiting": event<{ differences: number; first: string; seconds: number; left: number }>({
    about: {
      en: "verify --wait: what it still waits for; when that changes, and every 10 s",
      zh: "verify --wait：仍在等待的内容；变化时及每 10 秒输出",
    },
    en: ({ differences, first, seconds, left }) =>
      `waiting until it holds: ${plural(differences, "difference")}, first: ${first}; ${seconds} s so far, ${left} s left`,
    zh: ({ differences, first, seconds, left }) =>
      `等待一致：还有 ${differences} 处不一致，首先是 ${first}；已等待 ${seconds} 秒，剩余 ${left} 秒`,
  }),
  "cleanup.failed": reasonEvent({
    en: "something could not be undone; the next run will",
    zh: "有内容未能撤销，下一次运行会处理",
  }),
};
