import { type Language, reason, type Text } from "./define.ts";
import { fault } from "./fault.ts";

interface At {
  /** JSON pointer. */
  pointer: string;
}

const SCHEMA = {
  en: "correct packages.json: docs/packages.md (help packages) has an example and the JSON Schema",
  zh: "请修正 packages.json：示例与 JSON Schema 见 docs/zh-CN/packages.md（help packages）",
};
const at = <P extends At>(cause: Record<Language, (params: P) => string>) =>
  fault<P>(
    {
      en: (params) => `${params.pointer}: ${cause.en(params)}`,
      zh: (params) => `${params.pointer}：${cause.zh(params)}`,
    } satisfies Record<Language, Text<P>>,
    SCHEMA,
  );

/** What the schema asks for, in words; ajv's own would be a regular expression. `detail` is a field, a type, or the values allowed. */
const RULES = {
  missing: {
    en: ({ detail }) => `field "${detail}" is missing`,
    zh: ({ detail }) => `缺少字段“${detail}”`,
  },
  unknown: {
    en: ({ detail, near }) =>
      near ? `there is no field "${detail}" (did you mean "${near}"?)` : "has a field that does not exist",
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
    en: () =>
      'should be a path below PACKAGES_DIR, with "/" between folders; not absolute, and without "." and ".."',
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

/** packages.json. */
export const manifest = {
  "manifest.json": fault<{ line: number; column: number; cut: boolean }>(
    {
      en: ({ line, column, cut }) =>
        `is not valid JSON: ${cut ? "it ends too early, in" : "look at"} line ${line}, column ${column}`,
      zh: ({ line, column, cut }) =>
        `不是有效的 JSON：${cut ? "内容不完整，止于" : "请检查"}第 ${line} 行第 ${column} 列`,
    },
    SCHEMA,
  ),
  "manifest.schema": at<At & Broken & { rule: ManifestRule }>({
    en: (params) => RULES[params.rule].en(params),
    zh: (params) => RULES[params.rule].zh(params),
  }),
  "manifest.field": at<At>({
    en: () =>
      "cannot be used: 1 to 100 characters, without blanks, slashes, backslashes or control characters",
    zh: () => "不可用：须为 1 至 100 个字符，不含空白、斜杠、反斜杠和控制字符",
  }),
  "manifest.description": at<At>({
    en: () => "contains a control character",
    zh: () => "包含控制字符",
  }),
  "manifest.missing": at<At & { path: string }>({
    en: ({ path }) => `there is no file ${path} on the volume`,
    zh: ({ path }) => `卷上没有文件 ${path}`,
  }),
  "manifest.twice": at<At & { path: string }>({
    en: ({ path }) => `${path} is named twice`,
    zh: ({ path }) => `${path} 出现了两次`,
  }),
  "manifest.long": fault<{ limit: number }>(
    {
      en: ({ limit }) => `is longer than ${limit} bytes`,
      zh: ({ limit }) => `超过 ${limit} 字节`,
    },
    SCHEMA,
  ),
  "manifest.irregular": reason({
    exit: 65,
    again: false,
    en: { cause: "is not a regular file", remedy: "put a regular file there, or remove it" },
    zh: { cause: "不是普通文件", remedy: "请放入普通文件，或将其删除" },
  }),
};
