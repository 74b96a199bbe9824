import { type FormReason, formWords } from "../../reasons/repack.ts";
import { event, reasonEvent } from "./define.ts";

/** In which form an archive is stored. */
export const form = {
  "package.repacked": event<{ file: string; name: string; reasons: readonly FormReason[] }>({
    about: {
      en: "an archive that BK-Lite's installer cannot unpack is stored as a zip that it can: why, and under which name",
      zh: "BK-Lite 安装器无法解压的压缩包转换为可解压的 zip 存储：原因及存储名称",
    },
    en: ({ file, name, reasons }) =>
      `${file}: cannot be installed as it is (${formWords(reasons, "en")}): stored as ${name}, a zip that BK-Lite can install`,
    zh: ({ file, name, reasons }) =>
      `${file}：无法按原样安装（${formWords(reasons, "zh")}），转换为 BK-Lite 可安装的 zip，存储为 ${name}`,
  }),
  "package.unfit": reasonEvent({
    en: "REPACK=never: an archive is stored in a form that BK-Lite's installer cannot unpack",
    zh: "REPACK=never：压缩包以 BK-Lite 安装器无法解压的形式存储",
  }),
};
