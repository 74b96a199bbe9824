import { fault, suspicion } from "./fault.ts";

const FIELDS = {
  object: { en: "an object", zh: "对象名" },
  version: { en: "a version", zh: "版本号" },
  name: { en: "a name", zh: "文件名" },
};

/** What a file is to be in BK-Lite and cannot be: exit 65. */
export const packages = {
  "package.contents": fault<{ os: string }>(
    {
      en: ({ os }) => `contains neither collector-sidecar nor any known ${os} collector`,
      zh: ({ os }) => `既没有 collector-sidecar，也没有任何已知的 ${os} 采集器`,
    },
    {
      en: "put a fusion-collectors archive there: collector-sidecar and bin/ in its top folder",
      zh: "请放入 fusion-collectors 压缩包：顶层目录中应有 collector-sidecar 和 bin/",
    },
  ),
  "package.windows.name": fault<{ entry: string }>(
    {
      en: ({ entry }) => `contains a name that Windows does not take: ${entry}`,
      zh: ({ entry }) => `其中的名称在 Windows 上无法使用：${entry}`,
    },
    {
      en: 'rename it and build the archive again: without < > : " | ? *, a dot or blank at its end, and names of devices (CON, NUL, COM1)',
      zh: '请重命名后重新打包：不得含 < > : " | ? *，不得以点或空格结尾，也不得使用设备名（CON、NUL、COM1）',
    },
  ),
  "package.windows.case": fault<{ entry: string; other: string }>(
    {
      en: ({ entry, other }) => `contains names that are one and the same to Windows: ${other} and ${entry}`,
      zh: ({ entry, other }) => `其中的名称在 Windows 上相同（不区分大小写）：${other} 与 ${entry}`,
    },
    {
      en: "rename one of the two and build the archive again",
      zh: "请重命名其中一个后重新打包",
    },
  ),
  "package.nested": fault<{ entry: string }>(
    {
      en: ({ entry }) => `is an archive around the archive: it contains ${entry}`,
      zh: ({ entry }) => `是套了一层的压缩包：其中是 ${entry}`,
    },
    {
      en: "unpack it once, as after a download from a build server, and put the archive in it there",
      zh: "请先解压一层（构建平台下载的产物常会再打一层包），再放入其中的压缩包",
    },
  ),
  "collector.link": fault<{ entry: string }>(
    {
      en: ({ entry }) =>
        `is a collector's zip with a link in it: ${entry}; BK-Lite unpacks files and folders only`,
      zh: ({ entry }) => `采集器的 zip 中含有链接 ${entry}：BK-Lite 只解压普通文件和目录`,
    },
    {
      en: "pack it again with the files themselves (zip -r without -y)",
      zh: "请用链接所指的文件重新打包（zip -r，不加 -y）",
    },
  ),
  "probe.unknown": fault<{ names: readonly string[] }>(
    {
      en: ({ names }) => `should be an APM probe, but its name is none of theirs: ${names.join(", ")}`,
      zh: ({ names }) => `应为 APM 探针，但文件名不在其中：${names.join("、")}`,
    },
    { en: "give the file the probe's own name", zh: "请将文件改为对应探针的名称" },
  ),
  "collector.folder": fault<{ entry: string }>(
    {
      en: ({ entry }) =>
        `contains ${entry}, which is neither a regular file nor a folder (or a link that leads to a folder or nowhere)`,
      zh: ({ entry }) => `其中的 ${entry} 既不是普通文件也不是目录（或是指向目录、指向不存在位置的链接）`,
    },
    {
      en: "replace it by the file that it stands for, or remove it",
      zh: "请用它所指的文件替换，或将其删除",
    },
  ),
  "collector.unknown": suspicion<{ os: string }>(
    {
      en: ({ os }) =>
        `is in a collector's place, but BK-Lite defines no ${os} collector of that name: left alone`,
      zh: ({ os }) => `位于采集器目录中，但 BK-Lite 没有定义该名称的 ${os} 采集器：不处理`,
    },
    {
      en: "compare its name with the collectors that BK-Lite defines (node_mgmt_collector), or declare it in packages.json",
      zh: "请与 BK-Lite 定义的采集器（node_mgmt_collector）核对名称，或在 packages.json 中声明",
    },
  ),
  "collector.object": suspicion<{ object: string; meant: string }>(
    {
      en: ({ object, meant }) =>
        `is stored as ${object}, but BK-Lite's collector is called ${meant}: it will not be offered there`,
      zh: ({ object, meant }) => `按 ${object} 存储，但 BK-Lite 的采集器名为 ${meant}：页面上不会出现`,
    },
    {
      en: ({ meant }) => `write ${meant}, in --object or in packages.json`,
      zh: ({ meant }) => `请在 --object 或 packages.json 中写 ${meant}`,
    },
  ),
  "collector.unpacked": suspicion(
    {
      en: "is stored as it is, but of collectors BK-Lite unpacks a .zip alone: on a node it stays one packed file",
      zh: "按原样存储，但 BK-Lite 只解压采集器的 .zip：在节点上仍是一个压缩文件",
    },
    {
      en: "pack the collector's folder as a zip, or give the program itself",
      zh: "请将采集器目录打包为 zip，或直接提供程序文件",
    },
  ),
  "collector.incomplete": suspicion<{ object: string; program: string }>(
    {
      en: ({ object, program }) => `is called like ${object}, but its program is not in it: ${program}`,
      zh: ({ object, program }) => `名称与 ${object} 相同，但其中没有程序 ${program}`,
    },
    {
      en: ({ program }) => `put the program there, so that ${program} is in it directly`,
      zh: ({ program }) => `请放入程序，使 ${program} 直接位于其中`,
    },
  ),
  "package.incomplete": fault<{ missing: readonly string[] }>(
    {
      en: ({ missing }) =>
        `has no ${missing.join(" and no ")} in its top folder: BK-Lite's installer would take a node's controller down with it`,
      zh: ({ missing }) =>
        `顶层目录中没有 ${missing.join(" 和 ")}：BK-Lite 的安装器用它安装会使节点上的控制器停止工作`,
    },
    {
      en: "build the archive from a complete fusion-collectors folder; a collector alone goes to collector/linux/ or collector/windows/",
      zh: "请用完整的 fusion-collectors 目录重新打包；单独的采集器请放入 collector/linux/ 或 collector/windows/",
    },
  ),
  "package.release": fault(
    {
      en: "is a release pack of BK-Lite's (manifest.json and artifacts/), not a package",
      zh: "是 BK-Lite 的发布包（manifest.json 与 artifacts/），不是探针包",
    },
    {
      en: "import it on BK-Lite's page, and remove it from the volume",
      zh: "请在 BK-Lite 页面上导入，并从卷中移除",
    },
  ),
  "archive.ca.invalid": suspicion(
    {
      en: "has no certificate in certs/ca.crt: nodes that are installed from it cannot connect to NATS by TLS",
      zh: "包内 certs/ca.crt 不是证书：由它安装的节点无法通过 TLS 连接 NATS",
    },
    {
      en: "put this stack's CA (conf/certs/ca.crt) into the archive as certs/ca.crt and pack it again",
      zh: "请将本环境的 CA（conf/certs/ca.crt）放入包内的 certs/ca.crt，重新打包",
    },
  ),
  "archive.ca.other": suspicion<{ subject: string }>(
    {
      en: ({ subject }) =>
        `has the CA certificate "${subject}" in certs/ca.crt, which did not sign this NATS server's certificate: nodes that are installed from it cannot connect`,
      zh: ({ subject }) =>
        `包内 certs/ca.crt 为“${subject}”，并非签发本 NATS 服务端证书的 CA：由它安装的节点无法连接`,
    },
    {
      en: "put this stack's CA (conf/certs/ca.crt) into the archive as certs/ca.crt and pack it again",
      zh: "请将本环境的 CA（conf/certs/ca.crt）放入包内的 certs/ca.crt，重新打包",
    },
  ),
  "package.field.long": fault<{ field: keyof typeof FIELDS; length: number; limit: number }>(
    {
      en: ({ field, length, limit }) =>
        `has ${FIELDS[field].en} of ${length} characters; the table's column holds ${limit}`,
      zh: ({ field, length, limit }) => `${FIELDS[field].zh}有 ${length} 个字符，数据表的列最多 ${limit} 个`,
    },
    {
      en: ({ field }) => (field === "name" ? "give the file a shorter name" : `give a shorter ${field}`),
      zh: ({ field }) => (field === "name" ? "请缩短文件名" : `请缩短${FIELDS[field].zh}`),
    },
  ),
  "package.object.collector": fault<{ object: string }>(
    {
      en: ({ object }) => `is to be stored as ${object}, which is a collector in it`,
      zh: ({ object }) => `要登记为 ${object}，但它是包内的一个采集器`,
    },
    {
      en: "leave --object out, or add --type collector if the file is that collector alone",
      zh: "请去掉 --object；如果该文件就是这个采集器本身，请加 --type collector",
    },
  ),
  "collector.missing": fault<{ name: string; held: readonly string[] }>(
    {
      en: ({ name, held }) =>
        `does not contain the collector ${name}, which COLLECTORS names; it contains ${held.length > 0 ? held.join(", ") : "no known collector"}`,
      zh: ({ name, held }) =>
        `不包含 COLLECTORS 指定的采集器 ${name}；其中${held.length > 0 ? `有：${held.join("、")}` : "没有已知的采集器"}`,
    },
    {
      en: "correct COLLECTORS, set it to auto, or use an archive that contains it",
      zh: "请修正 COLLECTORS，设为 auto，或换用包含它的压缩包",
    },
  ),
  "package.clash": fault<{ other: string; identity: string; moves: boolean }>(
    {
      en: ({ other, identity }) => `claims to be the same package as ${other}: ${identity}`,
      zh: ({ other, identity }) => `与 ${other} 是同一个安装包：${identity}`,
    },
    {
      en: ({ moves }) =>
        moves ? "remove one of the two files" : "remove one of the two files, or name their versions",
      zh: ({ moves }) => (moves ? "请删除其中一个文件" : "请删除其中一个文件，或在名称中写明版本"),
    },
  ),
  "package.clash.arch": fault<{ other: string; identity: string; arch: string; otherArch: string }>(
    {
      en: ({ other, identity, arch, otherArch }) =>
        `is for ${arch} and ${other} for ${otherArch}, but the table has one row for ${identity}`,
      zh: ({ other, identity, arch, otherArch }) =>
        `用于 ${arch}，${other} 用于 ${otherArch}，但数据表中 ${identity} 只能有一条记录`,
    },
    {
      en: "keep one architecture on the volume, or update BK-Lite until its table has cpu_architecture",
      zh: "卷上只保留一种架构，或升级 BK-Lite，使数据表具有 cpu_architecture 列",
    },
  ),
};
