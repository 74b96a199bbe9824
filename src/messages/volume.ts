import { type Language, plural, RENAME, reason } from "./define.ts";

/** Who may read something, and who tries to. */
export interface Access {
  /** Numbers, `uid:gid`. */
  owner: string;
  /** Octal: `0600`. */
  mode: string;
  /** Who the job runs as, `uid:gid`. */
  user: string;
  /** The folder that this is of, where it is one on the way that is closed. */
  folder?: string;
}

const access = {
  en: ({ owner, mode, user, folder }: Access) => `${folder ? `folder ${folder}: ` : ""}owner ${owner}, mode ${mode}, read as ${user}`,
  zh: ({ owner, mode, user, folder }: Access) => `${folder ? `目录 ${folder}：` : ""}属主 ${owner}，权限 ${mode}，读取用户 ${user}`,
};

/** What the system says when a file system itself has failed. */
const SYSTEM: Record<string, { en: string; zh: string }> = {
  EIO: { en: "input/output error", zh: "输入输出错误" },
  ESTALE: { en: "stale NFS file handle", zh: "NFS 文件句柄已失效" },
};
const word = (code: string, language: "en" | "zh") => {
  const known = SYSTEM[code]?.[language];
  return known === undefined ? "" : language === "zh" ? `（${known}）` : ` (${known})`;
};

const HEALTH = {
  en: ({ code }: { code: string }) =>
    code === "ESTALE"
      ? "mount the volume again (the NFS server has replaced or restarted it), then run the job again"
      : "look at the disk or network storage behind the volume (its logs, dmesg), then run the job again",
  zh: ({ code }: { code: string }) => (code === "ESTALE" ? "请重新挂载该卷（NFS 服务端已更换或重启），再运行任务" : "请检查卷所在的磁盘或网络存储（存储日志、dmesg），再运行任务"),
};

const MOUNT = {
  en: "mount the folder that holds the packages there, or set PACKAGES_DIR",
  zh: "请将存放安装包的目录挂载到该处，或设置 PACKAGES_DIR",
};

/** What a volume without a package is found to hold. */
interface Emptiness {
  path: string;
  /** Files that look like a mistake. */
  suspects: readonly string[];
  /** Every file that is no package. */
  others: readonly string[];
  /** The command that joins the parts of a split archive. */
  join?: string | undefined;
}

/** Names that are shown of a folder's files. */
const SHOWN = 5;
const shortly = (names: readonly string[], between: string) => `${names.slice(0, SHOWN).join(between)}${names.length > SHOWN ? " …" : ""}`;
const held = {
  en: (names: readonly string[]) => (names.length === 0 ? "is empty" : `holds ${plural(names.length, "other file")}: ${shortly(names, ", ")}`),
  zh: (names: readonly string[]) => (names.length === 0 ? "目录为空" : `另有 ${names.length} 个文件：${shortly(names, "、")}`),
};

const AGAIN = {
  en: "write it with sha256sum, in the package's folder: sha256sum FILE > FILE.sha256, or sha256sum * > SHA256SUMS",
  zh: "请在探针包所在目录用 sha256sum 重新生成：sha256sum 文件 > 文件.sha256，或 sha256sum * > SHA256SUMS",
};

const WHAT = {
  os: { en: "operating system", zh: "操作系统" },
  arch: { en: "architecture", zh: "架构" },
  version: { en: "version", zh: "版本" },
};

interface AtPointer {
  /** JSON pointer. */
  pointer: string;
}

const SCHEMA = {
  en: "correct packages.json: docs/packages.md (help packages) has an example and the JSON Schema",
  zh: "请修正 packages.json：示例与 JSON Schema 见 docs/zh-CN/packages.md（help packages）",
};
const at = <P extends AtPointer>(cause: Record<Language, (params: P) => string>) =>
  reason<P>({
    exit: 65,
    en: [(params) => `${params.pointer}: ${cause.en(params)}`, SCHEMA.en],
    zh: [(params) => `${params.pointer}：${cause.zh(params)}`, SCHEMA.zh],
  });

/** What the schema asks for, in words; ajv's own would be a regular expression. `detail` is a field, a type, or the values allowed. */
const RULES = {
  missing: {
    en: ({ detail }) => `field "${detail}" is missing`,
    zh: ({ detail }) => `缺少字段“${detail}”`,
  },
  unknown: {
    en: ({ detail, near }) => (near ? `there is no field "${detail}" (did you mean "${near}"?)` : "has a field that does not exist"),
    zh: ({ detail, near }) => (near ? `没有字段“${detail}”（是否应为“${near}”？）` : "含有不存在的字段"),
  },
  type: {
    en: ({ detail }) => `should be ${TYPES[detail]?.en ?? detail}`,
    zh: ({ detail }) => `应为${TYPES[detail]?.zh ?? detail}`,
  },
  values: {
    en: ({ detail }) => `should be one of ${detail}`,
    zh: ({ detail }) => `取值应为以下之一：${detail}`,
  },
  path: {
    en: () => 'should be a path below PACKAGES_DIR, with "/" between folders; not absolute, and without "." and ".."',
    zh: () => "应为 PACKAGES_DIR 下的相对路径，目录间用“/”分隔，不含“.”和“..”",
  },
} satisfies Record<string, Record<Language, (params: Broken) => string>>;

const TYPES: Record<string, Record<Language, string>> = {
  string: { en: "text in quotes", zh: "带引号的文本" },
  array: { en: "a list: [ ... ]", zh: "列表：[ ... ]" },
  object: { en: "an object: { ... }", zh: "对象：{ ... }" },
};

/** A rule of the schema that does not hold. */
export type ManifestRule = keyof typeof RULES;

interface Broken {
  detail: string;
  /** The field that was most likely meant. */
  near?: string | undefined;
}

/** The volume: its files, their names, checksum lists and packages.json. */
export const volume = {
  // The volume and the files on it.
  "volume.missing": reason<{ path: string }>({
    exit: 66,
    en: [({ path }) => `${path}: there is no such folder`, MOUNT.en],
    zh: [({ path }) => `${path}：目录不存在`, MOUNT.zh],
  }),
  "volume.file": reason<{ path: string }>({
    exit: 66,
    en: [({ path }) => `${path}: is a file, not a folder`, MOUNT.en],
    zh: [({ path }) => `${path}：是文件而不是目录`, MOUNT.zh],
  }),
  "volume.denied": reason<Access & { path: string }>({
    exit: 66,
    en: [
      (at) => `${at.path}: permission denied: the folder cannot be read (${access.en(at)})`,
      ({ path, user }) =>
        `make the folder readable for user ${user}, such as by chmod -R a+rX ${path}; where the mode allows it already, look at SELinux (mount option :z) and at the export's root squash`,
    ],
    zh: [
      (at) => `${at.path}：权限不足，无法读取目录（${access.zh(at)}）`,
      ({ path, user }) => `请为用户 ${user} 授予该目录的读权限，例如 chmod -R a+rX ${path}；若权限本已足够，请检查 SELinux（挂载选项 :z）和 NFS 的 root squash`,
    ],
  }),
  "volume.unreadable": reason<{ path: string; code: string; said: string }>({
    exit: 74,
    en: [({ path, code, said }) => `${path}: the folder could not be read: ${said}${word(code, "en")}`, HEALTH.en],
    zh: [({ path, code, said }) => `${path}：无法读取目录：${said}${word(code, "zh")}`, HEALTH.zh],
  }),
  "volume.empty": reason<Emptiness>({
    exit: 66,
    en: [
      ({ path, suspects, others }) => `no usable package in ${path}, which ${held.en(others)}${suspects.length > 0 ? `; this looks like a mistake: ${suspects.join(", ")}` : ""}`,
      ({ suspects, join }) => {
        if (join !== undefined) return `join the parts of the split archive: ${join}`;
        return suspects.length > 0
          ? "correct what is named (the warnings above say how), or put fusion-collectors*.zip or .tar.gz there"
          : "put fusion-collectors*.zip or .tar.gz there (at most four folders deep), check the mount, or set ALLOW_EMPTY=true";
      },
    ],
    zh: [
      ({ path, suspects, others }) => `${path} 中没有可用的探针包（${held.zh(others)}）${suspects.length > 0 ? `，以下项目疑似有误：${suspects.join("、")}` : ""}`,
      ({ suspects, join }) => {
        if (join !== undefined) return `请合并分卷：${join}`;
        return suspects.length > 0
          ? "请按前面的告警修正上述项目，或放入 fusion-collectors*.zip 或 .tar.gz"
          : "请放入 fusion-collectors*.zip 或 .tar.gz（目录最深四层），检查挂载，或设置 ALLOW_EMPTY=true";
      },
    ],
  }),
  "file.link": reason({
    exit: 65,
    en: [
      "is a symbolic link that leads out of PACKAGES_DIR: a link that is read must end at a regular file below that folder",
      "put the file itself there, or a relative link to a file on the same volume",
    ],
    zh: ["是指向卷（PACKAGES_DIR）之外的符号链接：会被读取的链接必须指向该目录下的普通文件", "请放入文件本身，或改为指向同一卷内文件的相对链接"],
  }),
  "file.missing": reason({
    exit: 66,
    en: ["there is no such file", "give --file the path of a regular file, as seen from inside the container"],
    zh: ["文件不存在", "请用 --file 指定容器内可见的普通文件路径"],
  }),
  "file.irregular": reason({
    exit: 66,
    en: ["is not a regular file", "give --file the path of a regular file, as seen from inside the container"],
    zh: ["不是普通文件", "请用 --file 指定容器内可见的普通文件路径"],
  }),
  "file.denied": reason<Access>({
    exit: 66,
    en: [
      (at) => `cannot be read: permission denied (${access.en(at)})`,
      ({ user }) =>
        `make the file readable for user ${user}, such as by chmod a+r; where the mode allows it already, look at the folders above it, at SELinux (mount option :z) and at the export's root squash`,
    ],
    zh: [(at) => `无法读取：权限不足（${access.zh(at)}）`, ({ user }) => `请为用户 ${user} 授予读权限，例如 chmod a+r；若权限本已足够，请检查上级目录、SELinux（挂载选项 :z）和 NFS 的 root squash`],
  }),
  "file.unreadable": reason<{ code: string; said: string }>({
    exit: 74,
    en: [({ code, said }) => `could not be read: ${said}${word(code, "en")}`, HEALTH.en],
    zh: [({ code, said }) => `无法读取：${said}${word(code, "zh")}`, HEALTH.zh],
  }),
  "file.changed": reason({
    exit: 74,
    en: ["changed while it was read", "wait until the copy is complete (copy to a name ending in .part, then rename), then run the job again"],
    zh: ["在读取过程中发生了变化", "请等待复制完成（先复制为以 .part 结尾的名称，再重命名），然后重新运行任务"],
  }),
  "file.growing": reason<{ seconds: number }>({
    exit: 74,
    en: [
      ({ seconds }) => `is still being written: waited ${seconds} s for it to be complete`,
      "wait until the copy is complete (copy to a name ending in .part, then rename), then run the job again; if nothing writes to it any more, the copy was cut short: copy it again",
    ],
    zh: [({ seconds }) => `仍在写入：已等待 ${seconds} 秒，文件尚不完整`, "请等待复制完成（先复制为以 .part 结尾的名称，再重命名），然后重新运行任务；若已无进程写入，说明复制中断，请重新复制"],
  }),
  // Files that could be packages and were not recognised, or are none.
  "volume.near.name": reason<{ meant: string }>({
    exit: null,
    en: [({ meant }) => `is left alone: its name is not quite a package's (did you mean ${meant}?)`, ({ meant }) => `rename it to ${meant} if it is a package, or remove it`],
    zh: [({ meant }) => `已忽略：名称与安装包名称相近（是否应为 ${meant}？）`, ({ meant }) => `若确为安装包，请重命名为 ${meant}，否则请删除`],
  }),
  "volume.near.link": reason<{ target: string }>({
    exit: null,
    en: [
      ({ target }) => `is left alone: it is a link to ${target}, which does not exist where the job looks for it`,
      "copy the file itself to the volume, or make the link relative to a file on the same volume: a link to the host's folders ends nowhere in a container",
    ],
    zh: [({ target }) => `已忽略：链接指向 ${target}，在任务的运行环境中不存在`, "请将文件本身复制到卷上，或改为指向同一卷内文件的相对链接：指向宿主机目录的链接在容器内无效"],
  }),
  "volume.near.linked": reason<{ target: string }>({
    exit: null,
    en: [({ target }) => `is left alone: it is a link to the folder ${target}, and links to folders are not followed`, "put the folder itself on the volume, or mount it there"],
    zh: [({ target }) => `已忽略：是指向目录 ${target} 的链接，不跟随指向目录的链接`, "请将该目录本身放到卷上，或挂载到卷中"],
  }),
  "volume.near.folder": reason({
    exit: null,
    en: [
      "is left alone: it is a folder with an archive's name",
      "if Docker made it in place of a file that was missing when it was mounted, remove the folder, put the file there and start again; an unpacked archive has to be packed again",
    ],
    zh: ["已忽略：是目录，但名称像压缩包", "若是 Docker 在挂载时因文件缺失而创建的目录，请删除该目录并放入文件后重新启动；若是解压后的目录，请重新打包"],
  }),
  "volume.near.special": reason({
    exit: null,
    en: ["is left alone: by its name or place it is a package, but it is no regular file (a FIFO, socket or device)", "put the file itself there"],
    zh: ["已忽略：从名称或位置看是安装包，但不是普通文件（命名管道、套接字或设备）", "请放入文件本身"],
  }),
  "volume.near.deep": reason<{ depth: number }>({
    exit: null,
    en: [({ depth }) => `is left alone: it lies more than ${depth} folders deep`, "move it further up on the volume"],
    zh: [({ depth }) => `已忽略：目录超过 ${depth} 层`, "请移到卷中更浅的目录"],
  }),
  "volume.near.unknown": reason({
    exit: null,
    en: [
      "is left alone: it could be a package, but its name does not say which",
      "call a controller's archive fusion-collectors-linux-amd64-1.2.3.zip, put a collector into collector/linux/ or collector/windows/, declare any other package in packages.json, or remove the file",
    ],
    zh: [
      "已忽略：可能是探针包，但名称没有说明是哪一种",
      "请将控制器压缩包命名为 fusion-collectors-linux-amd64-1.2.3.zip，将采集器放入 collector/linux/ 或 collector/windows/，其他探针包在 packages.json 中声明，或删除该文件",
    ],
  }),
  "volume.near.split": reason<{ command: string }>({
    exit: null,
    en: ["is left alone: it is one part of a split archive", ({ command }) => `join the parts: ${command}`],
    zh: ["已忽略：是分卷压缩包的一部分", ({ command }) => `请合并分卷：${command}`],
  }),
  "volume.near.release": reason({
    exit: null,
    en: ["is left alone: it is a release pack of BK-Lite's (manifest.json and artifacts/), which is not for this job", "import it on BK-Lite's page, and remove it from the volume"],
    zh: ["已忽略：是 BK-Lite 的发布包（manifest.json 与 artifacts/），不由本任务处理", "请在 BK-Lite 页面上导入，并从卷中移除"],
  }),
  "collector.place": reason({
    exit: null,
    en: [
      "is left alone: collectors are looked for in collector/linux/ and collector/windows/, or one folder below for an architecture",
      "move it there, such as to collector/linux/telegraf or collector/windows/x86_64/telegraf.exe",
    ],
    zh: ["已忽略：采集器只从 collector/linux/ 和 collector/windows/（其下可再按架构分目录）读取", "请移到其中，例如 collector/linux/telegraf 或 collector/windows/x86_64/telegraf.exe"],
  }),
  "collector.packed": reason({
    exit: null,
    en: ["is left alone: a collector lies there as its program, as a folder, or as a zip", "unpack it, and put the program (telegraf) or its folder (filebeat/) there"],
    zh: ["已忽略：采集器应以程序文件、目录或 zip 的形式放在此处", "请先解压，再放入程序（telegraf）或其目录（filebeat/）"],
  }),
  // Checksum files and the archives beside them.
  "checksum.mismatch": reason<{ sha256: string; from: string; expected: string }>({
    exit: 65,
    en: [({ sha256, from, expected }) => `has the SHA-256 ${sha256}, but ${from} says ${expected}`, "copy both files again from the same build"],
    zh: [({ sha256, from, expected }) => `SHA-256 为 ${sha256}，但 ${from} 中为 ${expected}，校验失败`, "请从同一次构建重新复制这两个文件"],
  }),
  "checksum.line": reason<{ line: number; cut?: boolean }>({
    exit: 65,
    en: [({ line }) => `contains a line that is not a SHA-256 and a file name, as sha256sum, BSD's sha256 or openssl write them: line ${line}`, AGAIN.en],
    zh: [({ line }) => `第 ${line} 行无法识别为“SHA-256 与文件名”（支持 sha256sum、BSD sha256 和 openssl 的格式）`, AGAIN.zh],
  }),
  "checksum.encoding": reason({
    exit: 65,
    en: ["cannot be read as text: it is neither UTF-8 nor UTF-16 with a byte order mark", AGAIN.en],
    zh: ["无法作为文本读取：既不是 UTF-8，也不是带 BOM 的 UTF-16", AGAIN.zh],
  }),
  "checksum.empty": reason({
    exit: 65,
    en: ["contains no SHA-256", AGAIN.en],
    zh: ["不包含 SHA-256", AGAIN.zh],
  }),
  "checksum.other": reason({
    exit: 65,
    en: ["names another file than the one it lies beside", AGAIN.en],
    zh: ["其中列出的是另一个文件，不是同名的探针包", AGAIN.zh],
  }),
  "checksum.irregular": reason({
    exit: 65,
    en: ["is not a regular file", "remove it, or write it with sha256sum, in the archive's folder"],
    zh: ["不是普通文件", "请删除，或在压缩包所在目录用 sha256sum 重新生成"],
  }),
  "checksum.long": reason({
    exit: 65,
    en: ["is too long for a list of checksums", AGAIN.en],
    zh: ["作为校验和列表过长", AGAIN.zh],
  }),
  "checksum.unused": reason({
    exit: null,
    en: ["names none of the archives beside or below it: nothing was checked by it", "write it again with sha256sum in this folder (for files below with their paths), or remove it"],
    zh: ["未列出同目录或下级目录中的任何压缩包，未据此进行校验", "请在该目录用 sha256sum 重新生成（下级目录的文件须带路径），或删除该文件"],
  }),
  "checksum.name": reason<{ meant: string }>({
    exit: null,
    en: [({ meant }) => `looks like a checksum but is not read under this name: only ${meant} is`, ({ meant }) => `rename it to ${meant} if it holds SHA-256 digests, or remove it`],
    zh: [({ meant }) => `疑似校验和文件，但不会按此名称读取，只读取 ${meant}`, ({ meant }) => `若内容为 SHA-256，请重命名为 ${meant}，否则请删除`],
  }),
  // What an archive's name says: exit 65.
  "name.ambiguous": reason<{ what: keyof typeof WHAT; values: readonly string[] }>({
    exit: 65,
    en: [({ what, values }) => `has a name with more than one ${WHAT[what].en}: ${values.join(" and ")}`, RENAME.en],
    zh: [({ what, values }) => `文件名中有多个${WHAT[what].zh}：${values.join(" 和 ")}`, RENAME.zh],
  }),
  "name.characters": reason<{ name: string }>({
    exit: 65,
    en: [({ name }) => `has a name with a backslash, a control character or one that nobody sees in it: ${name}`, RENAME.en],
    zh: [({ name }) => `文件名中含有反斜杠、控制字符或不可见字符：${name}`, RENAME.zh],
  }),
  "name.version.unreadable": reason<{ text: string }>({
    exit: 65,
    en: [
      ({ text }) => `has something in its name that looks like a version but cannot be read as one: ${text}`,
      "rename the file so that its version reads like 1.2.3, 1.2.3.4, 1.2.3-rc1 or 1.2.3+7, or give it by --version or in packages.json",
    ],
    zh: [({ text }) => `文件名中疑似版本号的部分无法识别：${text}`, "请重命名该文件，使版本形如 1.2.3、1.2.3.4、1.2.3-rc1 或 1.2.3+7，或用 --version 或 packages.json 指定版本"],
  }),
  "version.unreadable": reason<{ from: string; line: number }>({
    exit: 65,
    en: [
      ({ from, line }) => `takes its version from ${from}, whose line ${line} looks like a version but cannot be read as one`,
      "write the version alone there (1.2.3), or LINUX_SIDECAR_VERSION=1.2.3 and WINDOWS_SIDECAR_VERSION=1.2.3, or give it in the file's name or by PACKAGE_VERSION",
    ],
    zh: [
      ({ from, line }) => `版本取自 ${from}，但其中第 ${line} 行疑似版本号，却无法识别`,
      "请在其中只写版本号（1.2.3），或写 LINUX_SIDECAR_VERSION=1.2.3 和 WINDOWS_SIDECAR_VERSION=1.2.3，也可在文件名中或用 PACKAGE_VERSION 指定",
    ],
  }),
  "version.missing": reason<{ from: string; os: string }>({
    exit: null,
    en: [({ from, os }) => `is stored as version 1.0.0: ${from} says none for ${os}`, "write the version there (1.2.3), or give it in the file's name or by PACKAGE_VERSION"],
    zh: [({ from, os }) => `按版本 1.0.0 存储：${from} 中没有 ${os} 的版本号`, "请在其中写明版本号（1.2.3），或在文件名中或用 PACKAGE_VERSION 指定"],
  }),
  "name.bytes": reason<{ name: string; bytes: string }>({
    exit: null,
    en: [({ name, bytes }) => `has a name that is not UTF-8 (its bytes: ${bytes}): it is stored and shown as ${name}`, "rename the file in UTF-8 if the name shown is not the right one"],
    zh: [({ name, bytes }) => `文件名不是 UTF-8 编码（字节为 ${bytes}）：按 ${name} 存储和显示`, "若显示的名称不正确，请用 UTF-8 编码重命名该文件"],
  }),
  // packages.json.
  "manifest.json": reason<{ line: number; column: number; cut: boolean }>({
    exit: 65,
    en: [({ line, column, cut }) => `is not valid JSON: ${cut ? "it ends too early, in" : "look at"} line ${line}, column ${column}`, SCHEMA.en],
    zh: [({ line, column, cut }) => `不是有效的 JSON：${cut ? "内容不完整，止于" : "请检查"}第 ${line} 行第 ${column} 列`, SCHEMA.zh],
  }),
  "manifest.schema": at<AtPointer & Broken & { rule: ManifestRule }>({
    en: (params) => RULES[params.rule].en(params),
    zh: (params) => RULES[params.rule].zh(params),
  }),
  "manifest.field": at<AtPointer>({
    en: () => "cannot be used: 1 to 100 characters, without blanks, slashes, backslashes or control characters",
    zh: () => "不可用：须为 1 至 100 个字符，不含空白、斜杠、反斜杠和控制字符",
  }),
  "manifest.description": at<AtPointer>({
    en: () => "contains a control character",
    zh: () => "包含控制字符",
  }),
  "manifest.missing": at<AtPointer & { path: string }>({
    en: ({ path }) => `there is no file ${path} on the volume`,
    zh: ({ path }) => `卷上没有文件 ${path}`,
  }),
  "manifest.twice": at<AtPointer & { path: string }>({
    en: ({ path }) => `${path} is named twice`,
    zh: ({ path }) => `${path} 出现了两次`,
  }),
  "manifest.long": reason<{ limit: number }>({
    exit: 65,
    en: [({ limit }) => `is longer than ${limit} bytes`, SCHEMA.en],
    zh: [({ limit }) => `超过 ${limit} 字节`, SCHEMA.zh],
  }),
  "manifest.irregular": reason({
    exit: 65,
    en: ["is not a regular file", "put a regular file there, or remove it"],
    zh: ["不是普通文件", "请放入普通文件，或将其删除"],
  }),
};
