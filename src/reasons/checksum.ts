import { fault, suspicion } from "./fault.ts";

const AGAIN = {
  en: "write it with sha256sum, in the package's folder: sha256sum FILE > FILE.sha256, or sha256sum * > SHA256SUMS",
  zh: "请在探针包所在目录用 sha256sum 重新生成：sha256sum 文件 > 文件.sha256，或 sha256sum * > SHA256SUMS",
};

/** Checksum files and the archives beside them. */
export const checksum = {
  "checksum.mismatch": fault<{ sha256: string; from: string; expected: string }>(
    {
      en: ({ sha256, from, expected }) => `has the SHA-256 ${sha256}, but ${from} says ${expected}`,
      zh: ({ sha256, from, expected }) => `SHA-256 为 ${sha256}，但 ${from} 中为 ${expected}，校验失败`,
    },
    { en: "copy both files again from the same build", zh: "请从同一次构建重新复制这两个文件" },
  ),
  "checksum.line": fault<{ line: number; cut?: boolean }>(
    {
      en: ({ line }) =>
        `contains a line that is not a SHA-256 and a file name, as sha256sum, BSD's sha256 or openssl write them: line ${line}`,
      zh: ({ line }) =>
        `第 ${line} 行无法识别为“SHA-256 与文件名”（支持 sha256sum、BSD sha256 和 openssl 的格式）`,
    },
    AGAIN,
  ),
  "checksum.encoding": fault(
    {
      en: "cannot be read as text: it is neither UTF-8 nor UTF-16 with a byte order mark",
      zh: "无法作为文本读取：既不是 UTF-8，也不是带 BOM 的 UTF-16",
    },
    AGAIN,
  ),
  "checksum.empty": fault({ en: "contains no SHA-256", zh: "不包含 SHA-256" }, AGAIN),
  "checksum.other": fault(
    {
      en: "names another file than the one it lies beside",
      zh: "其中列出的是另一个文件，不是同名的探针包",
    },
    AGAIN,
  ),
  "checksum.irregular": fault(
    { en: "is not a regular file", zh: "不是普通文件" },
    {
      en: "remove it, or write it with sha256sum, in the archive's folder",
      zh: "请删除，或在压缩包所在目录用 sha256sum 重新生成",
    },
  ),
  "checksum.long": fault({ en: "is too long for a list of checksums", zh: "作为校验和列表过长" }, AGAIN),
  "checksum.unused": suspicion(
    {
      en: "names none of the archives beside or below it: nothing was checked by it",
      zh: "未列出同目录或下级目录中的任何压缩包，未据此进行校验",
    },
    {
      en: "write it again with sha256sum in this folder (for files below with their paths), or remove it",
      zh: "请在该目录用 sha256sum 重新生成（下级目录的文件须带路径），或删除该文件",
    },
  ),
  "checksum.name": suspicion<{ meant: string }>(
    {
      en: ({ meant }) => `looks like a checksum but is not read under this name: only ${meant} is`,
      zh: ({ meant }) => `疑似校验和文件，但不会按此名称读取，只读取 ${meant}`,
    },
    {
      en: ({ meant }) => `rename it to ${meant} if it holds SHA-256 digests, or remove it`,
      zh: ({ meant }) => `若内容为 SHA-256，请重命名为 ${meant}，否则请删除`,
    },
  ),
};
