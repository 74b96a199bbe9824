import { COPY_AGAIN, fault, REBUILD } from "./fault.ts";

interface At {
  entry: string;
}

/** What may be wrong with a zip: exit 65. */
export const zip = {
  "zip.truncated": fault(
    { en: "is cut short: it has no central directory", zh: "文件不完整（被截断）：缺少中央目录" },
    COPY_AGAIN,
  ),
  "zip.directory": fault<{ at: number }>(
    {
      en: ({ at }) => `has a damaged central directory, at byte ${at}`,
      zh: ({ at }) => `中央目录已损坏（第 ${at} 字节处）`,
    },
    COPY_AGAIN,
  ),
  "zip.end": fault(
    {
      en: "has a central directory that is not where, or not as long as, its end record says",
      zh: "中央目录的位置或长度与结尾记录不符",
    },
    COPY_AGAIN,
  ),
  "zip.split": fault(
    { en: "is one part of a split zip", zh: "是分卷压缩包中的一卷" },
    {
      en: "join the parts first: zip -s 0 PARTS.zip --out WHOLE.zip",
      zh: "请先合并分卷：zip -s 0 分卷.zip --out 完整.zip",
    },
  ),
  "zip.name": fault<At>(
    {
      en: ({ entry }) => `says that a name is UTF-8, which it is not: ${entry}`,
      zh: ({ entry }) => `条目名称标记为 UTF-8，但内容不是：${entry}`,
    },
    REBUILD,
  ),
  "zip.encrypted": fault<Partial<At>>(
    {
      en: ({ entry }) => `is encrypted${entry ? `: ${entry}` : ""}`,
      zh: ({ entry }) => `已加密${entry ? `：${entry}` : ""}`,
    },
    {
      en: "build the archive again without a password: nobody could install from it",
      zh: "请不设密码重新打包：加密的包无法安装",
    },
  ),
  "zip.method": fault<At & { method: number }>(
    {
      en: ({ entry, method }) =>
        `packs ${entry} by method ${method}, which BK-Lite's own unzipper does not know`,
      zh: ({ entry, method }) => `${entry} 使用压缩方法 ${method}，BK-Lite 的解压程序不支持`,
    },
    {
      en: "rebuild the archive with deflate, as zip does by itself",
      zh: "请使用 deflate 重新打包（zip 命令的默认方法）",
    },
  ),
  "zip.version": fault<At & { version: string }>(
    {
      en: ({ entry, version }) =>
        `asks for version ${version} of the zip format for ${entry}, which no reader knows`,
      zh: ({ entry, version }) => `${entry} 要求 zip 格式版本 ${version}，没有任何解压程序支持`,
    },
    COPY_AGAIN,
  ),
  "zip.header.missing": fault<At>(
    {
      en: ({ entry }) => `has no local header for ${entry}`,
      zh: ({ entry }) => `缺少 ${entry} 的本地文件头`,
    },
    COPY_AGAIN,
  ),
  "zip.header": fault<At>(
    {
      en: ({ entry }) => `has a local header that does not agree with its directory: ${entry}`,
      zh: ({ entry }) => `本地文件头与中央目录不一致：${entry}`,
    },
    COPY_AGAIN,
  ),
  "zip.descriptor": fault<At>(
    {
      en: ({ entry }) => `announces a data descriptor behind ${entry} that is not there`,
      zh: ({ entry }) => `${entry} 声明了数据描述符，但数据之后并没有`,
    },
    {
      en: "build the archive again with one tool, such as zip or 7-Zip, from the unpacked folder: another tool has changed it without updating its flags",
      zh: "请用同一个工具（如 zip 或 7-Zip）从解压后的目录重新打包：该包被其他工具改动过，但标志位未更新",
    },
  ),
  "zip.data": fault<At>(
    {
      en: ({ entry }) => `contains data of ${entry} that runs into the central directory or beyond the end`,
      zh: ({ entry }) => `${entry} 的数据超出范围，与中央目录重叠或越过文件末尾`,
    },
    COPY_AGAIN,
  ),
  "zip.overlap": fault<At>(
    {
      en: ({ entry }) => `contains entries that overlap, at ${entry}`,
      zh: ({ entry }) => `存在互相重叠的条目：${entry}`,
    },
    REBUILD,
  ),
  "zip.folder.slash": fault<At>(
    {
      en: ({ entry }) => `contains a folder whose name does not end in a slash: ${entry}`,
      zh: ({ entry }) => `目录条目的名称未以斜杠结尾：${entry}`,
    },
    {
      en: "build the archive again with zip or 7-Zip; a program that uses Go's zip.FileInfoHeader has to add the slash itself",
      zh: "请用 zip 或 7-Zip 重新打包；使用 Go 的 zip.FileInfoHeader 的程序须自行补上斜杠",
    },
  ),
  "zip.folder.data": fault<At>(
    {
      en: ({ entry }) => `contains a folder that has content of its own: ${entry}`,
      zh: ({ entry }) => `目录条目带有文件内容：${entry}`,
    },
    REBUILD,
  ),
  "zip.length": fault<At>(
    {
      en: ({ entry }) => `is damaged: ${entry} has another length than its directory says`,
      zh: ({ entry }) => `已损坏：${entry} 的长度与中央目录不符`,
    },
    COPY_AGAIN,
  ),
  "zip.crc": fault<At>(
    {
      en: ({ entry }) => `is damaged: ${entry} does not match its CRC-32`,
      zh: ({ entry }) => `已损坏：${entry} 的 CRC-32 校验失败`,
    },
    COPY_AGAIN,
  ),
  "zip.inflate": fault<At & { said: string }>(
    {
      en: ({ entry, said }) => `is damaged: ${entry} cannot be inflated: ${said}`,
      zh: ({ entry, said }) => `已损坏：${entry} 无法解压：${said}`,
    },
    COPY_AGAIN,
  ),
};
