import { NAMESPACE } from "../sshsig.ts";
import { fill, invalid, type Language, noInput, plural, type Text, unreadable, warning, withRemedy } from "./define.ts";

/** Who may read something, and who tries to. */
export interface Access {
  /** Numbers, `uid:gid`. */
  owner: string;
  /** Octal: `0600`. */
  mode: string;
  /** The user that the job runs as, `uid:gid`. */
  user: string;
  /** The folder that is closed, if it is one on the way to the file. */
  folder?: string;
}

const access = {
  en: ({ owner, mode, user, folder }: Access) => `${folder ? `folder ${folder}: ` : ""}owner ${owner}, mode ${mode}, read as ${user}`,
  zh: ({ owner, mode, user, folder }: Access) => `${folder ? `目录 ${folder}：` : ""}属主 ${owner}，权限 ${mode}，读取用户 ${user}`,
};

/** The system's words for errors of the file system itself. */
const SYSTEM: Record<string, { en: string; zh: string }> = {
  EIO: { en: "input/output error", zh: "输入输出错误" },
  ESTALE: { en: "stale NFS file handle", zh: "NFS 文件句柄已失效" },
};
const word = (code: string, language: Language) => {
  const known = SYSTEM[code]?.[language];
  return known === undefined ? "" : language === "zh" ? `（${known}）` : ` (${known})`;
};

const HEALTH = {
  en: ({ code }: { code: string }) =>
    code === "ESTALE" ? "mount the volume again, then run again: the NFS server was replaced or restarted" : "check the disk or network storage behind the volume (its logs, dmesg), then run again",
  zh: ({ code }: { code: string }) =>
    code === "ESTALE" ? "请重新挂载卷（PACKAGES_DIR），再重新运行：NFS 服务端已更换或重启" : "请检查卷（PACKAGES_DIR）所在的磁盘或网络存储（存储日志、dmesg），再重新运行",
};

const MOUNT = { en: "mount the folder that holds the packages there, or set PACKAGES_DIR", zh: "请将存放探针包的目录挂载到该处，或设置 PACKAGES_DIR" };
const REGULAR_FILE = { en: "give --file the path of a regular file, as seen from inside the container", zh: "请用 --file 指定容器内可见的普通文件路径" };
const RENAME = {
  en: "rename the file so that its name says each thing once, as in fusion-collectors-linux-amd64-1.2.3.zip",
  zh: "请重命名该文件，使每项信息只出现一次，例如 fusion-collectors-linux-amd64-1.2.3.zip",
};
const SIGN = {
  en: "sign the packages in their folder: find . -type f ! -name 'SHA256SUMS*' -exec sha256sum {} + > SHA256SUMS && ssh-keygen -Y sign -f release.key -n bklite-package SHA256SUMS; or use a signed copy",
  zh: "请在探针包所在目录签名：find . -type f ! -name 'SHA256SUMS*' -exec sha256sum {} + > SHA256SUMS && ssh-keygen -Y sign -f release.key -n bklite-package SHA256SUMS；或改用已签名的副本",
};

const SUMS = {
  en: "write it again with sha256sum, in the folder of the packages: sha256sum NAME > NAME.sha256, or sha256sum *.zip > SHA256SUMS",
  zh: "请在探针包所在目录用 sha256sum 重新生成：sha256sum NAME > NAME.sha256，或 sha256sum *.zip > SHA256SUMS",
};
const RELEASE = { en: "import it on BK-Lite's page, and remove it from the volume", zh: "请在 BK-Lite 页面上导入，并从目录中移除" };

/** A volume without a usable package. */
interface Emptiness {
  path: string;
  /** Files that look like a mistake. */
  suspects: readonly string[];
  /** Every file that is not a package. */
  others: readonly string[];
  /** The command that joins the parts of a split archive. */
  join?: string | undefined;
}

/** How many of a folder's file names are shown. */
const SHOWN = 5;
const shortly = (names: readonly string[], between: string) => `${names.slice(0, SHOWN).join(between)}${names.length > SHOWN ? " …" : ""}`;
const held = {
  en: (names: readonly string[]) => (names.length === 0 ? "is empty" : `holds ${plural(names.length, "other file")}: ${shortly(names, ", ")}`),
  zh: (names: readonly string[]) => (names.length === 0 ? "目录为空" : `另有 ${names.length} 个文件：${shortly(names, "、")}`),
};

type Nowhere = { places: readonly string[]; dir: string; holds: readonly string[] };

/** What is wrong with a signature, and with the key that made it. */
const BAD_SIGNATURE = {
  form: { en: "is not a signature as ssh-keygen writes it", zh: "不是 ssh-keygen 生成的签名" },
  changed: { en: "was changed after it was signed, or its signature is damaged", zh: "在签名之后被改动，或签名已损坏" },
  namespace: { en: `was signed for "{namespace}", not for "${NAMESPACE}"`, zh: `的签名用途是“{namespace}”，不是“${NAMESPACE}”` },
  absent: { en: "is signed and lists {file}, which is missing", zh: "已签名并列出 {file}，但该文件不存在" },
};
const BAD_KEY = {
  stranger: { en: "which is not in VERIFY_KEY_FILE", zh: "但该密钥不在 VERIFY_KEY_FILE 中" },
  expired: { en: "which is no longer valid (valid-before)", zh: "但该密钥已过期（valid-before）" },
  early: { en: "which is not valid yet (valid-after)", zh: "但该密钥尚未生效（valid-after）" },
  forbidden: { en: `which may not sign for "${NAMESPACE}" (namespaces)`, zh: `但该密钥不得用于“${NAMESPACE}”（namespaces）` },
};
type BadSignature = { why: keyof typeof BAD_SIGNATURE; namespace?: string; file?: string };
type BadKey = { why: keyof typeof BAD_KEY; fingerprint: string };

const WHAT = {
  os: { en: "operating system", zh: "操作系统" },
  arch: { en: "architecture", zh: "架构" },
  version: { en: "version", zh: "版本" },
};

const SCHEMA = {
  en: "correct packages.json: bklite-package-init help packages has an example and the JSON Schema",
  zh: "请修正 packages.json：示例与 JSON Schema 见 bklite-package-init help packages",
};
const schema = withRemedy(invalid, SCHEMA);

/**
 * The schema's rules in words; ajv's own would be regular expressions. `detail` is a field, a type, or the
 * values allowed.
 */
const RULES = {
  missing: { en: 'field "{detail}" is missing', zh: "缺少字段“{detail}”" },
  unknown: {
    en: ({ detail, near }) => (near ? `there is no field "${detail}" (did you mean "${near}"?)` : "has a field that does not exist"),
    zh: ({ detail, near }) => (near ? `没有字段“${detail}”（是否应为“${near}”？）` : "含有不存在的字段"),
  },
  type: { en: ({ detail }) => `should be ${TYPES[detail]?.en ?? detail}`, zh: ({ detail }) => `应为${TYPES[detail]?.zh ?? detail}` },
  values: { en: "should be one of {detail}", zh: "取值应为以下之一：{detail}" },
  path: {
    en: 'should be a path below PACKAGES_DIR, with "/" between folders; not absolute, and without "." and ".."',
    zh: "应为 PACKAGES_DIR 下的相对路径，目录间用“/”分隔，不含“.”和“..”",
  },
} satisfies Record<string, Record<Language, Text<Broken>>>;

const TYPES: Record<string, Record<Language, string>> = {
  string: { en: "text in quotes", zh: "带引号的文本" },
  array: { en: "a list: [ ... ]", zh: "列表：[ ... ]" },
  object: { en: "an object: { ... }", zh: "对象：{ ... }" },
};

/** A rule of the schema that a packages.json breaks. */
export type ManifestRule = keyof typeof RULES;

interface Broken {
  /** JSON pointer. */
  pointer: string;
  detail: string;
  /** The field that was most likely meant. */
  near?: string | undefined;
}

/** The volume: its files, their names, checksum lists and packages.json. */
export const volume = {
  // The volume and the files on it.
  "volume.missing": noInput(["{path}: the folder does not exist", MOUNT.en], ["{path}：目录不存在", MOUNT.zh]),
  "volume.file": noInput(["{path}: is a file, not a folder", MOUNT.en], ["{path}：是文件而不是目录", MOUNT.zh]),
  "volume.denied": noInput(
    [
      (at: Access & { path: string }) => `${at.path}: permission denied: the folder cannot be read (${access.en(at)})`,
      "make the folder readable for user {user}: chmod -R a+rX {path}; if its mode allows that already, check SELinux (mount option :z) and the NFS export's root squash",
    ],
    [
      (at: Access & { path: string }) => `${at.path}：权限不足，无法读取目录（${access.zh(at)}）`,
      "请为用户 {user} 授予该目录的读权限：chmod -R a+rX {path}；如果权限本已足够，请检查 SELinux（挂载选项 :z）和 NFS 的 root squash",
    ],
  ),
  "volume.unreadable": unreadable(
    [({ path, code, said }: { path: string; code: string; said: string }) => `${path}: the folder could not be read: ${said}${word(code, "en")}`, HEALTH.en],
    [({ path, code, said }: { path: string; code: string; said: string }) => `${path}：无法读取目录：${said}${word(code, "zh")}`, HEALTH.zh],
  ),
  "volume.empty": noInput(
    [
      ({ path, suspects, others, join }: Emptiness) =>
        `no usable package in ${path}, which ${held.en(others)}${suspects.length > 0 ? `; ${join !== undefined && suspects.length === 1 ? "one part of a split archive" : "this looks like a mistake"}: ${suspects.join(", ")}` : ""}`,
      ({ suspects, join }: Emptiness) => {
        if (join !== undefined) return `join the parts of the split archive: ${join}`;
        return suspects.length > 0
          ? "correct the files that are named (the warnings above say how), or put fusion-collectors*.zip or .tar.gz there"
          : "put fusion-collectors*.zip or .tar.gz there (at most four folders deep), check the mount, or set ALLOW_EMPTY=true";
      },
    ],
    [
      ({ path, suspects, others, join }: Emptiness) =>
        `${path} 中没有可用的探针包（${held.zh(others)}）${suspects.length > 0 ? `，${join !== undefined && suspects.length === 1 ? "其中有分卷压缩包的一部分" : "以下项目疑似有误"}：${suspects.join("、")}` : ""}`,
      ({ suspects, join }: Emptiness) => {
        if (join !== undefined) return `请合并分卷：${join}`;
        return suspects.length > 0
          ? "请按前面的告警修正上述项目，或放入 fusion-collectors*.zip 或 .tar.gz"
          : "请放入 fusion-collectors*.zip 或 .tar.gz（目录最深四层），检查挂载，或设置 ALLOW_EMPTY=true";
      },
    ],
  ),
  "file.link": invalid(
    [
      "is a symbolic link that leads out of PACKAGES_DIR: a link that is read must end at a regular file below that folder",
      "replace the link with the file itself, or with a relative link to a file on the same volume",
    ],
    ["是指向卷（PACKAGES_DIR）之外的符号链接：会被读取的链接必须指向该目录下的普通文件", "请换成文件本身，或改为指向该目录内文件的相对链接"],
  ),
  "file.missing": noInput(
    [({ places, dir, holds }: Nowhere) => `the file does not exist in ${places.join(" or ")}; ${dir} ${holds.length === 0 ? "is empty" : `holds ${shortly(holds, ", ")}`}`, REGULAR_FILE.en],
    [({ places, dir, holds }: Nowhere) => `${places.join(" 和 ")} 中没有该文件；${dir} ${holds.length === 0 ? "为空" : `中有：${shortly(holds, "、")}`}`, REGULAR_FILE.zh],
  ),
  "file.irregular": noInput(["is not a regular file", REGULAR_FILE.en], ["不是普通文件", REGULAR_FILE.zh]),
  "file.denied": noInput(
    [
      (at: Access) => `cannot be read: permission denied (${access.en(at)})`,
      "make the file readable for user {user}: chmod a+r FILE; if its mode allows that already, check the folders above it, SELinux (mount option :z) and the NFS export's root squash",
    ],
    [(at: Access) => `无法读取：权限不足（${access.zh(at)}）`, "请为用户 {user} 授予读权限：chmod a+r FILE；如果权限本已足够，请检查上级目录、SELinux（挂载选项 :z）和 NFS 的 root squash"],
  ),
  "file.unreadable": unreadable(
    [({ code, said }: { code: string; said: string }) => `could not be read: ${said}${word(code, "en")}`, HEALTH.en],
    [({ code, said }: { code: string; said: string }) => `无法读取：${said}${word(code, "zh")}`, HEALTH.zh],
  ),
  "file.changed": unreadable(
    ["changed while it was read", "wait until the copy is complete, then run again; copy to a name ending in .part and rename it, and the job never reads half a file"],
    ["在读取过程中发生了变化", "请等待复制完成后重新运行；复制时先用以 .part 结尾的名称再重命名，可避免读到不完整的文件"],
  ),
  "file.growing": unreadable(
    ["is still being written, or was cut short: it was not complete after {seconds} s", "wait until the copy is complete, then run again; if nothing is writing to it, copy it again"],
    ["仍在写入，或复制时中断：已等待 {seconds} 秒，文件尚不完整", "请等待复制完成后重新运行；如果已无进程写入，请重新复制"],
  ),
  // Files that could be packages and were not recognised.
  "volume.near.name": warning(
    ["is ignored: its name is almost a package's (did you mean {meant}?)", "rename it to {meant} if it is that package, or remove it"],
    ["已忽略：名称与探针包名称相近（是否应为 {meant}？）", "请重命名为 {meant}；如果不是该探针包，请删除"],
  ),
  "volume.near.link": warning(
    [
      "is ignored: it is a link to {target}, which does not exist inside the container",
      "copy the file itself to the volume, or make the link relative to a file on the same volume: a symlink to a path on the host does not resolve inside the container",
    ],
    ["已忽略：该链接指向 {target}，在容器内不存在", "请将文件本身复制到卷（PACKAGES_DIR）中，或改为指向该目录内文件的相对链接：指向宿主机路径的链接在容器内无效"],
  ),
  "volume.near.linked": warning(
    ["is ignored: it is a link to the folder {target}, and links to folders are not followed", "copy the folder to the volume, or mount it there"],
    ["已忽略：该链接指向目录 {target}，而指向目录的链接不会被跟随", "请将该目录本身放入卷（PACKAGES_DIR），或挂载到其中"],
  ),
  "volume.near.folder": warning(
    [
      "is ignored: it is a folder with an archive's name",
      "remove the folder, put the file there and start again if Docker created it because the file was missing when it was mounted; pack an unpacked archive again with zip -r",
    ],
    ["已忽略：是目录，但名称像压缩包", "请删除该目录并放入文件后重新启动（Docker 在挂载时会因文件缺失而创建目录）；如果是解压后的目录，请用 zip -r 重新打包"],
  ),
  "volume.near.special": warning(
    ["is ignored: it has a package's name but is not a regular file (a FIFO, socket or device)", "replace it with the file itself"],
    ["已忽略：名称是探针包的，但不是普通文件（命名管道、套接字或设备）", "请换成文件本身"],
  ),
  "volume.near.deep": warning(
    ["is ignored: it lies more than {depth} folders deep", "move it to a folder that is at most {depth} levels below PACKAGES_DIR"],
    ["已忽略：目录超过 {depth} 层", "请移到 PACKAGES_DIR 下 {depth} 层以内的目录"],
  ),
  "volume.near.unknown": warning(
    [
      "is ignored: it could be a package, but its name does not say which",
      "call a controller's archive fusion-collectors-linux-amd64-1.2.3.zip, put a collector into collector/linux/ or collector/windows/, declare any other package in packages.json, or remove the file",
    ],
    [
      "已忽略：可能是探针包，但名称没有说明是哪一种",
      "请将控制器探针包命名为 fusion-collectors-linux-amd64-1.2.3.zip，将采集器放入 collector/linux/ 或 collector/windows/，其他探针包在 packages.json 中声明，或删除该文件",
    ],
  ),
  "volume.near.split": warning(["is ignored: it is one part of a split archive", "join the parts: {command}"], ["已忽略：是分卷压缩包的一部分", "请合并分卷：{command}"]),
  "volume.near.release": warning(
    ["is ignored: it is a BK-Lite release pack (manifest.json and artifacts/), which is not for this job", RELEASE.en],
    ["已忽略：是 BK-Lite 的发布包（manifest.json 与 artifacts/），不由本任务处理", RELEASE.zh],
  ),
  "collector.place": warning(
    [
      "is ignored: collectors are read from collector/linux/ and collector/windows/, or from a folder for an architecture below them",
      "move it there, such as to collector/linux/telegraf or collector/windows/x86_64/telegraf.exe",
    ],
    ["已忽略：采集器只从 collector/linux/ 和 collector/windows/（其下可再按架构分目录）读取", "请移到其中，例如 collector/linux/telegraf 或 collector/windows/x86_64/telegraf.exe"],
  ),
  "collector.packed": warning(
    ["is ignored: a collector has to be a program, a folder or a zip", "unpack it, and put the program (telegraf) or its folder (filebeat/) there"],
    ["已忽略：采集器应以程序文件、目录或 zip 的形式放在此处", "请先解压，再放入程序（telegraf）或其目录（filebeat/）"],
  ),
  // Checksum files.
  "checksum.mismatch": invalid(
    ["has the SHA-256 {sha256}, but {from} says {expected}", "copy both files again from the same build"],
    ["SHA-256 为 {sha256}，但 {from} 中为 {expected}，校验失败", "请从同一次构建重新复制这两个文件"],
  ),
  "checksum.line": invalid(
    [({ line }: { line: number; cut?: boolean }) => `contains a line that is not a SHA-256 and a file name, as sha256sum, BSD's sha256 or openssl write them: line ${line}`, SUMS.en],
    ["第 {line} 行无法识别为“SHA-256 与文件名”（支持 sha256sum、BSD sha256 和 openssl 的格式）", SUMS.zh],
  ),
  "checksum.encoding": invalid(["cannot be read as text: it is neither UTF-8 nor UTF-16 with a byte order mark", SUMS.en], ["无法作为文本读取：既不是 UTF-8，也不是带 BOM 的 UTF-16", SUMS.zh]),
  "checksum.empty": invalid(["contains no SHA-256", SUMS.en], ["不包含 SHA-256", SUMS.zh]),
  "checksum.other": invalid(["names a file other than the one that it lies beside", SUMS.en], ["其中列出的是另一个文件，不是同名的探针包", SUMS.zh]),
  "checksum.irregular": invalid(["is not a regular file", SUMS.en], ["不是普通文件", SUMS.zh]),
  "checksum.long": invalid(["is too long for a list of checksums", SUMS.en], ["作为校验和列表过长", SUMS.zh]),
  "checksum.unused": warning(
    ["names none of the packages beside or below it, so it was not used", "write it again with sha256sum in this folder (with the paths of files in folders below), or remove it"],
    ["未列出同目录或下级目录中的任何探针包，因此没有使用", "请在该目录用 sha256sum 重新生成（下级目录的文件须带路径），或删除该文件"],
  ),
  // Signatures (VERIFY_KEY_FILE).
  "signature.missing": invalid(
    [({ list }: { list: string | undefined }) => (list === undefined ? "is not signed: there is no SHA256SUMS in its folder or above it" : `is not signed: there is no ${list}.sig`), SIGN.en],
    [({ list }: { list: string | undefined }) => (list === undefined ? "没有签名：所在目录及上级目录中没有 SHA256SUMS" : `没有签名：没有 ${list}.sig`), SIGN.zh],
  ),
  "signature.unlisted": invalid(["is not in the signed list {list} under this path", SIGN.en], ["不在已签名的清单 {list} 中（须以此路径列出）", SIGN.zh]),
  "signature.invalid": invalid(
    [(fault: BadSignature) => fill(BAD_SIGNATURE[fault.why].en, fault), "copy the packages, SHA256SUMS and SHA256SUMS.sig again from their origin; if they are the same there, do not use them"],
    [(fault: BadSignature) => fill(BAD_SIGNATURE[fault.why].zh, fault), "请从来源重新复制探针包、SHA256SUMS 和 SHA256SUMS.sig；若来源处内容相同，请勿使用"],
  ),
  "signature.key": invalid(
    [
      ({ why, fingerprint }: BadKey) => `is signed by the key ${fingerprint}, ${BAD_KEY[why].en}`,
      "ask whoever made the packages for this key's fingerprint by another way; if it is theirs, add the key to VERIFY_KEY_FILE; if not, do not use the packages",
    ],
    [({ why, fingerprint }: BadKey) => `由密钥 ${fingerprint} 签名，${BAD_KEY[why].zh}`, "请通过其他途径向制作方核对该密钥的指纹；若属实，请将该密钥加入 VERIFY_KEY_FILE，否则请勿使用这些探针包"],
  ),
  "checksum.name": warning(
    ["is ignored: it looks like a checksum file, but only {meant} is read", "rename it to {meant} if it contains SHA-256 digests, or remove it"],
    ["已忽略：疑似校验和文件，但只读取 {meant}", "请在内容为 SHA-256 时重命名为 {meant}，否则请删除"],
  ),
  // Names and versions.
  "name.ambiguous": invalid(
    [({ what, values }: { what: keyof typeof WHAT; values: readonly string[] }) => `has a name with more than one ${WHAT[what].en}: ${values.join(" and ")}`, RENAME.en],
    [({ what, values }: { what: keyof typeof WHAT; values: readonly string[] }) => `文件名中有多个${WHAT[what].zh}：${values.join(" 和 ")}`, RENAME.zh],
  ),
  "name.characters": invalid(["has a name with a backslash, a control character or an invisible character: {name}", RENAME.en], ["文件名中含有反斜杠、控制字符或不可见字符：{name}", RENAME.zh]),
  "name.version.unreadable": invalid(
    [
      "has a part in its name that looks like a version but cannot be read as one: {text}",
      "rename the file with a version like 1.2.3, 1.2.3.4, 1.2.3-rc1 or 1.2.3+7, or give the version with --version or in packages.json",
    ],
    ["文件名中疑似版本号的部分无法识别：{text}", "请重命名该文件，使版本形如 1.2.3、1.2.3.4、1.2.3-rc1 或 1.2.3+7，或用 --version 或 packages.json 指定版本"],
  ),
  "version.unreadable": invalid(
    [
      "has its version from {from}, but line {line} of that file looks like a version and cannot be read as one",
      "write only the version there (1.2.3), or LINUX_SIDECAR_VERSION=1.2.3 and WINDOWS_SIDECAR_VERSION=1.2.3, or write it into the archive's name",
    ],
    ["版本取自 {from}，但其中第 {line} 行疑似版本号，却无法识别", "请在其中只写版本号（1.2.3），或写 LINUX_SIDECAR_VERSION=1.2.3 和 WINDOWS_SIDECAR_VERSION=1.2.3，也可写在探针包的文件名中"],
  ),
  "version.missing": warning(
    ["is stored as version 1.0.0: {from} has no version for {os}", "write the version there (1.2.3), or into the archive's name"],
    ["按版本 1.0.0 存储：{from} 中没有 {os} 的版本号", "请在其中写明版本号（1.2.3），或写在探针包的文件名中"],
  ),
  "name.bytes": warning(
    ["has a name that is not UTF-8 (its bytes: {bytes}): it is stored and shown as {name}", "rename the file in UTF-8 if the name shown is wrong"],
    ["文件名不是 UTF-8 编码（字节为 {bytes}）：按 {name} 存储和显示", "请在显示的名称不正确时用 UTF-8 编码重命名该文件"],
  ),
  // packages.json.
  "manifest.json": invalid(
    [({ line, column, cut }: { line: number; column: number; cut: boolean }) => `is not valid JSON: ${cut ? "it ends too early, in" : "the error is in"} line ${line}, column ${column}`, SCHEMA.en],
    [({ line, column, cut }: { line: number; column: number; cut: boolean }) => `不是有效的 JSON：${cut ? "内容不完整，止于" : "错误位于"}第 ${line} 行第 ${column} 列`, SCHEMA.zh],
  ),
  "manifest.schema": schema(
    (params: Broken & { rule: ManifestRule }) => `${params.pointer}: ${fill(RULES[params.rule].en as Text<Broken>, params)}`,
    (params: Broken & { rule: ManifestRule }) => `${params.pointer}：${fill(RULES[params.rule].zh as Text<Broken>, params)}`,
  ),
  "manifest.field": schema(
    "{pointer}: cannot be used: 1 to 100 characters, without spaces, slashes, backslashes or control characters",
    "{pointer}：不可用：须为 1 至 100 个字符，不含空格、斜杠、反斜杠和控制字符",
  ),
  "manifest.description": schema("{pointer}: contains a control character", "{pointer}：包含控制字符"),
  "manifest.missing": schema("{pointer}: there is no file {path} on the volume", "{pointer}：卷（PACKAGES_DIR）中没有文件 {path}"),
  "manifest.twice": schema("{pointer}: {path} is named twice", "{pointer}：{path} 出现了两次"),
  "manifest.long": schema("is longer than {limit} bytes", "超过 {limit} 字节"),
  "manifest.irregular": invalid(["is not a regular file", "replace it with a regular file, or remove it"], ["不是普通文件", "请换成普通文件，或将其删除"]),
};
