import type { Language } from "../../reasons/define.ts";
import type { Snapshot } from "../progress.ts";
import { formatBytes } from "../tables.ts";
import { event } from "./define.ts";

/** `5 s`, `2 min 5 s`, `1 h 2 min`. */
export function duration(seconds: number, language: Language): string {
  const [h, min, s] = language === "zh" ? ["小时", "分", "秒"] : ["h", "min", "s"];
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds} ${s}`;
  if (minutes < 60) return `${minutes} ${min} ${seconds % 60} ${s}`;
  return `${Math.floor(minutes / 60)} ${h} ${minutes % 60} ${min}`;
}

/** `43% of 1.0 GiB, 380.2 MiB/s, 2 s left`. */
export function progressWords(
  { bytes, total, percent, bytesPerSecond, secondsLeft }: Snapshot,
  language: Language,
): string {
  const zh = language === "zh";
  const comma = zh ? "，" : ", ";
  const rate = `${formatBytes(bytesPerSecond)}/s`;
  if (total === null) return `${formatBytes(bytes)}${comma}${rate}`;
  const left = secondsLeft === null || bytes >= total ? "" : duration(secondsLeft, language);
  const rest = left === "" ? "" : zh ? `，剩余 ${left}` : `, ${left} left`;
  return `${percent ?? 100}%${zh ? "，共 " : " of "}${formatBytes(total)}${comma}${rate}${rest}`;
}

/** `FILE (2 of 5)`. */
function place({ file, index, count }: Snapshot, language: Language): string {
  if (index === null || count === null || count < 2) return file;
  return language === "zh" ? `${file}（${index}/${count}）` : `${file} (${index} of ${count})`;
}

type Upload = Snapshot & { step: "start" | "progress" | "end" };

function uploading(fields: Upload, language: Language): string {
  const { step, total } = fields;
  if (step !== "start") return progressWords(fields, language);
  const size = total === null ? "" : formatBytes(total);
  return `${language === "zh" ? "开始上传" : "uploading"} ${size}`.trimEnd();
}

export const progress = {
  "check.progress": event<Snapshot>({
    about: {
      en: "a large archive is being checked: bytes, percent, rate, seconds left; every 10 s",
      zh: "正在检查较大的压缩包：字节数、百分比、速率、剩余秒数；每 10 秒一行",
    },
    en: (fields) => `checking ${place(fields, "en")}: ${progressWords(fields, "en")}`,
    zh: (fields) => `正在检查 ${place(fields, "zh")}：${progressWords(fields, "zh")}`,
  }),
  "upload.progress": event<Upload>({
    about: {
      en: "bytes, percent, rate, seconds left; every 10 s and at each end",
      zh: "字节数、百分比、速率、剩余秒数；每 10 秒及首尾各一行",
    },
    en: (fields) => `${place(fields, "en")}: ${uploading(fields, "en")}`,
    zh: (fields) => `${place(fields, "zh")}：${uploading(fields, "zh")}`,
  }),
};
