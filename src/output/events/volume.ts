import { plural } from "../../reasons/define.ts";
import { formatBytes } from "../tables.ts";
import { event, reasonEvent } from "./define.ts";

interface Found {
  file: string;
  bytes: number;
  os: string | null;
  arch: string | null;
  object: string;
  version: string;
  collectors: string[];
}

const platformWords = (os: string, arch: string | null) => (arch === null ? os : `${os} ${arch}`);

/** Of what lies on the volume. */
export const volume = {
  "scan.done": event<{ archives: number; bytes: number; seconds: number }>({
    about: {
      en: "the volume is read: number of packages, bytes, duration",
      zh: "卷已读完：包数、字节数、耗时",
    },
    en: ({ archives, bytes }) => `on the volume: ${plural(archives, "package")}, ${formatBytes(bytes)}`,
    zh: ({ archives, bytes }) => `卷上共 ${archives} 个安装包，${formatBytes(bytes)}`,
  }),
  "scan.growing": event<{ file: string; seconds: number; left: number }>({
    about: {
      en: "a file that is still being written is waited for: seconds waited, and left",
      zh: "正在等待仍在写入的文件：已等待与剩余的秒数",
    },
    en: ({ file, seconds, left }) => `${file}: is still being written, waited ${seconds} s, ${left} s left`,
    zh: ({ file, seconds, left }) => `${file}：仍在写入，已等待 ${seconds} 秒，剩余 ${left} 秒`,
  }),
  "scan.ignored": event<{ file: string; bytes?: string }>({
    about: { en: "a file on the volume that is left alone (debug)", zh: "卷上不处理的文件（debug）" },
    en: ({ file }) => `${file}: no package, left alone`,
    zh: ({ file }) => `${file}：不是安装包，不处理`,
  }),
  "scan.suspect": reasonEvent({
    en: "something on the volume that looks like a mistake",
    zh: "卷上疑似有误的内容",
  }),
  "package.found": event<Found>({
    about: {
      en: "a package on the volume: file, identity, collectors in it",
      zh: "卷上的一个安装包：文件、身份、其中的采集器",
    },
    en: ({ file, object, version, os, arch, collectors }) =>
      `${file}: ${object} ${version}${os === null ? "" : ` for ${platformWords(os, arch)}`}${collectors.length > 0 ? `, with ${collectors.join(", ")}` : ""}`,
    zh: ({ file, object, version, os, arch, collectors }) =>
      `${file}：${object} ${version}${os === null ? "" : `，${platformWords(os, arch)}`}${collectors.length > 0 ? `，含 ${collectors.join("、")}` : ""}`,
  }),
  "package.invalid": reasonEvent({
    en: "a file that cannot be used: reason and hint",
    zh: "无法使用的文件：原因和处理办法",
  }),
};
