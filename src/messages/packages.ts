import { COPY_AGAIN, fill, invalid, type Language, unverified, warning } from "./define.ts";

const FIELDS = {
  object: { en: "an object", zh: "对象名" },
  version: { en: "a version", zh: "版本号" },
  name: { en: "a name", zh: "文件名" },
};

interface Program {
  os: string;
  arch: string;
  /** Path of the program in the archive; "" for the file itself. */
  entry: string;
  /** The platform in its header: `linux arm64`, `macOS`, `other`. */
  found: string;
  /** Where it lies: in an archive or a file named with --file, as an installer, or in a collector folder. */
  source: "archive" | "installer" | "place";
}

/** Formats that may stand in a program's place; any other word is a format's own name. */
const INSTEAD: Record<string, { en: string; zh: string }> = {
  html: { en: "an HTML page", zh: "HTML 网页" },
  xml: { en: "an XML document (such as an object store's error)", zh: "XML 文档（例如对象存储返回的错误）" },
  json: { en: "a JSON document", zh: "JSON 文档" },
  text: { en: "a text file", zh: "文本文件" },
  pdf: { en: "a PDF document", zh: "PDF 文档" },
  lfs: { en: "a Git LFS pointer", zh: "Git LFS 指针文件" },
  zeros: { en: "a file of NUL bytes only", zh: "全为 NUL 字节的文件" },
  empty: { en: "an empty file", zh: "空文件" },
};

const inEnglish = (found: string) => INSTEAD[found]?.en ?? `a packed file (${found})`;
const inChinese = (found: string) => INSTEAD[found]?.zh ?? `${found} 压缩文件`;

/** What to do about a program for another platform; `…Known`: one that BK-Lite installs on. */
const OTHER_PROGRAM = {
  archive: { en: "rebuild it with programs for {os} {arch}", zh: "请用 {os} {arch} 的程序重新打包" },
  archiveKnown: {
    en: "say in the file's name that it is for {found}, as in {example}, or add --os {foundOs} --arch {foundArch}; if it is meant for {os} {arch}, rebuild it with programs for {os} {arch}",
    zh: "请在文件名中写明 {found}，例如 {example}，或加 --os {foundOs} --arch {foundArch}；如果本应用于 {os} {arch}，请用 {os} {arch} 的程序重新打包",
  },
  installer: {
    en: "give each installer its own name: bklite-controller-installer for Linux, bklite-controller-installer.exe and bklite-controller-bootstrap.exe for Windows",
    zh: "请使用对应的文件名：bklite-controller-installer 用于 Linux，bklite-controller-installer.exe 和 bklite-controller-bootstrap.exe 用于 Windows",
  },
  place: { en: "replace it with the program for {os} {arch}", zh: "请换成 {os} {arch} 的程序" },
  placeKnown: {
    en: "move it to collector/{foundOs}/{foundArch}/, or replace it with the program for {os} {arch}",
    zh: "请移到 collector/{foundOs}/{foundArch}/，或换成 {os} {arch} 的程序",
  },
};

function otherProgram({ os, arch, found, source }: Program, language: Language): string {
  const [, foundOs, foundArch] = /^(linux|windows) (x86_64|arm64)$/.exec(found) ?? [];
  const kind = foundOs === undefined || source === "installer" ? source : (`${source}Known` as const);
  const example = `fusion-collectors-${foundOs}-${foundArch === "x86_64" ? "amd64" : foundArch}-1.2.3.zip`;
  return fill(OTHER_PROGRAM[kind][language], { os, arch, found, foundOs, foundArch, example });
}

/** What a platform needs before BK-Lite's page can install a node of it. */
export type MissingPart = "controller" | "installer" | "bootstrap";

export const MISSING_WORDS: Record<MissingPart, Record<Language, string>> = {
  controller: { en: "controller", zh: "控制器" },
  installer: { en: "installer", zh: "安装器" },
  bootstrap: { en: "Windows bootstrap", zh: "Windows 引导程序" },
};

/** What REQUIRE may find missing. */
const REQUIRED_WORDS = { ...MISSING_WORDS, probe: { en: "probe", zh: "探针" } };

/** `platform`: `linux/arm64`; before state C `linux`. */
type OnPlatform = { platform: string };
type Names = OnPlatform & { names: readonly string[] };

interface Incomplete {
  incomplete: readonly { platform: string; missing: readonly (keyof typeof REQUIRED_WORDS)[] }[];
}

const listed = ({ incomplete }: Incomplete, language: Language) => {
  const zh = language === "zh";
  const parts = incomplete.map(({ platform, missing }) => {
    const words = missing.map((part) => REQUIRED_WORDS[part][language]);
    return zh ? `${platform}（缺少${words.join("、")}）` : `${platform} (no ${words.join(", no ")})`;
  });
  return parts.join(zh ? "、" : ", ");
};

const installerOf = (platform: string) => (platform.startsWith("windows") ? "bklite-controller-installer.exe" : "bklite-controller-installer");

interface Damaged {
  /** `linux/x86_64`; without the architecture if the table has no such column. */
  platform: string;
  object: string;
  version: string;
  user: string;
  chunks: number;
  whole: number;
}
type TooLong = { field: keyof typeof FIELDS; length: number; limit: number };

/** A version for one file alone; PACKAGE_VERSION would be the version of every archive that names none. */
const OWN_VERSION = {
  en: "give this file its own version, in its name (fusion-collectors-linux-amd64-1.2.4.zip) or in packages.json",
  zh: "请为该文件单独指定新的版本号：写在文件名中（fusion-collectors-linux-amd64-1.2.4.zip）或 packages.json 中",
};

const CA = { en: "put this stack's CA (conf/certs/ca.crt) into the archive as certs/ca.crt and rebuild the archive", zh: "请将本环境的 CA（conf/certs/ca.crt）放入压缩包内的 certs/ca.crt，重新打包" };

/** What files are as packages, and what can be installed from them. */
export const packages = {
  // A file that cannot be the package that it is declared or named to be.
  "package.contents": invalid(
    ["contains neither collector-sidecar nor any known {os} collector", "replace it with a fusion-collectors archive: collector-sidecar and bin/ in its top folder"],
    ["既没有 collector-sidecar，也没有任何已知的 {os} 采集器", "请换成 fusion-collectors 探针包：顶层目录中应有 collector-sidecar 和 bin/"],
  ),
  "package.windows.name": invalid(
    ["contains a name that Windows does not allow: {entry}", 'rename it, then rebuild the archive: Windows allows no < > : " | ? *, no dot or space at the end, and no device names (CON, NUL, COM1)'],
    ["其中的名称在 Windows 上无法使用：{entry}", '请重命名后重新打包：不得含 < > : " | ? *，不得以点或空格结尾，也不得使用设备名（CON、NUL、COM1）'],
  ),
  "package.windows.case": invalid(
    ["contains two names that are the same on Windows: {other} and {entry}", "rename one of the two, then rebuild the archive"],
    ["其中的名称在 Windows 上相同（不区分大小写）：{other} 与 {entry}", "请重命名其中一个后重新打包"],
  ),
  "package.nested": invalid(
    ["contains another archive: {entry}", "replace it with the inner archive: unzip FILE && rm FILE (build servers often zip an artifact once more)"],
    ["压缩包内又套了一层压缩包：{entry}", "请换成内层压缩包：unzip FILE && rm FILE（构建平台下载的产物常会再打一层）"],
  ),
  "collector.link": invalid(
    ["is a collector's zip that contains a link: {entry}; BK-Lite unpacks files and folders only", "rebuild the zip with the file instead of the link (zip -r without -y)"],
    ["采集器的 zip 中含有链接 {entry}：BK-Lite 只解压普通文件和目录", "请用链接所指的文件代替链接后重新打包（zip -r，不加 -y）"],
  ),
  "probe.unknown": invalid(
    ["is declared an APM probe, but its name is not one of: {names:, }", "rename the file to the probe's name"],
    ["该文件声明为 APM 探针，但文件名不是以下任一个：{names:、}", "请将文件改为对应探针的名称"],
  ),
  "collector.folder": invalid(
    ["contains {entry}, which is not a regular file or folder, or is a link to a folder or to nothing", "replace it with the file that it stands for, or remove it"],
    ["其中的 {entry} 不是普通文件或目录，或是指向目录、指向不存在位置的链接", "请用它所指的文件替换，或将其删除"],
  ),
  "collector.unknown": warning(
    [
      "is ignored: it lies in a collector folder, but BK-Lite defines no {os} collector of that name",
      "compare its name with BK-Lite's collectors (SELECT name FROM node_mgmt_collector), or declare it in packages.json",
    ],
    ["已忽略：该文件位于采集器目录中，但 BK-Lite 没有定义该名称的 {os} 采集器", "请与 BK-Lite 定义的采集器核对名称（SELECT name FROM node_mgmt_collector），或在 packages.json 中声明"],
  ),
  "collector.object": warning(
    ["is stored as {object}, but BK-Lite's collector is called {meant}: BK-Lite's page will not offer it", 'use --object {meant}, or "object": "{meant}" in packages.json'],
    ["按 {object} 存储，但 BK-Lite 的采集器名为 {meant}：页面上不会出现", '请使用 --object {meant}，或在 packages.json 中写 "object": "{meant}"'],
  ),
  "collector.unpacked": warning(
    [
      "is stored unchanged, but BK-Lite unpacks only .zip collectors: on a node it stays one packed file and cannot run",
      "pack the collector's folder with zip -r, or replace this file with the program",
    ],
    ["按原样存储，但 BK-Lite 只解压采集器的 .zip：下发到节点后仍是压缩文件，无法运行", "请用 zip -r 打包采集器目录，或直接提供程序文件"],
  ),
  "collector.incomplete": warning(
    ["is named as the collector {object}, but lacks its program {program}", "add {program} directly below this folder"],
    ["目录名对应采集器 {object}，但目录内缺少程序 {program}", "请将程序 {program} 直接放入该目录"],
  ),
  "package.incomplete": invalid(
    [
      "has no {missing: and no } in its top folder: installing it would stop a node's controller",
      "rebuild the archive from a complete fusion-collectors folder; put a collector alone into collector/linux/ or collector/windows/",
    ],
    ["顶层目录中没有 {missing: 和 }：用它安装会使节点上的控制器停止工作", "请用完整的 fusion-collectors 目录重新打包；单独的采集器请放入 collector/linux/ 或 collector/windows/"],
  ),
  "package.release": invalid(
    ["is a BK-Lite release pack (manifest.json and artifacts/), not a package", "import it on BK-Lite's page, and remove it from the volume"],
    ["是 BK-Lite 的发布包（manifest.json 与 artifacts/），不是探针包", "请在 BK-Lite 页面上导入，并从目录中移除"],
  ),
  "archive.ca.invalid": warning(
    ["has no certificate in certs/ca.crt: nodes that are installed from it cannot connect to NATS by TLS", CA.en],
    ["压缩包内的 certs/ca.crt 不是证书：由它安装的节点无法通过 TLS 连接 NATS", CA.zh],
  ),
  "archive.ca.other": warning(
    ['has the CA certificate "{subject}" in certs/ca.crt, which did not sign this NATS server\'s certificate: nodes that are installed from it cannot connect', CA.en],
    ["压缩包内的 certs/ca.crt 为“{subject}”，并非签发本 NATS 服务端证书的 CA：由它安装的节点无法连接", CA.zh],
  ),
  "package.field.long": invalid(
    [
      ({ field, length, limit }: TooLong) => `has ${FIELDS[field].en} of ${length} characters; the table's column holds ${limit}`,
      ({ field, limit }: TooLong) => (field === "name" ? `rename the file to at most ${limit} characters` : `use ${FIELDS[field].en} of at most ${limit} characters`),
    ],
    [({ field, length, limit }: TooLong) => `${FIELDS[field].zh}有 ${length} 个字符，数据表的列最多 ${limit} 个`, ({ field, limit }: TooLong) => `请将${FIELDS[field].zh}缩短到 ${limit} 个字符以内`],
  ),
  "package.object.collector": invalid(
    ["would be registered as {object}, but {object} is a collector inside this archive", "remove --object, or add --type collector if the file is that collector alone"],
    ["该文件将登记为 {object}，而 {object} 是该探针包内的一个采集器", "请去掉 --object；如果该文件就是这个采集器本身，请加 --type collector"],
  ),
  "collector.missing": invalid(
    [
      ({ name, held }: { name: string; held: readonly string[] }) =>
        `does not contain the collector ${name}, which COLLECTORS names; it contains ${held.length > 0 ? held.join(", ") : "no known collector"}`,
      "set COLLECTORS=auto, remove {name} from COLLECTORS, or use an archive that contains it",
    ],
    [
      ({ name, held }: { name: string; held: readonly string[] }) => `不包含 COLLECTORS 指定的采集器 ${name}；其中${held.length > 0 ? `有：${held.join("、")}` : "没有已知的采集器"}`,
      "请设置 COLLECTORS=auto、从 COLLECTORS 中去掉 {name}，或换用包含它的探针包",
    ],
  ),
  "package.clash": invalid(
    [
      "has the same identity as {other}: {identity}",
      ({ moves }: { other: string; identity: string; moves: boolean }) => (moves ? "remove one of the two files" : "remove one of the two files, or say in both names which version they are"),
    ],
    [
      "与 {other} 标识相同（{identity}），无法区分",
      ({ moves }: { other: string; identity: string; moves: boolean }) => (moves ? "请删除其中一个文件" : "请删除其中一个文件，或在两个文件名中写明各自的版本"),
    ],
  ),
  "package.clash.arch": invalid(
    ["is for {arch} and {other} for {otherArch}, but the table has one row for {identity}", "keep one architecture on the volume, or update BK-Lite until its table has cpu_architecture"],
    ["该文件用于 {arch}，{other} 用于 {otherArch}，但数据表中 {identity} 只能有一条记录", "请在目录中只保留一种架构，或升级 BK-Lite，使数据表具有 cpu_architecture 列"],
  ),
  // A collector that BK-Lite will not be able to start.
  "collector.unstartable": warning(
    [
      "is stored as {object}, but BK-Lite starts {program}, which does not exist after it has unpacked this on a node: it cannot be installed",
      "use a file, folder or zip that contains {program}, and compare executable_path in node_mgmt_collector: BK-Lite unpacks collectors only below bin/",
    ],
    [
      "按 {object} 存储，但 BK-Lite 启动的是 {program}，在节点上解压后该文件不存在：无法安装",
      "请提供含有 {program} 的文件、目录或 zip，并核对 node_mgmt_collector 的 executable_path：BK-Lite 只将采集器解压到 bin/ 下",
    ],
  ),
  // Programs, and other formats in their place.
  "package.program": invalid(
    [
      ({ os, arch, entry, found }: Program) => `is treated as ${os} ${arch}, but ${entry === "" ? "it" : entry} is a program for ${found === "other" ? "another system" : found}`,
      (program: Program) => otherProgram(program, "en"),
    ],
    [
      ({ os, arch, entry, found }: Program) => `按 ${os} ${arch} 处理，但${entry === "" ? "该文件" : `其中的 ${entry} `}是 ${found === "other" ? "其他系统" : found} 的程序`,
      (program: Program) => otherProgram(program, "zh"),
    ],
  ),
  "program.truncated": invalid(
    [
      ({ entry, bytes, needed }: { entry: string; bytes: number; needed: number }) =>
        `${entry === "" ? "is" : `contains ${entry}, which is`} a program that was cut short: its header announces at least ${needed} bytes, but ${entry === "" ? "the file" : "it"} has ${bytes}`,
      ({ entry }: { entry: string; bytes: number; needed: number }) => (entry === "" ? COPY_AGAIN.en : "rebuild the archive from complete programs"),
    ],
    [
      ({ entry, bytes, needed }: { entry: string; bytes: number; needed: number }) => `${entry === "" ? "" : `其中的 ${entry} `}程序文件不完整：文件头表明至少 ${needed} 字节，实际只有 ${bytes} 字节`,
      ({ entry }: { entry: string; bytes: number; needed: number }) => (entry === "" ? COPY_AGAIN.zh : "请用完整的程序重新打包"),
    ],
  ),
  "program.kind": invalid(
    [
      ({ entry, found }: { entry: string; found: string }) => `${entry === "" ? "is" : `contains ${entry}, which is`} ${inEnglish(found)}, not a program`,
      ({ found }: { entry: string; found: string }) =>
        found === "lfs"
          ? "run git lfs pull in the repository that it comes from, then copy or build it again"
          : "replace it with the program; if it was downloaded, download it again with curl -fLO URL",
    ],
    [
      ({ entry, found }: { entry: string; found: string }) => `${entry === "" ? "" : `其中的 ${entry} `}是${inChinese(found)}，不是可执行程序`,
      ({ found }: { entry: string; found: string }) => (found === "lfs" ? "请在其来源仓库中执行 git lfs pull，再重新复制或构建" : "请换成程序本身；如果是下载所得，请用 curl -fLO URL 重新下载"),
    ],
  ),
  "installer.kind": invalid(
    [
      ({ found, instead }: { found: string; instead?: string | undefined }) =>
        `has the name of BK-Lite's installer, but is ${instead ? `${inEnglish(instead)}, ` : ""}not a program for Linux or Windows${found === "other" ? "" : ` (${found})`}`,
      "replace it with BK-Lite's bklite-controller-installer (or .exe); if it was downloaded, download it again with curl -fLO URL (git lfs pull for a Git LFS pointer)",
    ],
    [
      ({ found, instead }: { found: string; instead?: string | undefined }) =>
        `文件名是 BK-Lite 安装器，但${instead ? `内容是${inChinese(instead)}，` : ""}不是 Linux 或 Windows 程序${found === "other" ? "" : `（${found}）`}`,
      "请换成 BK-Lite 提供的 bklite-controller-installer（或 .exe）；如果是下载所得，请用 curl -fLO URL 重新下载（Git LFS 指针需执行 git lfs pull）",
    ],
  ),
  // Parts of an installation that are missing although everything on the volume is stored and registered.
  "platform.controller.missing": warning(
    ["{platform}: no controller can be installed: no .zip is registered and completely stored", "put the fusion-collectors archive for {platform} on the volume and run again"],
    ["{platform}：没有可安装的控制器（没有已登记且对象完整的 .zip）", "请将 {platform} 的 fusion-collectors 探针包放入卷（PACKAGES_DIR），重新运行本任务"],
  ),
  "platform.installer.missing": warning(
    [
      '{platform}: the installer is missing: BK-Lite\'s page cannot install a controller ("object does not exist")',
      ({ platform }: OnPlatform) => `put ${installerOf(platform)} for ${platform} on the volume and run again`,
    ],
    [
      "{platform}：缺少安装器，BK-Lite 无法从页面安装控制器（会提示“object does not exist”）",
      ({ platform }: OnPlatform) => `请将 ${platform} 的 ${installerOf(platform)} 放入卷（PACKAGES_DIR），重新运行本任务`,
    ],
  ),
  "platform.bootstrap.missing": warning(
    ["{platform}: the Windows bootstrap is missing: BK-Lite cannot install a controller on Windows remotely", "put bklite-controller-bootstrap.exe on the volume and run again"],
    ["{platform}：缺少 Windows 引导程序，BK-Lite 无法远程安装 Windows 控制器", "请将 bklite-controller-bootstrap.exe 放入卷（PACKAGES_DIR），重新运行本任务"],
  ),
  "platform.collectors.listed": warning(
    [
      ({ platform, names }: Names) =>
        `${platform}: ${names.join(", ")} ${names.length === 1 ? "has a row but no object: BK-Lite can neither install nor delete it" : "have rows but no objects: BK-Lite can neither install nor delete them"}`,
      "set COLLECTOR_PACKAGES=standalone, put the archive that contains them on the volume, and run again",
    ],
    ["{platform}：{names:、} 仅有登记、没有对象，BK-Lite 既不能安装也不能删除", "请设置 COLLECTOR_PACKAGES=standalone，将包含它们的探针包放入卷（PACKAGES_DIR），重新运行本任务"],
  ),
  "platform.collectors.unknown": warning(
    [
      "{platform}: {names:, }: stored, but BK-Lite has no collector of exactly that name, so it cannot be installed",
      "store it under the name in node_mgmt_collector (capitals count), and delete this row on BK-Lite's page",
    ],
    ["{platform}：{names:、} 已存储，但 BK-Lite 没有名称完全相同的采集器定义，无法安装", "请按 node_mgmt_collector 中的名称存储（区分大小写），并在 BK-Lite 页面删除该记录"],
  ),
  "platform.collectors.unstartable": warning(
    [
      "{platform}: {names:, }: stored under a file name that puts the program where BK-Lite does not start it, so it installs but never runs",
      "put the collector on the volume and run again, or upload it on BK-Lite's page in the form that executable_path in node_mgmt_collector needs",
    ],
    [
      "{platform}：{names:、} 存储所用的文件名使程序不在 BK-Lite 启动的位置，安装后无法运行",
      "请将该采集器放入卷（PACKAGES_DIR）并重新运行本任务，或按 node_mgmt_collector 的 executable_path 所需的形式在 BK-Lite 页面重新上传",
    ],
  ),
  "platform.incomplete": unverified(
    [(params: Incomplete) => `REQUIRE names platforms or probes that are incomplete: ${listed(params, "en")}`, "put the missing files on the volume and run again, or remove the entry from REQUIRE"],
    [(params: Incomplete) => `REQUIRE 指定的内容不完整：${listed(params, "zh")}`, "请将缺少的文件放入卷（PACKAGES_DIR）并重新运行本任务，或从 REQUIRE 中去掉该项"],
  ),
  "definitions.name": warning(
    [
      ({ names }: { names: readonly string[] }) => `node_mgmt_collector has collectors whose names cannot be part of an object's key; they are ignored: ${names.map((name) => `"${name}"`).join(", ")}`,
      "rename or delete them in BK-Lite: a name has 1 to 100 characters, without spaces, slashes, backslashes and control characters",
    ],
    [
      ({ names }: { names: readonly string[] }) => `node_mgmt_collector 中有采集器的名称不能作为对象键的一部分，已忽略：${names.map((name) => `“${name}”`).join("、")}`,
      "请在 BK-Lite 中改名或删除：名称为 1 至 100 个字符，不含空格、斜杠、反斜杠和控制字符",
    ],
  ),
  // Other content under the same identity.
  "conflict.content": invalid(
    [
      "{platform} {object} {version} is already stored with different content, and ON_CONFLICT is fail (SHA-256 stored {stored}, on the volume {local})",
      `${OWN_VERSION.en}; or set ON_CONFLICT=replace to store this file, or ON_CONFLICT=keep to keep the stored object`,
    ],
    [
      "{platform} {object} {version} 已存储但内容不同，且 ON_CONFLICT 为 fail（SHA-256：已存储 {stored}，本地 {local}）",
      `${OWN_VERSION.zh}；或设置 ON_CONFLICT=replace 以存储该文件，或 ON_CONFLICT=keep 以保留已有对象`,
    ],
  ),
  "conflict.user": invalid(
    [
      '{platform} {object} {version} was uploaded by a user ("{user}") with different content and is never overwritten (SHA-256 stored {stored}, on the volume {local})',
      `${OWN_VERSION.en}; or set ON_CONFLICT=keep, or delete the user's package on BK-Lite's page`,
    ],
    [
      "{platform} {object} {version} 由用户“{user}”上传，内容不同，不会被覆盖（SHA-256：已存储 {stored}，本地 {local}）",
      `${OWN_VERSION.zh}；或设置 ON_CONFLICT=keep，或在 BK-Lite 页面上删除用户上传的探针包`,
    ],
  ),
  "conflict.user.damaged": invalid(
    [
      ({ platform, object, version, user, chunks, whole }: Damaged) =>
        `${platform} ${object} ${version} was uploaded by a user ("${user}") with different content, and ${chunks < whole ? `only ${chunks} of its ${whole} chunks are stored` : "its chunks are not the bytes of its digest"}: it can neither be installed nor repaired from this volume`,
      `delete the user's package on BK-Lite's page, or upload it there again; or ${OWN_VERSION.en}`,
    ],
    [
      ({ platform, object, version, user, chunks, whole }: Damaged) =>
        `${platform} ${object} ${version} 由用户“${user}”上传，内容不同，且${chunks < whole ? ` ${whole} 个分块中只存有 ${chunks} 个` : "其分块与摘要不符"}：既无法安装，也无法从本卷（PACKAGES_DIR）修复`,
      `请在 BK-Lite 页面上删除或重新上传该探针包；或者${OWN_VERSION.zh}`,
    ],
  ),
  "conflict.name": invalid(
    ['row {id}, uploaded by a user ("{user}"), has the name "{name}", which cannot be part of an object\'s key: BK-Lite cannot serve it', "delete row {id} on BK-Lite's page"],
    ["用户“{user}”上传的记录 {id} 名称为“{name}”，不能作为对象键的一部分，无法提供下载", "请在 BK-Lite 页面上删除记录 {id}"],
  ),
  "row.architecture": warning(
    [
      "row {id} says {rowArch}, but serves the {arch} archive of {object} {version}: it was written before BK-Lite's table had an architecture column",
      "put the {rowArch} archive of this version on the volume and run again, or delete row {id} on BK-Lite's page",
    ],
    [
      "记录 {id} 标为 {rowArch}，提供的却是 {object} {version} 的 {arch} 探针包：它写于 BK-Lite 的表区分架构之前",
      "请将该版本的 {rowArch} 探针包放入卷（PACKAGES_DIR）并重新运行，或在 BK-Lite 页面上删除记录 {id}",
    ],
  ),
};
