import { COPY_AGAIN, type Language, reason } from "./define.ts";

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

/** What a platform needs before a node of it can be installed from BK-Lite's pages. */
export type MissingPart = "controller" | "installer" | "bootstrap";

export const MISSING_WORDS: Record<MissingPart, Record<Language, string>> = {
  controller: { en: "controller", zh: "控制器" },
  installer: { en: "installer", zh: "安装器" },
  bootstrap: { en: "Windows bootstrap", zh: "Windows 引导程序" },
};

/** What REQUIRE may find missing. */
type RequiredPart = MissingPart | "probe";

const REQUIRED_WORDS: Record<RequiredPart, Record<Language, string>> = {
  ...MISSING_WORDS,
  probe: { en: "probe", zh: "探针" },
};

interface OnPlatform {
  /** `linux/arm64`; before state C `linux`. */
  platform: string;
}

interface Incomplete {
  incomplete: readonly { platform: string; missing: readonly RequiredPart[] }[];
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

/** `stored` and `local` are SHA-256 in hex. */
interface Contents {
  /** `linux/x86_64`; without the architecture where the table has none. */
  platform: string;
  object: string;
  version: string;
  stored: string;
  local: string;
}

const identity = ({ platform, object, version }: Contents) => `${platform} ${object} ${version}`;
const digests = ({ stored, local }: Contents) => `SHA-256 stored ${stored}, on the volume ${local}`;
const digestsZh = ({ stored, local }: Contents) => `SHA-256：已存储 ${stored}，卷上 ${local}`;

/** What files are as packages, and what can be installed from them. */
export const packages = {
  // What a file is to be in BK-Lite and cannot be: exit 65.
  "package.contents": reason<{ os: string }>({
    exit: 65,
    en: [({ os }) => `contains neither collector-sidecar nor any known ${os} collector`, "put a fusion-collectors archive there: collector-sidecar and bin/ in its top folder"],
    zh: [({ os }) => `既没有 collector-sidecar，也没有任何已知的 ${os} 采集器`, "请放入 fusion-collectors 压缩包：顶层目录中应有 collector-sidecar 和 bin/"],
  }),
  "package.windows.name": reason<{ entry: string }>({
    exit: 65,
    en: [
      ({ entry }) => `contains a name that Windows does not take: ${entry}`,
      'rename it and build the archive again: without < > : " | ? *, a dot or blank at its end, and names of devices (CON, NUL, COM1)',
    ],
    zh: [({ entry }) => `其中的名称在 Windows 上无法使用：${entry}`, '请重命名后重新打包：不得含 < > : " | ? *，不得以点或空格结尾，也不得使用设备名（CON、NUL、COM1）'],
  }),
  "package.windows.case": reason<{ entry: string; other: string }>({
    exit: 65,
    en: [({ entry, other }) => `contains names that are one and the same to Windows: ${other} and ${entry}`, "rename one of the two and build the archive again"],
    zh: [({ entry, other }) => `其中的名称在 Windows 上相同（不区分大小写）：${other} 与 ${entry}`, "请重命名其中一个后重新打包"],
  }),
  "package.nested": reason<{ entry: string }>({
    exit: 65,
    en: [({ entry }) => `is an archive around the archive: it contains ${entry}`, "unpack it once, as after a download from a build server, and put the archive in it there"],
    zh: [({ entry }) => `是套了一层的压缩包：其中是 ${entry}`, "请先解压一层（构建平台下载的产物常会再打一层包），再放入其中的压缩包"],
  }),
  "collector.link": reason<{ entry: string }>({
    exit: 65,
    en: [({ entry }) => `is a collector's zip with a link in it: ${entry}; BK-Lite unpacks files and folders only`, "pack it again with the files themselves (zip -r without -y)"],
    zh: [({ entry }) => `采集器的 zip 中含有链接 ${entry}：BK-Lite 只解压普通文件和目录`, "请用链接所指的文件重新打包（zip -r，不加 -y）"],
  }),
  "probe.unknown": reason<{ names: readonly string[] }>({
    exit: 65,
    en: [({ names }) => `should be an APM probe, but its name is none of theirs: ${names.join(", ")}`, "give the file the probe's own name"],
    zh: [({ names }) => `应为 APM 探针，但文件名不在其中：${names.join("、")}`, "请将文件改为对应探针的名称"],
  }),
  "collector.folder": reason<{ entry: string }>({
    exit: 65,
    en: [({ entry }) => `contains ${entry}, which is neither a regular file nor a folder (or a link that leads to a folder or nowhere)`, "replace it by the file that it stands for, or remove it"],
    zh: [({ entry }) => `其中的 ${entry} 既不是普通文件也不是目录（或是指向目录、指向不存在位置的链接）`, "请用它所指的文件替换，或将其删除"],
  }),
  "collector.unknown": reason<{ os: string }>({
    exit: null,
    en: [
      ({ os }) => `is in a collector's place, but BK-Lite defines no ${os} collector of that name: left alone`,
      "compare its name with the collectors that BK-Lite defines (node_mgmt_collector), or declare it in packages.json",
    ],
    zh: [({ os }) => `位于采集器目录中，但 BK-Lite 没有定义该名称的 ${os} 采集器：不处理`, "请与 BK-Lite 定义的采集器（node_mgmt_collector）核对名称，或在 packages.json 中声明"],
  }),
  "collector.object": reason<{ object: string; meant: string }>({
    exit: null,
    en: [({ object, meant }) => `is stored as ${object}, but BK-Lite's collector is called ${meant}: it will not be offered there`, ({ meant }) => `write ${meant}, in --object or in packages.json`],
    zh: [({ object, meant }) => `按 ${object} 存储，但 BK-Lite 的采集器名为 ${meant}：页面上不会出现`, ({ meant }) => `请在 --object 或 packages.json 中写 ${meant}`],
  }),
  "collector.unpacked": reason({
    exit: null,
    en: ["is stored as it is, but of collectors BK-Lite unpacks a .zip alone: on a node it stays one packed file", "pack the collector's folder as a zip, or give the program itself"],
    zh: ["按原样存储，但 BK-Lite 只解压采集器的 .zip：在节点上仍是一个压缩文件", "请将采集器目录打包为 zip，或直接提供程序文件"],
  }),
  "collector.incomplete": reason<{ object: string; program: string }>({
    exit: null,
    en: [({ object, program }) => `is called like ${object}, but its program is not in it: ${program}`, ({ program }) => `put the program there, so that ${program} is in it directly`],
    zh: [({ object, program }) => `名称与 ${object} 相同，但其中没有程序 ${program}`, ({ program }) => `请放入程序，使 ${program} 直接位于其中`],
  }),
  "package.incomplete": reason<{ missing: readonly string[] }>({
    exit: 65,
    en: [
      ({ missing }) => `has no ${missing.join(" and no ")} in its top folder: BK-Lite's installer would take a node's controller down with it`,
      "build the archive from a complete fusion-collectors folder; a collector alone goes to collector/linux/ or collector/windows/",
    ],
    zh: [
      ({ missing }) => `顶层目录中没有 ${missing.join(" 和 ")}：BK-Lite 的安装器用它安装会使节点上的控制器停止工作`,
      "请用完整的 fusion-collectors 目录重新打包；单独的采集器请放入 collector/linux/ 或 collector/windows/",
    ],
  }),
  "package.release": reason({
    exit: 65,
    en: ["is a release pack of BK-Lite's (manifest.json and artifacts/), not a package", "import it on BK-Lite's page, and remove it from the volume"],
    zh: ["是 BK-Lite 的发布包（manifest.json 与 artifacts/），不是探针包", "请在 BK-Lite 页面上导入，并从卷中移除"],
  }),
  "archive.ca.invalid": reason({
    exit: null,
    en: [
      "has no certificate in certs/ca.crt: nodes that are installed from it cannot connect to NATS by TLS",
      "put this stack's CA (conf/certs/ca.crt) into the archive as certs/ca.crt and pack it again",
    ],
    zh: ["包内 certs/ca.crt 不是证书：由它安装的节点无法通过 TLS 连接 NATS", "请将本环境的 CA（conf/certs/ca.crt）放入包内的 certs/ca.crt，重新打包"],
  }),
  "archive.ca.other": reason<{ subject: string }>({
    exit: null,
    en: [
      ({ subject }) => `has the CA certificate "${subject}" in certs/ca.crt, which did not sign this NATS server's certificate: nodes that are installed from it cannot connect`,
      "put this stack's CA (conf/certs/ca.crt) into the archive as certs/ca.crt and pack it again",
    ],
    zh: [({ subject }) => `包内 certs/ca.crt 为“${subject}”，并非签发本 NATS 服务端证书的 CA：由它安装的节点无法连接`, "请将本环境的 CA（conf/certs/ca.crt）放入包内的 certs/ca.crt，重新打包"],
  }),
  "package.field.long": reason<{ field: keyof typeof FIELDS; length: number; limit: number }>({
    exit: 65,
    en: [
      ({ field, length, limit }) => `has ${FIELDS[field].en} of ${length} characters; the table's column holds ${limit}`,
      ({ field }) => (field === "name" ? "give the file a shorter name" : `give a shorter ${field}`),
    ],
    zh: [({ field, length, limit }) => `${FIELDS[field].zh}有 ${length} 个字符，数据表的列最多 ${limit} 个`, ({ field }) => (field === "name" ? "请缩短文件名" : `请缩短${FIELDS[field].zh}`)],
  }),
  "package.object.collector": reason<{ object: string }>({
    exit: 65,
    en: [({ object }) => `is to be stored as ${object}, which is a collector in it`, "leave --object out, or add --type collector if the file is that collector alone"],
    zh: [({ object }) => `要登记为 ${object}，但它是包内的一个采集器`, "请去掉 --object；如果该文件就是这个采集器本身，请加 --type collector"],
  }),
  "collector.missing": reason<{ name: string; held: readonly string[] }>({
    exit: 65,
    en: [
      ({ name, held }) => `does not contain the collector ${name}, which COLLECTORS names; it contains ${held.length > 0 ? held.join(", ") : "no known collector"}`,
      "correct COLLECTORS, set it to auto, or use an archive that contains it",
    ],
    zh: [({ name, held }) => `不包含 COLLECTORS 指定的采集器 ${name}；其中${held.length > 0 ? `有：${held.join("、")}` : "没有已知的采集器"}`, "请修正 COLLECTORS，设为 auto，或换用包含它的压缩包"],
  }),
  "package.clash": reason<{ other: string; identity: string; moves: boolean }>({
    exit: 65,
    en: [
      ({ other, identity }) => `claims to be the same package as ${other}: ${identity}`,
      ({ moves }) => (moves ? "remove one of the two files" : "remove one of the two files, or name their versions"),
    ],
    zh: [({ other, identity }) => `与 ${other} 是同一个安装包：${identity}`, ({ moves }) => (moves ? "请删除其中一个文件" : "请删除其中一个文件，或在名称中写明版本")],
  }),
  "package.clash.arch": reason<{ other: string; identity: string; arch: string; otherArch: string }>({
    exit: 65,
    en: [
      ({ other, identity, arch, otherArch }) => `is for ${arch} and ${other} for ${otherArch}, but the table has one row for ${identity}`,
      "keep one architecture on the volume, or update BK-Lite until its table has cpu_architecture",
    ],
    zh: [
      ({ other, identity, arch, otherArch }) => `用于 ${arch}，${other} 用于 ${otherArch}，但数据表中 ${identity} 只能有一条记录`,
      "卷上只保留一种架构，或升级 BK-Lite，使数据表具有 cpu_architecture 列",
    ],
  }),
  // A collector that is stored, though BK-Lite will not be able to start it.
  "collector.unstartable": reason<{ object: string; program: string }>({
    exit: null,
    en: [
      ({ object, program }) => `is stored as ${object}, but BK-Lite starts ${program}, which is not there after it has unpacked this on a node: it cannot be installed`,
      ({ program }) => `give a file, folder or zip that holds ${program}, and compare executable_path in node_mgmt_collector: BK-Lite unpacks collectors below bin/ alone`,
    ],
    zh: [
      ({ object, program }) => `按 ${object} 存储，但 BK-Lite 启动的是 ${program}，在节点上解压后该文件不存在：无法安装`,
      ({ program }) => `请提供含有 ${program} 的文件、目录或 zip，并核对 node_mgmt_collector 的 executable_path：BK-Lite 只将采集器解压到 bin/ 下`,
    ],
  }),
  // Programs, and what stands in their place: exit 65.
  "package.program": reason<Program>({
    exit: 65,
    en: [({ os, arch, entry, found }) => `is taken for ${os} ${arch}, but ${entry === "" ? "it" : entry} is a program for ${foundEn(found)}`, ({ source }) => OTHER_PROGRAM[source].en],
    zh: [({ os, arch, entry, found }) => `按 ${os} ${arch} 处理，但${entry === "" ? "它" : ` ${entry} `}是 ${foundZh(found)} 的程序`, ({ source }) => OTHER_PROGRAM[source].zh],
  }),
  "program.truncated": reason<{ entry: string; bytes: number; needed: number }>({
    exit: 65,
    en: [
      ({ entry, bytes, needed }) =>
        `${entry === "" ? "is" : `contains ${entry}, which is`} a program that was cut short: by its header it has at least ${needed} bytes, ${entry === "" ? "the file" : "it"} has ${bytes}`,
      ({ entry }) => (entry === "" ? COPY_AGAIN.en : "build the archive again from whole programs"),
    ],
    zh: [
      ({ entry, bytes, needed }) => `${entry === "" ? "" : `其中的 ${entry} `}程序文件不完整：文件头表明至少 ${needed} 字节，实际只有 ${bytes} 字节`,
      ({ entry }) => (entry === "" ? COPY_AGAIN.zh : "请用完整的程序重新打包"),
    ],
  }),
  "program.kind": reason<{ entry: string; found: string }>({
    exit: 65,
    en: [
      ({ entry, found }) => `${entry === "" ? "is" : `contains ${entry}, which is`} ${inEnglish(found)}, not a program`,
      ({ found }) =>
        found === "lfs"
          ? "run git lfs pull in the repository that it comes from, then copy or build it again"
          : "put the program itself there; where it was downloaded, see that the download did not fail (curl -fLO)",
    ],
    zh: [
      ({ entry, found }) => `${entry === "" ? "" : `其中的 ${entry} `}是${inChinese(found)}，不是可执行程序`,
      ({ found }) => (found === "lfs" ? "请在其来源仓库中执行 git lfs pull，再重新复制或构建" : "请放入程序本身；如为下载所得，请确认下载成功（curl -fLO）"),
    ],
  }),
  "installer.kind": reason<{ found: string; instead?: string | undefined }>({
    exit: 65,
    en: [
      ({ found, instead }) => `should be BK-Lite's installer, but is ${instead ? `${inEnglish(instead)}, ` : ""}not a program for Linux or Windows${found === "other" ? "" : ` (${found})`}`,
      "put BK-Lite's own bklite-controller-installer (or .exe) there; if it was downloaded, see that the download did not fail (git lfs pull for a Git LFS pointer)",
    ],
    zh: [
      ({ found, instead }) => `应为 BK-Lite 安装器，但${instead ? `是${inChinese(instead)}，` : ""}不是 Linux 或 Windows 程序${found === "other" ? "" : `（${found}）`}`,
      "请放入 BK-Lite 提供的 bklite-controller-installer（或 .exe）；如为下载所得，请确认下载成功（Git LFS 指针需执行 git lfs pull）",
    ],
  }),
  // What cannot be installed although everything on the volume is stored and registered.
  "platform.controller.missing": reason<OnPlatform>({
    exit: null,
    en: [
      ({ platform }) => `${platform}: no controller can be installed: no .zip is registered and completely stored`,
      ({ platform }) => `put the fusion-collectors archive for ${platform} on the volume and run the job again`,
    ],
    zh: [({ platform }) => `${platform}：没有可安装的控制器（没有已登记且对象完整的 .zip）`, ({ platform }) => `请将 ${platform} 的 fusion-collectors 压缩包放入卷中，重新运行本任务`],
  }),
  "platform.installer.missing": reason<OnPlatform>({
    exit: null,
    en: [
      ({ platform }) => `${platform}: the installer is missing: BK-Lite cannot install a controller from its pages ("object does not exist")`,
      ({ platform }) => `put ${installerOf(platform)} for ${platform} on the volume and run the job again`,
    ],
    zh: [
      ({ platform }) => `${platform}：缺少安装器，BK-Lite 无法从页面安装控制器（会提示“object does not exist”）`,
      ({ platform }) => `请将 ${platform} 的 ${installerOf(platform)} 放入卷中，重新运行本任务`,
    ],
  }),
  "platform.bootstrap.missing": reason<OnPlatform>({
    exit: null,
    en: [
      ({ platform }) => `${platform}: the Windows bootstrap is missing: BK-Lite cannot install a controller on Windows remotely`,
      "put bklite-controller-bootstrap.exe on the volume and run the job again",
    ],
    zh: [({ platform }) => `${platform}：缺少 Windows 引导程序，BK-Lite 无法远程安装 Windows 控制器`, "请将 bklite-controller-bootstrap.exe 放入卷中，重新运行本任务"],
  }),
  "platform.collectors.listed": reason<OnPlatform & { names: readonly string[] }>({
    exit: null,
    en: [
      ({ platform, names }) =>
        `${platform}: ${names.join(", ")} ${names.length === 1 ? "is" : "are"} only listed: without an object BK-Lite can neither install nor delete ${names.length === 1 ? "it" : "them"}`,
      "set COLLECTOR_PACKAGES=auto (or standalone) and run the job again",
    ],
    zh: [({ platform, names }) => `${platform}：${names.join("、")} 仅有登记、没有对象，BK-Lite 既不能安装也不能删除`, "请设置 COLLECTOR_PACKAGES=auto（或 standalone），重新运行本任务"],
  }),
  "platform.collectors.unknown": reason<OnPlatform & { names: readonly string[] }>({
    exit: null,
    en: [
      ({ platform, names }) => `${platform}: ${names.join(", ")}: stored, but BK-Lite has no definition of exactly that name, so it cannot be installed`,
      "compare the name with node_mgmt_collector, capitals included: store it under the defined name, and delete this row on BK-Lite's page",
    ],
    zh: [
      ({ platform, names }) => `${platform}：${names.join("、")} 已存储，但 BK-Lite 没有名称完全相同的采集器定义，无法安装`,
      "请与 node_mgmt_collector 核对名称（区分大小写），按定义的名称存储，并在 BK-Lite 页面删除该记录",
    ],
  }),
  "platform.collectors.unstartable": reason<OnPlatform & { names: readonly string[] }>({
    exit: null,
    en: [
      ({ platform, names }) => `${platform}: ${names.join(", ")}: stored under a file name that puts the program elsewhere than where BK-Lite starts it, so it installs and never runs`,
      "put the collector on the volume and run the job again, or upload it on BK-Lite's page in the form that executable_path in node_mgmt_collector asks for",
    ],
    zh: [
      ({ platform, names }) => `${platform}：${names.join("、")} 存储所用的文件名使程序不在 BK-Lite 启动的位置，安装后无法运行`,
      "请将该采集器放入卷中并重新运行本任务，或按 node_mgmt_collector 的 executable_path 所需的形式在 BK-Lite 页面重新上传",
    ],
  }),
  "platform.incomplete": reason<Incomplete>({
    exit: 76,
    en: [(params) => `not everything that REQUIRE names can be installed: ${listed(params, "en")}`, "put what is missing on the volume and run the job again, or take it out of REQUIRE"],
    zh: [(params) => `REQUIRE 指定的内容不完整：${listed(params, "zh")}`, "请将缺少的内容放入卷中并重新运行本任务，或从 REQUIRE 中去掉该项"],
  }),
  "definitions.name": reason<{ names: readonly string[] }>({
    exit: null,
    en: [
      ({ names }) => `node_mgmt_collector has definitions whose name cannot be part of an object's key, and they are passed over: ${names.map((name) => `"${name}"`).join(", ")}`,
      "rename or delete them in BK-Lite: a name has 1 to 100 characters without blanks, slashes, backslashes and control characters",
    ],
    zh: [
      ({ names }) => `node_mgmt_collector 中有名称不能作为对象键一部分的采集器定义，已忽略：${names.map((name) => `“${name}”`).join("、")}`,
      "请在 BK-Lite 中改名或删除：名称为 1 至 100 个字符，不含空白、斜杠、反斜杠和控制字符",
    ],
  }),
  "conflict.content": reason<Contents>({
    exit: 65,
    en: [
      (p) => `${identity(p)} is already stored with different content, and ON_CONFLICT is fail (${digests(p)})`,
      "give this build another version (PACKAGE_VERSION or --version), or set ON_CONFLICT=replace or keep",
    ],
    zh: [(p) => `${identity(p)} 已存储但内容不同，且 ON_CONFLICT 为 fail（${digestsZh(p)}）`, "为这次构建换一个版本号（PACKAGE_VERSION 或 --version），或设置 ON_CONFLICT=replace 或 keep"],
  }),
  "conflict.user": reason<Contents & { user: string }>({
    exit: 65,
    en: [
      (p) => `${identity(p)} was uploaded by a user ("${p.user}") with different content and is never overwritten (${digests(p)})`,
      "give this build another version (PACKAGE_VERSION or --version), delete the package on the web page, or set ON_CONFLICT=keep",
    ],
    zh: [(p) => `${identity(p)} 由用户“${p.user}”上传，内容不同，不会被覆盖（${digestsZh(p)}）`, "为这次构建换一个版本号（PACKAGE_VERSION 或 --version），在页面上删除该包，或设置 ON_CONFLICT=keep"],
  }),
  "conflict.user.damaged": reason<Contents & { user: string; chunks: number; whole: number }>({
    exit: 65,
    en: [
      (p) => `${identity(p)} was uploaded by a user ("${p.user}") with different content, and only ${p.chunks} of its ${p.whole} chunks are stored: it can be neither installed nor repaired from here`,
      "upload it again or delete it on the web page, or give this build another version",
    ],
    zh: [(p) => `${identity(p)} 由用户“${p.user}”上传，内容不同，且 ${p.whole} 个分块中只存有 ${p.chunks} 个：既无法安装，也无法从本卷修复`, "请在页面上重新上传或删除该包，或为这次构建换一个版本号"],
  }),
  "conflict.name": reason<{ id: number; name: string; user: string }>({
    exit: 65,
    en: [
      ({ id, name, user }) => `row ${id}, uploaded by a user ("${user}"), has the name "${name}", which cannot be part of an object's key: nothing can be served by it`,
      "delete the package on the web page, or give this build another version",
    ],
    zh: [({ id, name, user }) => `用户“${user}”上传的记录 ${id} 名称为“${name}”，不能作为对象键的一部分，无法提供下载`, "请在页面上删除该包，或为这次构建换一个版本号"],
  }),
  "row.architecture": reason<{ id: number; object: string; version: string; rowArch: string; arch: string }>({
    exit: null,
    en: [
      (p) => `row ${p.id} calls itself ${p.rowArch}, but serves the ${p.arch} archive of ${p.object} ${p.version}: it was written before BK-Lite's table told architectures apart`,
      (p) => `put the ${p.rowArch} archive of this version on the volume and run again, or delete row ${p.id} on the web page`,
    ],
    zh: [
      (p) => `记录 ${p.id} 标为 ${p.rowArch}，提供的却是 ${p.object} ${p.version} 的 ${p.arch} 压缩包：它写于 BK-Lite 的表区分架构之前`,
      (p) => `把该版本的 ${p.rowArch} 压缩包放到卷上重新运行，或在页面上删除记录 ${p.id}`,
    ],
  }),
};
