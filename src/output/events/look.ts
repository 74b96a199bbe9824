import type { Language } from "../../reasons/define.ts";
import { formatBytes } from "../tables.ts";
import { event } from "./define.ts";

interface Waiting {
  /** Platforms, or `*` for any. */
  missing: string[];
  seconds: number;
  left: number;
}

interface Found {
  file: string;
  type: string;
  os: string;
  arch: string;
  object: string;
  version: string;
  name: string;
  key: string;
  bytes: number;
}

const on = (missing: readonly string[], language: Language) =>
  missing.includes("*") ? "" : language === "zh" ? `（${missing.join("、")}）` : ` for ${missing.join(", ")}`;

/** Of the commands that only look: gate and scan. */
export const look = {
  "gate.waiting": event<Waiting>({
    about: {
      en: "gate: no controller can be installed yet, on which platforms; when that changes, and every 10 s",
      zh: "gate：还没有可安装的控制器，列出平台；变化时及每 10 秒输出",
    },
    en: ({ missing, seconds, left }) =>
      `waiting for a controller that can be installed${on(missing, "en")}: ${seconds} s so far, ${left} s left`,
    zh: ({ missing, seconds, left }) =>
      `等待可安装的控制器${on(missing, "zh")}：已等待 ${seconds} 秒，剩余 ${left} 秒`,
  }),
  "gate.open": event<{ seconds: number }>({
    about: { en: "gate: a controller can be installed", zh: "gate：已有可安装的控制器，放行" },
    en: "a controller can be installed: the gate is open",
    zh: "已有可安装的控制器，放行",
  }),
  "scan.package": event<Found>({
    about: {
      en: "scan: what a file on the volume would become",
      zh: "scan：卷上的文件将变成什么",
    },
    en: ({ file, type, object, version, os, arch, bytes }) =>
      `${file}: ${type} ${object} ${version} for ${os}/${arch} (${formatBytes(bytes)})`,
    zh: ({ file, type, object, version, os, arch, bytes }) =>
      `${file}：${type} ${object} ${version}，${os}/${arch}（${formatBytes(bytes)}）`,
  }),
};
