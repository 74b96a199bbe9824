import { ending, fill, type Language, list, plural, quoteForShell, tryAgain, unavailable, unreadable, unverified, type Words, warning, withRemedy } from "./define.ts";
import type { KeptReason } from "./events.ts";

/**
 * Why the gate is still closed: a run is at work, a row has no whole object, all controllers are for other
 * platforms, or no init has run.
 */
export type GateHint = "running" | "object" | "platform" | "init";

const HINT: Record<GateHint, Record<"en" | "zh", string>> = {
  running: {
    en: "wait until the init that is at work has ended, as the pod restarts by itself; if it does not, raise WAIT_TIMEOUT",
    zh: "请等待正在运行的 init 任务结束：Pod 会自动重启；如果不会，请调大 WAIT_TIMEOUT",
  },
  object: {
    en: "run init with the controller's archive on the volume, and check NATS_NAMESPACE: a controller is registered, but its row is not ready, its object is missing or damaged, or its name does not end in .zip",
    zh: "请在卷（PACKAGES_DIR）中放入控制器探针包并运行 init，同时检查 NATS_NAMESPACE：控制器已登记，但其记录未就绪、其对象缺失或已损坏，或其名称不以 .zip 结尾",
  },
  platform: {
    en: "run init with that platform's archive on the volume, or remove the platform from REQUIRE: all registered controllers are for other platforms",
    zh: "请在卷（PACKAGES_DIR）中放入该平台的控制器探针包并运行 init，或从 REQUIRE 中去掉该平台：现有的控制器都属于其他平台",
  },
  init: {
    en: "look at the log of the init job, and check that it uses this bucket and database: no controller was ever registered here",
    zh: "请查看 init 任务的日志，并确认它使用的是同一个存储桶和数据库：这里还没有登记过控制器",
  },
};

const AGAIN = { en: "run again: stored objects are not uploaded again", zh: "请重新运行：已存储的内容不会再次上传" };

interface Identity {
  type: string;
  os: string;
  /** null if the table has no architecture column. */
  arch: string | null;
  object: string;
  version: string;
}

const what = ({ type, os, arch, object, version }: Identity) => `${type} ${arch === null ? os : `${os}/${arch}`} ${object} ${version}`;

type Closed = { missing: readonly string[]; seconds: number; hint: GateHint };
type First = { first: Record<Language, string> };
type Kept = { rows: readonly string[]; version: string; why: KeptReason };

/** Why versions stay, and what to do about it. */
const KEPT: Record<KeptReason, Record<"en" | "zh", Words<string>>> = {
  latest: {
    en: ["latest is replaced by each upload", "delete it on BK-Lite's page if it must go"],
    zh: ["latest 会随每次上传被替换", "请在 BK-Lite 页面上删除它（如果确实不再需要）"],
  },
  user: {
    en: ["uploaded by a user", "delete it on BK-Lite's page if it must go"],
    zh: ["由用户上传", "请在 BK-Lite 页面上删除它（如果确实不再需要）"],
  },
  "not-ready": {
    en: ["not ready yet in BK-Lite", "wait until BK-Lite has finished with it, or delete it on BK-Lite's page"],
    zh: ["BK-Lite 尚未处理完", "请等待 BK-Lite 处理完成，或在 BK-Lite 页面上删除它"],
  },
  unordered: {
    en: ["the version cannot be compared with the others", (version) => `run bklite-package-init prune --version ${quoteForShell(version)} --yes if it must go`],
    zh: ["无法与其他版本比较新旧", (version) => `请执行 bklite-package-init prune --version ${quoteForShell(version)} --yes 将其删除（如果不再需要）`],
  },
  volume: {
    en: ["on the volume (PACKAGES_DIR), so the next init would store it again", "remove the file from the volume, then run prune again"],
    zh: ["仍在卷（PACKAGES_DIR）中，下一次 init 会再次存储", "请先从该目录中移走相应文件，再次执行 prune"],
  },
  last: {
    en: ["no other version of the object is stored as well as this one", "store another version first"],
    zh: ["该对象没有其他同样完整的版本", "请先存入另一个版本"],
  },
};

/** A difference between the servers and the volume; its words follow the file's name. */
const drift = withRemedy(unverified, { en: "run init, and check its exit code", zh: "请运行 init，并查看其退出码" });

interface Stored {
  key: string;
  /** Of the bytes that were read; bytes and lower-case hex. */
  bytes: number;
  sha256: string;
  /** By the metadata. */
  size: number;
  digest: string;
}

const bytesDiffer = ({ key, bytes, sha256, size, digest }: Stored, language: Language) =>
  ({
    en: `object ${key} is damaged: its chunks are ${plural(bytes, "byte")} with SHA-256 ${sha256}, its metadata says ${size} with ${digest}`,
    zh: `对象 ${key} 已损坏：其分块共 ${bytes} 字节，SHA-256 为 ${sha256}；元数据为 ${size} 字节，${digest}`,
  })[language];

/** A damaged object of which the volume has no file. */
const notHere = withRemedy(unverified, {
  en: "put its file on the volume and run init --deep, or delete the package on BK-Lite's page and upload it there again",
  zh: "请将对应文件放入卷（PACKAGES_DIR）并运行 init --deep，或在 BK-Lite 页面上删除该探针包后重新上传",
});

/** The run itself: how it ends, what it waits for, and what verification finds. */
export const run = {
  // The end of a run: a bug, a signal, the time limit, and output that cannot be written.
  internal: ending(70)(
    ["internal error: {message}", "report this bug of bklite-package-init with this log, which contains the stack"],
    ["内部错误：{message}", "请附上本日志（含调用栈）反馈此 bklite-package-init 缺陷"],
  ),
  "run.sigint": ending(130)(["stopped by SIGINT", AGAIN.en], ["收到 SIGINT 信号，已停止", AGAIN.zh]),
  "run.sigterm": ending(143)(["stopped by SIGTERM", AGAIN.en], ["收到 SIGTERM 信号，已停止", AGAIN.zh]),
  "run.sighup": ending(143)(
    [
      "stopped by SIGHUP: the terminal was closed",
      "run again with docker compose up -d, setsid or tmux, which need no terminal (nohup has no effect on Node.js): stored objects are not uploaded again",
    ],
    ["收到 SIGHUP 信号（终端已关闭），已停止", "请用 docker compose up -d、setsid 或 tmux 重新运行以脱离终端（nohup 对 Node.js 无效）：已存储的内容不会再次上传"],
  ),
  "run.timeout": tryAgain(
    ["the run took longer than RUN_TIMEOUT ({seconds} s)", "raise RUN_TIMEOUT, or find out which step is slow: the log has a line every 10 s"],
    ["运行时间超过 RUN_TIMEOUT（{seconds} 秒）", "请调大 RUN_TIMEOUT，或查明耗时所在：日志每 10 秒输出一行进度"],
  ),
  "report.unwritable": warning(
    ["the report could not be written to REPORT_FILE {path} ({said}); the run itself is not affected", "free space on its disk, or set REPORT_FILE to a path on another disk"],
    ["无法将报告写入 REPORT_FILE 指定的 {path}（{said}）；本次运行的结果不受影响", "请释放该磁盘的空间，或将 REPORT_FILE 改为其他磁盘上的路径"],
  ),
  "output.unwritable": unreadable(
    [
      "the report could not be written to standard output ({said})",
      "free space where standard output goes, or keep the program that reads it running, and run again: stored objects are not uploaded again",
    ],
    ["无法将报告写入标准输出（{said}）", "请释放标准输出所在磁盘的空间，或保持读取方运行，然后重新运行：已存储的内容不会再次上传"],
  ),
  // BK-Lite's first start was not over when the waiting was.
  "definitions.empty": warning(
    [
      "BK-Lite's list of collectors (node_mgmt_collector) is still empty after {seconds} s: the built-in list is used",
      "check that BK-Lite's server has finished its first start (node_init), then run again",
    ],
    ["等待 {seconds} 秒后，BK-Lite 的采集器清单（node_mgmt_collector）仍为空：改用内置清单", "请确认 BK-Lite 服务端首次启动（node_init）已完成，然后重新运行本任务"],
  ),
  "definitions.migrating": warning(
    ["BK-Lite's server is still migrating the database after {seconds} s: the job goes on, and its rows may not fit the finished table", "run again when BK-Lite's server has started"],
    ["等待 {seconds} 秒后，BK-Lite 服务端仍在迁移数据库：本任务继续执行，写入的内容可能与迁移后的表不符", "请在 BK-Lite 服务端启动完成后重新运行本任务"],
  ),
  // Postgres, during the run.
  "run.postgres.lost": unavailable(
    ["the connection to Postgres was lost during the run: {said}", "check Postgres's log and the network, then run again: stored objects are not uploaded again"],
    ["运行期间与 Postgres 的连接中断：{said}", "请检查 Postgres 的日志和网络后重新运行，已存储的内容不会再次上传"],
  ),
  "lock.lost": unavailable(
    ["this session no longer holds the bucket's lock: it was ended or reset in Postgres", "check Postgres's log, then run again"],
    ["当前会话已不再持有存储桶的锁：该会话在 Postgres 中被终止或重置", "请检查 Postgres 的日志后重新运行"],
  ),
  "row.contended": tryAgain(
    ["another program wrote the same rows at the same time: {said}", "find out which program uploads at the same time (BK-Lite's page, another init script), then run again"],
    ["其他程序在此期间写入了相同的记录：{said}", "请查明是哪个程序在同时上传（BK-Lite 页面、其他初始化脚本），然后重新运行"],
  ),
  "gate.closed": unverified(
    [
      ({ missing, seconds }: Closed) => `no installable controller${missing.includes("*") ? "" : ` for ${missing.join(", ")}`} appeared within ${seconds} s (WAIT_TIMEOUT)`,
      ({ hint }: Closed) => HINT[hint].en,
    ],
    [({ missing, seconds }: Closed) => `等待 ${seconds} 秒（WAIT_TIMEOUT）后${missing.includes("*") ? "" : ` ${missing.join("、")} `}仍没有可安装的控制器`, ({ hint }: Closed) => HINT[hint].zh],
  ),
  "prune.kept": warning(
    [({ rows, why }: Kept) => list(`${plural(rows.length, "version")} not removed: ${KEPT[why].en[0]}:`, rows), ({ version, why }: Kept) => fill(KEPT[why].en[1], version)],
    [({ rows, why }: Kept) => list(`${rows.length} 个版本未删除：${KEPT[why].zh[0]}：`, rows), ({ version, why }: Kept) => fill(KEPT[why].zh[1], version)],
  ),
  // Verification.
  "drift.object.missing": drift("object {key} is missing", "缺少对象 {key}"),
  "drift.object.damaged": drift("object {key} is damaged: {stored} of {chunks:chunk} are stored", "对象 {key} 已损坏：{chunks} 个分块中只存有 {stored} 个"),
  "drift.object.bytes": unverified(
    [(object: Stored) => bytesDiffer(object, "en"), "run init --deep, which stores the object again"],
    [(object: Stored) => bytesDiffer(object, "zh"), "请运行 init --deep，重新存储该对象"],
  ),
  "drift.object.unreadable": drift("object {key} cannot be read by any client: its metadata is damaged", "对象 {key} 的元数据已损坏，任何客户端都无法读取"),
  "drift.object.different": drift("object {key} has different content: SHA-256 {stored}, on the volume {local}", "对象 {key} 内容不同：SHA-256 {stored}，本地为 {local}"),
  "drift.row.missing": drift(
    (row: Identity) => `its row is missing: ${what(row)}`,
    (row: Identity) => `缺少记录：${what(row)}`,
  ),
  "drift.row.name": drift(
    (row: Identity & { id: number; name: string; expected: string }) => `row ${row.id} (${what(row)}) names ${row.name}, not ${row.expected}`,
    (row: Identity & { id: number; name: string; expected: string }) => `记录 ${row.id}（${what(row)}）的名称是 ${row.name}，应为 ${row.expected}`,
  ),
  "drift.row.status": drift(
    (row: Identity & { id: number; status: string }) => `row ${row.id} (${what(row)}) has status "${row.status}", not "ready"`,
    (row: Identity & { id: number; status: string }) => `记录 ${row.id}（${what(row)}）的状态是“${row.status}”，应为“ready”`,
  ),
  "drift.row.digest": drift(
    (row: Identity & { id: number; found: string; stored: string }) => `row ${row.id} (${what(row)}) has SHA-256 "${row.found}", its object ${row.stored}`,
    (row: Identity & { id: number; found: string; stored: string }) => `记录 ${row.id}（${what(row)}）的 SHA-256 是“${row.found}”，其对象为 ${row.stored}`,
  ),
  // --deep: what no file on the volume repairs.
  "object.damaged.bytes": notHere(
    (object: Stored) => bytesDiffer(object, "en"),
    (object: Stored) => bytesDiffer(object, "zh"),
  ),
  "object.damaged.chunks": notHere("object {key} is damaged: {stored} of {chunks:chunk} are stored", "对象 {key} 已损坏：{chunks} 个分块中只存有 {stored} 个"),
  "object.damaged.metadata": notHere("object {key} cannot be read by any client: its metadata is damaged", "对象 {key} 的元数据已损坏，任何客户端都无法读取"),
  "object.damaged.row": notHere("object {key} is not the one of row {id}: its SHA-256 is {stored}, the row has {found}", "对象 {key} 与记录 {id} 不符：其 SHA-256 为 {stored}，记录为 {found}"),
  "verification.failed": drift(
    ({ problems, first }: First & { problems: number }) => `verification failed: ${plural(problems, "problem")}${problems > 1 ? "; first" : ""}: ${first.en}`,
    ({ problems, first }: First & { problems: number }) => `校验失败：共 ${problems} 处问题${problems > 1 ? "，第一处" : ""}：${first.zh}`,
  ),
  "verification.unstable": unverified(
    [({ first }: First) => `what was just written cannot be read back: ${first.en}`, "run again; if this stays, find out which other program changes the bucket or the table"],
    [({ first }: First) => `写入的内容读不到：${first.zh}`, "请重新运行；如果仍然如此，请查明是哪个程序在同时修改存储桶或数据表"],
  ),
  "content.replaced": warning(
    [
      "replaced different content that was stored under this version: {key} (SHA-256 was {stored}, is {local})",
      "do nothing if the new build is meant to replace the old one; otherwise set ON_CONFLICT=keep or ON_CONFLICT=fail",
    ],
    ["该版本原有内容不同，已替换：{key}（SHA-256 原为 {stored}，现为 {local}）", "请确认是否要用这次构建替换；如果不是，请设置 ON_CONFLICT=keep 或 ON_CONFLICT=fail"],
  ),
  "content.kept": warning(
    [
      "different content is stored under this version and stays: {key} (SHA-256 stored {stored}, on the volume {local})",
      "give this file its own version in its name or in packages.json to store it too, or set ON_CONFLICT=replace",
    ],
    ["该版本已存储的内容不同，予以保留：{key}（SHA-256：已存储 {stored}，本地 {local}）", "请在文件名或 packages.json 中为该文件指定新的版本号以便同时存储，或设置 ON_CONFLICT=replace"],
  ),
};
