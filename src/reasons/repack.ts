import { type Language, reason } from "./define.ts";

const BUILD = {
  en: "nothing has to be done; an archive that is built as a zip, with fusion-collectors/ around everything and no links, is stored as it is",
  zh: "无需处理；若希望原样存储，请将压缩包制作为 zip：所有内容置于 fusion-collectors/ 目录下，且不含链接",
};

/** Why an archive cannot be unpacked on a node as it is: what the report has as `repacked`. */
function form(en: string, zh: string) {
  return reason({
    exit: null,
    again: false,
    en: { cause: en, remedy: BUILD.en },
    zh: { cause: zh, remedy: BUILD.zh },
  });
}

const forms = {
  "repack.tar-gz": form("it is a tar.gz", "是 tar.gz 而不是 zip"),
  "repack.no-top-folder": form("it has no folder around everything", "没有统一的顶层目录"),
  "repack.top-folder": form(
    "its top folder is not called fusion-collectors",
    "顶层目录的名称不是 fusion-collectors",
  ),
  "repack.junk": form(
    "files that macOS or a file manager left lie beside its top folder",
    "顶层目录旁有 macOS 或文件管理器留下的文件",
  ),
  "repack.beside": form("other files lie beside its top folder", "顶层目录旁有其他文件"),
  "repack.dot-names": form("it has names with ./ or // in them", "条目名称中含有 ./ 或 //"),
  "repack.folder-names": form(
    "it has folders whose names do not end in a slash",
    "目录条目的名称不以 / 结尾",
  ),
  "repack.links": form("it has links in it", "包含链接"),
};

export type FormReason = keyof typeof forms;

/** `it is a tar.gz, it has links in it`. */
export function formWords(reasons: readonly FormReason[], language: Language): string {
  return reasons.map((id) => String(forms[id][language].cause)).join(language === "zh" ? "、" : ", ");
}

/** The form that BK-Lite's installer can unpack, and what has no such form. */
export const repack = {
  ...forms,
  "repack.never": reason<{ reasons: readonly FormReason[] }>({
    exit: null,
    again: false,
    en: {
      cause: ({ reasons }) =>
        `is stored as it is (REPACK=never), but BK-Lite cannot install it on a node: ${formWords(reasons, "en")}`,
      remedy: "set REPACK=auto, or build it as a zip with fusion-collectors/ around everything and no links",
    },
    zh: {
      cause: ({ reasons }) =>
        `按原样存储（REPACK=never），但 BK-Lite 无法在节点上安装：${formWords(reasons, "zh")}`,
      remedy: "设置 REPACK=auto，或将压缩包制作为 zip：所有内容置于 fusion-collectors/ 目录下，且不含链接",
    },
  }),
  "repack.too-large": reason<{ files: number; bytes: number | undefined }>({
    exit: 65,
    again: false,
    en: {
      cause: ({ files, bytes }) =>
        `comes to ${files} files${bytes === undefined ? "" : ` and ${bytes} bytes`} with its links replaced by what they name, more than BK-Lite's installer takes (100,000 files, 8 GiB)`,
      remedy: "leave out what no node needs, above all links to folders",
    },
    zh: {
      cause: ({ files, bytes }) =>
        `链接替换为实际内容后共 ${files} 个文件${bytes === undefined ? "" : `、${bytes} 字节`}，超过 BK-Lite 安装器的上限（100,000 个文件、8 GiB）`,
      remedy: "去掉节点不需要的内容，尤其是指向目录的链接",
    },
  }),
  "repack.too-long": reason({
    exit: 65,
    again: false,
    en: {
      cause: "comes to more than 4 GiB in the form that BK-Lite's installer can unpack, and it takes no more",
      remedy: "leave out what no node needs",
    },
    zh: {
      cause: "转换为 BK-Lite 安装器可解压的 zip 后超过 4 GiB，超出其上限",
      remedy: "去掉节点不需要的内容",
    },
  }),
};
