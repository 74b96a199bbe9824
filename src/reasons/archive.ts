import { COPY_AGAIN, fault, REBUILD } from "./fault.ts";

interface At {
  entry: string;
}
interface Link extends At {
  target: string;
}

const number = (value: number) => value.toLocaleString("en");
const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;

const KINDS = {
  device: { en: "a device", zh: "设备文件" },
  fifo: { en: "a FIFO", zh: "命名管道（FIFO）" },
  socket: { en: "a socket", zh: "套接字" },
};

/** What neither a zip nor a tar.gz may contain: exit 65. */
export const archive = {
  "archive.empty": fault(
    { en: "is empty", zh: "为空" },
    {
      en: "copy the file again; if the original is empty too, build it again",
      zh: "重新复制该文件；若原文件也为空，请重新打包",
    },
  ),
  "archive.path.absolute": fault<At>(
    {
      en: ({ entry }) => `contains an absolute path: ${entry}`,
      zh: ({ entry }) => `包含绝对路径：${entry}`,
    },
    {
      en: "build the archive from the folder above fusion-collectors, with relative paths",
      zh: "请在 fusion-collectors 的上一级目录中用相对路径打包",
    },
  ),
  "archive.path.backslash": fault<At>(
    {
      en: ({ entry }) => `contains a name with a backslash in it: ${entry}`,
      zh: ({ entry }) => `条目名称中含有反斜杠：${entry}`,
    },
    {
      en: "do not use Compress-Archive of Windows PowerShell 5 or .NET before 4.6.1: build the archive with 7-Zip, with Explorer's 'Compressed folder', with tar -a -cf X.zip, or with PowerShell 7",
      zh: "请勿使用 Windows PowerShell 5 的 Compress-Archive 或 4.6.1 之前的 .NET：改用 7-Zip、资源管理器的“压缩文件夹”、tar -a -cf X.zip 或 PowerShell 7 打包",
    },
  ),
  "archive.path.parent": fault<At>(
    {
      en: ({ entry }) => `contains a path with .. in it: ${entry}`,
      zh: ({ entry }) => `路径中含有“..”：${entry}`,
    },
    REBUILD,
  ),
  "archive.path.drive": fault<At>(
    {
      en: ({ entry }) => `contains a path with a drive letter: ${entry}`,
      zh: ({ entry }) => `路径中含有盘符：${entry}`,
    },
    REBUILD,
  ),
  "archive.path.nul": fault<At>(
    {
      en: ({ entry }) => `contains a name with a NUL in it: ${entry}`,
      zh: ({ entry }) => `条目名称中含有 NUL 字符：${entry}`,
    },
    REBUILD,
  ),
  "archive.path.long": fault<At>(
    {
      en: ({ entry }) => `contains a name that is too long to be unpacked: ${entry}`,
      zh: ({ entry }) => `条目名称过长，无法解压：${entry}`,
    },
    REBUILD,
  ),
  "archive.path.missing": fault(
    { en: "contains an entry without a name", zh: "包含没有名称的条目" },
    REBUILD,
  ),
  "archive.duplicate": fault<At>(
    {
      en: ({ entry }) => `contains two entries with the same name: ${entry}`,
      zh: ({ entry }) => `包含两个同名条目：${entry}`,
    },
    REBUILD,
  ),
  "archive.conflict": fault<At>(
    {
      en: ({ entry }) => `contains ${entry} as a file, and entries below it as if it were a folder`,
      zh: ({ entry }) => `${entry} 是文件，但又有位于其下的条目`,
    },
    REBUILD,
  ),
  "archive.device": fault<At & { kind: keyof typeof KINDS }>(
    {
      en: ({ entry, kind }) => `contains ${KINDS[kind].en}: ${entry}`,
      zh: ({ entry, kind }) => `包含${KINDS[kind].zh}：${entry}`,
    },
    REBUILD,
  ),
  "archive.link.outside": fault<Link>(
    {
      en: ({ entry, target }) => `contains a link that leads out of it: ${entry} -> ${target}`,
      zh: ({ entry, target }) => `包含指向压缩包之外的链接：${entry} -> ${target}`,
    },
    {
      en: "replace the link by what it names before you build the archive (zip without -y, tar with -h)",
      zh: "打包前请将链接替换为其指向的内容（zip 不加 -y，tar 加 -h）",
    },
  ),
  "archive.link.dangling": fault<Link>(
    {
      en: ({ entry, target }) => `contains a link to something that is not in it: ${entry} -> ${target}`,
      zh: ({ entry, target }) => `包含的链接所指内容不在压缩包中：${entry} -> ${target}`,
    },
    {
      en: "add what the link names to the archive, or remove the link",
      zh: "请将链接所指的内容加入压缩包，或删除该链接",
    },
  ),
  "archive.link.cycle": fault<Link>(
    {
      en: ({ entry, target }) => `contains a link that leads back to itself: ${entry} -> ${target}`,
      zh: ({ entry, target }) => `包含循环链接：${entry} -> ${target}`,
    },
    { en: "remove the link from the folder, then rebuild the archive", zh: "请删除该链接后重新打包" },
  ),
  "archive.link.long": fault<At>(
    {
      en: ({ entry }) => `contains a symbolic link whose target is longer than 4096 bytes: ${entry}`,
      zh: ({ entry }) => `符号链接的目标超过 4096 字节：${entry}`,
    },
    REBUILD,
  ),
  "archive.link.below": fault<At>(
    {
      en: ({ entry }) => `contains an entry below a link: ${entry}`,
      zh: ({ entry }) => `包含位于链接之下的条目：${entry}`,
    },
    REBUILD,
  ),
  "archive.limit.files": fault<{ limit: number }>(
    {
      en: ({ limit }) => `contains more than ${number(limit)} files, the most that BK-Lite's installer takes`,
      zh: ({ limit }) => `文件数超过 ${number(limit)}，即 BK-Lite 安装器的上限`,
    },
    { en: "leave out what no node needs, then rebuild the archive", zh: "请去掉节点用不到的文件后重新打包" },
  ),
  "archive.limit.packed": fault<{ bytes: number; limit: number }>(
    {
      en: ({ bytes, limit }) =>
        `is ${gib(bytes)} large; BK-Lite's installer takes no package of more than ${gib(limit)}`,
      zh: ({ bytes, limit }) => `大小为 ${gib(bytes)}，超过 BK-Lite 安装器的上限 ${gib(limit)}`,
    },
    { en: "leave out what no node needs, then rebuild the archive", zh: "请去掉节点用不到的文件后重新打包" },
  ),
  "archive.limit.unpacked": fault<{ bytes: number; limit: number }>(
    {
      en: ({ bytes, limit }) =>
        `unpacks to at least ${gib(bytes)}; BK-Lite's installer takes no more than ${gib(limit)}`,
      zh: ({ bytes, limit }) => `解压后至少 ${gib(bytes)}，超过 BK-Lite 安装器的上限 ${gib(limit)}`,
    },
    { en: "leave out what no node needs, then rebuild the archive", zh: "请去掉节点用不到的文件后重新打包" },
  ),
  "archive.kind.wrong": fault<{ found: "zip" | "tar.gz" }>(
    {
      en: ({ found }) => `is a ${found === "zip" ? "zip" : "gzip"} file, whatever its name says`,
      zh: ({ found }) => `实际是 ${found === "zip" ? "zip" : "gzip"} 文件，与扩展名不符`,
    },
    {
      en: ({ found }) => `give it the ending of what it is: .${found}`,
      zh: ({ found }) => `请改为与内容相符的扩展名：.${found}`,
    },
  ),
  "archive.kind.unknown": fault(
    {
      en: "is neither a zip nor a gzip file, nor any other kind of file that is known here",
      zh: "既不是 zip 也不是 gzip 文件，也不是其他可识别的类型",
    },
    COPY_AGAIN,
  ),
  "archive.kind.claimed": fault(
    { en: "is neither a zip nor a gzip file", zh: "既不是 zip 也不是 gzip 文件" },
    {
      en: "give a fusion-collectors archive, or --type collector and --object NAME for a stand-alone collector of any content",
      zh: "请提供 fusion-collectors 压缩包；任意内容的独立采集器请加 --type collector 和 --object 名称",
    },
  ),
};
