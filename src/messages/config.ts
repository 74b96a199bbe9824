import { fill, type Language, list, type Reason, reason, type Words } from "./define.ts";

/** What may be wrong with one variable. */
const settings = {
  // What may be wrong with where the servers are said to be.
  "config.host": setting<Named>({
    en: [({ name }) => `${name}: should be a host name, an IP address or the folder of a socket`, "give the name alone; the port goes into DB_PORT, a whole URL into DATABASE_URL"],
    zh: [({ name }) => `${name}：应为主机名、IP 地址或套接字目录`, "此处只填主机名；端口写入 DB_PORT，完整 URL 写入 DATABASE_URL"],
  }),
  "config.ports": setting<Named>({
    en: [({ name }) => `${name}: should be a port from 1 to 65535, or one for each host`, ({ name }) => `correct ${name}`],
    zh: [({ name }) => `${name}：应为 1 到 65535 之间的端口，或与主机一一对应的端口列表`, ({ name }) => `修正 ${name}`],
  }),
  "config.url.database": setting({
    en: ["DATABASE_URL: should look like postgres://USER:PASSWORD@HOST:5432/DATABASE", "percent-encode special characters in user, password and database (/ is %2F, @ is %40, # is %23)"],
    zh: ["DATABASE_URL：格式应为 postgres://USER:PASSWORD@HOST:5432/DATABASE", "用户名、密码和库名中的特殊字符须做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23）"],
  }),
  "config.url.parameter": setting<{ known: readonly string[] }>({
    en: ["DATABASE_URL: has a parameter that this job does not know, or a value that it cannot use", ({ known }) => `known are ${known.join(", ")}; for search_path use DB_SCHEMA`],
    zh: ["DATABASE_URL：含有本任务不支持的参数或取值", ({ known }) => `支持的参数：${known.join("、")}；search_path 请改用 DB_SCHEMA`],
  }),
  "config.url.sslmode": setting<{ allowed: readonly string[] }>({
    en: [({ allowed }) => `DATABASE_URL: sslmode should be one of ${allowed.join(", ")}`, "say whether the connection has to be encrypted"],
    zh: [({ allowed }) => `DATABASE_URL：sslmode 应为 ${allowed.join("、")} 之一`, "请明确连接是否加密"],
  }),
  "config.url.nats": setting<{ entry: number }>({
    en: [
      ({ entry }) => `NATS_SERVERS: entry ${entry} should look like nats://HOST:4222, tls://USER:PASSWORD@HOST:4222 or HOST:4222`,
      "percent-encode special characters in user and password (/ is %2F, @ is %40, # is %23), or use NATS_USER and NATS_PASSWORD",
    ],
    zh: [
      ({ entry }) => `NATS_SERVERS：第 ${entry} 项格式应为 nats://HOST:4222、tls://USER:PASSWORD@HOST:4222 或 HOST:4222`,
      "用户名和密码中的特殊字符须做百分号编码（/ 为 %2F，@ 为 %40，# 为 %23），或改用 NATS_USER 和 NATS_PASSWORD",
    ],
  }),
  "config.separator": setting<{ character: string }>({
    en: [({ character }) => `NATS_SERVERS: contains "${character}", which separates nothing`, "write a plain comma between the servers in NATS_SERVERS, as in nats://a:4222,nats://b:4222"],
    zh: [({ character }) => `NATS_SERVERS：含有“${character}”，它不能作为分隔符`, "请在 NATS_SERVERS 中用英文逗号分隔各服务器，例如 nats://a:4222,nats://b:4222"],
  }),
  "config.missing": setting<Named & { instead?: string }>({
    en: [({ name }) => `${name} is not set`, ({ name, instead }) => `set ${name}${instead ? `, or ${instead}` : ""}`],
    zh: [({ name }) => `未设置 ${name}`, ({ name, instead }) => `请设置 ${name}${instead ? `，或设置 ${instead}` : ""}`],
  }),
  "config.both": setting<{ names: readonly string[] }>({
    en: [({ names }) => `${names.join(" and ")} are both set`, ({ names }) => `keep one of ${names.join(", ")}`],
    zh: [({ names }) => `同时设置了 ${names.join(" 和 ")}`, ({ names }) => `${names.join("、")} 只能保留一个`],
  }),
  "config.pair": setting<{ names: readonly [string, string] }>({
    en: [({ names }) => `of ${names.join(" and ")} only one is set`, ({ names }) => `set both ${names.join(" and ")}, or neither`],
    zh: [({ names }) => `${names.join(" 和 ")} 只设置了其中一个`, ({ names }) => `${names.join(" 和 ")} 须同时设置或都不设置`],
  }),
  "config.file.missing": setting<Named & { path: string }>({
    en: [({ name, path }) => `${name}: file ${path} does not exist`, ({ name }) => `check the path in ${name} and that the volume or secret is mounted there`],
    zh: [({ name, path }) => `${name}：文件 ${path} 不存在`, ({ name }) => `检查 ${name} 中的路径，并确认卷或 Secret 已挂载到该处`],
  }),
  "config.file.unreadable": setting<Named & { path: string; said: string }>({
    en: [({ name, path, said }) => `${name}: file ${path} cannot be read (${said})`, ({ path }) => `make ${path} readable for the user that the job runs as`],
    zh: [({ name, path, said }) => `${name}：文件 ${path} 无法读取（${said}）`, ({ path }) => `为任务的运行用户授予 ${path} 的读权限`],
  }),
  "config.choice": setting<Named & { allowed: readonly string[] }>({
    en: [({ name, allowed }) => `${name}: should be one of ${allowed.join(", ")}`, ({ name, allowed }) => `set ${name} to one of ${allowed.join(", ")}`],
    zh: [({ name, allowed }) => `${name}：取值应为 ${allowed.join("、")} 之一`, ({ name, allowed }) => `将 ${name} 设为 ${allowed.join("、")} 之一`],
  }),
  "config.number": setting<Named & { least: number; most: number; whole: boolean }>({
    en: [({ name, least, most, whole }) => `${name}: should be a ${whole ? "whole " : ""}number from ${least} to ${most}`, ({ name }) => `correct ${name}`],
    zh: [({ name, least, most, whole }) => `${name}：应为 ${least} 到 ${most} 之间的${whole ? "整数" : "数字"}`, ({ name }) => `修正 ${name}`],
  }),
  "config.seconds": setting<Named & { least: number; most: number }>({
    en: [({ name, least, most }) => `${name}: should be ${least} to ${most} seconds`, ({ name }) => `give ${name} in seconds, as a number without a unit (300, not 5m)`],
    zh: [({ name, least, most }) => `${name}：应为 ${least} 到 ${most} 秒`, ({ name }) => `${name} 以秒为单位，只写数字、不带单位（写 300，不写 5m）`],
  }),
  "config.key-part": setting<Named>({
    en: [({ name }) => `${name}: should be 1 to 100 characters without "/", "\\" and blanks`, ({ name }) => `correct ${name}: it becomes part of a key in the bucket`],
    zh: [({ name }) => `${name}：应为 1 到 100 个字符，不含“/”、“\\”和空白`, ({ name }) => `修正 ${name}：该值会成为存储桶中对象键的一部分`],
  }),
  "config.collectors": setting({
    en: ["COLLECTORS: should be auto, none, or names such as Telegraf,Vector", "correct COLLECTORS"],
    zh: ["COLLECTORS：应为 auto、none，或如 Telegraf,Vector 的名称列表", "修正 COLLECTORS"],
  }),
  "config.platforms": setting<Named>({
    en: [
      ({ name }) => `${name}: should be a list such as linux/x86_64,windows/x86_64,apm/java`,
      ({ name }) => `name in ${name} platforms as os/architecture (linux or windows, x86_64 or arm64), APM probes as apm/language (java, python, nodejs, go, dotnet), with commas between them`,
    ],
    zh: [
      ({ name }) => `${name}：应为列表，如 linux/x86_64,windows/x86_64,apm/java`,
      ({ name }) => `请在 ${name} 中将平台写作“操作系统/架构”（linux 或 windows，x86_64 或 arm64），将 APM 探针写作“apm/语言”（java、python、nodejs、go、dotnet），以逗号分隔`,
    ],
  }),
  "config.regions": setting<Named & { regions: readonly string[] }>({
    en: [
      ({ name, regions }) => `${name}: cloud regions are not looked at by this version: ${regions.map((id) => `region/${id}`).join(", ")}`,
      ({ name, regions }) => `take ${regions.map((id) => `region/${id}`).join(", ")} out of ${name}, or use a version that looks at cloud regions`,
    ],
    zh: [
      ({ name, regions }) => `${name}：本版本不检查云区域：${regions.map((id) => `region/${id}`).join("、")}`,
      ({ name, regions }) => `请从 ${name} 中去掉 ${regions.map((id) => `region/${id}`).join("、")}，或使用支持检查云区域的版本`,
    ],
  }),
  "config.bucket-name": setting<Named>({
    en: [({ name }) => `${name}: a bucket's name has letters, digits, - and _ only`, ({ name }) => `give ${name} the value that BK-Lite's server has`],
    zh: [({ name }) => `${name}：存储桶名称只能包含字母、数字、- 和 _`, ({ name }) => `${name} 须与 BK-Lite 服务端的取值一致`],
  }),
  "config.identifier": setting<Named>({
    en: [({ name }) => `${name}: longer than 63 bytes`, ({ name }) => `correct ${name}: PostgreSQL's names have 63 bytes at most`],
    zh: [({ name }) => `${name}：超过 63 字节`, ({ name }) => `修正 ${name}：PostgreSQL 的名称最长 63 字节`],
  }),
  "config.engine": setting({
    en: ["DB_ENGINE names a database other than PostgreSQL", "this job registers packages in PostgreSQL only: with another database use BK-Lite's own commands, or correct DB_ENGINE"],
    zh: ["DB_ENGINE 指定的数据库不是 PostgreSQL", "本任务仅支持 PostgreSQL：使用其他数据库时请改用 BK-Lite 自带的管理命令，或修正 DB_ENGINE"],
  }),
  "config.stray": setting<Named & { what: "carriage-return" | "quotes" | "blanks" }>({
    en: [({ name, what }) => `${name}: ${STRAY[what].en}`, ({ name, what }) => `correct ${name} where it is set: ${STRAY[what].mendEn}`],
    zh: [({ name, what }) => `${name}：${STRAY[what].zh}`, ({ name, what }) => `在设置 ${name} 的位置修正：${STRAY[what].mendZh}`],
  }),
  "config.row-defaults": setting({
    en: ["ROW_DEFAULTS: not a list of column=value, each column once", "write ROW_DEFAULTS as column=value,column=value, with a backslash before a comma or backslash in a value"],
    zh: ["ROW_DEFAULTS：不是 列名=值 的列表，或同一列出现多次", "请把 ROW_DEFAULTS 写成 列名=值,列名=值；值中的逗号和反斜杠前加反斜杠"],
  }),
  "config.report": setting<{ path: string; said: string }>({
    en: [({ path, said }) => `REPORT_FILE: ${path} cannot be written (${said})`, "give REPORT_FILE a path in a folder that exists and is writable for the job's user"],
    zh: [({ path, said }) => `REPORT_FILE：${path} 无法写入（${said}）`, "将 REPORT_FILE 指向已存在且任务运行用户可写的目录"],
  }),
};

const STRAY = {
  "carriage-return": {
    en: "contains a carriage return",
    zh: "含有回车符",
    mendEn: "save the file with Unix line ends (LF)",
    mendZh: "将文件保存为 Unix 换行（LF）",
  },
  quotes: {
    en: "has quotes around it that are part of the value",
    zh: "值带有引号",
    mendEn: "leave the quotes out; docker run --env-file and Kubernetes keep them",
    mendZh: "去掉引号；docker run --env-file 和 Kubernetes 会原样保留引号",
  },
  blanks: {
    en: "begins or ends with a blank",
    zh: "首尾带有空白",
    mendEn: "remove the blanks",
    mendZh: "去掉空白",
  },
} as const;

type Settings = typeof settings;
export type ConfigReason = keyof Settings;
/** What is wrong with one variable, as data. */
export type ConfigProblem = {
  [Id in ConfigReason]: { reason: Id; params: Settings[Id] extends Reason<infer P> ? P : never };
}[ConfigReason];

/** ConfigProblems; said loosely, as the union of all parameters of the catalog is compared again and again. */
type Several = { problems: readonly { reason: string; params: unknown }[] };

function each(problems: Several["problems"], language: Language, part: 0 | 1): string[] {
  return problems.map(({ reason: id, params }) => fill((settings[id as ConfigReason][language] as Words<unknown>)[part], params));
}

/** An entry of this area: never with a value, which may be a secret in the wrong place. */
export function setting<P extends object>(words: Record<Language, Words<P>>) {
  return reason<P>({ exit: 78, ...words });
}

export type Named = { name: string };

const help = {
  en: "bklite-package-init --help lists commands and options",
  zh: "运行 bklite-package-init --help 查看命令与选项",
};

/** `(did you mean "init"?)`, or nothing where no name is near. */
const near = {
  en: (name: string | undefined) => (name === undefined ? "" : ` (did you mean "${name}"?)`),
  zh: (name: string | undefined) => (name === undefined ? "" : `（是否想输入“${name}”？）`),
};

/** Environment and command line. */
export const config = {
  ...settings,
  "config.several": setting<Several>({
    en: [({ problems }) => list(`${problems.length} settings are wrong:`, each(problems, "en", 0)), ({ problems }) => list("correct each of them:", each(problems, "en", 1))],
    zh: [({ problems }) => list(`有 ${problems.length} 项配置错误：`, each(problems, "zh", 0)), ({ problems }) => list("请逐项修正：", each(problems, "zh", 1))],
  }),
  // The command line: exit 64.
  "usage.command": reason<{ command: string; nearest: string | undefined }>({
    exit: 64,
    en: [({ command, nearest }) => `unknown command "${command}"${near.en(nearest)}`, help.en],
    zh: [({ command, nearest }) => `未知命令“${command}”${near.zh(nearest)}`, help.zh],
  }),
  "usage.option": reason<{ option: string; nearest: string | undefined }>({
    exit: 64,
    en: [({ option, nearest }) => `unknown option "${option}"${near.en(nearest)}`, help.en],
    zh: [({ option, nearest }) => `未知选项“${option}”${near.zh(nearest)}`, help.zh],
  }),
  "usage.argument": reason<{ argument: string }>({
    exit: 64,
    en: [({ argument }) => `unexpected argument "${argument}"`, help.en],
    zh: [({ argument }) => `多余的参数“${argument}”`, help.zh],
  }),
  "usage.value.missing": reason<{ option: string }>({
    exit: 64,
    en: [({ option }) => `${option} needs a value`, help.en],
    zh: [({ option }) => `选项 ${option} 缺少取值`, help.zh],
  }),
  "usage.twice": reason<{ option: string }>({
    exit: 64,
    en: [({ option }) => `${option} is given more than once`, "run the job once for each file, or name them in packages.json"],
    zh: [({ option }) => `选项 ${option} 重复`, "请对每个文件各运行一次，或在 packages.json 中列出"],
  }),
  "usage.value.unexpected": reason<{ option: string }>({
    exit: 64,
    en: [({ option }) => `${option} takes no value`, help.en],
    zh: [({ option }) => `选项 ${option} 不接受取值`, help.zh],
  }),
  "usage.value.choice": reason<{
    option: string;
    value: string;
    allowed: readonly string[];
    nearest: string | undefined;
  }>({
    exit: 64,
    en: [({ option, value, nearest }) => `${option} cannot be "${value}"${near.en(nearest)}`, ({ option, allowed }) => `${option} takes ${allowed.join(", ")}`],
    zh: [({ option, value, nearest }) => `选项 ${option} 的取值“${value}”无效${near.zh(nearest)}`, ({ option, allowed }) => `${option} 可取：${allowed.join("、")}`],
  }),
  "usage.value.form": reason<{ option: string }>({
    exit: 64,
    en: [({ option }) => `${option} has a value that cannot be part of an object's key`, 'give 1 to 100 characters without "/", "\\", blanks and control characters'],
    zh: [({ option }) => `选项 ${option} 的取值不能作为对象键的一部分`, "取值应为 1 至 100 个字符，不含“/”、“\\”、空白和控制字符"],
  }),
  "usage.together": reason<{ option: string; other: string }>({
    exit: 64,
    en: [({ option, other }) => `${option} and ${other} exclude each other`, help.en],
    zh: [({ option, other }) => `${option} 与 ${other} 不能同时使用`, help.zh],
  }),
  "usage.only": reason<{ option: string; command: string }>({
    exit: 64,
    en: [({ option, command }) => `${option} goes with ${command} only`, help.en],
    zh: [({ option, command }) => `${option} 仅可与 ${command} 一起使用`, help.zh],
  }),
  "usage.needs": reason<{ option: string; needs: string }>({
    exit: 64,
    en: [({ option, needs }) => `${option} needs ${needs}`, help.en],
    zh: [({ option, needs }) => `${option} 需要同时给出 ${needs}`, help.zh],
  }),
  "usage.topic": reason<{ topic: string; topics: readonly string[]; nearest: string | undefined }>({
    exit: 64,
    en: [({ topic, nearest }) => `there is no help about "${topic}"${near.en(nearest)}`, ({ topics }) => `the topics are ${topics.join(", ") || "missing beside this program"}`],
    zh: [({ topic, nearest }) => `没有名为“${topic}”的帮助主题${near.zh(nearest)}`, ({ topics }) => `可选主题：${topics.join("、") || "程序旁没有帮助文件"}`],
  }),
};
