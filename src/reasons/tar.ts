import { COPY_AGAIN, fault, REBUILD, suspicion } from "./fault.ts";

interface At {
  entry: string;
}

/** What may be packed in a tar's place, where the word says more than "something else". */
const CONTENTS: Record<string, { en: string; zh: string }> = {
  gzip: { en: "another gzip file (it was compressed twice)", zh: "另一个 gzip 文件（被压缩了两次）" },
  zip: { en: "a zip file", zh: "zip 文件" },
  html: { en: "an HTML page", zh: "HTML 网页" },
  json: { en: "a JSON document", zh: "JSON 文档" },
  xml: { en: "an XML document", zh: "XML 文档" },
  text: { en: "a text file", zh: "文本文件" },
  lfs: { en: "a Git LFS pointer", zh: "Git LFS 指针文件" },
  program: { en: "a single program", zh: "单个程序文件" },
  zeros: { en: "NUL bytes alone", zh: "全零数据" },
};
const DOWNLOADED = new Set(["html", "json", "xml", "text"]);

/** What may be wrong with a tar.gz: exit 65. */
export const tar = {
  "gzip.truncated": fault(
    { en: "is cut short: its gzip data has no end", zh: "文件不完整（被截断）：gzip 数据没有结尾" },
    COPY_AGAIN,
  ),
  "gzip.damaged": fault<{ said: string }>(
    { en: ({ said }) => `has damaged gzip data: ${said}`, zh: ({ said }) => `gzip 数据已损坏：${said}` },
    COPY_AGAIN,
  ),
  "gzip.behind": fault(
    {
      en: "has something other than NUL bytes behind the end of its gzip data, which gzip and GNU tar refuse",
      zh: "gzip 数据结尾之后还有非零内容，gzip 和 GNU tar 会拒绝",
    },
    {
      en: "build the archive again with tar -czf, or download it again: a mirror or a script may have written something behind it",
      zh: "请用 tar -czf 重新打包，或重新下载：镜像站或脚本可能在文件末尾追加了内容",
    },
  ),
  "gzip.content": fault<{ kind: string }>(
    {
      en: ({ kind }) =>
        `is a gzip of ${CONTENTS[kind]?.en ?? `a file of another kind (${kind})`}, not of a tar`,
      zh: ({ kind }) => `其中压缩的是${CONTENTS[kind]?.zh ?? `其他类型的文件（${kind}）`}，而不是 tar`,
    },
    {
      en: ({ kind }) =>
        kind === "gzip" || kind === "zip"
          ? "unpack it once (gunzip -c FILE > OUTPUT) and put the file in it there, with the ending of what it is"
          : DOWNLOADED.has(kind)
            ? "the download failed and this is what the server answered: gunzip -c FILE shows it; then download the archive again from the right address"
            : "build the archive again with tar -czf",
      zh: ({ kind }) =>
        kind === "gzip" || kind === "zip"
          ? "请先解压一层（gunzip -c 文件 > 输出文件），再按实际类型命名后放入"
          : DOWNLOADED.has(kind)
            ? "下载失败，内容是服务器返回的信息：可用 gunzip -c 文件 查看，然后从正确的地址重新下载"
            : "请用 tar -czf 重新打包",
    },
  ),
  "tar.truncated": fault(
    {
      en: "is cut short: its tar has no end-of-archive marker",
      zh: "文件不完整（被截断）：其中的 tar 没有结束标记",
    },
    {
      en: "build the archive again and see that tar ends without an error, then copy it",
      zh: "请重新打包并确认 tar 命令正常结束，再复制",
    },
  ),
  "tar.header": fault<{ at: number }>(
    {
      en: ({ at }) => `contains no intact tar: there is no valid header at byte ${at}`,
      zh: ({ at }) => `其中的 tar 不完好：第 ${at} 字节处没有有效的文件头`,
    },
    {
      en: "build the archive again with tar -czf, and copy it again",
      zh: "请用 tar -czf 重新打包后再复制",
    },
  ),
  "tar.extension": fault<{ at: number }>(
    {
      en: ({ at }) => `contains an extended tar header that cannot be read, at byte ${at}`,
      zh: ({ at }) => `其中的 tar 扩展头无法读取（第 ${at} 字节处）`,
    },
    REBUILD,
  ),
  "tar.sparse": fault<At>(
    {
      en: ({ entry }) => `contains a sparse file, which not every reader of tar restores: ${entry}`,
      zh: ({ entry }) => `包含稀疏文件（sparse），并非所有 tar 程序都能还原：${entry}`,
    },
    {
      en: "build the archive again without sparse files: GNU tar without -S/--sparse, bsdtar with --no-read-sparse, or zip -r",
      zh: "请重新打包，不要使用稀疏文件：GNU tar 去掉 -S/--sparse，bsdtar 加 --no-read-sparse，或改用 zip -r",
    },
  ),
  "tar.behind": fault<At>(
    {
      en: ({ entry }) => `contains entries behind its end, which no reader would unpack: ${entry}`,
      zh: ({ entry }) => `结束标记之后还有条目，解压时会被忽略：${entry}`,
    },
    {
      en: "build one archive of all of it: archives cannot be joined by writing one behind the other",
      zh: "请将全部内容打成一个包：不能把两个压缩包首尾相接",
    },
  ),
  "tar.hard-link": fault<At & { target: string }>(
    {
      en: ({ entry, target }) =>
        `contains a hard link to something that does not come before it: ${entry} -> ${target}`,
      zh: ({ entry, target }) => `包含的硬链接所指内容不在它之前：${entry} -> ${target}`,
    },
    REBUILD,
  ),
  "tar.repeated": suspicion<At & { count: number }>(
    {
      en: ({ entry, count }) =>
        `contains ${count === 1 ? "a name" : `${count} names`} more than once, and the last entry of a name counts, as with tar: ${entry}`,
      zh: ({ entry, count }) => `包含 ${count} 个重复的名称，以最后一个条目为准（与 tar 一致）：${entry}`,
    },
    {
      en: "nothing has to be done if that is meant (tar -r adds newer copies); otherwise build the archive again",
      zh: "请确认是否有意如此（tar -r 会追加新的副本）：若不是，请重新打包",
    },
  ),
  "tar.type": fault<At & { type: string }>(
    {
      en: ({ entry, type }) =>
        `contains an entry of type "${type}", which belongs to a multi-volume or incremental backup: ${entry}`,
      zh: ({ entry, type }) => `包含类型为“${type}”的条目（属于分卷或增量备份）：${entry}`,
    },
    REBUILD,
  ),
};
