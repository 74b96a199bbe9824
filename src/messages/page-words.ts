import { JOIN, type Language, plural } from "./define.ts";
import { REGION_WORDS } from "./region-words.ts";

/** Returns a count in words. */
type Count = (count: number) => string;

/** Every word of the report's HTML page (output/page.ts). */
export interface PageWords {
  /** The page's `lang`. */
  lang: string;
  product: string;
  /** The page of a run that may be signed, and of any other. */
  acceptance: string;
  report: string;
  /** The verdict's first line. */
  failed: (command: string, code: number) => string;
  ok: Readonly<Record<string, string>>;
  okOther: (command: string) => string;
  complete: (platforms: readonly string[]) => string;
  incomplete: (platform: string, missing: readonly string[]) => string;
  warned: Count;
  whatToDo: string;
  heads: {
    run: string;
    platforms: string;
    probes: string;
    regions: string;
    packages: string;
    rows: string;
    removed: string;
    warnings: string;
    orphans: string;
    signing: string;
  };
  /** Names of the tables' columns and of the facts. */
  labels: Readonly<
    Record<
      | "action"
      | "arch"
      | "bootstrap"
      | "bytes"
      | "collectors"
      | "command"
      | "controller"
      | "duration"
      | "file"
      | "host"
      | "id"
      | "installer"
      | "key"
      | "lag"
      | "listed"
      | "name"
      | "object"
      | "package"
      | "platform"
      | "probe"
      | "program"
      | "region"
      | "sha256"
      | "signedBy"
      | "source"
      | "started"
      | "state"
      | "stored"
      | "version",
      string
    >
  >;
  /** One sentence below a heading. */
  notes: { packages: string; rows: string; listed: string; digest: string; signing: string };
  yes: string;
  missing: string;
  notNeeded: string;
  none: string;
  complete1: string;
  incomplete1: string;
  identical: string;
  folder: string;
  unread: string;
  types: Readonly<Record<string, string>>;
  stored: Readonly<Record<string, string>>;
  anyPlatform: string;
  postgres: (database: string, schema: string, state: string) => string;
  nats: (bucket: string) => string;
  revision: (revision: string) => string;
  region: (typeof REGION_WORDS)[Language];
  removed: { done: string; planned: string; row: (id: number) => string };
  orphans: (objects: number, bytes: string) => string;
  signing: { delivered: string; accepted: string; fields: readonly string[]; remarks: string };
}

const EN: PageWords = {
  lang: "en",
  product: "BlueKing Lite · node packages",
  acceptance: "Acceptance report",
  report: "Report",
  failed: (command, code) => `${command} failed (exit ${code})`,
  ok: {
    init: "Everything on the volume is stored, registered and verified",
    verify: "Everything on the volume is stored and registered",
    plan: "This is what init would do; nothing was written",
    status: "This is what table and bucket hold",
    prune: "Old versions were checked",
    scan: "The volume was read and checked; no server was contacted",
  },
  okOther: (command) => `${command} succeeded`,
  complete: (platforms) => `Ready to be installed from BK-Lite's pages: ${platforms.join(", ")}.`,
  incomplete: (platform, missing) => `${platform} cannot be installed completely: ${missing.join(", ")} missing.`,
  warned: (count) => `${plural(count, "warning")}, listed below.`,
  whatToDo: JOIN.en.remedyLine,
  heads: {
    run: "Run and servers",
    platforms: "What can be installed",
    probes: "APM probes",
    regions: "Cloud regions",
    packages: "Packages",
    rows: "Rows of the table",
    removed: "Old versions",
    warnings: "Warnings",
    orphans: "Chunks without an object",
    signing: "Acceptance",
  },
  labels: {
    action: "Result",
    arch: "Architecture",
    bootstrap: "Bootstrap",
    bytes: "Size",
    collectors: "Collectors",
    command: "Command",
    controller: "Controller",
    duration: "Duration",
    file: "File",
    host: "Run on",
    id: "ID",
    installer: "Installer",
    key: "Key",
    lag: "Lag",
    listed: "listed only",
    name: "Name",
    object: "Object",
    package: "Package",
    platform: "Platform",
    probe: "Probe",
    program: "Program",
    region: "Region",
    sha256: "SHA-256 of the JSON report",
    signedBy: "signed by",
    source: "Source, as delivered",
    started: "Started",
    state: "State",
    stored: "Stored, as BK-Lite serves it",
    version: "Version",
  },
  notes: {
    packages: "Compare the source's SHA-256 with the vendor's list; the stored SHA-256 is that of the bytes that nodes download.",
    rows: "BK-Lite's page shows a row whose object is incomplete, but its download and installation fail.",
    listed: 'Collectors marked "listed only" have a row but no object, so they cannot be installed.',
    digest: "This page holds the JSON report of the run, byte for byte; its SHA-256 is",
    signing: "The signatures confirm that the packages above were delivered, stored and verified as this report says.",
  },
  yes: "yes",
  missing: "missing",
  notNeeded: "not needed",
  none: "none",
  complete1: "complete",
  incomplete1: "incomplete",
  identical: "same bytes as the source",
  folder: "a folder of several files",
  unread: "not read",
  types: {
    controller: "Controller",
    collector: "Collector",
    installer: "Installer",
    "apm-probe": "APM probe",
  },
  stored: { whole: "complete", damaged: "damaged", missing: "missing", "not-ready": "not ready" },
  anyPlatform: "any platform",
  postgres: (database, schema, state) => `database ${database}, schema ${schema}, table state ${state}`,
  nats: (bucket) => `bucket ${bucket}`,
  revision: (revision) => `revision ${revision}`,
  region: REGION_WORDS.en,
  removed: { done: "removed", planned: "would be removed", row: (id) => `row ${id}` },
  orphans: (objects, bytes) => `${plural(objects, "upload")} left chunks that belong to no object (${bytes}). They are harmless; PURGE_ORPHANS=true removes them.`,
  signing: {
    delivered: "Delivered by",
    accepted: "Accepted by",
    fields: ["Name", "Organisation", "Date", "Signature"],
    remarks: "Remarks",
  },
};

const ZH: PageWords = {
  lang: "zh-CN",
  product: "蓝鲸 Lite · 节点探针包",
  acceptance: "验收报告",
  report: "运行报告",
  failed: (command, code) => `${command} 失败（退出码 ${code}）`,
  ok: {
    init: "目录中的全部探针包均已存储、登记并通过校验",
    verify: "目录中的全部探针包均已存储并登记",
    plan: "以下是 init 将执行的操作，未写入任何内容",
    status: "以下是数据表与存储桶的现状",
    prune: "已检查旧版本",
    scan: "目录已读取并检查，未连接任何服务端",
  },
  okOther: (command) => `${command} 成功`,
  complete: (platforms) => `可以从蓝鲸 Lite 页面完整安装的平台：${platforms.join("、")}。`,
  incomplete: (platform, missing) => `${platform} 无法完整安装：缺少${missing.join("、")}。`,
  warned: (count) => `共 ${count} 条告警，详见下文。`,
  whatToDo: JOIN.zh.remedyLine,
  heads: {
    run: "本次执行与服务端",
    platforms: "各平台可安装的内容",
    probes: "APM 探针",
    regions: "云区域",
    packages: "探针包",
    rows: "数据表记录",
    removed: "旧版本",
    warnings: "告警",
    orphans: "孤立分块",
    signing: "验收签字",
  },
  labels: {
    action: "结果",
    arch: "架构",
    bootstrap: "引导程序",
    bytes: "大小",
    collectors: "采集器",
    command: "命令",
    controller: "控制器",
    duration: "耗时",
    file: "文件",
    host: "执行主机",
    id: "ID",
    installer: "安装器",
    key: "键",
    lag: "同步情况",
    listed: "仅有记录",
    name: "文件名",
    object: "对象",
    package: "探针包",
    platform: "平台",
    probe: "探针",
    program: "程序",
    region: "区域",
    sha256: "JSON 报告的 SHA-256",
    signedBy: "签名者",
    source: "交付的原文件",
    started: "开始时间",
    state: "状态",
    stored: "蓝鲸 Lite 下发的对象",
    version: "版本",
  },
  notes: {
    packages: "原文件的 SHA-256 用于与供应商清单核对；对象的 SHA-256 是节点实际下载内容的摘要。",
    rows: "对象不完整的记录仍会显示在蓝鲸 Lite 页面上，但下载和安装都会失败。",
    listed: "“仅有记录”的采集器在页面上可见，但无法安装。",
    digest: "本页内嵌本次执行的 JSON 报告原文，其 SHA-256 为",
    signing: "签字确认：以上探针包已按本报告所列内容交付、存储并通过校验。",
  },
  yes: "有",
  missing: "缺失",
  notNeeded: "不需要",
  none: "无",
  complete1: "完整",
  incomplete1: "不完整",
  identical: "与原文件逐字节相同",
  folder: "含多个文件的目录",
  unread: "未读取",
  types: { controller: "控制器", collector: "采集器", installer: "安装器", "apm-probe": "APM 探针" },
  stored: { whole: "完整", damaged: "损坏", missing: "缺失", "not-ready": "未就绪" },
  anyPlatform: "不限平台",
  postgres: (database, schema, state) => `数据库 ${database}，schema ${schema}，表结构 ${state}`,
  nats: (bucket) => `存储桶 ${bucket}`,
  revision: (revision) => `修订 ${revision}`,
  region: REGION_WORDS.zh,
  removed: { done: "已删除", planned: "待删除", row: (id) => `记录 ${id}` },
  orphans: (objects, bytes) => `${objects} 次上传留下了没有对象引用的分块（${bytes}）。不影响使用；设置 PURGE_ORPHANS=true 可清理。`,
  signing: {
    delivered: "交付方",
    accepted: "验收方",
    fields: ["姓名", "单位", "日期", "签字（盖章）"],
    remarks: "备注",
  },
};

/** The page's words in each language. */
export const PAGE_WORDS: Readonly<Record<Language, PageWords>> = { en: EN, zh: ZH };
