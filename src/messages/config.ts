import { EXIT } from "../exit.ts";
import { fill, type Language, list, type Reason, type Words } from "./define.ts";

type Named = { name: string };

/**
 * An entry about a variable: exit 78. Its words never contain the value, which may be a secret in the wrong
 * place.
 */
function setting<P extends object = Record<never, never>>(en: Words<P>, zh: Words<P>): Reason<P> {
  return { exit: EXIT.config, en, zh };
}

/** An entry about the command line: exit 64. */
function usage<P extends object>(en: Words<P>, zh: Words<P>): Reason<P> {
  return { exit: EXIT.usage, en, zh };
}

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

const settings = {
  // Addresses of the servers.
  "config.host": setting<Named>(
    [({ name }) => `${name}: should be a host name, an IP address or the folder of a socket`, ({ name }) => `set ${name} to the host alone; the port goes into DB_PORT, a whole URL into DATABASE_URL`],
    [({ name }) => `${name}：应为主机名、IP 地址或套接字目录`, ({ name }) => `请在 ${name} 中只填主机名；端口写入 DB_PORT，完整 URL 写入 DATABASE_URL`],
  ),
  "config.ports": setting<Named>(
    [({ name }) => `${name}: should be a port from 1 to 65535, or one for each host`, ({ name }) => `set ${name} to a port, such as 5432`],
    [({ name }) => `${name}：应为 1 到 65535 之间的端口，或与主机一一对应的端口列表`, ({ name }) => `请将 ${name} 设为端口号，例如 5432`],
  ),
  "config.url.database": setting(
    ["DATABASE_URL: should look like postgres://USER:PASSWORD@HOST:5432/DATABASE", "percent-encode special characters in user, password and database (/ is %2F, @ is %40, # is %23)"],
    ["DATABASE_URL：格式应为 postgres://USER:PASSWORD@HOST:5432/DATABASE", "请对用户名、密码和库名中的特殊字符做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23）"],
  ),
  "config.url.parameter": setting<{ known: readonly string[] }>(
    ["DATABASE_URL: has a parameter that this job does not support, or an invalid value of one", ({ known }) => `use only these parameters: ${known.join(", ")}; instead of search_path set DB_SCHEMA`],
    ["DATABASE_URL：含有本任务不支持的参数或无效的取值", ({ known }) => `请只使用这些参数：${known.join("、")}；search_path 请改用 DB_SCHEMA`],
  ),
  "config.url.sslmode": setting<{ allowed: readonly string[] }>(
    [({ allowed }) => `DATABASE_URL: sslmode should be one of ${allowed.join(", ")}`, ({ allowed }) => `set sslmode in DATABASE_URL to one of ${allowed.join(", ")}`],
    [({ allowed }) => `DATABASE_URL：sslmode 应为 ${allowed.join("、")} 之一`, ({ allowed }) => `请将 DATABASE_URL 中的 sslmode 设为 ${allowed.join("、")} 之一`],
  ),
  "config.url.nats": setting<{ entry: number }>(
    [
      ({ entry }) => `NATS_SERVERS: entry ${entry} should look like nats://HOST:4222, tls://USER:PASSWORD@HOST:4222 or HOST:4222`,
      "percent-encode special characters in user and password (/ is %2F, @ is %40, # is %23), or use NATS_USER and NATS_PASSWORD",
    ],
    [
      ({ entry }) => `NATS_SERVERS：第 ${entry} 项格式应为 nats://HOST:4222、tls://USER:PASSWORD@HOST:4222 或 HOST:4222`,
      "请对用户名和密码中的特殊字符做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23），或改用 NATS_USER 和 NATS_PASSWORD",
    ],
  ),
  "config.separator": setting<{ character: string }>(
    [({ character }) => `NATS_SERVERS: contains "${character}", which is not a separator`, "put a plain comma between the servers in NATS_SERVERS, as in nats://a:4222,nats://b:4222"],
    [({ character }) => `NATS_SERVERS：含有“${character}”，它不能作为分隔符`, "请在 NATS_SERVERS 中用英文逗号分隔各服务器，例如 nats://a:4222,nats://b:4222"],
  ),
  // Any variable.
  "config.missing": setting<Named & { instead?: string }>(
    [({ name }) => `${name} is not set`, ({ name, instead }) => `set ${name}${instead ? `, or ${instead}` : ""}`],
    [({ name }) => `未设置 ${name}`, ({ name, instead }) => `请设置 ${name}${instead ? `，或设置 ${instead}` : ""}`],
  ),
  "config.both": setting<{ names: readonly string[] }>(
    [({ names }) => `${names.join(" and ")} are both set`, ({ names }) => `keep only one of ${names.join(", ")}`],
    [({ names }) => `同时设置了 ${names.join(" 和 ")}`, ({ names }) => `请只保留 ${names.join("、")} 中的一个`],
  ),
  "config.pair": setting<{ names: readonly [string, string] }>(
    [({ names }) => `only one of ${names.join(" and ")} is set`, ({ names }) => `set both ${names.join(" and ")}, or neither`],
    [({ names }) => `${names.join(" 和 ")} 只设置了其中一个`, ({ names }) => `请同时设置 ${names.join(" 和 ")}，或都不设置`],
  ),
  "config.file.missing": setting<Named & { path: string }>(
    [({ name, path }) => `${name}: file ${path} does not exist`, ({ name }) => `check the path in ${name}, and that the volume or secret is mounted there`],
    [({ name, path }) => `${name}：文件 ${path} 不存在`, ({ name }) => `请检查 ${name} 中的路径，并确认文件或 Secret 已挂载到该处`],
  ),
  "config.file.unreadable": setting<Named & { path: string; said: string }>(
    [({ name, path, said }) => `${name}: file ${path} cannot be read (${said})`, ({ path }) => `make ${path} readable for the user that the job runs as`],
    [({ name, path, said }) => `${name}：文件 ${path} 无法读取（${said}）`, ({ path }) => `请为任务的运行用户授予 ${path} 的读权限`],
  ),
  "config.choice": setting<Named & { allowed: readonly string[] }>(
    [({ name, allowed }) => `${name}: should be one of ${allowed.join(", ")}`, ({ name, allowed }) => `set ${name} to one of ${allowed.join(", ")}`],
    [({ name, allowed }) => `${name}：取值应为 ${allowed.join("、")} 之一`, ({ name, allowed }) => `请将 ${name} 设为 ${allowed.join("、")} 之一`],
  ),
  "config.number": setting<Named & { least: number; most: number; whole: boolean }>(
    [
      ({ name, least, most, whole }) => `${name}: should be a ${whole ? "whole " : ""}number from ${least} to ${most}`,
      ({ name, least, most, whole }) => `set ${name} to a ${whole ? "whole " : ""}number from ${least} to ${most}`,
    ],
    [
      ({ name, least, most, whole }) => `${name}：应为 ${least} 到 ${most} 之间的${whole ? "整数" : "数字"}`,
      ({ name, least, most, whole }) => `请将 ${name} 设为 ${least} 到 ${most} 之间的${whole ? "整数" : "数字"}`,
    ],
  ),
  "config.seconds": setting<Named & { least: number; most: number }>(
    [({ name, least, most }) => `${name}: should be ${least} to ${most} seconds`, ({ name }) => `set ${name} to seconds, as a number without a unit (300, not 5m)`],
    [({ name, least, most }) => `${name}：应为 ${least} 到 ${most} 秒`, ({ name }) => `请将 ${name} 设为秒数，只写数字、不带单位（写 300，不写 5m）`],
  ),
  "config.key-part": setting<Named>(
    [({ name }) => `${name}: should be 1 to 100 characters without "/", "\\" and spaces`, ({ name }) => `remove such characters from ${name}, or shorten it: it becomes part of an object's key`],
    [({ name }) => `${name}：应为 1 到 100 个字符，不含“/”、“\\”和空格等空白字符`, ({ name }) => `请从 ${name} 中去掉这些字符或将其缩短：该值会成为对象键的一部分`],
  ),
  "config.collectors": setting(
    ["COLLECTORS: should be auto, none, or names such as Telegraf,Vector", "set COLLECTORS=auto, COLLECTORS=none, or names with commas between them"],
    ["COLLECTORS：应为 auto、none，或如 Telegraf,Vector 的名称列表", "请设置 COLLECTORS=auto、COLLECTORS=none，或用英文逗号分隔的名称"],
  ),
  "config.platforms": setting<Named>(
    [
      ({ name }) => `${name}: should be a list such as linux/x86_64,windows/x86_64,apm/java,region/2`,
      ({ name }) =>
        `write platforms in ${name} as os/architecture (linux or windows, x86_64 or arm64), APM probes as apm/language (java, python, nodejs, go, dotnet) and cloud regions as region/id, with commas between them`,
    ],
    [
      ({ name }) => `${name}：应为列表，如 linux/x86_64,windows/x86_64,apm/java,region/2`,
      ({ name }) =>
        `请在 ${name} 中将平台写作“操作系统/架构”（linux 或 windows，x86_64 或 arm64），将 APM 探针写作“apm/语言”（java、python、nodejs、go、dotnet），将云区域写作“region/id”，以英文逗号分隔`,
    ],
  ),
  "config.regions": setting(
    ["REGIONS: should be auto, none, or ids of cloud regions such as 2,3", "set REGIONS=auto, REGIONS=none, or ids with commas between them"],
    ["REGIONS：应为 auto、none，或如 2,3 的云区域 id 列表", "请设置 REGIONS=auto、REGIONS=none，或用英文逗号分隔的 id"],
  ),
  "config.bucket-name": setting<Named>(
    [({ name }) => `${name}: should have letters, digits, - and _ only, as a bucket's name`, ({ name }) => `set ${name} to the value that BK-Lite's server has`],
    [({ name }) => `${name}：存储桶名称只能包含字母、数字、- 和 _`, ({ name }) => `请将 ${name} 设为 BK-Lite 服务端的取值`],
  ),
  "config.identifier": setting<Named>(
    [({ name }) => `${name}: is longer than 63 bytes, the limit of PostgreSQL's names`, ({ name }) => `set ${name} to the name that BK-Lite's server has`],
    [({ name }) => `${name}：超过 63 字节，即 PostgreSQL 名称的上限`, ({ name }) => `请将 ${name} 设为 BK-Lite 服务端的取值`],
  ),
  "config.engine": setting(
    ["DB_ENGINE names a database other than PostgreSQL", "set DB_ENGINE to a PostgreSQL engine; for another database use BK-Lite's own commands, as this job registers packages in PostgreSQL only"],
    ["DB_ENGINE 指定的数据库不是 PostgreSQL", "请将 DB_ENGINE 设为 PostgreSQL 引擎；使用其他数据库时请改用 BK-Lite 自带的管理命令，本任务仅支持 PostgreSQL"],
  ),
  "config.stray": setting<Named & { what: keyof typeof STRAY }>(
    [({ name, what }) => `${name}: ${STRAY[what].en[0]}`, ({ name, what }) => `correct ${name} where it is set: ${STRAY[what].en[1]}`],
    [({ name, what }) => `${name}：${STRAY[what].zh[0]}`, ({ name, what }) => `请在设置 ${name} 的位置修正：${STRAY[what].zh[1]}`],
  ),
  "config.row-defaults": setting(
    ["ROW_DEFAULTS: is not a list of column=value with each column once", "write ROW_DEFAULTS as column=value,column=value, with a backslash before a comma or backslash in a value"],
    ["ROW_DEFAULTS：不是“列名=值”的列表，或同一列出现多次", "请将 ROW_DEFAULTS 写成 column=value,column=value；值中的逗号和反斜杠前加反斜杠"],
  ),
  "config.keys.inside": setting<{ path: string }>(
    [
      ({ path }) => `VERIFY_KEY_FILE: ${path} lies in PACKAGES_DIR, where whoever changes the packages could change it too`,
      "move the file out of PACKAGES_DIR, and set VERIFY_KEY_FILE to its new path",
    ],
    [({ path }) => `VERIFY_KEY_FILE：${path} 位于 PACKAGES_DIR 中，能改动探针包的人也能改动该文件`, "请将该文件移到 PACKAGES_DIR 之外，并将 VERIFY_KEY_FILE 设为新路径"],
  ),
  "config.keys.empty": setting<{ path: string }>(
    [({ path }) => `VERIFY_KEY_FILE: ${path} contains no key`, "write at least one public key to it, as in release.key.pub; to store unsigned packages, leave VERIFY_KEY_FILE empty"],
    [({ path }) => `VERIFY_KEY_FILE：${path} 中没有密钥`, "请写入至少一个公钥（格式同 release.key.pub）；若要存储未签名的探针包，请将 VERIFY_KEY_FILE 留空"],
  ),
  "config.keys.line": setting<{ path: string; line: number; fault: "form" | "type" | "option"; word: string }>(
    [
      ({ path, line, fault, word }) => `VERIFY_KEY_FILE: line ${line} of ${path} ${{ form: "is not a public key", type: `has a key of type ${word}`, option: `has the option ${word}` }[fault]}`,
      "use lines as in an Ed25519 key's .pub file, or lines of allowed_signers with no options other than namespaces, valid-after and valid-before",
    ],
    [
      ({ path, line, fault, word }) => `VERIFY_KEY_FILE：${path} 第 ${line} 行${{ form: "不是公钥", type: `的密钥类型为 ${word}`, option: `含有选项 ${word}` }[fault]}`,
      "请使用 Ed25519 密钥 .pub 文件的格式，或 allowed_signers 的格式（选项仅限 namespaces、valid-after 和 valid-before）",
    ],
  ),
  "config.report": setting<{ path: string; said: string }>(
    [({ path, said }) => `REPORT_FILE: ${path} cannot be written (${said})`, "set REPORT_FILE to a path in an existing folder that the job's user can write to"],
    [({ path, said }) => `REPORT_FILE：${path} 无法写入（${said}）`, "请将 REPORT_FILE 设为任务运行用户可写的现有目录下的路径"],
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
  "config.several": setting<Several>(
    [({ problems }) => list(`${problems.length} settings are wrong:`, each(problems, "en", 0)), ({ problems }) => list("correct each of them:", each(problems, "en", 1))],
    [({ problems }) => list(`有 ${problems.length} 项配置错误：`, each(problems, "zh", 0)), ({ problems }) => list("请逐项修正：", each(problems, "zh", 1))],
  ),
  // The command line.
  "usage.command": usage<{ command: string; nearest: string | undefined }>(
    [({ command, nearest }) => `unknown command "${command}"${near.en(nearest)}`, HELP.en],
    [({ command, nearest }) => `未知命令“${command}”${near.zh(nearest)}`, HELP.zh],
  ),
  "usage.option": usage<{ option: string; nearest: string | undefined }>(
    [({ option, nearest }) => `unknown option "${option}"${near.en(nearest)}`, HELP.en],
    [({ option, nearest }) => `未知选项“${option}”${near.zh(nearest)}`, HELP.zh],
  ),
  "usage.argument": usage<{ argument: string }>([({ argument }) => `unexpected argument "${argument}"`, HELP.en], [({ argument }) => `多余的参数“${argument}”`, HELP.zh]),
  "usage.value.missing": usage<{ option: string }>([({ option }) => `${option} needs a value`, HELP.en], [({ option }) => `选项 ${option} 缺少取值`, HELP.zh]),
  "usage.twice": usage<{ option: string }>(
    [({ option }) => `${option} is given more than once`, "run the job once for each file, or list the files in packages.json"],
    [({ option }) => `选项 ${option} 重复`, "请对每个文件各运行一次，或在 packages.json 中列出这些文件"],
  ),
  "usage.value.unexpected": usage<{ option: string }>([({ option }) => `${option} accepts no value`, HELP.en], [({ option }) => `选项 ${option} 不接受取值`, HELP.zh]),
  "usage.value.choice": usage<{ option: string; value: string; allowed: readonly string[]; nearest: string | undefined }>(
    [({ option, value, nearest }) => `${option} cannot be "${value}"${near.en(nearest)}`, ({ option, allowed }) => `use one of these values for ${option}: ${allowed.join(", ")}`],
    [({ option, value, nearest }) => `选项 ${option} 的取值“${value}”无效${near.zh(nearest)}`, ({ option, allowed }) => `请将 ${option} 设为以下之一：${allowed.join("、")}`],
  ),
  "usage.value.count": usage<{ option: string }>(
    [({ option }) => `${option} should be a whole number from 1`, ({ option }) => `give ${option} a number from 1 to 999999`],
    [({ option }) => `选项 ${option} 应为不小于 1 的整数`, ({ option }) => `请将 ${option} 设为 1 至 999999 的整数`],
  ),
  "usage.value.form": usage<{ option: string }>(
    [({ option }) => `${option} has a value that cannot be part of an object's key`, ({ option }) => `give ${option} 1 to 100 characters without "/", "\\", spaces and control characters`],
    [({ option }) => `选项 ${option} 的取值不能作为对象键的一部分`, ({ option }) => `请将 ${option} 设为 1 至 100 个字符，不含“/”、“\\”、空格和控制字符`],
  ),
  "usage.together": usage<{ option: string; other: string }>(
    [({ option, other }) => `${option} and ${other} exclude each other`, ({ option, other }) => `remove ${option} or ${other}`],
    [({ option, other }) => `${option} 与 ${other} 不能同时使用`, ({ option, other }) => `请去掉 ${option} 或 ${other}`],
  ),
  "usage.only": usage<{ option: string; commands: readonly string[] }>(
    [({ option, commands }) => `${option} goes with ${commands.join(", ")} only`, ({ option, commands }) => `remove ${option}, or use it with ${commands.join(" or ")}`],
    [({ option, commands }) => `${option} 仅可与 ${commands.join("、")} 一起使用`, ({ option, commands }) => `请去掉 ${option}，或与 ${commands.join(" 或 ")} 一起使用`],
  ),
  "usage.needs": usage<{ option: string; needs: string }>(
    [({ option, needs }) => `${option} needs ${needs}`, ({ option, needs }) => `add ${needs}, or remove ${option}`],
    [({ option, needs }) => `${option} 需要同时给出 ${needs}`, ({ option, needs }) => `请加上 ${needs}，或去掉 ${option}`],
  ),
  "usage.topic": usage<{ topic: string; topics: readonly string[]; nearest: string | undefined }>(
    [({ topic, nearest }) => `there is no help about "${topic}"${near.en(nearest)}`, ({ topics }) => (topics.length > 0 ? `use one of these topics: ${topics.join(", ")}` : HELP.en)],
    [({ topic, nearest }) => `没有名为“${topic}”的帮助主题${near.zh(nearest)}`, ({ topics }) => (topics.length > 0 ? `请使用以下主题之一：${topics.join("、")}` : HELP.zh)],
  ),
};
