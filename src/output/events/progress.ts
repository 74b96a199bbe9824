import type { Language } from "../../reasons/define.ts";
import type { Snapshot } from "../progress.ts";
import { formatBytes } from "../tables.ts";
import { event } from "./define.ts";

const WORDS = {
  en: { left: (s: number) => `, ${s} s left`, of: " of ", start: "uploading", comma: ", " },
  zh: { left: (s: number) => `，剩余 ${s} 秒`, of: "，共 ", start: "开始上传", comma: "，" },
};

/** `43% of 1.0 GiB, 380.2 MiB/s, 2 s left`. */
export function progressWords(
  { bytes, total, percent, bytesPerSecond, secondsLeft }: Snapshot,
  language: Language,
): string {
  const words = WORDS[language];
  const rate = `${formatBytes(bytesPerSecond)}/s`;
  if (total === null) return `${formatBytes(bytes)}${words.comma}${rate}`;
  const left = secondsLeft !== null && bytes < total ? words.left(secondsLeft) : "";
  return `${percent}%${words.of}${formatBytes(total)}${words.comma}${rate}${left}`;
}

type Fields = Snapshot & { step: "start" | "progress" | "end" };

function say(fields: Fields, language: Language): string {
  const { step, total } = fields;
  if (step !== "start") return progressWords(fields, language);
  return WORDS[language].start + (total === null ? "" : ` ${formatBytes(total)}`);
}

export const progress = {
  "upload.progress": event<Fields>({
    about: {
      en: "bytes, percent, rate, seconds left; every 10 s and at each end",
      zh: "字节数、百分比、速率、剩余秒数；每 10 秒及首尾各一行",
    },
    en: (fields) => `${fields.file}: ${say(fields, "en")}`,
    zh: (fields) => `${fields.file}：${say(fields, "zh")}`,
  }),
};
