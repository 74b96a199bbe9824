import { fill, type Language, list, misconfigured, type Reason, usage, type Words } from "./define.ts";

type Nearest = { nearest: string | undefined };
type Range = { name: string; least: number; most: number; whole: boolean };
type BadLine = { path: string; line: number; fault: "form" | "type" | "option"; word: string };

const HELP = { en: "run bklite-package-init --help for the commands and options", zh: "请运行 bklite-package-init --help 查看命令与选项" };

/** `(did you mean "init"?)`, or nothing if no name is near. */
const near = { en: (name: string | undefined) => (name === undefined ? "" : ` (did you mean "${name}"?)`), zh: (name: string | undefined) => (name === undefined ? "" : `（是否想输入“${name}”？）`) };

const STRAY = {
  "carriage-return": { en: ["contains a carriage return", "save the file with Unix line ends (LF)"], zh: ["含有回车符", "将文件保存为 Unix 换行（LF）"] },
  quotes: {
    en: ["has quotes around it that are part of the value", "remove the quotes, which docker run --env-file and Kubernetes keep"],
    zh: ["值带有引号", "去掉引号，docker run --env-file 和 Kubernetes 会原样保留引号"],
  },
  blanks: { en: ["begins or ends with a space", "remove the spaces at both ends"], zh: ["首尾有空格", "去掉首尾的空格"] },
} as const;

type Stray = { name: string; what: keyof typeof STRAY };

/** About variables. No text contains the value, which may be a secret in the wrong place. */
const settings = {
  // Addresses of the servers.
  "config.host": misconfigured(
    ["{name}: should be a host name, an IP address or the folder of a socket", "set {name} to the host alone; the port goes into DB_PORT, a whole URL into DATABASE_URL"],
    ["{name}：应为主机名、IP 地址或套接字目录", "请在 {name} 中只填主机名；端口写入 DB_PORT，完整 URL 写入 DATABASE_URL"],
  ),
  "config.ports": misconfigured(
    ["{name}: should be a port from 1 to 65535, or one for each host", "set {name} to a port, such as 5432"],
    ["{name}：应为 1 到 65535 之间的端口，或与主机一一对应的端口列表", "请将 {name} 设为端口号，例如 5432"],
  ),
  "config.url.database": misconfigured(
    ["DATABASE_URL: should look like postgres://USER:PASSWORD@HOST:5432/DATABASE", "percent-encode special characters in user, password and database (/ is %2F, @ is %40, # is %23)"],
    ["DATABASE_URL：格式应为 postgres://USER:PASSWORD@HOST:5432/DATABASE", "请对用户名、密码和库名中的特殊字符做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23）"],
  ),
  "config.url.parameter": misconfigured(
    ["DATABASE_URL: has a parameter that this job does not support, or an invalid value of one", "use only these parameters: {known:, }; instead of search_path set DB_SCHEMA"],
    ["DATABASE_URL：含有本任务不支持的参数或无效的取值", "请只使用这些参数：{known:、}；search_path 请改用 DB_SCHEMA"],
  ),
  "config.url.sslmode": misconfigured(
    ["DATABASE_URL: sslmode should be one of {allowed:, }", "set sslmode in DATABASE_URL to one of {allowed:, }"],
    ["DATABASE_URL：sslmode 应为 {allowed:、} 之一", "请将 DATABASE_URL 中的 sslmode 设为 {allowed:、} 之一"],
  ),
  "config.url.nats": misconfigured(
    [
      "NATS_SERVERS: entry {entry} should look like nats://HOST:4222, tls://USER:PASSWORD@HOST:4222 or HOST:4222",
      "percent-encode special characters in user and password (/ is %2F, @ is %40, # is %23), or use NATS_USER and NATS_PASSWORD",
    ],
    [
      "NATS_SERVERS：第 {entry} 项格式应为 nats://HOST:4222、tls://USER:PASSWORD@HOST:4222 或 HOST:4222",
      "请对用户名和密码中的特殊字符做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23），或改用 NATS_USER 和 NATS_PASSWORD",
    ],
  ),
  "config.separator": misconfigured(
    ['NATS_SERVERS: contains "{character}", which is not a separator', "put a plain comma between the servers in NATS_SERVERS, as in nats://a:4222,nats://b:4222"],
    ["NATS_SERVERS：含有“{character}”，它不能作为分隔符", "请在 NATS_SERVERS 中用英文逗号分隔各服务器，例如 nats://a:4222,nats://b:4222"],
  ),
  // Any variable.
  "config.missing": misconfigured(
    ["{name} is not set", ({ name, instead }: { name: string; instead?: string }) => `set ${name}${instead ? `, or ${instead}` : ""}`],
    ["未设置 {name}", ({ name, instead }: { name: string; instead?: string }) => `请设置 ${name}${instead ? `，或设置 ${instead}` : ""}`],
  ),
  "config.both": misconfigured(["{names: and } are both set", "keep only one of {names:, }"], ["同时设置了 {names: 和 }", "请只保留 {names:、} 中的一个"]),
  "config.pair": misconfigured(["only one of {names: and } is set", "set both {names: and }, or neither"], ["{names: 和 } 只设置了其中一个", "请同时设置 {names: 和 }，或都不设置"]),
  "config.file.missing": misconfigured(
    ["{name}: file {path} does not exist", "check the path in {name}, and that the volume or secret is mounted there"],
    ["{name}：文件 {path} 不存在", "请检查 {name} 中的路径，并确认文件或 Secret 已挂载到该处"],
  ),
  "config.file.unreadable": misconfigured(
    ["{name}: file {path} cannot be read ({said})", "make {path} readable for the user that the job runs as"],
    ["{name}：文件 {path} 无法读取（{said}）", "请为任务的运行用户授予 {path} 的读权限"],
  ),
  "config.choice": misconfigured(["{name}: should be one of {allowed:, }", "set {name} to one of {allowed:, }"], ["{name}：取值应为 {allowed:、} 之一", "请将 {name} 设为 {allowed:、} 之一"]),
  "config.number": misconfigured(
    [
      ({ name, least, most, whole }: Range) => `${name}: should be a ${whole ? "whole " : ""}number from ${least} to ${most}`,
      ({ name, least, most, whole }: Range) => `set ${name} to a ${whole ? "whole " : ""}number from ${least} to ${most}`,
    ],
    [
      ({ name, least, most, whole }: Range) => `${name}：应为 ${least} 到 ${most} 之间的${whole ? "整数" : "数字"}`,
      ({ name, least, most, whole }: Range) => `请将 ${name} 设为 ${least} 到 ${most} 之间的${whole ? "整数" : "数字"}`,
    ],
  ),
  "config.seconds": misconfigured(
    ["{name}: should be {least} to {most} seconds", "set {name} to seconds, as a number without a unit (300, not 5m)"],
    ["{name}：应为 {least} 到 {most} 秒", "请将 {name} 设为秒数，只写数字、不带单位（写 300，不写 5m）"],
  ),
  "config.key-part": misconfigured(
    ['{name}: should be 1 to 100 characters without "/", "\\" and spaces', "remove such characters from {name}, or shorten it: it becomes part of an object's key"],
    ["{name}：应为 1 到 100 个字符，不含“/”、“\\”和空格等空白字符", "请从 {name} 中去掉这些字符或将其缩短：该值会成为对象键的一部分"],
  ),
  "config.collectors": misconfigured(
    ["COLLECTORS: should be auto, none, or names such as Telegraf,Vector", "set COLLECTORS=auto, COLLECTORS=none, or names with commas between them"],
    ["COLLECTORS：应为 auto、none，或如 Telegraf,Vector 的名称列表", "请设置 COLLECTORS=auto、COLLECTORS=none，或用英文逗号分隔的名称"],
  ),
  "config.platforms": misconfigured(
    [
      "{name}: should be a list such as linux/x86_64,windows/x86_64,apm/java,region/2",
      "write platforms in {name} as os/architecture (linux or windows, x86_64 or arm64), APM probes as apm/language (java, python, nodejs, go, dotnet) and cloud regions as region/id, with commas between them",
    ],
    [
      "{name}：应为列表，如 linux/x86_64,windows/x86_64,apm/java,region/2",
      "请在 {name} 中将平台写作“操作系统/架构”（linux 或 windows，x86_64 或 arm64），将 APM 探针写作“apm/语言”（java、python、nodejs、go、dotnet），将云区域写作“region/id”，以英文逗号分隔",
    ],
  ),
  "config.regions": misconfigured(
    ["REGIONS: should be auto, none, or ids of cloud regions such as 2,3", "set REGIONS=auto, REGIONS=none, or ids with commas between them"],
    ["REGIONS：应为 auto、none，或如 2,3 的云区域 id 列表", "请设置 REGIONS=auto、REGIONS=none，或用英文逗号分隔的 id"],
  ),
  "config.bucket-name": misconfigured(
    ["{name}: should have letters, digits, - and _ only, as a bucket's name", "set {name} to the value that BK-Lite's server has"],
    ["{name}：存储桶名称只能包含字母、数字、- 和 _", "请将 {name} 设为 BK-Lite 服务端的取值"],
  ),
  "config.identifier": misconfigured(
    ["{name}: is longer than 63 bytes, the limit of PostgreSQL's names", "set {name} to the name that BK-Lite's server has"],
    ["{name}：超过 63 字节，即 PostgreSQL 名称的上限", "请将 {name} 设为 BK-Lite 服务端的取值"],
  ),
  "config.engine": misconfigured(
    ["DB_ENGINE names a database other than PostgreSQL", "set DB_ENGINE to a PostgreSQL engine; for another database use BK-Lite's own commands, as this job registers packages in PostgreSQL only"],
    ["DB_ENGINE 指定的数据库不是 PostgreSQL", "请将 DB_ENGINE 设为 PostgreSQL 引擎；使用其他数据库时请改用 BK-Lite 自带的管理命令，本任务仅支持 PostgreSQL"],
  ),
  "config.stray": misconfigured(
    [({ name, what }: Stray) => `${name}: ${STRAY[what].en[0]}`, ({ name, what }: Stray) => `correct ${name} where it is set: ${STRAY[what].en[1]}`],
    [({ name, what }: Stray) => `${name}：${STRAY[what].zh[0]}`, ({ name, what }: Stray) => `请在设置 ${name} 的位置修正：${STRAY[what].zh[1]}`],
  ),
  "config.row-defaults": misconfigured(
    ["ROW_DEFAULTS: is not a list of column=value with each column once", "write ROW_DEFAULTS as column=value,column=value, with a backslash before a comma or backslash in a value"],
    ["ROW_DEFAULTS：不是“列名=值”的列表，或同一列出现多次", "请将 ROW_DEFAULTS 写成 column=value,column=value；值中的逗号和反斜杠前加反斜杠"],
  ),
  "config.keys.inside": misconfigured(
    ["VERIFY_KEY_FILE: {path} lies in PACKAGES_DIR, where whoever changes the packages could change it too", "move the file out of PACKAGES_DIR, and set VERIFY_KEY_FILE to its new path"],
    ["VERIFY_KEY_FILE：{path} 位于 PACKAGES_DIR 中，能改动探针包的人也能改动该文件", "请将该文件移到 PACKAGES_DIR 之外，并将 VERIFY_KEY_FILE 设为新路径"],
  ),
  "config.keys.empty": misconfigured(
    ["VERIFY_KEY_FILE: {path} contains no key", "write at least one public key to it, as in release.key.pub; to store unsigned packages, leave VERIFY_KEY_FILE empty"],
    ["VERIFY_KEY_FILE：{path} 中没有密钥", "请写入至少一个公钥（格式同 release.key.pub）；若要存储未签名的探针包，请将 VERIFY_KEY_FILE 留空"],
  ),
  "config.keys.line": misconfigured(
    [
      ({ path, line, fault, word }: BadLine) =>
        `VERIFY_KEY_FILE: line ${line} of ${path} ${{ form: "is not a public key", type: `has a key of type ${word}`, option: `has the option ${word}` }[fault]}`,
      "use lines as in an Ed25519 key's .pub file, or lines of allowed_signers with no options other than namespaces, valid-after and valid-before",
    ],
    [
      ({ path, line, fault, word }: BadLine) => `VERIFY_KEY_FILE：${path} 第 ${line} 行${{ form: "不是公钥", type: `的密钥类型为 ${word}`, option: `含有选项 ${word}` }[fault]}`,
      "请使用 Ed25519 密钥 .pub 文件的格式，或 allowed_signers 的格式（选项仅限 namespaces、valid-after 和 valid-before）",
    ],
  ),
  "config.report": misconfigured(
    ["REPORT_FILE: {path} cannot be written ({said})", "set REPORT_FILE to a path in an existing folder that the job's user can write to"],
    ["REPORT_FILE：{path} 无法写入（{said}）", "请将 REPORT_FILE 设为任务运行用户可写的现有目录下的路径"],
  ),
};

type Settings = typeof settings;
export type ConfigReason = keyof Settings;
/** A fault of one variable, as data. */
export type ConfigProblem = {
  [Id in ConfigReason]: { reason: Id; params: Settings[Id] extends Reason<infer P> ? P : never };
}[ConfigReason];

/**
 * ConfigProblems, typed loosely: the type checker would compare the union of all parameters again and again.
 */
type Several = { problems: readonly { reason: string; params: unknown }[] };

function each(problems: Several["problems"], language: Language, part: 0 | 1): string[] {
  return problems.map(({ reason: id, params }) => fill((settings[id as ConfigReason][language] as Words<unknown>)[part], params));
}

/** Environment and command line. */
export const config = {
  ...settings,
  "config.several": misconfigured(
    [({ problems }: Several) => list(`${problems.length} settings are wrong:`, each(problems, "en", 0)), ({ problems }: Several) => list("correct each of them:", each(problems, "en", 1))],
    [({ problems }: Several) => list(`有 ${problems.length} 项配置错误：`, each(problems, "zh", 0)), ({ problems }: Several) => list("请逐项修正：", each(problems, "zh", 1))],
  ),
  // The command line.
  "usage.command": usage(
    [({ command, nearest }: Nearest & { command: string }) => `unknown command "${command}"${near.en(nearest)}`, HELP.en],
    [({ command, nearest }: Nearest & { command: string }) => `未知命令“${command}”${near.zh(nearest)}`, HELP.zh],
  ),
  "usage.option": usage(
    [({ option, nearest }: Nearest & { option: string }) => `unknown option "${option}"${near.en(nearest)}`, HELP.en],
    [({ option, nearest }: Nearest & { option: string }) => `未知选项“${option}”${near.zh(nearest)}`, HELP.zh],
  ),
  "usage.argument": usage(['unexpected argument "{argument}"', HELP.en], ["多余的参数“{argument}”", HELP.zh]),
  "usage.value.missing": usage(["{option} needs a value", HELP.en], ["选项 {option} 缺少取值", HELP.zh]),
  "usage.twice": usage(
    ["{option} is given more than once", "run the job once for each file, or list the files in packages.json"],
    ["选项 {option} 重复", "请对每个文件各运行一次，或在 packages.json 中列出这些文件"],
  ),
  "usage.value.unexpected": usage(["{option} accepts no value", HELP.en], ["选项 {option} 不接受取值", HELP.zh]),
  "usage.value.choice": usage(
    [({ option, value, nearest }: Nearest & { option: string; value: string }) => `${option} cannot be "${value}"${near.en(nearest)}`, "use one of these values for {option}: {allowed:, }"],
    [({ option, value, nearest }: Nearest & { option: string; value: string }) => `选项 ${option} 的取值“${value}”无效${near.zh(nearest)}`, "请将 {option} 设为以下之一：{allowed:、}"],
  ),
  "usage.value.count": usage(["{option} should be a whole number from 1", "give {option} a number from 1 to 999999"], ["选项 {option} 应为不小于 1 的整数", "请将 {option} 设为 1 至 999999 的整数"]),
  "usage.value.form": usage(
    ["{option} has a value that cannot be part of an object's key", 'give {option} 1 to 100 characters without "/", "\\", spaces and control characters'],
    ["选项 {option} 的取值不能作为对象键的一部分", "请将 {option} 设为 1 至 100 个字符，不含“/”、“\\”、空格和控制字符"],
  ),
  "usage.together": usage(["{option} and {other} exclude each other", "remove {option} or {other}"], ["{option} 与 {other} 不能同时使用", "请去掉 {option} 或 {other}"]),
  "usage.only": usage(
    ["{option} goes with {commands:, } only", "remove {option}, or use it with {commands: or }"],
    ["{option} 仅可与 {commands:、} 一起使用", "请去掉 {option}，或与 {commands: 或 } 一起使用"],
  ),
  "usage.needs": usage(["{option} needs {needs}", "add {needs}, or remove {option}"], ["{option} 需要同时给出 {needs}", "请加上 {needs}，或去掉 {option}"]),
  "usage.topic": usage(
    [
      ({ topic, nearest }: Nearest & { topic: string }) => `there is no help about "${topic}"${near.en(nearest)}`,
      ({ topics }: { topics: readonly string[] }) => (topics.length > 0 ? `use an exit code (help 76), a reason (help lock.held) or one of these topics: ${topics.join(", ")}` : HELP.en),
    ],
    [
      ({ topic, nearest }: Nearest & { topic: string }) => `没有名为“${topic}”的帮助主题${near.zh(nearest)}`,
      ({ topics }: { topics: readonly string[] }) => (topics.length > 0 ? `请使用退出码（help 76）、原因（help lock.held）或以下主题之一：${topics.join("、")}` : HELP.zh),
    ],
  ),
};
