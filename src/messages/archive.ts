import { COPY_AGAIN, type Language, REBUILD, reason } from "./define.ts";

interface InEntry {
  entry: string;
}
interface Link extends InEntry {
  target: string;
}

const number = (value: number) => value.toLocaleString("en");
const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;

const KINDS = {
  device: { en: "a device", zh: "设备文件" },
  fifo: { en: "a FIFO", zh: "命名管道（FIFO）" },
  socket: { en: "a socket", zh: "套接字" },
};

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

const DOWNLOAD = {
  en: "the download failed and this is what the server answered: open the file to read it, then download the archive again (curl -fLO) from the right address",
  zh: "下载失败，此文件是服务器返回的内容：请打开查看，然后从正确的地址重新下载（curl -fLO）",
};

const other = (en: string, command: string, zh = `${en.replace(/^an? /, "")} 文件`) =>
  reason({
    exit: 65,
    en: [`is ${en} file under an archive's name, which BK-Lite cannot unpack`, `unpack it (${command}) and pack the folder again as zip or tar.gz`],
    zh: [`实际是 ${zh}，BK-Lite 无法解压`, `请先解压（${command}），再重新打包为 zip 或 tar.gz`],
  });

const BUILD = {
  en: "nothing has to be done; an archive that is built as a zip, with fusion-collectors/ around everything and no links, is stored as it is",
  zh: "无需处理；若希望原样存储，请将压缩包制作为 zip：所有内容置于 fusion-collectors/ 目录下，且不含链接",
};

/** Why an archive cannot be unpacked on a node as it is: what the report has as `repacked`. */
function form(en: string, zh: string) {
  return reason({
    exit: null,
    en: [en, BUILD.en],
    zh: [zh, BUILD.zh],
  });
}

const forms = {
  "repack.tar-gz": form("it is a tar.gz", "是 tar.gz 而不是 zip"),
  "repack.no-top-folder": form("it has no folder around everything", "没有统一的顶层目录"),
  "repack.top-folder": form("its top folder is not called fusion-collectors", "顶层目录的名称不是 fusion-collectors"),
  "repack.junk": form("files that macOS or a file manager left lie beside its top folder", "顶层目录旁有 macOS 或文件管理器留下的文件"),
  "repack.beside": form("other files lie beside its top folder", "顶层目录旁有其他文件"),
  "repack.dot-names": form("it has names with ./ or // in them", "条目名称中含有 ./ 或 //"),
  "repack.folder-names": form("it has folders whose names do not end in a slash", "目录条目的名称不以 / 结尾"),
  "repack.links": form("it has links in it", "包含链接"),
};

export type FormReason = keyof typeof forms;

/** `it is a tar.gz, it has links in it`. */
export function formWords(reasons: readonly FormReason[], language: Language): string {
  return reasons.map((id) => String(forms[id][language][0])).join(language === "zh" ? "、" : ", ");
}

/** What may be wrong with an archive, and why one is stored in another form. */
export const archive = {
  // What neither a zip nor a tar.gz may contain: exit 65.
  "archive.empty": reason({
    exit: 65,
    en: ["is empty", "copy the file again; if the original is empty too, build it again"],
    zh: ["为空", "重新复制该文件；若原文件也为空，请重新打包"],
  }),
  "archive.path.absolute": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains an absolute path: ${entry}`, "build the archive from the folder above fusion-collectors, with relative paths"],
    zh: [({ entry }) => `包含绝对路径：${entry}`, "请在 fusion-collectors 的上一级目录中用相对路径打包"],
  }),
  "archive.path.backslash": reason<InEntry>({
    exit: 65,
    en: [
      ({ entry }) => `contains a name with a backslash in it: ${entry}`,
      "do not use Compress-Archive of Windows PowerShell 5 or .NET before 4.6.1: build the archive with 7-Zip, with Explorer's 'Compressed folder', with tar -a -cf X.zip, or with PowerShell 7",
    ],
    zh: [
      ({ entry }) => `条目名称中含有反斜杠：${entry}`,
      "请勿使用 Windows PowerShell 5 的 Compress-Archive 或 4.6.1 之前的 .NET：改用 7-Zip、资源管理器的“压缩文件夹”、tar -a -cf X.zip 或 PowerShell 7 打包",
    ],
  }),
  "archive.path.parent": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains a path with .. in it: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `路径中含有“..”：${entry}`, REBUILD.zh],
  }),
  "archive.path.drive": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains a path with a drive letter: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `路径中含有盘符：${entry}`, REBUILD.zh],
  }),
  "archive.path.nul": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains a name with a NUL in it: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `条目名称中含有 NUL 字符：${entry}`, REBUILD.zh],
  }),
  "archive.path.long": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains a name that is too long to be unpacked: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `条目名称过长，无法解压：${entry}`, REBUILD.zh],
  }),
  "archive.path.missing": reason({
    exit: 65,
    en: ["contains an entry without a name", REBUILD.en],
    zh: ["包含没有名称的条目", REBUILD.zh],
  }),
  "archive.duplicate": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains two entries with the same name: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `包含两个同名条目：${entry}`, REBUILD.zh],
  }),
  "archive.conflict": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains ${entry} as a file, and entries below it as if it were a folder`, REBUILD.en],
    zh: [({ entry }) => `${entry} 是文件，但又有位于其下的条目`, REBUILD.zh],
  }),
  "archive.device": reason<InEntry & { kind: keyof typeof KINDS }>({
    exit: 65,
    en: [({ entry, kind }) => `contains ${KINDS[kind].en}: ${entry}`, REBUILD.en],
    zh: [({ entry, kind }) => `包含${KINDS[kind].zh}：${entry}`, REBUILD.zh],
  }),
  "archive.link.outside": reason<Link>({
    exit: 65,
    en: [({ entry, target }) => `contains a link that leads out of it: ${entry} -> ${target}`, "replace the link by what it names before you build the archive (zip without -y, tar with -h)"],
    zh: [({ entry, target }) => `包含指向压缩包之外的链接：${entry} -> ${target}`, "打包前请将链接替换为其指向的内容（zip 不加 -y，tar 加 -h）"],
  }),
  "archive.link.dangling": reason<Link>({
    exit: 65,
    en: [({ entry, target }) => `contains a link to something that is not in it: ${entry} -> ${target}`, "add what the link names to the archive, or remove the link"],
    zh: [({ entry, target }) => `包含的链接所指内容不在压缩包中：${entry} -> ${target}`, "请将链接所指的内容加入压缩包，或删除该链接"],
  }),
  "archive.link.cycle": reason<Link>({
    exit: 65,
    en: [({ entry, target }) => `contains a link that leads back to itself: ${entry} -> ${target}`, "remove the link from the folder, then rebuild the archive"],
    zh: [({ entry, target }) => `包含循环链接：${entry} -> ${target}`, "请删除该链接后重新打包"],
  }),
  "archive.link.long": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains a symbolic link whose target is longer than 4096 bytes: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `符号链接的目标超过 4096 字节：${entry}`, REBUILD.zh],
  }),
  "archive.link.below": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains an entry below a link: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `包含位于链接之下的条目：${entry}`, REBUILD.zh],
  }),
  "archive.limit.files": reason<{ limit: number }>({
    exit: 65,
    en: [({ limit }) => `contains more than ${number(limit)} files, the most that BK-Lite's installer takes`, "leave out what no node needs, then rebuild the archive"],
    zh: [({ limit }) => `文件数超过 ${number(limit)}，即 BK-Lite 安装器的上限`, "请去掉节点用不到的文件后重新打包"],
  }),
  "archive.limit.packed": reason<{ bytes: number; limit: number }>({
    exit: 65,
    en: [({ bytes, limit }) => `is ${gib(bytes)} large; BK-Lite's installer takes no package of more than ${gib(limit)}`, "leave out what no node needs, then rebuild the archive"],
    zh: [({ bytes, limit }) => `大小为 ${gib(bytes)}，超过 BK-Lite 安装器的上限 ${gib(limit)}`, "请去掉节点用不到的文件后重新打包"],
  }),
  "archive.limit.unpacked": reason<{ bytes: number; limit: number }>({
    exit: 65,
    en: [({ bytes, limit }) => `unpacks to at least ${gib(bytes)}; BK-Lite's installer takes no more than ${gib(limit)}`, "leave out what no node needs, then rebuild the archive"],
    zh: [({ bytes, limit }) => `解压后至少 ${gib(bytes)}，超过 BK-Lite 安装器的上限 ${gib(limit)}`, "请去掉节点用不到的文件后重新打包"],
  }),
  "archive.kind.wrong": reason<{ found: "zip" | "tar.gz" }>({
    exit: 65,
    en: [({ found }) => `is a ${found === "zip" ? "zip" : "gzip"} file, whatever its name says`, ({ found }) => `give it the ending of what it is: .${found}`],
    zh: [({ found }) => `实际是 ${found === "zip" ? "zip" : "gzip"} 文件，与扩展名不符`, ({ found }) => `请改为与内容相符的扩展名：.${found}`],
  }),
  "archive.kind.unknown": reason({
    exit: 65,
    en: ["is neither a zip nor a gzip file, nor any other kind of file that is known here", COPY_AGAIN.en],
    zh: ["既不是 zip 也不是 gzip 文件，也不是其他可识别的类型", COPY_AGAIN.zh],
  }),
  "archive.kind.claimed": reason({
    exit: 65,
    en: ["is neither a zip nor a gzip file", "give a fusion-collectors archive, or --type collector and --object NAME for a stand-alone collector of any content"],
    zh: ["既不是 zip 也不是 gzip 文件", "请提供 fusion-collectors 压缩包；任意内容的独立采集器请加 --type collector 和 --object 名称"],
  }),
  // What may be wrong with a zip: exit 65.
  "zip.truncated": reason({
    exit: 65,
    en: ["is cut short: it has no central directory", COPY_AGAIN.en],
    zh: ["文件不完整（被截断）：缺少中央目录", COPY_AGAIN.zh],
  }),
  "zip.directory": reason<{ at: number }>({
    exit: 65,
    en: [({ at }) => `has a damaged central directory, at byte ${at}`, COPY_AGAIN.en],
    zh: [({ at }) => `中央目录已损坏（第 ${at} 字节处）`, COPY_AGAIN.zh],
  }),
  "zip.end": reason({
    exit: 65,
    en: ["has a central directory that is not where, or not as long as, its end record says", COPY_AGAIN.en],
    zh: ["中央目录的位置或长度与结尾记录不符", COPY_AGAIN.zh],
  }),
  "zip.split": reason({
    exit: 65,
    en: ["is one part of a split zip", "join the parts first: zip -s 0 PARTS.zip --out WHOLE.zip"],
    zh: ["是分卷压缩包中的一卷", "请先合并分卷：zip -s 0 分卷.zip --out 完整.zip"],
  }),
  "zip.name": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `says that a name is UTF-8, which it is not: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `条目名称标记为 UTF-8，但内容不是：${entry}`, REBUILD.zh],
  }),
  "zip.encrypted": reason<Partial<InEntry>>({
    exit: 65,
    en: [({ entry }) => `is encrypted${entry ? `: ${entry}` : ""}`, "build the archive again without a password: nobody could install from it"],
    zh: [({ entry }) => `已加密${entry ? `：${entry}` : ""}`, "请不设密码重新打包：加密的包无法安装"],
  }),
  "zip.method": reason<InEntry & { method: number }>({
    exit: 65,
    en: [({ entry, method }) => `packs ${entry} by method ${method}, which BK-Lite's own unzipper does not know`, "rebuild the archive with deflate, as zip does by itself"],
    zh: [({ entry, method }) => `${entry} 使用压缩方法 ${method}，BK-Lite 的解压程序不支持`, "请使用 deflate 重新打包（zip 命令的默认方法）"],
  }),
  "zip.version": reason<InEntry & { version: string }>({
    exit: 65,
    en: [({ entry, version }) => `asks for version ${version} of the zip format for ${entry}, which no reader knows`, COPY_AGAIN.en],
    zh: [({ entry, version }) => `${entry} 要求 zip 格式版本 ${version}，没有任何解压程序支持`, COPY_AGAIN.zh],
  }),
  "zip.header.missing": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `has no local header for ${entry}`, COPY_AGAIN.en],
    zh: [({ entry }) => `缺少 ${entry} 的本地文件头`, COPY_AGAIN.zh],
  }),
  "zip.header": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `has a local header that does not agree with its directory: ${entry}`, COPY_AGAIN.en],
    zh: [({ entry }) => `本地文件头与中央目录不一致：${entry}`, COPY_AGAIN.zh],
  }),
  "zip.descriptor": reason<InEntry>({
    exit: 65,
    en: [
      ({ entry }) => `announces a data descriptor behind ${entry} that is not there`,
      "build the archive again with one tool, such as zip or 7-Zip, from the unpacked folder: another tool has changed it without updating its flags",
    ],
    zh: [({ entry }) => `${entry} 声明了数据描述符，但数据之后并没有`, "请用同一个工具（如 zip 或 7-Zip）从解压后的目录重新打包：该包被其他工具改动过，但标志位未更新"],
  }),
  "zip.data": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains data of ${entry} that runs into the central directory or beyond the end`, COPY_AGAIN.en],
    zh: [({ entry }) => `${entry} 的数据超出范围，与中央目录重叠或越过文件末尾`, COPY_AGAIN.zh],
  }),
  "zip.overlap": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains entries that overlap, at ${entry}`, REBUILD.en],
    zh: [({ entry }) => `存在互相重叠的条目：${entry}`, REBUILD.zh],
  }),
  "zip.folder.slash": reason<InEntry>({
    exit: 65,
    en: [
      ({ entry }) => `contains a folder whose name does not end in a slash: ${entry}`,
      "build the archive again with zip or 7-Zip; a program that uses Go's zip.FileInfoHeader has to add the slash itself",
    ],
    zh: [({ entry }) => `目录条目的名称未以斜杠结尾：${entry}`, "请用 zip 或 7-Zip 重新打包；使用 Go 的 zip.FileInfoHeader 的程序须自行补上斜杠"],
  }),
  "zip.folder.data": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains a folder that has content of its own: ${entry}`, REBUILD.en],
    zh: [({ entry }) => `目录条目带有文件内容：${entry}`, REBUILD.zh],
  }),
  "zip.length": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `is damaged: ${entry} has another length than its directory says`, COPY_AGAIN.en],
    zh: [({ entry }) => `已损坏：${entry} 的长度与中央目录不符`, COPY_AGAIN.zh],
  }),
  "zip.crc": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `is damaged: ${entry} does not match its CRC-32`, COPY_AGAIN.en],
    zh: [({ entry }) => `已损坏：${entry} 的 CRC-32 校验失败`, COPY_AGAIN.zh],
  }),
  "zip.inflate": reason<InEntry & { said: string }>({
    exit: 65,
    en: [({ entry, said }) => `is damaged: ${entry} cannot be inflated: ${said}`, COPY_AGAIN.en],
    zh: [({ entry, said }) => `已损坏：${entry} 无法解压：${said}`, COPY_AGAIN.zh],
  }),
  // What may be wrong with a tar.gz: exit 65.
  "gzip.truncated": reason({
    exit: 65,
    en: ["is cut short: its gzip data has no end", COPY_AGAIN.en],
    zh: ["文件不完整（被截断）：gzip 数据没有结尾", COPY_AGAIN.zh],
  }),
  "gzip.damaged": reason<{ said: string }>({
    exit: 65,
    en: [({ said }) => `has damaged gzip data: ${said}`, COPY_AGAIN.en],
    zh: [({ said }) => `gzip 数据已损坏：${said}`, COPY_AGAIN.zh],
  }),
  "gzip.behind": reason({
    exit: 65,
    en: [
      "has something other than NUL bytes behind the end of its gzip data, which gzip and GNU tar refuse",
      "build the archive again with tar -czf, or download it again: a mirror or a script may have written something behind it",
    ],
    zh: ["gzip 数据结尾之后还有非零内容，gzip 和 GNU tar 会拒绝", "请用 tar -czf 重新打包，或重新下载：镜像站或脚本可能在文件末尾追加了内容"],
  }),
  "gzip.content": reason<{ kind: string }>({
    exit: 65,
    en: [
      ({ kind }) => `is a gzip of ${CONTENTS[kind]?.en ?? `a file of another kind (${kind})`}, not of a tar`,
      ({ kind }) =>
        kind === "gzip" || kind === "zip"
          ? "unpack it once (gunzip -c FILE > OUTPUT) and put the file in it there, with the ending of what it is"
          : DOWNLOADED.has(kind)
            ? "the download failed and this is what the server answered: gunzip -c FILE shows it; then download the archive again from the right address"
            : "build the archive again with tar -czf",
    ],
    zh: [
      ({ kind }) => `其中压缩的是${CONTENTS[kind]?.zh ?? `其他类型的文件（${kind}）`}，而不是 tar`,
      ({ kind }) =>
        kind === "gzip" || kind === "zip"
          ? "请先解压一层（gunzip -c 文件 > 输出文件），再按实际类型命名后放入"
          : DOWNLOADED.has(kind)
            ? "下载失败，内容是服务器返回的信息：可用 gunzip -c 文件 查看，然后从正确的地址重新下载"
            : "请用 tar -czf 重新打包",
    ],
  }),
  "tar.truncated": reason({
    exit: 65,
    en: ["is cut short: its tar has no end-of-archive marker", "build the archive again and see that tar ends without an error, then copy it"],
    zh: ["文件不完整（被截断）：其中的 tar 没有结束标记", "请重新打包并确认 tar 命令正常结束，再复制"],
  }),
  "tar.header": reason<{ at: number }>({
    exit: 65,
    en: [({ at }) => `contains no intact tar: there is no valid header at byte ${at}`, "build the archive again with tar -czf, and copy it again"],
    zh: [({ at }) => `其中的 tar 不完好：第 ${at} 字节处没有有效的文件头`, "请用 tar -czf 重新打包后再复制"],
  }),
  "tar.extension": reason<{ at: number }>({
    exit: 65,
    en: [({ at }) => `contains an extended tar header that cannot be read, at byte ${at}`, REBUILD.en],
    zh: [({ at }) => `其中的 tar 扩展头无法读取（第 ${at} 字节处）`, REBUILD.zh],
  }),
  "tar.sparse": reason<InEntry>({
    exit: 65,
    en: [
      ({ entry }) => `contains a sparse file, which not every reader of tar restores: ${entry}`,
      "build the archive again without sparse files: GNU tar without -S/--sparse, bsdtar with --no-read-sparse, or zip -r",
    ],
    zh: [({ entry }) => `包含稀疏文件（sparse），并非所有 tar 程序都能还原：${entry}`, "请重新打包，不要使用稀疏文件：GNU tar 去掉 -S/--sparse，bsdtar 加 --no-read-sparse，或改用 zip -r"],
  }),
  "tar.behind": reason<InEntry>({
    exit: 65,
    en: [({ entry }) => `contains entries behind its end, which no reader would unpack: ${entry}`, "build one archive of all of it: archives cannot be joined by writing one behind the other"],
    zh: [({ entry }) => `结束标记之后还有条目，解压时会被忽略：${entry}`, "请将全部内容打成一个包：不能把两个压缩包首尾相接"],
  }),
  "tar.hard-link": reason<InEntry & { target: string }>({
    exit: 65,
    en: [({ entry, target }) => `contains a hard link to something that does not come before it: ${entry} -> ${target}`, REBUILD.en],
    zh: [({ entry, target }) => `包含的硬链接所指内容不在它之前：${entry} -> ${target}`, REBUILD.zh],
  }),
  "tar.repeated": reason<InEntry & { count: number }>({
    exit: null,
    en: [
      ({ entry, count }) => `contains ${count === 1 ? "a name" : `${count} names`} more than once, and the last entry of a name counts, as with tar: ${entry}`,
      "nothing has to be done if that is meant (tar -r adds newer copies); otherwise build the archive again",
    ],
    zh: [({ entry, count }) => `包含 ${count} 个重复的名称，以最后一个条目为准（与 tar 一致）：${entry}`, "请确认是否有意如此（tar -r 会追加新的副本）：若不是，请重新打包"],
  }),
  "tar.type": reason<InEntry & { type: string }>({
    exit: 65,
    en: [({ entry, type }) => `contains an entry of type "${type}", which belongs to a multi-volume or incremental backup: ${entry}`, REBUILD.en],
    zh: [({ entry, type }) => `包含类型为“${type}”的条目（属于分卷或增量备份）：${entry}`, REBUILD.zh],
  }),
  // What may lie under an archive's name and be no archive that is taken: exit 65.
  "archive.kind.html": reason({
    exit: 65,
    en: ["is an HTML page, not an archive", DOWNLOAD.en],
    zh: ["是 HTML 网页，不是压缩包", DOWNLOAD.zh],
  }),
  "archive.kind.json": reason({
    exit: 65,
    en: ["is a JSON document, not an archive", DOWNLOAD.en],
    zh: ["是 JSON 文档，不是压缩包", DOWNLOAD.zh],
  }),
  "archive.kind.xml": reason({
    exit: 65,
    en: ["is an XML document (such as an object store's error), not an archive", DOWNLOAD.en],
    zh: ["是 XML 文档（例如对象存储返回的错误），不是压缩包", DOWNLOAD.zh],
  }),
  "archive.kind.text": reason({
    exit: 65,
    en: ["is a text file, not an archive", DOWNLOAD.en],
    zh: ["是文本文件，不是压缩包", DOWNLOAD.zh],
  }),
  "archive.kind.lfs": reason({
    exit: 65,
    en: ["is a Git LFS pointer: the archive itself was not downloaded with the repository", "run git lfs pull in the repository, then copy the archive again"],
    zh: ["是 Git LFS 指针文件：压缩包本身没有随仓库一起下载", "请在仓库中执行 git lfs pull，再重新复制压缩包"],
  }),
  "archive.kind.tar": reason({
    exit: 65,
    en: ["is a plain tar, not compressed", "compress it: gzip -c FILE > fusion-collectors.tar.gz"],
    zh: ["是未压缩的 tar 文件", "请压缩：gzip -c 文件 > fusion-collectors.tar.gz"],
  }),
  "archive.kind.zstd": other("a zstd", "tar --zstd -xf"),
  "archive.kind.xz": other("an xz", "tar -xJf"),
  "archive.kind.lzma": other("an lzma", "tar --lzma -xf"),
  "archive.kind.lzip": other("an lzip", "tar --lzip -xf"),
  "archive.kind.bzip2": other("a bzip2", "tar -xjf"),
  "archive.kind.lz4": other("an lz4", "lz4 -d FILE | tar -xf -"),
  "archive.kind.compress": other("a compress (.Z)", "tar -xZf"),
  "archive.kind.7z": other("a 7z", "7z x"),
  "archive.kind.rar": other("a RAR", "unrar x"),
  "archive.kind.cab": other("a CAB", "7z x"),
  "archive.kind.cpio": other("a cpio", "cpio -id"),
  "archive.kind.deb": other("a Debian package", "dpkg-deb -x", "Debian 软件包"),
  "archive.kind.rpm": other("an RPM", "rpm2cpio FILE | cpio -id"),
  "archive.kind.iso": other("an ISO image", "7z x", "ISO 镜像"),
  "archive.kind.program": reason({
    exit: 65,
    en: ["is a program, not an archive", "put the archive itself there; a collector's program is declared in packages.json"],
    zh: ["是可执行程序，不是压缩包", "请放入压缩包本身；采集器程序请在 packages.json 中声明"],
  }),
  "archive.kind.pdf": reason({
    exit: 65,
    en: ["is a PDF document, not an archive", DOWNLOAD.en],
    zh: ["是 PDF 文档，不是压缩包", DOWNLOAD.zh],
  }),
  "archive.kind.zeros": reason({
    exit: 65,
    en: ["contains nothing but NUL bytes: room was reserved for it and its content never came", "copy the file again and see that the copy ends without an error"],
    zh: ["内容全为 NUL 字节：只预留了空间，内容没有写入", "请重新复制该文件，并确认复制正常结束"],
  }),
  // The form that BK-Lite's installer can unpack, and what has no such form.
  ...forms,
  "repack.never": reason<{ reasons: readonly FormReason[] }>({
    exit: null,
    en: [
      ({ reasons }) => `is stored as it is (REPACK=never), but BK-Lite cannot install it on a node: ${formWords(reasons, "en")}`,
      "set REPACK=auto, or build it as a zip with fusion-collectors/ around everything and no links",
    ],
    zh: [
      ({ reasons }) => `按原样存储（REPACK=never），但 BK-Lite 无法在节点上安装：${formWords(reasons, "zh")}`,
      "设置 REPACK=auto，或将压缩包制作为 zip：所有内容置于 fusion-collectors/ 目录下，且不含链接",
    ],
  }),
  "repack.too-large": reason<{ files: number; bytes: number | undefined }>({
    exit: 65,
    en: [
      ({ files, bytes }) =>
        `comes to ${files} files${bytes === undefined ? "" : ` and ${bytes} bytes`} with its links replaced by what they name, more than BK-Lite's installer takes (100,000 files, 8 GiB)`,
      "leave out what no node needs, above all links to folders",
    ],
    zh: [
      ({ files, bytes }) => `链接替换为实际内容后共 ${files} 个文件${bytes === undefined ? "" : `、${bytes} 字节`}，超过 BK-Lite 安装器的上限（100,000 个文件、8 GiB）`,
      "去掉节点不需要的内容，尤其是指向目录的链接",
    ],
  }),
  "repack.too-long": reason({
    exit: 65,
    en: ["comes to more than 4 GiB in the form that BK-Lite's installer can unpack, and it takes no more", "leave out what no node needs"],
    zh: ["转换为 BK-Lite 安装器可解压的 zip 后超过 4 GiB，超出其上限", "去掉节点不需要的内容"],
  }),
};
