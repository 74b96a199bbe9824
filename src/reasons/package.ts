import { fault, suspicion } from "./fault.ts";

interface Program {
  os: string;
  arch: string;
  /** Path of the program in the archive; "" for the file itself. */
  entry: string;
  /** What its header says: `linux arm64`, `macOS`, `other`. */
  found: string;
}

const FIELDS = {
  object: { en: "an object", zh: "对象名" },
  version: { en: "a version", zh: "版本号" },
  name: { en: "a name", zh: "文件名" },
};

const foundZh = (found: string) => (found === "other" ? "其他系统" : found);
const foundEn = (found: string) => (found === "other" ? "another system" : found);

/** What a file is to be in BK-Lite and cannot be: exit 65. */
export const packages = {
  "package.contents": fault<{ os: string }>(
    {
      en: ({ os }) => `contains neither collector-sidecar nor any known ${os} collector`,
      zh: ({ os }) => `既没有 collector-sidecar，也没有任何已知的 ${os} 采集器`,
    },
    {
      en: "put a fusion-collectors archive there: collector-sidecar and bin/ in its top folder",
      zh: "请放入 fusion-collectors 压缩包：顶层目录中应有 collector-sidecar 和 bin/",
    },
  ),
  "package.program": fault<Program>(
    {
      en: ({ os, arch, entry, found }) =>
        `is taken for ${os} ${arch}, but ${entry === "" ? "it" : entry} is a program for ${foundEn(found)}`,
      zh: ({ os, arch, entry, found }) =>
        `按 ${os} ${arch} 处理，但${entry === "" ? "它" : ` ${entry} `}是 ${foundZh(found)} 的程序`,
    },
    {
      en: "say what it is, in the file's name (as in fusion-collectors-windows-amd64.zip) or by --os and --arch, or rebuild it with the right programs",
      zh: "请在文件名中写明（如 fusion-collectors-windows-amd64.zip），或用 --os 和 --arch 指定，或用正确的程序重新打包",
    },
  ),
  "package.field.long": fault<{ field: keyof typeof FIELDS; length: number; limit: number }>(
    {
      en: ({ field, length, limit }) =>
        `has ${FIELDS[field].en} of ${length} characters; the table's column holds ${limit}`,
      zh: ({ field, length, limit }) => `${FIELDS[field].zh}有 ${length} 个字符，数据表的列最多 ${limit} 个`,
    },
    {
      en: ({ field }) => (field === "name" ? "give the file a shorter name" : `give a shorter ${field}`),
      zh: ({ field }) => (field === "name" ? "请缩短文件名" : `请缩短${FIELDS[field].zh}`),
    },
  ),
  "package.object.collector": fault<{ object: string }>(
    {
      en: ({ object }) => `is to be stored as ${object}, which is a collector in it`,
      zh: ({ object }) => `要登记为 ${object}，但它是包内的一个采集器`,
    },
    {
      en: "leave --object out, or add --type collector if the file is that collector alone",
      zh: "请去掉 --object；如果该文件就是这个采集器本身，请加 --type collector",
    },
  ),
  "definitions.empty": suspicion<{ seconds: number }>(
    {
      en: ({ seconds }) =>
        `BK-Lite's list of collectors (node_mgmt_collector) is still empty after ${seconds} s: the built-in list is used`,
      zh: ({ seconds }) =>
        `等待 ${seconds} 秒后，BK-Lite 的采集器清单（node_mgmt_collector）仍为空：改用内置清单`,
    },
    {
      en: "see whether BK-Lite's server has finished its first start (node_init), then run the job again",
      zh: "请确认 BK-Lite 服务端首次启动（node_init）已完成，然后重新运行本任务",
    },
  ),
  "collector.missing": fault<{ name: string; held: readonly string[] }>(
    {
      en: ({ name, held }) =>
        `does not contain the collector ${name}, which COLLECTORS names; it contains ${held.length > 0 ? held.join(", ") : "no known collector"}`,
      zh: ({ name, held }) =>
        `不包含 COLLECTORS 指定的采集器 ${name}；其中${held.length > 0 ? `有：${held.join("、")}` : "没有已知的采集器"}`,
    },
    {
      en: "correct COLLECTORS, set it to auto, or use an archive that contains it",
      zh: "请修正 COLLECTORS，设为 auto，或换用包含它的压缩包",
    },
  ),
  "package.clash": fault<{ other: string; identity: string }>(
    {
      en: ({ other, identity }) => `claims to be the same package as ${other}: ${identity}`,
      zh: ({ other, identity }) => `与 ${other} 是同一个包：${identity}`,
    },
    {
      en: "remove one of the two files, or name their versions",
      zh: "请删除其中一个文件，或在名称中写明版本",
    },
  ),
  "package.clash.arch": fault<{ other: string; identity: string; arch: string; otherArch: string }>(
    {
      en: ({ other, identity, arch, otherArch }) =>
        `is for ${arch} and ${other} for ${otherArch}, but the table has one row for ${identity}`,
      zh: ({ other, identity, arch, otherArch }) =>
        `用于 ${arch}，${other} 用于 ${otherArch}，但数据表中 ${identity} 只能有一条记录`,
    },
    {
      en: "keep one architecture on the volume, or update BK-Lite until its table has cpu_architecture",
      zh: "卷上只保留一种架构，或升级 BK-Lite，使数据表具有 cpu_architecture 列",
    },
  ),
};
