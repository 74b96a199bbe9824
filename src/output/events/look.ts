import { type Language, plural } from "../../reasons/define.ts";
import type { PlatformEntry } from "../report.ts";
import { formatBytes } from "../tables.ts";
import { event, reasonEvent } from "./define.ts";

interface Waiting {
  /** Platforms, or `*` for any. */
  missing: string[];
  seconds: number;
  left: number;
}

interface Found {
  file: string;
  type: string;
  os: string | null;
  arch: string | null;
  object: string;
  version: string;
  name: string;
  key: string;
  bytes: number;
}

const on = (missing: readonly string[], language: Language) =>
  missing.includes("*") ? "" : language === "zh" ? `（${missing.join("、")}）` : ` for ${missing.join(", ")}`;

const onPlatform = (os: string, arch: string | null) => (arch === null ? os : `${os}/${arch}`);

/** Of the commands that only look, and of what there is to be installed. */
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
    about: { en: "gate: a controller is there, or was once", zh: "gate：控制器已就绪，或曾经就绪，放行" },
    en: "a controller is registered and stored, or was once: the gate is open",
    zh: "控制器已登记并存储，或曾经如此，放行",
  }),
  "definitions.waiting": event<{ seconds: number; left: number }>({
    about: {
      en: "BK-Lite's first start has not yet filled its list of collectors (node_mgmt_collector); every 10 s",
      zh: "BK-Lite 首次启动尚未写入采集器清单（node_mgmt_collector）；每 10 秒输出",
    },
    en: ({ seconds, left }) =>
      `waiting for BK-Lite's first start to fill node_mgmt_collector: ${seconds} s so far, ${left} s left`,
    zh: ({ seconds, left }) =>
      `等待 BK-Lite 首次启动写入 node_mgmt_collector：已等待 ${seconds} 秒，剩余 ${left} 秒`,
  }),
  "migrations.waiting": event<{ count: number; seconds: number; left: number }>({
    about: {
      en: "BK-Lite's server is still migrating the database: migrations so far; every 10 s",
      zh: "BK-Lite 服务端仍在迁移数据库：已完成的迁移数；每 10 秒输出",
    },
    en: ({ count, seconds, left }) =>
      `waiting for BK-Lite's first start to finish its migrations (${count} so far): ${seconds} s so far, ${left} s left`,
    zh: ({ count, seconds, left }) =>
      `等待 BK-Lite 首次启动完成迁移（已完成 ${count} 个）：已等待 ${seconds} 秒，剩余 ${left} 秒`,
  }),
  "migrations.unreadable": event({
    about: {
      en: "django_migrations may not be read, so whether the server is migrating is not looked at (debug)",
      zh: "无权读取 django_migrations，因此不检查服务端是否仍在迁移（debug）",
    },
    en: "no SELECT on django_migrations: whether BK-Lite's server is still migrating is not looked at",
    zh: "没有 django_migrations 的 SELECT 权限：不检查 BK-Lite 服务端是否仍在迁移",
  }),
  "platform.summary": event<PlatformEntry>({
    about: {
      en: "what can be installed on a platform, and what is missing (one line each; a table on a terminal)",
      zh: "某个平台可安装的内容与缺少的内容（每个平台一行；终端上为表格）",
    },
    en: ({ os, arch, controller, collectors, missing }) =>
      `${onPlatform(os, arch)}: controller ${controller.join(", ") || "none"}, ${plural(collectors.installable.length, "collector")} can be installed${collectors.listed.length > 0 ? `, ${collectors.listed.length} only listed` : ""}: ${missing.length > 0 ? `incomplete, no ${missing.join(", no ")}` : "complete"}`,
    zh: ({ os, arch, controller, collectors, missing }) =>
      `${onPlatform(os, arch)}：控制器 ${controller.join("、") || "无"}，可安装的采集器 ${collectors.installable.length} 个${collectors.listed.length > 0 ? `，仅登记 ${collectors.listed.length} 个` : ""}：${missing.length > 0 ? `不完整，缺少${missing.join("、")}` : "完整"}`,
  }),
  "probes.summary": event<{ present: string[]; missing: string[] }>({
    about: {
      en: "which APM probes are stored, by language; where any is stored or required",
      zh: "已存储的 APM 探针（按语言）；仅在有探针或 REQUIRE 指定探针时输出",
    },
    en: ({ present, missing }) =>
      `APM probes: ${present.join(", ") || "none"}${missing.length > 0 ? `; not stored: ${missing.join(", ")}` : ""}`,
    zh: ({ present, missing }) =>
      `APM 探针：${present.join("、") || "无"}${missing.length > 0 ? `；未存储：${missing.join("、")}` : ""}`,
  }),
  "platform.warning": reasonEvent({
    en: "something that a platform lacks, and what will fail in BK-Lite",
    zh: "平台缺少的内容，以及 BK-Lite 中会失败的操作",
  }),
  "scan.package": event<Found>({
    about: {
      en: "scan: what a file on the volume would become",
      zh: "scan：卷上的文件将变成什么",
    },
    en: ({ file, type, object, version, os, arch, bytes }) =>
      `${file}: ${type} ${object} ${version}${os === null ? "" : ` for ${onPlatform(os, arch)}`} (${formatBytes(bytes)})`,
    zh: ({ file, type, object, version, os, arch, bytes }) =>
      `${file}：${type} ${object} ${version}${os === null ? "" : `，${onPlatform(os, arch)}`}（${formatBytes(bytes)}）`,
  }),
};
