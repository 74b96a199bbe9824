import { COPY_AGAIN, fault } from "./fault.ts";

interface Program {
  os: string;
  arch: string;
  /** Path of the program in the archive; "" for the file itself. */
  entry: string;
  /** What its header says: `linux arm64`, `macOS`, `other`. */
  found: string;
  /** Where it was taken from: an archive or a file that somebody named, an installer's file, a collector's place. */
  source: "archive" | "installer" | "place";
}

/** What may stand in a program's place; any other word is a format's own name. */
const INSTEAD: Record<string, { en: string; zh: string }> = {
  html: { en: "an HTML page", zh: "HTML 网页" },
  xml: { en: "an XML document (such as an object store's error)", zh: "XML 文档（例如对象存储返回的错误）" },
  json: { en: "a JSON document", zh: "JSON 文档" },
  text: { en: "a text file", zh: "文本文件" },
  pdf: { en: "a PDF document", zh: "PDF 文档" },
  lfs: { en: "a Git LFS pointer", zh: "Git LFS 指针文件" },
  zeros: { en: "a file of nothing but NUL bytes", zh: "全为 NUL 字节的文件" },
  empty: { en: "an empty file", zh: "空文件" },
};

const inEnglish = (found: string) => INSTEAD[found]?.en ?? `a packed file (${found})`;
const inChinese = (found: string) => INSTEAD[found]?.zh ?? `${found} 压缩文件`;

const foundZh = (found: string) => (found === "other" ? "其他系统" : found);
const foundEn = (found: string) => (found === "other" ? "another system" : found);

const OTHER_PROGRAM = {
  archive: {
    en: "say what it is, in the file's name (as in fusion-collectors-windows-amd64.zip) or by --os and --arch, or rebuild it with the right programs",
    zh: "请在文件名中写明（如 fusion-collectors-windows-amd64.zip），或用 --os 和 --arch 指定，或用正确的程序重新打包",
  },
  installer: {
    en: "give each installer its own name: bklite-controller-installer is for Linux, bklite-controller-installer.exe and bklite-controller-bootstrap.exe for Windows",
    zh: "请使用对应的文件名：bklite-controller-installer 用于 Linux，bklite-controller-installer.exe 和 bklite-controller-bootstrap.exe 用于 Windows",
  },
  place: {
    en: "move it to the folder of its own system and architecture (collector/windows/, collector/linux/arm64/), or put the right program there",
    zh: "请移到对应系统和架构的目录（collector/windows/、collector/linux/arm64/），或换成正确的程序",
  },
};

/** Programs, and what stands in their place: exit 65. */
export const programs = {
  "package.program": fault<Program>(
    {
      en: ({ os, arch, entry, found }) =>
        `is taken for ${os} ${arch}, but ${entry === "" ? "it" : entry} is a program for ${foundEn(found)}`,
      zh: ({ os, arch, entry, found }) =>
        `按 ${os} ${arch} 处理，但${entry === "" ? "它" : ` ${entry} `}是 ${foundZh(found)} 的程序`,
    },
    {
      en: ({ source }) => OTHER_PROGRAM[source].en,
      zh: ({ source }) => OTHER_PROGRAM[source].zh,
    },
  ),
  "program.truncated": fault<{ entry: string; bytes: number; needed: number }>(
    {
      en: ({ entry, bytes, needed }) =>
        `${entry === "" ? "is" : `contains ${entry}, which is`} a program that was cut short: by its header it has at least ${needed} bytes, ${entry === "" ? "the file" : "it"} has ${bytes}`,
      zh: ({ entry, bytes, needed }) =>
        `${entry === "" ? "" : `其中的 ${entry} `}程序文件不完整：文件头表明至少 ${needed} 字节，实际只有 ${bytes} 字节`,
    },
    {
      en: ({ entry }) => (entry === "" ? COPY_AGAIN.en : "build the archive again from whole programs"),
      zh: ({ entry }) => (entry === "" ? COPY_AGAIN.zh : "请用完整的程序重新打包"),
    },
  ),
  "program.kind": fault<{ entry: string; found: string }>(
    {
      en: ({ entry, found }) =>
        `${entry === "" ? "is" : `contains ${entry}, which is`} ${inEnglish(found)}, not a program`,
      zh: ({ entry, found }) =>
        `${entry === "" ? "" : `其中的 ${entry} `}是${inChinese(found)}，不是可执行程序`,
    },
    {
      en: ({ found }) =>
        found === "lfs"
          ? "run git lfs pull in the repository that it comes from, then copy or build it again"
          : "put the program itself there; where it was downloaded, see that the download did not fail (curl -fLO)",
      zh: ({ found }) =>
        found === "lfs"
          ? "请在其来源仓库中执行 git lfs pull，再重新复制或构建"
          : "请放入程序本身；如为下载所得，请确认下载成功（curl -fLO）",
    },
  ),
  "installer.kind": fault<{ found: string; instead?: string | undefined }>(
    {
      en: ({ found, instead }) =>
        `should be BK-Lite's installer, but is ${instead ? `${inEnglish(instead)}, ` : ""}not a program for Linux or Windows${found === "other" ? "" : ` (${found})`}`,
      zh: ({ found, instead }) =>
        `应为 BK-Lite 安装器，但${instead ? `是${inChinese(instead)}，` : ""}不是 Linux 或 Windows 程序${found === "other" ? "" : `（${found}）`}`,
    },
    {
      en: "put BK-Lite's own bklite-controller-installer (or .exe) there; if it was downloaded, see that the download did not fail (git lfs pull for a Git LFS pointer)",
      zh: "请放入 BK-Lite 提供的 bklite-controller-installer（或 .exe）；如为下载所得，请确认下载成功（Git LFS 指针需执行 git lfs pull）",
    },
  ),
};
