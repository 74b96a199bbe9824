import { COPY_AGAIN, formatBytes, invalid, type Language, warning, withRemedy } from "./define.ts";

const number = (value: number) => value.toLocaleString("en");
/** A file whose bytes are not the original's. */
const copyAgain = withRemedy(invalid, COPY_AGAIN);
/** An archive that was damaged when it was built. */
const rebuild = withRemedy(invalid, {
  en: "rebuild the archive from a clean fusion-collectors folder, with zip -r or tar -czf",
  zh: "请用干净的 fusion-collectors 目录重新打包（zip -r 或 tar -czf）",
});
/** A server's answer that was saved as the file. */
const downloadAgain = withRemedy(invalid, {
  en: "open the file to read why the download failed, then download it again from the right address: curl -fLO URL",
  zh: "请打开该文件查看下载失败的原因，再从正确的地址重新下载：curl -fLO URL",
});
const tooLarge = withRemedy(invalid, { en: "remove what no node needs, then rebuild the archive", zh: "请去掉节点用不到的内容后重新打包" });

const KINDS = {
  device: { en: "a device", zh: "设备文件" },
  fifo: { en: "a FIFO", zh: "命名管道（FIFO）" },
  socket: { en: "a socket", zh: "套接字" },
};

/** Formats that a gzip may hold instead of a tar. */
const CONTENTS: Record<string, { en: string; zh: string }> = {
  gzip: { en: "another gzip file (it was compressed twice)", zh: "另一个 gzip 文件（被压缩了两次）" },
  zip: { en: "a zip file", zh: "zip 文件" },
  html: { en: "an HTML page", zh: "HTML 网页" },
  json: { en: "a JSON document", zh: "JSON 文档" },
  xml: { en: "an XML document", zh: "XML 文档" },
  text: { en: "a text file", zh: "文本文件" },
  lfs: { en: "a Git LFS pointer", zh: "Git LFS 指针文件" },
  program: { en: "a single program", zh: "单个程序文件" },
  zeros: { en: "NUL bytes only", zh: "全零数据" },
};
const DOWNLOADED = new Set(["html", "json", "xml", "text"]);
const GUNZIP: Record<string, string> = {
  gzip: "gunzip -c FILE > FILE.part && mv FILE.part FILE",
  zip: "gunzip -c FILE > STEM.zip && rm FILE",
};

/** A format that has to be packed again as a zip; `command` unpacks it. */
const other = (en: string, command: string, zh = `${en.replace(/^an? /, "")} 文件`) =>
  invalid(
    [`is ${en} file, which BK-Lite cannot unpack`, `unpack it (${command}), pack the folder with zip -r, and replace this file with that zip`],
    [`实际是 ${zh}，BK-Lite 无法解压`, `请先解压（${command}），再用 zip -r 重新打包，并替换该文件`],
  );

/** A reason why an archive cannot be unpacked on a node as it is; the report lists these in `repacked`. */
const form = (en: string, zh: string) =>
  warning(
    [en, "do nothing: the job converts the archive; to have it stored unchanged, build it as a zip with one top folder fusion-collectors/ and no links"],
    [zh, "请忽略：本任务会自动转换；如需原样存储，请制作为 zip 压缩包：顶层目录为 fusion-collectors/，且不含链接"],
  );

const forms = {
  "repack.tar-gz": form("it is a tar.gz", "是 tar.gz 而不是 zip"),
  "repack.no-top-folder": form("it has no top folder", "没有统一的顶层目录"),
  "repack.top-folder": form("its top folder is not called fusion-collectors", "顶层目录的名称不是 fusion-collectors"),
  "repack.junk": form("files of macOS or a file manager lie beside its top folder", "顶层目录旁有 macOS 或文件管理器留下的文件"),
  "repack.beside": form("other files lie beside its top folder", "顶层目录旁有其他文件"),
  "repack.dot-names": form("it has names that contain ./ or //", "条目名称中含有 ./ 或 //"),
  "repack.folder-names": form("it has folders whose names do not end in a slash", "目录条目的名称不以 / 结尾"),
  "repack.links": form("it contains links", "包含链接"),
};

export type FormReason = keyof typeof forms;

/** `it is a tar.gz, it contains links`. */
export function formWords(reasons: readonly FormReason[], language: Language): string {
  return reasons.map((id) => String(forms[id][language][0])).join(language === "zh" ? "、" : ", ");
}

/** Faults of an archive, and why one is stored in another form. */
export const archive = {
  // Both formats: exit 65.
  "archive.empty": invalid(["is empty", "copy the file again; if the original is empty too, rebuild the archive"], ["为空", "请重新复制该文件；如果原文件也为空，请重新打包"]),
  "archive.path.absolute": invalid(
    ["contains an absolute path: {entry}", "rebuild the archive in the folder above fusion-collectors, with relative paths"],
    ["包含绝对路径：{entry}", "请在 fusion-collectors 的上一级目录中用相对路径重新打包"],
  ),
  "archive.path.backslash": invalid(
    [
      "contains a name with a backslash: {entry}",
      "rebuild the archive with 7-Zip, Explorer's 'Compressed folder', tar -a -cf X.zip or PowerShell 7; Compress-Archive of Windows PowerShell 5 writes such names, and so does .NET before 4.6.1",
    ],
    [
      "条目名称中含有反斜杠：{entry}",
      "请改用 7-Zip、资源管理器的“压缩文件夹”、tar -a -cf X.zip 或 PowerShell 7 重新打包；Windows PowerShell 5 的 Compress-Archive 和 4.6.1 之前的 .NET 会写入这种名称",
    ],
  ),
  "archive.path.parent": rebuild("contains a path with ..: {entry}", "路径中含有“..”：{entry}"),
  "archive.path.drive": rebuild("contains a path with a drive letter: {entry}", "路径中含有盘符：{entry}"),
  "archive.path.nul": rebuild("contains a name with a NUL character: {entry}", "条目名称中含有 NUL 字符：{entry}"),
  "archive.path.long": rebuild("contains a name that is too long to be unpacked: {entry}", "条目名称过长，无法解压：{entry}"),
  "archive.path.missing": rebuild("contains an entry without a name", "包含没有名称的条目"),
  "archive.duplicate": rebuild("contains two entries with the same name: {entry}", "包含两个同名条目：{entry}"),
  "archive.conflict": rebuild("contains {entry} both as a file and as a folder", "{entry} 既是文件，又被当作目录使用（其下还有条目）"),
  "archive.device": rebuild(
    ({ entry, kind }: { entry: string; kind: keyof typeof KINDS }) => `contains ${KINDS[kind].en}: ${entry}`,
    ({ entry, kind }: { entry: string; kind: keyof typeof KINDS }) => `包含${KINDS[kind].zh}：${entry}`,
  ),
  "archive.link.outside": invalid(
    ["contains a link that leads out of the archive: {entry} -> {target}", "rebuild the archive with the file instead of the link (zip -r without -y, or tar -czhf)"],
    ["包含指向压缩包之外的链接：{entry} -> {target}", "请用链接所指的文件代替链接后重新打包（zip -r 不加 -y，或 tar -czhf）"],
  ),
  "archive.link.dangling": invalid(
    ["contains a link whose target is not in the archive: {entry} -> {target}", "add the link's target or remove the link, then rebuild the archive"],
    ["包含的链接所指内容不在压缩包中：{entry} -> {target}", "请补上链接所指的内容或删除该链接，然后重新打包"],
  ),
  "archive.link.cycle": invalid(
    ["contains a link that leads back to itself: {entry} -> {target}", "remove the link, then rebuild the archive"],
    ["包含循环链接：{entry} -> {target}", "请删除该链接后重新打包"],
  ),
  "archive.link.long": rebuild("contains a symbolic link whose target is longer than 4096 bytes: {entry}", "符号链接的目标超过 4096 字节：{entry}"),
  "archive.link.below": rebuild("contains an entry below a link: {entry}", "包含位于链接之下的条目：{entry}"),
  "archive.limit.files": tooLarge(
    ({ limit }: { limit: number }) => `contains more than ${number(limit)} files, the limit of BK-Lite's installer`,
    ({ limit }: { limit: number }) => `文件数超过 BK-Lite 安装器的上限 ${number(limit)}`,
  ),
  "archive.limit.packed": tooLarge("has {bytes:size}; BK-Lite's installer accepts at most {limit:size}", "大小为 {bytes:size}，超过 BK-Lite 安装器的上限 {limit:size}"),
  "archive.limit.unpacked": tooLarge("unpacks to at least {bytes:size}; BK-Lite's installer accepts at most {limit:size}", "解压后至少 {bytes:size}，超过 BK-Lite 安装器的上限 {limit:size}"),
  "archive.kind.wrong": invalid(
    [({ found }: { found: "zip" | "tar.gz" }) => `is a ${found === "zip" ? "zip" : "gzip"} file, but its name says otherwise`, "rename it: mv -n FILE STEM.{found}"],
    [({ found }: { found: "zip" | "tar.gz" }) => `实际是 ${found === "zip" ? "zip" : "gzip"} 文件，与扩展名不符`, "请重命名：mv -n FILE STEM.{found}"],
  ),
  "archive.kind.unknown": copyAgain("is neither a zip nor a gzip file, and no other known format", "既不是 zip 也不是 gzip 文件，也不是其他可识别的格式"),
  "archive.kind.claimed": invalid(
    ["is neither a zip nor a gzip file", "give a fusion-collectors archive, or add --type collector --object NAME for a stand-alone collector of any format"],
    ["既不是 zip 也不是 gzip 文件", "请提供 fusion-collectors 压缩包；任意格式的独立采集器请加 --type collector --object 名称"],
  ),
  // Zip: exit 65.
  "zip.truncated": copyAgain("is cut short: it has no central directory", "文件不完整（被截断）：缺少中央目录"),
  "zip.directory": copyAgain("has a damaged central directory, at byte {at}", "中央目录已损坏（第 {at} 字节处）"),
  "zip.end": copyAgain("has an end record that gives a wrong place or length of the central directory", "中央目录的位置或长度与结尾记录不符"),
  "zip.split": invalid(
    ["is one part of a split zip", "join the parts, with all of them in one folder: zip -s 0 FILE --out .joined.zip && mv .joined.zip FILE; then remove the other parts (.z01, .z02, ...)"],
    ["是分卷压缩包中的一卷", "请将全部分卷放在同一目录并合并：zip -s 0 FILE --out .joined.zip && mv .joined.zip FILE；然后删除其余分卷（.z01、.z02 等）"],
  ),
  "zip.name": rebuild("contains a name that is marked as UTF-8 but is not: {entry}", "条目名称标记为 UTF-8，但内容不是：{entry}"),
  "zip.encrypted": invalid(
    [({ entry }: { entry?: string }) => `is encrypted${entry ? `: ${entry}` : ""}`, "rebuild the archive without a password: BK-Lite's installer cannot decrypt it"],
    [({ entry }: { entry?: string }) => `已加密${entry ? `：${entry}` : ""}`, "请不设密码重新打包：BK-Lite 的安装器无法解密"],
  ),
  "zip.method": invalid(
    ["packs {entry} with method {method}, which BK-Lite's installer does not support", "rebuild the archive with deflate, the default of zip -r"],
    ["{entry} 使用压缩方法 {method}，BK-Lite 的安装器不支持", "请使用 deflate（zip -r 的默认方法）重新打包"],
  ),
  "zip.version": copyAgain("needs zip format version {version} for {entry}, which no unzip program supports", "{entry} 要求 zip 格式版本 {version}，没有任何解压程序支持"),
  "zip.header.missing": copyAgain("has no local header for {entry}", "缺少 {entry} 的本地文件头"),
  "zip.header": copyAgain("has a local header that contradicts its central directory: {entry}", "本地文件头与中央目录不一致：{entry}"),
  "zip.descriptor": invalid(
    [
      "is missing the data descriptor that its header announces for {entry}",
      "unpack the archive and rebuild it with one tool (zip -r or 7-Zip): another tool has changed it without updating its flags",
    ],
    ["{entry} 的标志位声明带有数据描述符，但文件中缺少该描述符", "请解压后用同一个工具（zip -r 或 7-Zip）重新打包：该压缩包被其他工具改动过，但标志位未更新"],
  ),
  "zip.data": copyAgain("contains data of {entry} that runs into the central directory or past the end", "{entry} 的数据超出范围，与中央目录重叠或越过文件末尾"),
  "zip.overlap": rebuild("contains entries that overlap, at {entry}", "存在互相重叠的条目：{entry}"),
  "zip.folder.slash": invalid(
    ["contains a folder whose name does not end in a slash: {entry}", "rebuild the archive with zip -r or 7-Zip; a program that uses Go's zip.FileInfoHeader has to add the slash itself"],
    ["目录条目的名称未以斜杠结尾：{entry}", "请用 zip -r 或 7-Zip 重新打包；使用 Go 的 zip.FileInfoHeader 的程序须自行补上斜杠"],
  ),
  "zip.folder.data": rebuild("contains a folder that has content of its own: {entry}", "目录条目带有文件内容：{entry}"),
  "zip.length": copyAgain("is damaged: {entry} does not have the length in the central directory", "已损坏：{entry} 的长度与中央目录不符"),
  "zip.crc": copyAgain("is damaged: {entry} does not match its CRC-32", "已损坏：{entry} 的 CRC-32 校验失败"),
  "zip.inflate": copyAgain("is damaged: {entry} cannot be inflated: {said}", "已损坏：{entry} 无法解压：{said}"),
  // Tar.gz: exit 65.
  "gzip.truncated": copyAgain("is cut short: its gzip data has no end", "文件不完整（被截断）：gzip 数据没有结尾"),
  "gzip.damaged": copyAgain("has damaged gzip data: {said}", "gzip 数据已损坏：{said}"),
  "gzip.behind": invalid(
    [
      "has bytes other than NUL after the end of its gzip data, which gzip and GNU tar reject",
      "download the archive again, or rebuild it with tar -czf: a mirror or a script may have appended something",
    ],
    ["gzip 数据结尾之后还有非零内容，gzip 和 GNU tar 会拒绝", "请重新下载，或用 tar -czf 重新打包：镜像站或脚本可能在文件末尾追加了内容"],
  ),
  "gzip.content": invalid(
    [
      ({ kind }: { kind: string }) => `is a gzip of ${CONTENTS[kind]?.en ?? `another format (${kind})`}, not of a tar`,
      ({ kind }: { kind: string }) => {
        if (GUNZIP[kind]) return `remove the outer gzip: ${GUNZIP[kind]}`;
        return DOWNLOADED.has(kind) ? "read why the download failed (gunzip -c FILE), then download the archive again from the right address: curl -fLO URL" : "rebuild the archive with tar -czf";
      },
    ],
    [
      ({ kind }: { kind: string }) => `其中压缩的是${CONTENTS[kind]?.zh ?? `其他格式的文件（${kind}）`}，而不是 tar`,
      ({ kind }: { kind: string }) => {
        if (GUNZIP[kind]) return `请去掉外层 gzip：${GUNZIP[kind]}`;
        return DOWNLOADED.has(kind) ? "请查看下载失败的原因（gunzip -c FILE），再从正确的地址重新下载：curl -fLO URL" : "请用 tar -czf 重新打包";
      },
    ],
  ),
  "tar.truncated": invalid(
    ["is cut short: its tar has no end-of-archive marker", "rebuild the archive, check that tar ends without an error, then copy it again"],
    ["文件不完整（被截断）：其中的 tar 没有结束标记", "请重新打包，确认 tar 命令正常结束后再复制"],
  ),
  "tar.header": invalid(
    ["contains a damaged tar: there is no valid header at byte {at}", "rebuild the archive with tar -czf, then copy it again"],
    ["其中的 tar 已损坏：第 {at} 字节处没有有效的文件头", "请用 tar -czf 重新打包后再复制"],
  ),
  "tar.extension": rebuild("contains an extended tar header that cannot be read, at byte {at}", "其中的 tar 扩展头无法读取（第 {at} 字节处）"),
  "tar.sparse": invalid(
    ["contains a sparse file, which not every tar program restores: {entry}", "rebuild the archive without sparse files: GNU tar without -S, bsdtar with --no-read-sparse, or zip -r"],
    ["包含稀疏文件（sparse），并非所有 tar 程序都能还原：{entry}", "请重新打包且不使用稀疏文件：GNU tar 去掉 -S，bsdtar 加 --no-read-sparse，或改用 zip -r"],
  ),
  "tar.behind": invalid(
    ["contains entries after its end marker, which no tar program unpacks: {entry}", "rebuild one archive of all the files: two archives cannot be joined by appending one to the other"],
    ["结束标记之后还有条目，解压时会被忽略：{entry}", "请将全部内容重新打成一个压缩包：不能把两个压缩包首尾相接"],
  ),
  "tar.hard-link": rebuild("contains a hard link whose target does not come before it: {entry} -> {target}", "包含的硬链接所指内容不在它之前：{entry} -> {target}"),
  "tar.repeated": warning(
    [
      ({ entry, count }: { entry: string; count: number }) => `contains ${count === 1 ? "a name" : `${count} names`} more than once; the last entry of each name counts, as with tar: ${entry}`,
      "do nothing if this is intended (tar -r appends newer copies); otherwise rebuild the archive",
    ],
    ["包含 {count} 个重复的名称，以最后一个条目为准（与 tar 一致）：{entry}", "请确认是否有意如此（tar -r 会追加新的副本）；如果不是，请重新打包"],
  ),
  "tar.type": rebuild('contains an entry of type "{type}", which belongs to a multi-volume or incremental backup: {entry}', "包含类型为“{type}”的条目（属于分卷或增量备份）：{entry}"),
  // Other formats under an archive's name: exit 65.
  "archive.kind.html": downloadAgain("is an HTML page, not an archive", "是 HTML 网页，不是压缩包"),
  "archive.kind.json": downloadAgain("is a JSON document, not an archive", "是 JSON 文档，不是压缩包"),
  "archive.kind.xml": downloadAgain("is an XML document (such as an object store's error), not an archive", "是 XML 文档（例如对象存储返回的错误），不是压缩包"),
  "archive.kind.text": downloadAgain("is a text file, not an archive", "是文本文件，不是压缩包"),
  "archive.kind.pdf": downloadAgain("is a PDF document, not an archive", "是 PDF 文档，不是压缩包"),
  "archive.kind.lfs": invalid(
    ["is a Git LFS pointer: the archive itself was not downloaded with the repository", "run git lfs pull in the repository, then copy the archive again"],
    ["是 Git LFS 指针文件：压缩包本身没有随仓库一起下载", "请在仓库中执行 git lfs pull，再重新复制压缩包"],
  ),
  "archive.kind.tar": invalid(
    ["is a plain tar, not compressed", "compress it under its name: gzip -c FILE > FILE.part && mv FILE.part FILE"],
    ["是未压缩的 tar 文件", "请按原名称压缩：gzip -c FILE > FILE.part && mv FILE.part FILE"],
  ),
  "archive.kind.zstd": other("a zstd", "tar --zstd -xf FILE"),
  "archive.kind.xz": other("an xz", "tar -xJf FILE"),
  "archive.kind.lzma": other("an lzma", "tar --lzma -xf FILE"),
  "archive.kind.lzip": other("an lzip", "tar --lzip -xf FILE"),
  "archive.kind.bzip2": other("a bzip2", "tar -xjf FILE"),
  "archive.kind.lz4": other("an lz4", "lz4 -dc FILE | tar -xf -"),
  "archive.kind.compress": other("a compress (.Z)", "tar -xZf FILE"),
  "archive.kind.7z": other("a 7z", "7z x FILE"),
  "archive.kind.rar": other("a RAR", "unrar x FILE"),
  "archive.kind.cab": other("a CAB", "7z x FILE"),
  "archive.kind.cpio": other("a cpio", "cpio -id < FILE"),
  "archive.kind.deb": other("a Debian package", "dpkg-deb -x FILE unpacked", "Debian 软件包"),
  "archive.kind.rpm": other("an RPM", "rpm2cpio FILE | cpio -id"),
  "archive.kind.iso": other("an ISO image", "7z x FILE", "ISO 镜像"),
  "archive.kind.program": invalid(
    ["is a program, not an archive", "replace it with the archive; declare a collector's program in packages.json"],
    ["是可执行程序，不是压缩包", "请换成压缩包；采集器程序请在 packages.json 中声明"],
  ),
  "archive.kind.zeros": invalid(
    ["contains only NUL bytes: space was allocated, but the content was never written", "copy the file again and check that the copy ends without an error"],
    ["内容全为 NUL 字节：只预留了空间，内容没有写入", "请重新复制该文件，并确认复制正常结束"],
  ),
  // The form that BK-Lite's installer can unpack.
  ...forms,
  "repack.never": warning(
    [
      ({ reasons }: { reasons: readonly FormReason[] }) => `is stored unchanged (REPACK=never), but BK-Lite cannot install it on a node: ${formWords(reasons, "en")}`,
      "set REPACK=auto, or build the archive as a zip with one top folder fusion-collectors/ and no links",
    ],
    [
      ({ reasons }: { reasons: readonly FormReason[] }) => `按原样存储（REPACK=never），但 BK-Lite 无法在节点上安装：${formWords(reasons, "zh")}`,
      "请设置 REPACK=auto，或将其制作为 zip 压缩包：顶层目录为 fusion-collectors/，且不含链接",
    ],
  ),
  "repack.too-large": invalid(
    [
      ({ files, bytes }: { files: number; bytes: number | undefined }) =>
        `has ${number(files)} files${bytes === undefined ? "" : ` and ${formatBytes(bytes)}`} once its links are replaced by their targets; BK-Lite's installer accepts at most 100,000 files and 8 GiB`,
      "remove what no node needs, links to folders first, then rebuild the archive",
    ],
    [
      ({ files, bytes }: { files: number; bytes: number | undefined }) =>
        `链接替换为实际内容后共 ${number(files)} 个文件${bytes === undefined ? "" : `、${formatBytes(bytes)}`}，超过 BK-Lite 安装器的上限（100,000 个文件、8 GiB）`,
      "请去掉节点用不到的内容（尤其是指向目录的链接）后重新打包",
    ],
  ),
  "repack.too-long": tooLarge("has more than 4 GiB as the zip that BK-Lite's installer can unpack, which is its limit", "转换为 BK-Lite 安装器可解压的 zip 后超过其上限 4 GiB"),
};
