import type { Language } from "../reasons/define.ts";

/** What stands between a cause and its remedy, between a name and what is said of it, and between parts of a list. */
export const JOIN: Record<
  Language,
  { remedy: string; remedyLine: string; colon: string; comma: string; semicolon: string }
> = {
  en: { remedy: ". What to do: ", remedyLine: "What to do: ", colon: ": ", comma: ", ", semicolon: "; " },
  zh: { remedy: "。处理办法：", remedyLine: "处理办法：", colon: "：", comma: "，", semicolon: "；" },
};

/** Actions of packages and rows, as people read them. The report has the key. */
const ACTION_WORDS: Record<Language, Record<string, string>> = {
  en: {},
  zh: {
    uploaded: "已上传",
    repaired: "已修复",
    replaced: "已替换",
    unchanged: "未变",
    kept: "已保留",
    failed: "失败",
    inserted: "已新增",
    updated: "已更新",
    found: "已识别",
  },
};

/** An action's word; English has the key itself. */
export function actionWord(action: string, language: Language): string {
  return ACTION_WORDS[language][action] ?? action;
}
