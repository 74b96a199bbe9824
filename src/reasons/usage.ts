import { reason } from "./define.ts";

const help = {
  en: "bklite-package-init --help lists commands and options",
  zh: "运行 bklite-package-init --help 查看命令与选项",
};

/** `(did you mean "init"?)`, or nothing where no name is near. */
const near = {
  en: (name: string | undefined) => (name === undefined ? "" : ` (did you mean "${name}"?)`),
  zh: (name: string | undefined) => (name === undefined ? "" : `（是否想输入“${name}”？）`),
};

/** The command line: exit 64. */
export const usage = {
  "usage.command": reason<{ command: string; nearest: string | undefined }>({
    exit: 64,
    again: false,
    en: {
      cause: ({ command, nearest }) => `unknown command "${command}"${near.en(nearest)}`,
      remedy: help.en,
    },
    zh: { cause: ({ command, nearest }) => `未知命令“${command}”${near.zh(nearest)}`, remedy: help.zh },
  }),
  "usage.option": reason<{ option: string; nearest: string | undefined }>({
    exit: 64,
    again: false,
    en: {
      cause: ({ option, nearest }) => `unknown option "${option}"${near.en(nearest)}`,
      remedy: help.en,
    },
    zh: { cause: ({ option, nearest }) => `未知选项“${option}”${near.zh(nearest)}`, remedy: help.zh },
  }),
  "usage.argument": reason<{ argument: string }>({
    exit: 64,
    again: false,
    en: { cause: ({ argument }) => `unexpected argument "${argument}"`, remedy: help.en },
    zh: { cause: ({ argument }) => `多余的参数“${argument}”`, remedy: help.zh },
  }),
  "usage.value.missing": reason<{ option: string }>({
    exit: 64,
    again: false,
    en: { cause: ({ option }) => `${option} needs a value`, remedy: help.en },
    zh: { cause: ({ option }) => `选项 ${option} 缺少取值`, remedy: help.zh },
  }),
  "usage.twice": reason<{ option: string }>({
    exit: 64,
    again: false,
    en: {
      cause: ({ option }) => `${option} is given more than once`,
      remedy: "run the job once for each file, or name them in packages.json",
    },
    zh: {
      cause: ({ option }) => `选项 ${option} 重复`,
      remedy: "请对每个文件各运行一次，或在 packages.json 中列出",
    },
  }),
  "usage.value.unexpected": reason<{ option: string }>({
    exit: 64,
    again: false,
    en: { cause: ({ option }) => `${option} takes no value`, remedy: help.en },
    zh: { cause: ({ option }) => `选项 ${option} 不接受取值`, remedy: help.zh },
  }),
  "usage.value.choice": reason<{
    option: string;
    value: string;
    allowed: readonly string[];
    nearest: string | undefined;
  }>({
    exit: 64,
    again: false,
    en: {
      cause: ({ option, value, nearest }) => `${option} cannot be "${value}"${near.en(nearest)}`,
      remedy: ({ option, allowed }) => `${option} takes ${allowed.join(", ")}`,
    },
    zh: {
      cause: ({ option, value, nearest }) => `选项 ${option} 的取值“${value}”无效${near.zh(nearest)}`,
      remedy: ({ option, allowed }) => `${option} 可取：${allowed.join("、")}`,
    },
  }),
  "usage.value.form": reason<{ option: string }>({
    exit: 64,
    again: false,
    en: {
      cause: ({ option }) => `${option} has a value that cannot be part of an object's key`,
      remedy: 'give 1 to 100 characters without "/", "\\", blanks and control characters',
    },
    zh: {
      cause: ({ option }) => `选项 ${option} 的取值不能作为对象键的一部分`,
      remedy: "取值应为 1 至 100 个字符，不含“/”、“\\”、空白和控制字符",
    },
  }),
  "usage.together": reason<{ option: string; other: string }>({
    exit: 64,
    again: false,
    en: { cause: ({ option, other }) => `${option} and ${other} exclude each other`, remedy: help.en },
    zh: { cause: ({ option, other }) => `${option} 与 ${other} 不能同时使用`, remedy: help.zh },
  }),
  "usage.only": reason<{ option: string; command: string }>({
    exit: 64,
    again: false,
    en: { cause: ({ option, command }) => `${option} goes with ${command} only`, remedy: help.en },
    zh: { cause: ({ option, command }) => `${option} 仅可与 ${command} 一起使用`, remedy: help.zh },
  }),
  "usage.needs": reason<{ option: string; needs: string }>({
    exit: 64,
    again: false,
    en: { cause: ({ option, needs }) => `${option} needs ${needs}`, remedy: help.en },
    zh: { cause: ({ option, needs }) => `${option} 需要同时给出 ${needs}`, remedy: help.zh },
  }),
  "usage.topic": reason<{ topic: string; topics: readonly string[]; nearest: string | undefined }>({
    exit: 64,
    again: false,
    en: {
      cause: ({ topic, nearest }) => `there is no help about "${topic}"${near.en(nearest)}`,
      remedy: ({ topics }) => `the topics are ${topics.join(", ") || "missing beside this program"}`,
    },
    zh: {
      cause: ({ topic, nearest }) => `没有名为“${topic}”的帮助主题${near.zh(nearest)}`,
      remedy: ({ topics }) => `可选主题：${topics.join("、") || "程序旁没有帮助文件"}`,
    },
  }),
};
