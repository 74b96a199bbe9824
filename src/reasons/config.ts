import { addresses, type Named, setting } from "./config-address.ts";
import { fill, type Language, list, type Reason, type Words } from "./define.ts";

/** What may be wrong with one variable. */
const settings = {
  ...addresses,
  "config.missing": setting<Named & { instead?: string }>({
    en: {
      cause: ({ name }) => `${name} is not set`,
      remedy: ({ name, instead }) => `set ${name}${instead ? `, or ${instead}` : ""}`,
    },
    zh: {
      cause: ({ name }) => `未设置 ${name}`,
      remedy: ({ name, instead }) => `请设置 ${name}${instead ? `，或设置 ${instead}` : ""}`,
    },
  }),
  "config.both": setting<{ names: readonly string[] }>({
    en: {
      cause: ({ names }) => `${names.join(" and ")} are both set`,
      remedy: ({ names }) => `keep one of ${names.join(", ")}`,
    },
    zh: {
      cause: ({ names }) => `同时设置了 ${names.join(" 和 ")}`,
      remedy: ({ names }) => `${names.join("、")} 只能保留一个`,
    },
  }),
  "config.pair": setting<{ names: readonly [string, string] }>({
    en: {
      cause: ({ names }) => `of ${names.join(" and ")} only one is set`,
      remedy: ({ names }) => `set both ${names.join(" and ")}, or neither`,
    },
    zh: {
      cause: ({ names }) => `${names.join(" 和 ")} 只设置了其中一个`,
      remedy: ({ names }) => `${names.join(" 和 ")} 须同时设置或都不设置`,
    },
  }),
  "config.file.missing": setting<Named & { path: string }>({
    en: {
      cause: ({ name, path }) => `${name}: file ${path} does not exist`,
      remedy: ({ name }) => `check the path in ${name} and that the volume or secret is mounted there`,
    },
    zh: {
      cause: ({ name, path }) => `${name}：文件 ${path} 不存在`,
      remedy: ({ name }) => `检查 ${name} 中的路径，并确认卷或 Secret 已挂载到该处`,
    },
  }),
  "config.file.unreadable": setting<Named & { path: string; said: string }>({
    en: {
      cause: ({ name, path, said }) => `${name}: file ${path} cannot be read (${said})`,
      remedy: ({ path }) => `make ${path} readable for the user that the job runs as`,
    },
    zh: {
      cause: ({ name, path, said }) => `${name}：文件 ${path} 无法读取（${said}）`,
      remedy: ({ path }) => `为任务的运行用户授予 ${path} 的读权限`,
    },
  }),
  "config.choice": setting<Named & { allowed: readonly string[] }>({
    en: {
      cause: ({ name, allowed }) => `${name}: should be one of ${allowed.join(", ")}`,
      remedy: ({ name, allowed }) => `set ${name} to one of ${allowed.join(", ")}`,
    },
    zh: {
      cause: ({ name, allowed }) => `${name}：取值应为 ${allowed.join("、")} 之一`,
      remedy: ({ name, allowed }) => `将 ${name} 设为 ${allowed.join("、")} 之一`,
    },
  }),
  "config.number": setting<Named & { least: number; most: number; whole: boolean }>({
    en: {
      cause: ({ name, least, most, whole }) =>
        `${name}: should be a ${whole ? "whole " : ""}number from ${least} to ${most}`,
      remedy: ({ name }) => `correct ${name}`,
    },
    zh: {
      cause: ({ name, least, most, whole }) =>
        `${name}：应为 ${least} 到 ${most} 之间的${whole ? "整数" : "数字"}`,
      remedy: ({ name }) => `修正 ${name}`,
    },
  }),
  "config.seconds": setting<Named & { least: number; most: number }>({
    en: {
      cause: ({ name, least, most }) => `${name}: should be ${least} to ${most} seconds`,
      remedy: ({ name }) => `give ${name} in seconds, as a number without a unit (300, not 5m)`,
    },
    zh: {
      cause: ({ name, least, most }) => `${name}：应为 ${least} 到 ${most} 秒`,
      remedy: ({ name }) => `${name} 以秒为单位，只写数字、不带单位（写 300，不写 5m）`,
    },
  }),
  "config.key-part": setting<Named>({
    en: {
      cause: ({ name }) => `${name}: should be 1 to 100 characters without "/", "\\" and blanks`,
      remedy: ({ name }) => `correct ${name}: it becomes part of a key in the bucket`,
    },
    zh: {
      cause: ({ name }) => `${name}：应为 1 到 100 个字符，不含“/”、“\\”和空白`,
      remedy: ({ name }) => `修正 ${name}：该值会成为存储桶中对象键的一部分`,
    },
  }),
  "config.collectors": setting({
    en: {
      cause: "COLLECTORS: should be auto, none, or names such as Telegraf,Vector",
      remedy: "correct COLLECTORS",
    },
    zh: {
      cause: "COLLECTORS：应为 auto、none，或如 Telegraf,Vector 的名称列表",
      remedy: "修正 COLLECTORS",
    },
  }),
  "config.platforms": setting<Named>({
    en: {
      cause: ({ name }) => `${name}: should be a list such as linux/x86_64,windows/x86_64,apm/java`,
      remedy: ({ name }) =>
        `name in ${name} platforms as os/architecture (linux or windows, x86_64 or arm64), APM probes as apm/language (java, python, nodejs, go, dotnet), with commas between them`,
    },
    zh: {
      cause: ({ name }) => `${name}：应为列表，如 linux/x86_64,windows/x86_64,apm/java`,
      remedy: ({ name }) =>
        `请在 ${name} 中将平台写作“操作系统/架构”（linux 或 windows，x86_64 或 arm64），将 APM 探针写作“apm/语言”（java、python、nodejs、go、dotnet），以逗号分隔`,
    },
  }),
  "config.regions": setting<Named & { regions: readonly string[] }>({
    en: {
      cause: ({ name, regions }) =>
        `${name}: cloud regions are not looked at by this version: ${regions.map((id) => `region/${id}`).join(", ")}`,
      remedy: ({ name, regions }) =>
        `take ${regions.map((id) => `region/${id}`).join(", ")} out of ${name}, or use a version that looks at cloud regions`,
    },
    zh: {
      cause: ({ name, regions }) =>
        `${name}：本版本不检查云区域：${regions.map((id) => `region/${id}`).join("、")}`,
      remedy: ({ name, regions }) =>
        `请从 ${name} 中去掉 ${regions.map((id) => `region/${id}`).join("、")}，或使用支持检查云区域的版本`,
    },
  }),
  "config.bucket-name": setting<Named>({
    en: {
      cause: ({ name }) => `${name}: a bucket's name has letters, digits, - and _ only`,
      remedy: ({ name }) => `give ${name} the value that BK-Lite's server has`,
    },
    zh: {
      cause: ({ name }) => `${name}：存储桶名称只能包含字母、数字、- 和 _`,
      remedy: ({ name }) => `${name} 须与 BK-Lite 服务端的取值一致`,
    },
  }),
  "config.identifier": setting<Named>({
    en: {
      cause: ({ name }) => `${name}: longer than 63 bytes`,
      remedy: ({ name }) => `correct ${name}: PostgreSQL's names have 63 bytes at most`,
    },
    zh: {
      cause: ({ name }) => `${name}：超过 63 字节`,
      remedy: ({ name }) => `修正 ${name}：PostgreSQL 的名称最长 63 字节`,
    },
  }),
  "config.engine": setting({
    en: {
      cause: "DB_ENGINE names a database other than PostgreSQL",
      remedy:
        "this job registers packages in PostgreSQL only: with another database use BK-Lite's own commands, or correct DB_ENGINE",
    },
    zh: {
      cause: "DB_ENGINE 指定的数据库不是 PostgreSQL",
      remedy: "本任务仅支持 PostgreSQL：使用其他数据库时请改用 BK-Lite 自带的管理命令，或修正 DB_ENGINE",
    },
  }),
  "config.stray": setting<Named & { what: "carriage-return" | "quotes" | "blanks" }>({
    en: {
      cause: ({ name, what }) => `${name}: ${STRAY[what].en}`,
      remedy: ({ name, what }) => `correct ${name} where it is set: ${STRAY[what].mendEn}`,
    },
    zh: {
      cause: ({ name, what }) => `${name}：${STRAY[what].zh}`,
      remedy: ({ name, what }) => `在设置 ${name} 的位置修正：${STRAY[what].mendZh}`,
    },
  }),
  "config.row-defaults": setting({
    en: {
      cause: "ROW_DEFAULTS: not a list of column=value, each column once",
      remedy:
        "write ROW_DEFAULTS as column=value,column=value, with a backslash before a comma or backslash in a value",
    },
    zh: {
      cause: "ROW_DEFAULTS：不是 列名=值 的列表，或同一列出现多次",
      remedy: "请把 ROW_DEFAULTS 写成 列名=值,列名=值；值中的逗号和反斜杠前加反斜杠",
    },
  }),
  "config.report": setting<{ path: string; said: string }>({
    en: {
      cause: ({ path, said }) => `REPORT_FILE: ${path} cannot be written (${said})`,
      remedy: "give REPORT_FILE a path in a folder that exists and is writable for the job's user",
    },
    zh: {
      cause: ({ path, said }) => `REPORT_FILE：${path} 无法写入（${said}）`,
      remedy: "将 REPORT_FILE 指向已存在且任务运行用户可写的目录",
    },
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

function each(problems: Several["problems"], language: Language, part: "cause" | "remedy"): string[] {
  return problems.map(({ reason: id, params }) =>
    fill((settings[id as ConfigReason][language] as Words<unknown>)[part], params),
  );
}

export const config = {
  ...settings,
  "config.several": setting<Several>({
    en: {
      cause: ({ problems }) => list(`${problems.length} settings are wrong:`, each(problems, "en", "cause")),
      remedy: ({ problems }) => list("correct each of them:", each(problems, "en", "remedy")),
    },
    zh: {
      cause: ({ problems }) => list(`有 ${problems.length} 项配置错误：`, each(problems, "zh", "cause")),
      remedy: ({ problems }) => list("请逐项修正：", each(problems, "zh", "remedy")),
    },
  }),
};
