import type { ReasonId } from "../src/reasons/catalog.ts";
import type { Language } from "../src/reasons/define.ts";

type FirstWord<Id extends string> = Id extends `${infer First}.${string}` ? First : Id;
/** What an id begins with. */
export type Prefix = FirstWord<ReasonId>;

interface Family {
  title: Record<Language, string>;
  prefixes: readonly Prefix[];
}

/** The sections of docs/reasons.md, in the order in which a run meets them. */
export const FAMILIES: readonly Family[] = [
  { title: { en: "Command line", zh: "命令行" }, prefixes: ["usage"] },
  { title: { en: "Configuration", zh: "配置" }, prefixes: ["config", "report"] },
  { title: { en: "Postgres", zh: "Postgres" }, prefixes: ["postgres"] },
  { title: { en: "NATS", zh: "NATS" }, prefixes: ["nats"] },
  { title: { en: "Waiting", zh: "等待" }, prefixes: ["wait", "gate"] },
  { title: { en: "The volume and its files", zh: "卷与文件" }, prefixes: ["volume", "file"] },
  {
    title: { en: "Names, checksum files, packages.json", zh: "文件名、校验和文件与 packages.json" },
    prefixes: ["name", "checksum", "manifest"],
  },
  { title: { en: "Archives of any kind", zh: "压缩包（通用）" }, prefixes: ["archive"] },
  { title: { en: "Zip", zh: "zip" }, prefixes: ["zip"] },
  { title: { en: "tar.gz", zh: "tar.gz" }, prefixes: ["gzip", "tar"] },
  {
    title: { en: "What a file becomes in BK-Lite", zh: "文件在 BK-Lite 中的身份" },
    prefixes: ["package", "collector", "definitions"],
  },
  { title: { en: "The form that can be installed", zh: "可安装的形式" }, prefixes: ["repack"] },
  {
    title: { en: "The run: lock, signals, time", zh: "运行：锁、信号与超时" },
    prefixes: ["lock", "run", "internal"],
  },
  {
    title: { en: "Conflicts, rows, the table", zh: "冲突、记录与数据表" },
    prefixes: ["conflict", "content", "row", "table"],
  },
  { title: { en: "The Object Store", zh: "对象存储" }, prefixes: ["store", "cleanup", "orphans"] },
  {
    title: { en: "Verification, and what can be installed", zh: "校验与可安装性" },
    prefixes: ["verification", "drift", "platform"],
  },
];

/** The prefix of an id. */
export function prefixOf(id: ReasonId): Prefix {
  return id.split(".")[0] as Prefix;
}
