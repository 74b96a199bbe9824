import { type Asked, fill, formatBytes, type Language } from "./define.ts";

/** The words of screen and page beside the sentences of events and reasons, in English and Chinese. */
const WORDS = {
  files: ["{files:file} {to} {packages:package}", "{files} 个文件 {to} {packages} 个探针包"],
  rejected: ["{bad} of {files:file} cannot be used", "{files} 个文件中有 {bad} 个无法使用"],
  tableState: ["table state {state}", "表结构 {state}"],
  bucket: ["bucket {bucket}", "存储桶 {bucket}"],
  noBucket: [" (does not exist yet)", "（尚不存在）"],
  unchanged: ["{count:package} unchanged", "{count} 个探针包未变"],
  removed: ["removed", "已删除"],
  toBeRemoved: ["would be removed", "将删除"],
  row: ["row {id}", "记录 {id}"],
  noRow: ["no row", "没有记录"],
  others: ["and {count:other}", "及另外 {count} 个"],
  platform: ["platform", "平台"],
  controller: ["controller", "控制器"],
  installer: ["installer", "安装器"],
  collectors: ["collectors", "采集器"],
  yes: ["yes", "有"],
  no: ["missing", "缺少"],
  none: ["none", "无"],
  noBootstrap: ["no bootstrap", "缺少引导程序"],
  notNeeded: ["not needed", "不需要"],
  cannotInstall: ["cannot be installed from the page", "无法从页面安装"],
  onlyListed: ["{count} only listed", "{count} 个仅登记"],
  probe: ["APM probe", "APM 探针"],
  probes: ["APM probes", "APM 探针"],
  notStored: ["not stored: {names}", "未存储：{names}"],
  // The verdict, and the error of a run.
  more: [" (and {others} more, see the log)", "（另有 {others} 个问题，见日志）"],
  failed: ["{command} failed (exit {code})", "{command} 失败（退出码 {code}）"],
  succeeded: ["{command} succeeded", "{command} 成功"],
  took: [" ({seconds} s)", "（{seconds} 秒）"],
  above: ["and {count} more above", "另有 {count} 项见上文"],
  unusable: ["{count:file} cannot be used", "{count} 个文件无法使用"],
  failures: ["{count:failure}", "{count} 处失败"],
  differences: ["{count:difference}", "{count} 处不一致"],
  warned: ["{said} with {count:warning}", "{said}，有 {count} 条告警"],
  warnedAbove: ["{said}, with {count:warning} above", "{said}，有 {count} 条告警（见上文）"],
  written: ["{count:row} written", "写入记录 {count} 条"],
  planned: ["plan wrote nothing; init would report: {all}", "plan 未写入任何内容；init 将报告：{all}"],
  plannedNothing: ["plan wrote nothing; init would change nothing", "plan 未写入任何内容；init 将不做任何改动"],
  nothing: ["nothing to change", "没有改动"],
  whole: ["{count:package} stored, whole and registered", "{count} 个探针包均已完整存储并登记"],
  packages: ["{count:package}", "{count} 个探针包"],
  // A cloud region and its mirror of the bucket.
  region: ["region", "云区域"],
  regions: ["regions", "云区域"],
  unreachable: ["not reachable", "不可达"],
  level: ["up to date", "已同步"],
  behind: ["{count:message} behind", "落后 {count} 条消息"],
  lacking: ["{count:object} missing", "缺少 {count} 个对象"],
  damaged: ["{count:object} damaged", "{count} 个对象已损坏"],
  dead: ["{bytes:size} of replaced chunks", "已被替换的分块占 {bytes:size}"],
  // What is being done, before a bar, and how far it is.
  "phase.deep": ["reading back", "回读"],
  "phase.read": ["reading", "读取"],
  "phase.check": ["checking", "检查"],
  "phase.upload": ["", ""],
  of: [" of ", " / "],
  left: ["{time} left", "剩余 {time}"],
  // The action on a package or its row.
  "done.uploaded": ["uploaded", "已上传"],
  "done.repaired": ["repaired", "已修复"],
  "done.replaced": ["replaced", "已替换"],
  "done.kept": ["kept: other content is stored", "保留已存储的其他内容"],
  "done.failed": ["failed", "失败"],
  "done.inserted": ["registered", "已登记"],
  "done.updated": ["row updated", "已更新记录"],
  "done.found": ["", ""],
  "plan.uploaded": ["would be uploaded", "将上传"],
  "plan.repaired": ["would be repaired", "将修复"],
  "plan.replaced": ["would be replaced", "将替换"],
  "plan.kept": ["would be kept: other content is stored", "将保留已存储的其他内容"],
  "plan.failed": ["would fail", "将失败"],
  "plan.inserted": ["would be registered", "将登记"],
  "plan.updated": ["row would be updated", "将更新记录"],
  // A difference between servers and volume in a list; its reason in the catalog has the details.
  "drift.object.missing": ["not stored", "未存储"],
  "drift.object.damaged": ["damaged", "已损坏"],
  "drift.object.bytes": ["damaged: other bytes", "已损坏：内容不符"],
  "drift.object.unreadable": ["unreadable", "不可读"],
  "drift.object.different": ["other content stored", "已存储的内容不同"],
  "drift.row.missing": ["not registered", "未登记"],
  "drift.row.name": ["other name registered", "登记的名称不同"],
  "drift.row.status": ["not ready", "未就绪"],
  "row.not-ready": ["not ready", "未就绪"],
  "drift.row.digest": ["other SHA-256 registered", "登记的 SHA-256 不同"],
  // The page.
  lang: ["en", "zh-CN"],
  product: ["BlueKing Lite · node packages", "蓝鲸 Lite · 节点探针包"],
  acceptance: ["Acceptance report", "验收报告"],
  report: ["Report", "运行报告"],
  "ok.init": ["Everything on the volume is stored, registered and verified", "目录中的全部探针包均已存储、登记并通过校验"],
  "ok.verify": ["Everything on the volume is stored and registered", "目录中的全部探针包均已存储并登记"],
  "ok.plan": ["This is what init would do; nothing was written", "以下是 init 将执行的操作，未写入任何内容"],
  "ok.status": ["This is what table and bucket hold", "以下是数据表与存储桶的现状"],
  "ok.prune": ["Old versions were checked", "已检查旧版本"],
  "ok.scan": ["The volume was read and checked; no server was contacted", "目录已读取并检查，未连接任何服务端"],
  ready: ["Ready to be installed from BK-Lite's pages: {platforms:, }.", "可以从蓝鲸 Lite 页面完整安装的平台：{platforms:、}。"],
  lacks: ["{platform} cannot be installed completely: {missing:, } missing.", "{platform} 无法完整安装：缺少{missing:、}。"],
  warnings: ["{count:warning}, listed below.", "共 {count} 条告警，详见下文。"],
  "head.run": ["Run and servers", "本次执行与服务端"],
  "head.platforms": ["What can be installed", "各平台可安装的内容"],
  "head.probes": ["APM probes", "APM 探针"],
  "head.regions": ["Cloud regions", "云区域"],
  "head.packages": ["Packages ({count})", "探针包 ({count})"],
  "head.rows": ["Rows of the table ({count})", "数据表记录 ({count})"],
  "head.removed": ["Old versions", "旧版本"],
  "head.warnings": ["Warnings ({count})", "告警 ({count})"],
  "head.orphans": ["Chunks without an object", "孤立分块"],
  "head.signing": ["Acceptance", "验收签字"],
  "label.action": ["Result", "结果"],
  "label.bootstrap": ["Bootstrap", "引导程序"],
  "label.bytes": ["Size", "大小"],
  "label.collectors": ["Collectors", "采集器"],
  "label.command": ["Command", "命令"],
  "label.controller": ["Controller", "控制器"],
  "label.duration": ["Duration", "耗时"],
  "label.host": ["Run on", "执行主机"],
  "label.id": ["ID", "ID"],
  "label.installer": ["Installer", "安装器"],
  "label.key": ["Key", "键"],
  "label.lag": ["Lag", "同步情况"],
  "label.name": ["Name", "文件名"],
  "label.object": ["Object", "对象"],
  "label.package": ["Package", "探针包"],
  "label.platform": ["Platform", "平台"],
  "label.probe": ["Probe", "探针"],
  "label.program": ["Program", "程序"],
  "label.region": ["Region", "区域"],
  "label.sha256": ["SHA-256 of the JSON report", "JSON 报告的 SHA-256"],
  "label.source": ["Source, as delivered", "交付的原文件"],
  "label.started": ["Started", "开始时间"],
  "label.state": ["State", "状态"],
  "label.stored": ["Stored, as BK-Lite serves it", "蓝鲸 Lite 下发的对象"],
  "label.version": ["Version", "版本"],
  listed: ["listed only", "仅有记录"],
  signedBy: ["signed by {signer}", "签名者 {signer}"],
  "note.packages": [
    "Compare the source's SHA-256 with the vendor's list; the stored SHA-256 is that of the bytes that nodes download.",
    "原文件的 SHA-256 用于与供应商清单核对；对象的 SHA-256 是节点实际下载内容的摘要。",
  ],
  "note.rows": ["BK-Lite's page shows a row whose object is incomplete, but its download and installation fail.", "对象不完整的记录仍会显示在蓝鲸 Lite 页面上，但下载和安装都会失败。"],
  "note.listed": ['Collectors marked "listed only" have a row but no object, so they cannot be installed.', "“仅有记录”的采集器在页面上可见，但无法安装。"],
  "note.digest": ["This page holds the JSON report of the run, byte for byte; its SHA-256 is", "本页内嵌本次执行的 JSON 报告原文，其 SHA-256 为"],
  "note.signing": ["The signatures confirm that the packages above were delivered, stored and verified as this report says.", "签字确认：以上探针包已按本报告所列内容交付、存储并通过校验。"],
  "note.orphans": [
    "{objects:upload} left chunks that belong to no object ({bytes:size}). They are harmless; PURGE_ORPHANS=true removes them.",
    "{objects} 次上传留下了没有对象引用的分块（{bytes:size}）。不影响使用；设置 PURGE_ORPHANS=true 可清理。",
  ],
  absent: ["missing", "缺失"],
  complete: ["complete", "完整"],
  incomplete: ["incomplete", "不完整"],
  identical: ["same bytes as the source", "与原文件逐字节相同"],
  folder: ["a folder of several files", "含多个文件的目录"],
  unread: ["not read", "未读取"],
  anyPlatform: ["any platform", "不限平台"],
  database: ["database {database}, schema {schema}, table state {tableState}", "数据库 {database}，schema {schema}，表结构 {tableState}"],
  revision: ["revision {revision}", "修订 {revision}"],
  pending: ["would be removed", "待删除"],
  "type.controller": ["Controller", "控制器"],
  "type.collector": ["Collector", "采集器"],
  "type.installer": ["Installer", "安装器"],
  "type.apm-probe": ["APM probe", "APM 探针"],
  "stored.whole": ["complete", "完整"],
  "stored.damaged": ["damaged", "损坏"],
  "stored.missing": ["missing", "缺失"],
  "stored.not-ready": ["not ready", "未就绪"],
  "sign.delivered": ["Delivered by", "交付方"],
  "sign.accepted": ["Accepted by", "验收方"],
  "sign.name": ["Name", "姓名"],
  "sign.organisation": ["Organisation", "单位"],
  "sign.date": ["Date", "日期"],
  "sign.signature": ["Signature", "签字（盖章）"],
  "sign.remarks": ["Remarks", "备注"],
} as const satisfies Record<string, readonly [en: string, zh: string]>;

type Words = typeof WORDS;
export type Word = keyof Words;
/** Words of the page that begin with `Family.`, without it. */
export type WordOf<Family extends string> = Word extends infer W ? (W extends `${Family}.${infer Name}` ? Name : never) : never;

/** Returns the function that says words of screen and page in a language. */
export function wordsIn(language: Language) {
  return <W extends Word>(word: W, ...[params]: keyof Asked<Words[W]> extends never ? [] : [Asked<Words[W]>]): string => fill(WORDS[word][language === "en" ? 0 : 1], params ?? {});
}
export type Say = ReturnType<typeof wordsIn>;

/** Returns one of the words without parameters, or `other` if there is none of that name. */
export function wordOr(name: string, language: Language, other: string): string {
  return (WORDS as Record<string, readonly [string, string]>)[name]?.[language === "en" ? 0 : 1] ?? other;
}

/** Returns the word for an action in a list; with the command `plan` it is only intended. */
export function doneWords(action: string, command: string, language: Language): string {
  const done = wordOr(`done.${action}`, language, action);
  return command === "plan" ? wordOr(`plan.${action}`, language, done) : done;
}

/** `5 s`, `2 min 5 s`, `1 h 2 min`. */
export function duration(seconds: number, language: Language): string {
  const [h, min, s] = language === "zh" ? ["小时", "分", "秒"] : ["h", "min", "s"];
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds} ${s}`;
  if (minutes < 60) return `${minutes} ${min} ${seconds % 60} ${s}`;
  return `${Math.floor(minutes / 60)} ${h} ${minutes % 60} ${min}`;
}

/** Local time and its distance from UTC, by TZ: `2026-11-29 23:35:24 UTC+08:00`. */
export function zonedTime(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 19).replace("T", " ");
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return `${local} UTC${minutes < 0 ? "-" : "+"}${two(hours)}:${two(rest)}`;
}

/** `39 of 61 MiB`, in the unit of the whole. */
export function amountOf(bytes: number, total: number, language: Language): string {
  const [size = "", unit = ""] = formatBytes(total).split(" ");
  const part = Number(size) > 0 ? (bytes / total) * Number(size) : 0;
  const digits = Number(size) < 10 && unit !== "B" ? 1 : 0;
  return `${part.toFixed(digits)}${wordsIn(language)("of")}${Number(size).toFixed(digits)} ${unit}`;
}
