import { fault, RENAME, suspicion } from "./fault.ts";

const WHAT = {
  os: { en: "operating system", zh: "操作系统" },
  arch: { en: "architecture", zh: "架构" },
  version: { en: "version", zh: "版本" },
};

/** What an archive's name says: exit 65. */
export const name = {
  "name.ambiguous": fault<{ what: keyof typeof WHAT; values: readonly string[] }>(
    {
      en: ({ what, values }) => `has a name with more than one ${WHAT[what].en}: ${values.join(" and ")}`,
      zh: ({ what, values }) => `文件名中有多个${WHAT[what].zh}：${values.join(" 和 ")}`,
    },
    RENAME,
  ),
  "name.characters": fault<{ name: string }>(
    {
      en: ({ name }) =>
        `has a name with a backslash, a control character or one that nobody sees in it: ${name}`,
      zh: ({ name }) => `文件名中含有反斜杠、控制字符或不可见字符：${name}`,
    },
    RENAME,
  ),
  "name.version.unreadable": fault<{ text: string }>(
    {
      en: ({ text }) =>
        `has something in its name that looks like a version but cannot be read as one: ${text}`,
      zh: ({ text }) => `文件名中疑似版本号的部分无法识别：${text}`,
    },
    {
      en: "rename the file so that its version reads like 1.2.3, 1.2.3.4, 1.2.3-rc1 or 1.2.3+7, or give it by --version or in packages.json",
      zh: "请重命名该文件，使版本形如 1.2.3、1.2.3.4、1.2.3-rc1 或 1.2.3+7，或用 --version 或 packages.json 指定版本",
    },
  ),
  "version.unreadable": fault<{ from: string; line: number }>(
    {
      en: ({ from, line }) =>
        `takes its version from ${from}, whose line ${line} looks like a version but cannot be read as one`,
      zh: ({ from, line }) => `版本取自 ${from}，但其中第 ${line} 行疑似版本号，却无法识别`,
    },
    {
      en: "write the version alone there (1.2.3), or LINUX_SIDECAR_VERSION=1.2.3 and WINDOWS_SIDECAR_VERSION=1.2.3, or give it in the file's name or by PACKAGE_VERSION",
      zh: "请在其中只写版本号（1.2.3），或写 LINUX_SIDECAR_VERSION=1.2.3 和 WINDOWS_SIDECAR_VERSION=1.2.3，也可在文件名中或用 PACKAGE_VERSION 指定",
    },
  ),
  "version.missing": suspicion<{ from: string; os: string }>(
    {
      en: ({ from, os }) => `is stored as version 1.0.0: ${from} says none for ${os}`,
      zh: ({ from, os }) => `按版本 1.0.0 存储：${from} 中没有 ${os} 的版本号`,
    },
    {
      en: "write the version there (1.2.3), or give it in the file's name or by PACKAGE_VERSION",
      zh: "请在其中写明版本号（1.2.3），或在文件名中或用 PACKAGE_VERSION 指定",
    },
  ),
  "name.bytes": suspicion<{ name: string; bytes: string }>(
    {
      en: ({ name, bytes }) =>
        `has a name that is not UTF-8 (its bytes: ${bytes}): it is stored and shown as ${name}`,
      zh: ({ name, bytes }) => `文件名不是 UTF-8 编码（字节为 ${bytes}）：按 ${name} 存储和显示`,
    },
    {
      en: "rename the file in UTF-8 if the name shown is not the right one",
      zh: "若显示的名称不正确，请用 UTF-8 编码重命名该文件",
    },
  ),
};
