import { type FormReason, formWords } from "./archive.ts";
import { type Asked, actionWord, countWords, formatBytes, JOIN, type Language, platformOf, plural, type Text } from "./define.ts";
import { type RegionEntry, regionName, regionParts } from "./region-words.ts";
import { duration, wordsIn } from "./words.ts";

export type PackageAction = "unchanged" | "uploaded" | "repaired" | "replaced" | "kept";
/** Why `prune` leaves a version that it was asked to remove. */
export type KeptReason = "latest" | "user" | "not-ready" | "unordered" | "volume" | "last";
export type RowAction = "inserted" | "updated" | "unchanged";

/** A row of the table, and what was done to it. */
export interface RowLine {
  id: number | null;
  type: string;
  os: string;
  arch: string | null;
  object: string;
  version: string;
  name: string;
  action: RowAction;
}

/**
 * What is stored of a row's object. `not-ready`: by its status BK-Lite does not offer the row, whatever is
 * stored.
 */
export type StoredState = "whole" | "damaged" | "missing" | "not-ready";

/**
 * What an installation of a row from BK-Lite's page comes to. `unknown`: no collector is defined by its name;
 * `unstartable`: what is installed cannot be unpacked or started. `no-installer`: a controller whose platform
 * has no installer or bootstrap.
 */
export type InstallState = "installable" | Exclude<StoredState, "whole"> | "unknown" | "unstartable" | "no-installer";

/** What is found, and what follows from it. */
const INSTALL_WORDS: Record<InstallState, Record<Language, readonly [found: string, then?: string]>> = {
  installable: { en: ["can be installed"], zh: ["可以安装"] },
  missing: { en: ["no object", "download, installation and deletion fail"], zh: ["没有对象", "下载、安装、删除都会失败"] },
  damaged: { en: ["damaged object", "download and installation fail"], zh: ["对象损坏", "下载、安装都会失败"] },
  "not-ready": { en: ["not ready", "BK-Lite does not offer it"], zh: ["未就绪", "BK-Lite 不提供"] },
  unknown: { en: ["no definition of this name", "installation fails"], zh: ["没有同名的定义", "安装会失败"] },
  "no-installer": { en: ["no installer or bootstrap", "installation fails"], zh: ["缺少安装器或引导程序", "安装会失败"] },
  unstartable: { en: ["cannot be unpacked or started on a node"], zh: ["节点上无法解压或启动"] },
};

/** What an installation comes to: in full, and in few words. */
export function installWords(state: InstallState, language: Language): [full: string, short: string] {
  const [found, then] = INSTALL_WORDS[state][language];
  return [then === undefined ? found : `${found}${JOIN[language].colon}${then}`, found];
}

/** A row as the report has it. */
export interface RowEntry extends RowLine {
  /** null: nobody has looked. */
  stored: StoredState | null;
}

/** What can be installed on one platform from BK-Lite's pages. */
export interface PlatformEntry {
  os: string;
  /** null if the table has no architecture column. */
  arch: string | null;
  /** Versions. */
  controller: string[];
  /** null: none is needed. */
  installer: boolean | null;
  bootstrap: boolean | null;
  collectors: { installable: string[]; listed: string[] };
  complete: boolean;
  /** In words, in the operator's language. */
  missing: string[];
}

/** Progress of a task. */
export interface Snapshot {
  file: string;
  index: number | null;
  count: number | null;
  bytes: number;
  total: number | null;
  percent: number | null;
  bytesPerSecond: number;
  secondsLeft: number | null;
}

const inBrackets = (text: string, language: Language) => (language === "zh" ? `（${text}）` : ` (${text})`);

/** An old version that goes: a row and its object, or an object without a row. */
export interface RemovedLine {
  row: number | null;
  /** Platform, object and version of the row. */
  what: string | null;
  key: string | null;
  /** Of the object; null: it stays, or there is none. */
  bytes: number | null;
}

function removed({ row, what, key, bytes }: RemovedLine, language: Language): string {
  const say = wordsIn(language);
  const about = [row === null ? say("noRow") : say("row", { id: row }), ...(bytes === null ? [] : [formatBytes(bytes)])];
  return `${(row === null ? key : what) ?? "-"}${inBrackets(about.join(JOIN[language].comma), language)}`;
}

/** A line of the log: what its event means, and its sentence, in both languages. */
export interface LogEvent<F> {
  /** In the documented table. */
  about: Record<Language, string>;
  en: Text<F>;
  zh: Text<F>;
}

/** Returns the maker of an entry with these fields, which go into the log's line as they are. */
function event<F extends object = Record<never, never>>() {
  return <const Texts extends readonly [en: Text<F>, zh: Text<F>]>(about: readonly [en: string, zh: string], texts: Texts & (F extends Asked<Texts> ? unknown : never)): LogEvent<F> => ({
    about: { en: about[0], zh: about[1] },
    en: texts[0],
    zh: texts[1],
  });
}

/** An event whose lines are reasons of the catalog, after `lead`: "init failed (exit 65): ". */
export interface ReasonEvent extends LogEvent<never> {
  lead?: Record<Language, string>;
}

function reasonEvent(en: string, zh: string, lead?: ReasonEvent["lead"]): ReasonEvent {
  return { about: { en, zh }, en: "", zh: "", ...(lead && { lead }) };
}

/** How much goes, or has gone. */
export interface RemovedCounts {
  versions: number;
  bytes: number;
  done: boolean;
}

/** `3 versions removed (90.0 MiB)`. */
export function removedWords({ versions, bytes, done }: RemovedCounts, language: Language): string {
  const removed = wordsIn(language)(done ? "removed" : "toBeRemoved");
  const what = language === "zh" ? `${removed} ${versions} 个版本` : `${plural(versions, "version")} ${removed}`;
  return bytes > 0 ? `${what}${inBrackets(formatBytes(bytes), language)}` : what;
}

/** What `prune` came to. */
export function pruneWords(removed: RemovedCounts, language: Language): string {
  const zh = language === "zh";
  if (removed.versions === 0) return zh ? "没有可删除的版本" : "nothing to remove";
  const again = zh ? "；加 --yes 再次执行即可删除" : "; run it again with --yes to remove them";
  return `${removedWords(removed, language)}${removed.done ? "" : again}`;
}

interface Done {
  command: string;
  removed: RemovedCounts;
  packages: Record<string, number>;
  rows: Record<string, number>;
  orphans: { objects: number; bytes: number };
  durationMs: number;
}

/** `packages: 1 uploaded, 2 unchanged; rows: none`. */
function counts({ packages, rows }: Pick<Done, "packages"> & Partial<Done>, language: Language): string {
  const [ofPackages, ofRows] = language === "zh" ? ["探针包：", "；记录："] : ["packages: ", "; rows: "];
  return `${ofPackages}${countWords(packages, language)}${rows ? `${ofRows}${countWords(rows, language)}` : ""}`;
}

/** Returns the last line with the counts that the command has: none after waiting, no rows after `scan`. */
function succeeded({ command, packages, rows, removed }: Done, language: Language): string {
  const begin = wordsIn(language)("succeeded", { command });
  if (command === "wait" || command === "gate" || command === "status") return begin;
  if (command === "prune") return `${begin}${JOIN[language].colon}${pruneWords(removed, language)}`;
  return `${begin}${language === "zh" ? "。" : "; "}${counts(command === "scan" ? { packages } : { packages, rows }, language)}`;
}

/** How far the probe of a server has come. */
interface Layer {
  /** The highest layer passed, or `none`. */
  passed: string;
  failed: string;
  reason: string;
  /** In the log's language. */
  cause: string;
  hint: string;
  /** Seconds. */
  waited: number;
  left: number;
  /** Which line of this service's it is; the remedy is in the sentence from the second on. */
  line: number;
}

/** Names of the layers; English and the log's fields have the key itself. */
const LAYERS: Readonly<Record<string, string>> = {
  dns: "解析",
  tcp: "连接",
  tls: "TLS",
  login: "登录",
  database: "数据库",
  table: "数据表",
  privileges: "权限",
  jetstream: "JetStream",
  bucket: "存储桶",
};

const layer = (name: string, zh: string) =>
  event<Layer>()(
    [`${name}: highest layer passed, first failed, why, seconds waited and left; when it changes and every 10 s`, `${zh}：已通过的最高层、首个失败的层、原因、已等待与剩余秒数；变化时及每 10 秒一行`],
    [
      ({ failed, cause, hint, waited, left, line }) => `waiting (${failed}): ${cause}; ${waited} s waited, ${left} s left${line < 2 ? "" : `. What to do: ${hint}`}`,
      ({ failed, cause, hint, waited, left, line }) => `等待中（${LAYERS[failed] ?? failed}）：${cause}；已等待 ${waited} 秒，剩余 ${left} 秒${line < 2 ? "" : `。处理办法：${hint}`}`,
    ],
  );

/** `seconds`: how long the job waited. */
interface Ready {
  where: string;
  version: string;
  seconds: number;
}

/** `43% of 1.0 GiB, 380.2 MiB/s, 2 s left`. */
export function progressWords({ bytes, total, percent, bytesPerSecond, secondsLeft }: Snapshot, language: Language): string {
  const zh = language === "zh";
  const rate = `${formatBytes(bytesPerSecond)}/s`;
  if (total === null) return [formatBytes(bytes), rate].join(JOIN[language].comma);
  const left = secondsLeft === null || bytes >= total ? [] : [wordsIn(language)("left", { time: duration(secondsLeft, language) })];
  return [`${percent ?? 100}%${zh ? "，共 " : " of "}${formatBytes(total)}`, rate, ...left].join(JOIN[language].comma);
}

/** `FILE (2 of 5)`. */
function place({ file, index, count }: Snapshot, language: Language): string {
  if (index === null || count === null || count < 2) return file;
  return `${file}${inBrackets(`${index}${language === "zh" ? "/" : " of "}${count}`, language)}`;
}

function uploading(fields: Snapshot & { step: "start" | "progress" | "end" }, language: Language): string {
  if (fields.step !== "start") return progressWords(fields, language);
  const size = fields.total === null ? "" : formatBytes(fields.total);
  return `${language === "zh" ? "开始上传" : "uploading"} ${size}`.trimEnd();
}

interface FoundPackage {
  file: string;
  type: string;
  os: string | null;
  arch: string | null;
  object: string;
  version: string;
  key: string;
}

/** A package and what was done to it, or would be. */
interface PackageLine extends FoundPackage {
  bytes: number | null;
  sha256: string | null;
}

interface Stored extends PackageLine {
  bytesUploaded: number;
  seconds: number;
}

function row({ id, type, os, arch, object, version, name }: RowLine): string {
  return `${id ?? "-"}: ${type} ${object} ${version} ${platformOf({ os, arch })} (${name})`;
}

/** Returns the name that a row had, if the name changed. */
function was({ columns, oldName }: { columns: string[]; oldName: string }, words: string): string {
  return columns.includes("name") ? words + oldName : "";
}

const stored = (about: readonly [en: string, zh: string], en: string, zh: string) =>
  event<Stored>()(about, [
    ({ file, key, bytesUploaded }) => `${file}: ${en}${bytesUploaded > 0 ? ` (${formatBytes(bytesUploaded)})` : ""}: ${key}`,
    ({ file, key, bytesUploaded }) => `${file}：${zh}${bytesUploaded > 0 ? `（${formatBytes(bytesUploaded)}）` : ""}：${key}`,
  ]);

const on = (missing: readonly string[], language: Language) => (missing.includes("*") ? "" : language === "zh" ? `（${missing.join("、")}）` : ` for ${missing.join(", ")}`);

/** Every event, in the order of a run; the documented table is generated from it. */
export const EVENTS = {
  "run.started": event<{ command: string; version: string; bucket: string | null; packagesDir: string }>()(
    ["the run begins: command, version, bucket", "运行开始：命令、版本、存储桶"],
    ["bklite-package-init {version}: {command}", "bklite-package-init {version}：{command}"],
  ),
  "run.done": event<Done>()(
    ["the run succeeded: counts of packages and rows, orphans, duration", "运行成功：探针包与记录的计数、孤立分块、耗时"],
    [
      (done) => (done.command === "plan" ? `plan wrote nothing; init would result in: ${counts(done, "en")}` : succeeded(done, "en")),
      (done) => (done.command === "plan" ? `plan 未写入任何内容；执行 init 的结果将是：${counts(done, "zh").replaceAll("已", "")}` : succeeded(done, "zh")),
    ],
  ),
  "run.failed": reasonEvent("the run failed: exit code, reason, layer, remedy; always the last line", "运行失败：退出码、原因标识、层、处理办法；总是最后一行", {
    en: "{command} failed (exit {code}): ",
    zh: "{command} 失败（退出码 {code}）：",
  }),
  "run.stopping": reasonEvent("a signal or RUN_TIMEOUT stops the run", "收到信号或超过 RUN_TIMEOUT，正在停止", { en: "stopping: ", zh: "正在停止：" }),
  "report.failed": reasonEvent("the report could not be written to REPORT_FILE; the run is not affected", "报告无法写入 REPORT_FILE；不影响运行结果"),
  "run.retry": reasonEvent("a connection was lost, another program wrote at the same time, or the table was migrated: the run starts again", "连接中断、期间有其他程序写入或表被迁移：从头重试"),
  "wait.postgres.layer": layer("Postgres", "Postgres"),
  "wait.postgres.ready": event<Ready & { database: string; state: string }>()(
    ["Postgres is usable, down to the privileges on the table", "Postgres 可用，包括数据表上的权限"],
    ["Postgres {version} at {where} is ready: table state {state}", "Postgres {version}（{where}）已就绪：表结构 {state}"],
  ),
  "wait.nats.layer": layer("NATS", "NATS"),
  "wait.nats.ready": event<Ready & { tls: boolean; bucket: string; exists: boolean }>()(
    ["NATS is usable, down to the bucket", "NATS 可用，包括存储桶"],
    [
      ({ version, where, bucket, exists }) => `NATS ${version} at ${where} is ready: bucket "${bucket}"${exists ? "" : " does not exist yet"}`,
      ({ version, where, bucket, exists }) => `NATS ${version}（${where}）已就绪：存储桶“${bucket}”${exists ? "" : "尚不存在"}`,
    ],
  ),
  "bucket.created": event<{ bucket: string; replicas: number }>()(
    ["the bucket was missing and has been created", "存储桶不存在，已创建"],
    ['bucket "{bucket}" was missing and has been created', "存储桶“{bucket}”不存在，已创建"],
  ),
  "bucket.setting": reasonEvent("a setting of the bucket's stream with which packages will be lost", "存储桶的流有会导致探针包丢失的设置"),
  "scan.done": event<{ archives: number; bytes: number; seconds: number }>()(
    ["the volume was read: number of packages, bytes, duration", "目录扫描完成：探针包数量、总大小、耗时"],
    ["on the volume: {archives:package}, {bytes:size}", "目录中共有 {archives} 个探针包，{bytes:size}"],
  ),
  "scan.rejected": event<{ where: string; files: number; bad: number }>()(
    ["files on the volume cannot be used: how many of how many", "目录中有无法使用的文件：个数与总数"],
    ["{where}: {bad} of {files:file} cannot be used", "{where}：{files} 个文件中有 {bad} 个无法使用"],
  ),
  "scan.packages": event<{ where: string; files: number; packages: number; bytes: number }>()(
    ["what the volume (or the one file) becomes: files that are used, packages, bytes", "卷（或指定的文件）的内容：使用的文件数、探针包数、字节数"],
    ["{where}: {files:file}, {packages:package}, {bytes:size}", "{where}：{files} 个文件，{packages} 个探针包，{bytes:size}"],
  ),
  "scan.growing": event<{ file: string; seconds: number; left: number }>()(
    ["the job waits for a file that is still being written: seconds waited, and left", "正在等待仍在写入的文件：已等待与剩余的秒数"],
    ["{file}: is still being written, waited {seconds} s, {left} s left", "{file}：仍在写入，已等待 {seconds} 秒，剩余 {left} 秒"],
  ),
  "scan.signed": event<{ list: string; signer: string }>()(
    ["a list of checksums is signed by a key of VERIFY_KEY_FILE: `signer`, its fingerprint and comment", "校验和清单已由 VERIFY_KEY_FILE 中的密钥签名：`signer` 为其指纹与注释"],
    ["{list}: signed by {signer}", "{list}：签名密钥 {signer}"],
  ),
  "scan.ignored": event<{ file: string; bytes?: string }>()(
    ["a file on the volume that is ignored (debug)", "目录中已忽略的文件（debug）"],
    ["{file}: is not a package, ignored", "{file}：不是探针包，已忽略"],
  ),
  "scan.suspect": reasonEvent("something on the volume that looks like a mistake", "目录中疑似有误的内容"),
  "package.found": event<Omit<FoundPackage, "type" | "key"> & { bytes: number; collectors: string[] }>()(
    ["a package on the volume: file, identity, its collectors", "目录中的一个探针包：文件、标识、其中的采集器"],
    [
      ({ file, object, version, os, arch, collectors }) =>
        `${file}: ${object} ${version}${os === null ? "" : ` for ${platformOf({ os, arch }).replace("/", " ")}`}${collectors.length > 0 ? `, with ${collectors.join(", ")}` : ""}`,
      ({ file, object, version, os, arch, collectors }) =>
        `${file}：${object} ${version}${os === null ? "" : `，${platformOf({ os, arch }).replace("/", " ")}`}${collectors.length > 0 ? `，含 ${collectors.join("、")}` : ""}`,
    ],
  ),
  "package.invalid": reasonEvent("a file that cannot be used: reason and remedy", "无法使用的文件：原因和处理办法"),
  "package.repacked": event<{ file: string; name: string; reasons: readonly FormReason[] }>()(
    ["an archive that BK-Lite's installer cannot unpack is converted to a zip that it can: why, and under which name", "BK-Lite 安装器无法解压的压缩包转换为可解压的 zip 存储：原因及存储名称"],
    [
      ({ file, name, reasons }) => `${file}: cannot be installed unchanged (${formWords(reasons, "en")}): stored as ${name}, a zip that BK-Lite can install`,
      ({ file, name, reasons }) => `${file}：无法按原样安装（${formWords(reasons, "zh")}），转换为 BK-Lite 可安装的 zip，存储为 ${name}`,
    ],
  ),
  "package.unfit": reasonEvent("REPACK=never: an archive is stored in a form that BK-Lite's installer cannot unpack", "REPACK=never：压缩包以 BK-Lite 安装器无法解压的形式存储"),
  "read.progress": event<Snapshot>()(
    [
      "a large file is being read, for its structure or its digest: bytes, percent, rate, seconds left; every 10 s",
      "正在读取较大的文件（检查结构或计算摘要）：字节数、百分比、速率、剩余秒数；每 10 秒一行",
    ],
    [(fields) => `reading ${place(fields, "en")}: ${progressWords(fields, "en")}`, (fields) => `正在读取 ${place(fields, "zh")}：${progressWords(fields, "zh")}`],
  ),
  "check.progress": event<Snapshot>()(
    ["a large archive is being checked: bytes, percent, rate, seconds left; every 10 s", "正在检查较大的压缩包：字节数、百分比、速率、剩余秒数；每 10 秒一行"],
    [(fields) => `checking ${place(fields, "en")}: ${progressWords(fields, "en")}`, (fields) => `正在检查 ${place(fields, "zh")}：${progressWords(fields, "zh")}`],
  ),
  "deep.progress": event<Snapshot>()(
    ["--deep: the objects are being read back: bytes, percent, rate, seconds left; every 10 s", "--deep：正在回读对象：字节数、百分比、速率、剩余秒数；每 10 秒一行"],
    [(fields) => `reading back ${place(fields, "en")}: ${progressWords(fields, "en")}`, (fields) => `正在回读 ${place(fields, "zh")}：${progressWords(fields, "zh")}`],
  ),
  "deep.done": event<{ objects: number; bytes: number; seconds: number; damaged: number }>()(
    ["--deep: how many objects were read back and compared with their digests, and how many are damaged", "--deep：已回读并与摘要比对的对象数，以及其中损坏的对象数"],
    [
      ({ objects, bytes, damaged }) => `${plural(objects, "object")} read back (${formatBytes(bytes)}): ${damaged === 0 ? "every byte is right" : `${damaged} damaged`}`,
      ({ objects, bytes, damaged }) => `已回读 ${objects} 个对象（${formatBytes(bytes)}）：${damaged === 0 ? "内容全部正确" : `${damaged} 个已损坏`}`,
    ],
  ),
  "object.damaged": reasonEvent(
    "--deep: a damaged object, or a row's digest that is not its object's, that this volume does not repair",
    "--deep：已损坏的对象，或与对象不符的记录摘要，且无法从本卷修复",
  ),
  "upload.progress": event<Parameters<typeof uploading>[0]>()(
    ["bytes, percent, rate, seconds left; at the start, every 10 s, and at the end", "字节数、百分比、速率、剩余秒数；每 10 秒及首尾各一行"],
    [(fields) => `${place(fields, "en")}: ${uploading(fields, "en")}`, (fields) => `${place(fields, "zh")}：${uploading(fields, "zh")}`],
  ),
  "lock.waiting": event<{ bucket: string; pid: number; client: string; age: number; seconds: number; left: number }>()(
    ["another run holds the lock: its session, client and age; every 10 s", "另一个任务持有锁：其会话、客户端和持续时间；每 10 秒输出"],
    [
      'another run holds the lock for bucket "{bucket}" (Postgres session {pid}, client {client}, {age} s old): waiting, {seconds} s so far, {left} s left',
      "另一个任务持有存储桶“{bucket}”的锁（Postgres 会话 {pid}，客户端 {client}，已持续 {age} 秒）：已等待 {seconds} 秒，剩余 {left} 秒",
    ],
  ),
  "lock.acquired": event<{ bucket: string }>()(["this run holds the lock (debug)", "已取得锁（debug）"], ['this run holds the lock for bucket "{bucket}"', "已取得存储桶“{bucket}”的锁"]),
  "plan.package": event<PackageLine & { action: PackageAction | "conflict"; removes?: string[] }>()(
    ["what init would do with a package (plan)", "init 将对探针包执行的操作（plan）"],
    ["{file}: would be {action}: {key}", ({ file, action, key }) => `${file}：将${actionWord(action, "zh").replace(/^已/, "")}：${key}`],
  ),
  "plan.row": event<RowLine>()(
    ["what init would do with a row (plan)", "init 将对记录执行的操作（plan）"],
    [(line) => `row ${row(line)}: would be ${line.action}`, (line) => `记录 ${row(line)}：将${actionWord(line.action, "zh").replace(/^已/, "")}`],
  ),
  "content.repackaged": event<{ file: string; key: string }>()(
    ["a zip with the same entries as the stored object, packed again: it counts as unchanged (debug)", "压缩包与已存储对象的条目相同，只是打包方式不同：视为未变化（debug）"],
    ["{file}: has the same entries as {key}, packed again: nothing to upload", "{file}：条目与 {key} 相同，只是打包方式不同：无需上传"],
  ),
  "plan.warning": reasonEvent("something about stored content that a person should know", "已存储内容中需要人工注意的问题"),
  "package.unchanged": stored(["already stored: same content, all chunks", "已存储，内容相同，分块齐全"], "is already stored", "已存储，无需上传"),
  "package.uploaded": stored(["was not stored and has been uploaded", "原先没有，现已存储"], "uploaded", "已上传"),
  "package.repaired": stored(["chunks were missing: uploaded again", "缺少分块，已重新存储"], "uploaded again, because chunks were missing", "缺少分块，已重新存储"),
  "package.replaced": stored(
    [
      "other content was stored: a warning with both digests, except for latest, installers and probes, which are always replaced",
      "原有内容不同，已替换：告警并附两个摘要；latest、安装器和探针总会替换，不告警",
    ],
    "replaced by newer content",
    "已更新为新内容",
  ),
  "package.kept": reasonEvent("different content is stored under this version and stays: both digests", "该版本的内容不同，予以保留：两个摘要"),
  "package.failed": reasonEvent("this package could not be stored: exit code, reason, remedy", "该探针包未能存储：退出码、原因、处理办法"),
  "object.removed": event<{ key: string }>()(
    ["an object that this run replaced, under a key that no row uses", "本次替换掉、且不再有记录使用的对象"],
    ["{key}: removed, no row uses it", "{key}：已删除，不再有记录使用它"],
  ),
  "chunks.reclaimed": event<{ objects: number; chunks: number }>()(
    ["orphaned chunks of an earlier run of this job, purged", "本任务以前的运行留下的孤立分块，已清除"],
    ["purged {chunks:chunk} that an earlier run left behind", "已清除以前的运行留下的 {chunks} 个孤立分块"],
  ),
  "orphans.found": reasonEvent("orphaned chunks of another program's interrupted upload", "其他程序中断的上传留下的孤立分块"),
  "orphans.purged": event<{ objects: number; bytes: number }>()(
    ["PURGE_ORPHANS: orphaned chunks, the last over a day old, were purged", "PURGE_ORPHANS：最后一块超过一天的孤立分块，已清除"],
    ["purged the orphans of {objects:upload} ({bytes:size})", "已清除 {objects} 次上传的孤立分块（{bytes:size}）"],
  ),
  "staging.found": reasonEvent("uploads from BK-Lite's page that have not ended: staged objects and pending rows", "页面上传尚未结束：暂存对象与 pending 记录"),
  "staging.purged": event<{ objects: number; rows: number }>()(
    ["PURGE_ORPHANS: staged objects and pending rows over a day old were removed", "PURGE_ORPHANS：超过一天的暂存对象与 pending 记录，已清除"],
    ["removed {objects:staged object} and {rows:pending row}", "已清除暂存对象 {objects} 个、pending 记录 {rows} 条"],
  ),
  "row.inserted": event<RowLine>()(["a row was written", "新增一条记录"], [(line) => `row ${row(line)}: inserted`, (line) => `记录 ${row(line)}：已新增`]),
  "row.updated": event<RowLine & { columns: string[]; oldName: string }>()(
    ["a row was changed: which columns", "更新一条记录：哪些列"],
    [(line) => `row ${row(line)}: updated (${line.columns.join(", ")})${was(line, ", the name was ")}`, (line) => `记录 ${row(line)}：已更新（${line.columns.join("、")}）${was(line, "，原名称为 ")}`],
  ),
  "row.unchanged": event<RowLine>()(["a row was already correct (debug)", "记录原本就正确（debug）"], [(line) => `row ${row(line)}: unchanged`, (line) => `记录 ${row(line)}：未变`]),
  "verify.done": event<{ packages: number; rows: number }>()(
    ["read back: every package is complete, every row exists", "已读回校验：每个探针包完整，每条记录都存在"],
    ["verified: {packages:package} completely stored, {rows:row} registered", "校验通过：{packages} 个探针包已完整存储，{rows} 条记录已登记"],
  ),
  "verify.failed": reasonEvent("a difference from the expected state (one line each)", "一处与预期不一致（每处一行）"),
  "verify.waiting": event<{ differences: number; first: string; seconds: number; left: number }>()(
    ["verify --wait: the differences that remain; when they change, and every 10 s", "verify --wait：仍在等待的内容；变化时及每 10 秒输出"],
    ["waiting for {differences:difference} to end, first: {first}; {seconds} s so far, {left} s left", "等待一致：还有 {differences} 处不一致，首先是 {first}；已等待 {seconds} 秒，剩余 {left} 秒"],
  ),
  "cleanup.failed": reasonEvent("something could not be undone; the next run will do it", "有内容未能撤销，下一次运行会处理"),
  "gate.waiting": event<{ missing: string[]; seconds: number; left: number }>()(
    ["gate: no controller can be installed yet, on which platforms; when that changes, and every 10 s", "gate：还没有可安装的控制器，列出平台；变化时及每 10 秒输出"],
    [
      ({ missing, seconds, left }) => `waiting for a controller that can be installed${on(missing, "en")}: ${seconds} s so far, ${left} s left`,
      ({ missing, seconds, left }) => `等待可安装的控制器${on(missing, "zh")}：已等待 ${seconds} 秒，剩余 ${left} 秒`,
    ],
  ),
  "gate.open": event<{ seconds: number }>()(
    ["gate: a controller is registered and stored, or was once", "gate：控制器已就绪，或曾经就绪，放行"],
    ["a controller is registered and stored, or was once: the gate is open", "控制器已登记并存储，或曾经如此，放行"],
  ),
  "definitions.waiting": event<{ seconds: number; left: number }>()(
    ["BK-Lite's first start has not yet filled its list of collectors (node_mgmt_collector); every 10 s", "BK-Lite 首次启动尚未写入采集器清单（node_mgmt_collector）；每 10 秒输出"],
    ["waiting for BK-Lite's first start to fill node_mgmt_collector: {seconds} s so far, {left} s left", "等待 BK-Lite 首次启动写入 node_mgmt_collector：已等待 {seconds} 秒，剩余 {left} 秒"],
  ),
  "migrations.waiting": event<{ count: number; seconds: number; left: number }>()(
    ["BK-Lite's server is still migrating the database: migrations so far; every 10 s", "BK-Lite 服务端仍在迁移数据库：已完成的迁移数；每 10 秒输出"],
    [
      "waiting for BK-Lite's first start to finish its migrations ({count} so far): {seconds} s so far, {left} s left",
      "等待 BK-Lite 首次启动完成迁移（已完成 {count} 个）：已等待 {seconds} 秒，剩余 {left} 秒",
    ],
  ),
  "migrations.unreadable": event()(
    ["django_migrations may not be read, so the job does not check whether the server is migrating (debug)", "无权读取 django_migrations，因此不检查服务端是否仍在迁移（debug）"],
    ["no SELECT on django_migrations: the job does not check whether BK-Lite's server is still migrating", "没有 django_migrations 的 SELECT 权限：不检查 BK-Lite 服务端是否仍在迁移"],
  ),
  "platform.summary": event<PlatformEntry>()(
    ["what can be installed on a platform, and what is missing (one line each; a table on a terminal)", "某个平台可安装的内容与缺少的内容（每个平台一行；终端上为表格）"],
    [
      ({ os, arch, controller, collectors, missing }) =>
        `${platformOf({ os, arch })}: controller ${controller.join(", ") || "none"}, ${plural(collectors.installable.length, "collector")} can be installed${collectors.listed.length > 0 ? `, ${collectors.listed.length} without an object` : ""}: ${missing.length > 0 ? `incomplete, no ${missing.join(", no ")}` : "complete"}`,
      ({ os, arch, controller, collectors, missing }) =>
        `${platformOf({ os, arch })}：控制器 ${controller.join("、") || "无"}，可安装的采集器 ${collectors.installable.length} 个${collectors.listed.length > 0 ? `，仅有登记 ${collectors.listed.length} 个` : ""}：${missing.length > 0 ? `不完整，缺少${missing.join("、")}` : "完整"}`,
    ],
  ),
  "probes.summary": event<{ present: string[]; missing: string[] }>()(
    ["which APM probes are stored, by language; if any is stored or required", "已存储的 APM 探针（按语言）；仅在有探针或 REQUIRE 指定探针时输出"],
    [
      ({ present, missing }) => `APM probes: ${present.join(", ") || "none"}${missing.length > 0 ? `; not stored: ${missing.join(", ")}` : ""}`,
      ({ present, missing }) => `APM 探针：${present.join("、") || "无"}${missing.length > 0 ? `；未存储：${missing.join("、")}` : ""}`,
    ],
  ),
  "platform.warning": reasonEvent("a part that a platform lacks, and what will fail in BK-Lite", "平台缺少的内容，以及 BK-Lite 中会失败的操作"),
  "prune.planned": event<RemovedLine>()(
    ["an old version that would be removed: row, key, bytes (prune without --yes; plan with KEEP_VERSIONS)", "将删除的旧版本：记录、键、字节数（prune 未加 --yes；设置 KEEP_VERSIONS 时的 plan）"],
    [(line) => `would be removed: ${removed(line, "en")}`, (line) => `将删除：${removed(line, "zh")}`],
  ),
  "prune.removed": event<RemovedLine>()(
    ["an old version was removed: row, key, bytes", "已删除一个旧版本：记录、键、字节数"],
    [(line) => `removed: ${removed(line, "en")}`, (line) => `已删除：${removed(line, "zh")}`],
  ),
  "prune.kept": reasonEvent("prune: a version that stays although it was named, or whose place among the others is unknown", "prune：已指定但予以保留的版本，或无法与其他版本比较新旧的版本"),
  "region.summary": event<RegionEntry>()(
    ["the mirror of the bucket in a cloud region: how far it lags, what is missing or damaged there (one line each)", "云区域中存储桶镜像的状态：落后多少，缺少或损坏的内容（每个区域一行）"],
    [(region) => `cloud region ${regionName(region, "en")}: ${regionParts(region, "en").join(", ")}`, (region) => `云区域 ${regionName(region, "zh")}：${regionParts(region, "zh").join("，")}`],
  ),
  "region.warning": reasonEvent("a cloud region whose mirror cannot be read, lacks objects, or keeps what was replaced", "云区域的镜像无法读取、缺少对象，或仍保留已被替换的内容"),
  "region.waiting": event<{ regions: readonly number[]; seconds: number; left: number }>()(
    ["cloud regions of REQUIRE are not complete yet; when that changes, and every 10 s", "REQUIRE 指定的云区域尚未完整；变化时及每 10 秒输出"],
    [
      ({ regions, seconds, left }) => `waiting for cloud ${plural(regions.length, "region")} (${regions.join(", ")}): ${seconds} s so far, ${left} s left`,
      "等待云区域 {regions:、}：已等待 {seconds} 秒，剩余 {left} 秒",
    ],
  ),
  "regions.unreadable": event()(
    ["node_mgmt_cloudregion may not be read, so the job does not check the mirrors in cloud regions", "无权读取 node_mgmt_cloudregion，因此不检查云区域中的镜像"],
    ["no SELECT on node_mgmt_cloudregion: the job does not check the mirrors in cloud regions", "没有 node_mgmt_cloudregion 的 SELECT 权限：不检查云区域中的镜像"],
  ),
  "status.row": event<RowLine & { stored: StoredState; install: InstallState }>()(
    ["status: a row, its object, and whether it can be installed (one line each)", "status：一条记录、对应的对象以及安装的结果（每条一行）"],
    [(fields) => `${row(fields)}: ${installWords(fields.install, "en")[0]}`, (fields) => `${row(fields)}：${installWords(fields.install, "zh")[0]}`],
  ),
  "status.object": event<{ key: string; bytes: number; stored: "whole" | "damaged" }>()(
    ["status: an object under a package's key that no row uses", "status：探针包键下没有记录的对象"],
    ["{key}: no row ({bytes:size})", "{key}：没有记录（{bytes:size}）"],
  ),
  "objects.unlisted": reasonEvent("status: objects under packages' keys that no row uses: their number and bytes", "status：探针包键下没有记录的对象：数量与字节数"),
  "scan.package": event<FoundPackage & { name: string; bytes: number }>()(
    ["scan: what a file on the volume would become", "scan：目录中的文件将成为什么"],
    [
      ({ file, type, object, version, os, arch, bytes }) => `${file}: ${type} ${object} ${version}${os === null ? "" : ` for ${platformOf({ os, arch })}`} (${formatBytes(bytes)})`,
      ({ file, type, object, version, os, arch, bytes }) => `${file}：${type} ${object} ${version}${os === null ? "" : `，${platformOf({ os, arch })}`}（${formatBytes(bytes)}）`,
    ],
  ),
};

export type EventName = keyof typeof EVENTS;
export type EventFields<E extends EventName> = (typeof EVENTS)[E] extends LogEvent<infer F> ? F : never;
