import { plural, reason } from "./define.ts";

interface LostSaid {
  said: string;
}

/** Why the gate is still shut: a run is at work, a row has no whole object, all controllers are for other platforms, or no init has run. */
export type GateHint = "running" | "object" | "platform" | "init";

const HINT: Record<GateHint, Record<"en" | "zh", string>> = {
  running: {
    en: "wait until the init that is at work has ended: the pod starts again by itself; if it does not, raise WAIT_TIMEOUT",
    zh: "请等待正在运行的 init 任务结束：Pod 会自动重启；如果不会，请调大 WAIT_TIMEOUT",
  },
  object: {
    en: "run init with the controller's archive on the volume, and check NATS_NAMESPACE: a controller is registered, but its row is not ready, its object is missing or damaged, or its name does not end in .zip",
    zh: "请在目录（PACKAGES_DIR）中放入控制器探针包并运行 init，同时检查 NATS_NAMESPACE：控制器已登记，但其记录未就绪、其对象缺失或已损坏，或其名称不以 .zip 结尾",
  },
  platform: {
    en: "run init with that platform's archive on the volume, or take it out of REQUIRE: all controllers that are there are for other platforms",
    zh: "请在目录（PACKAGES_DIR）中放入该平台的控制器探针包并运行 init，或从 REQUIRE 中去掉该平台：现有的控制器都属于其他平台",
  },
  init: {
    en: "look at the log of the init job, and check that it uses this bucket and database: no controller was ever registered here",
    zh: "请查看 init 任务的日志，并确认它使用的是同一个存储桶和数据库：这里还没有登记过控制器",
  },
};

const RUN_INIT = "run init, and look at its exit code";
const RUN_INIT_ZH = "请运行 init，并查看其退出码";

interface Identity {
  type: string;
  os: string;
  /** null where the table does not tell architectures apart. */
  arch: string | null;
  object: string;
  version: string;
}

const what = ({ type, os, arch, object, version }: Identity) => `${type} ${arch === null ? os : `${os}/${arch}`} ${object} ${version}`;

/** The run itself: how it ends, what it waits for, and what verification finds. */
export const run = {
  // What ends a run from outside, what it cannot leave behind, and what should never happen.
  internal: reason<{ message: string }>({
    exit: 70,
    en: [({ message }) => `internal error: ${message}`, "this is a bug in bklite-package-init: report it with this log, which holds its stack"],
    zh: [({ message }) => `内部错误：${message}`, "这是 bklite-package-init 的缺陷，请附上本日志（含调用栈）反馈"],
  }),
  "run.sigint": reason({
    exit: 130,
    en: ["stopped by SIGINT", "run again: what is stored already is not sent again"],
    zh: ["收到 SIGINT 信号，已停止", "重新运行即可，已存储的内容不会再次上传"],
  }),
  "run.sigterm": reason({
    exit: 143,
    en: ["stopped by SIGTERM", "run again: what is stored already is not sent again"],
    zh: ["收到 SIGTERM 信号，已停止", "重新运行即可，已存储的内容不会再次上传"],
  }),
  "run.sighup": reason({
    exit: 143,
    en: [
      "stopped by SIGHUP: the terminal was closed",
      "run again: what is stored already is not sent again; to keep a run going without its terminal use docker compose up -d, setsid or tmux (nohup has no effect on Node.js)",
    ],
    zh: ["收到 SIGHUP 信号（终端已关闭），已停止", "请重新运行，已存储的内容不会再次上传；如需脱离终端运行，请使用 docker compose up -d、setsid 或 tmux（nohup 对 Node.js 无效）"],
  }),
  "run.timeout": reason<{ seconds: number }>({
    exit: 75,
    en: [({ seconds }) => `the run took longer than RUN_TIMEOUT (${seconds} s)`, "raise RUN_TIMEOUT, or find out what takes so long: the log has a line every 10 s"],
    zh: [({ seconds }) => `运行时间超过 RUN_TIMEOUT（${seconds} 秒）`, "调大 RUN_TIMEOUT，或查明耗时所在：日志每 10 秒输出一行进度"],
  }),
  "report.unwritable": reason<{ path: string; said: string }>({
    exit: null,
    en: [({ path, said }) => `the report could not be written to REPORT_FILE ${path} (${said})`, "free space on its disk, or name a path on another one: the run itself is not affected"],
    zh: [({ path, said }) => `无法将报告写入 REPORT_FILE 指定的 ${path}（${said}）`, "请释放该磁盘的空间，或改用其他磁盘上的路径；本次运行的结果不受影响"],
  }),
  "output.unwritable": reason<{ said: string }>({
    exit: 74,
    en: [
      ({ said }) => `the report could not be written to standard output (${said})`,
      "free space where standard output goes, or keep its reader running, and run again: what is stored already is not sent again",
    ],
    zh: [({ said }) => `无法将报告写入标准输出（${said}）`, "请释放标准输出所在磁盘的空间，或保持读取方运行，然后重新运行：已存储的内容不会再次上传"],
  }),
  // BK-Lite's first start was not over when the waiting for it was.
  "definitions.empty": reason<{ seconds: number }>({
    exit: null,
    en: [
      ({ seconds }) => `BK-Lite's list of collectors (node_mgmt_collector) is still empty after ${seconds} s: the built-in list is used`,
      "see whether BK-Lite's server has finished its first start (node_init), then run the job again",
    ],
    zh: [({ seconds }) => `等待 ${seconds} 秒后，BK-Lite 的采集器清单（node_mgmt_collector）仍为空：改用内置清单`, "请确认 BK-Lite 服务端首次启动（node_init）已完成，然后重新运行本任务"],
  }),
  "definitions.migrating": reason<{ seconds: number }>({
    exit: null,
    en: [
      ({ seconds }) => `BK-Lite's server is still migrating the database after ${seconds} s: the job goes on`,
      "run the job again when BK-Lite's server has started: what is written now may not fit the finished table",
    ],
    zh: [({ seconds }) => `等待 ${seconds} 秒后，BK-Lite 服务端仍在迁移数据库：本任务继续执行`, "请在 BK-Lite 服务端启动完成后重新运行本任务：现在写入的内容可能与迁移后的表不符"],
  }),
  // Of Postgres: what a clean start may mend.
  "run.postgres.lost": reason<LostSaid>({
    exit: 69,
    en: [({ said }) => `the connection to Postgres was lost during the run: ${said}`, "check Postgres's log and the network, then run again: what is stored already is not sent again"],
    zh: [({ said }) => `运行期间与 Postgres 的连接中断：${said}`, "请检查 Postgres 的日志和网络后重新运行，已存储的内容不会再次上传"],
  }),
  "lock.lost": reason({
    exit: 69,
    en: ["this session does not hold the bucket's lock any more", "something ended or reset the session in Postgres: check its log, then run again"],
    zh: ["当前会话已不再持有存储桶的锁", "Postgres 中的会话被终止或重置：请检查其日志后重新运行"],
  }),
  "row.contended": reason<LostSaid>({
    exit: 75,
    en: [({ said }) => `somebody else wrote the same rows in the meantime: ${said}`, "find out who uploads at the same time (the web page, another bootstrap), then run again"],
    zh: [({ said }) => `其他程序在此期间写入了相同的记录：${said}`, "请查明是谁在同时上传（页面、其他初始化脚本），然后重新运行"],
  }),
  "gate.closed": reason<{ missing: readonly string[]; seconds: number; hint: GateHint }>({
    exit: 76,
    en: [
      ({ missing, seconds }) =>
        missing.includes("*")
          ? `no controller that can be installed was there within ${seconds} s (WAIT_TIMEOUT)`
          : `no controller that can be installed on ${missing.join(", ")} was there within ${seconds} s (WAIT_TIMEOUT)`,
      ({ hint }) => HINT[hint].en,
    ],
    zh: [
      ({ missing, seconds }) =>
        missing.includes("*") ? `等待 ${seconds} 秒（WAIT_TIMEOUT）后仍没有可安装的控制器` : `等待 ${seconds} 秒（WAIT_TIMEOUT）后 ${missing.join("、")} 仍没有可安装的控制器`,
      ({ hint }) => HINT[hint].zh,
    ],
  }),
  // How servers differ from what the volume asks for; each in the words that follow a file's name.
  "drift.object.missing": reason<{ key: string }>({
    exit: 76,
    en: [({ key }) => `object ${key} is missing`, RUN_INIT],
    zh: [({ key }) => `缺少对象 ${key}`, RUN_INIT_ZH],
  }),
  "drift.object.damaged": reason<{ key: string; stored: number; chunks: number }>({
    exit: 76,
    en: [({ key, stored, chunks }) => `object ${key} is damaged: ${stored} of ${plural(chunks, "chunk")} are stored`, RUN_INIT],
    zh: [({ key, stored, chunks }) => `对象 ${key} 已损坏：${chunks} 个分块中只存有 ${stored} 个`, RUN_INIT_ZH],
  }),
  "drift.object.unreadable": reason<{ key: string }>({
    exit: 76,
    en: [({ key }) => `object ${key} cannot be read by any client: its metadata is damaged`, RUN_INIT],
    zh: [({ key }) => `对象 ${key} 的元数据已损坏，任何客户端都无法读取`, RUN_INIT_ZH],
  }),
  "drift.object.different": reason<{ key: string; stored: string; local: string }>({
    exit: 76,
    en: [({ key, stored, local }) => `object ${key} has different content: SHA-256 ${stored}, on the volume ${local}`, RUN_INIT],
    zh: [({ key, stored, local }) => `对象 ${key} 内容不同：SHA-256 ${stored}，卷上为 ${local}`, RUN_INIT_ZH],
  }),
  "drift.row.missing": reason<Identity>({
    exit: 76,
    en: [(row) => `its row is missing: ${what(row)}`, RUN_INIT],
    zh: [(row) => `缺少记录：${what(row)}`, RUN_INIT_ZH],
  }),
  "drift.row.name": reason<Identity & { id: number; name: string; expected: string }>({
    exit: 76,
    en: [(row) => `row ${row.id} (${what(row)}) names ${row.name}, not ${row.expected}`, RUN_INIT],
    zh: [(row) => `记录 ${row.id}（${what(row)}）的名称是 ${row.name}，应为 ${row.expected}`, RUN_INIT_ZH],
  }),
  "drift.row.status": reason<Identity & { id: number; status: string }>({
    exit: 76,
    en: [(row) => `row ${row.id} (${what(row)}) has status "${row.status}", not "ready"`, RUN_INIT],
    zh: [(row) => `记录 ${row.id}（${what(row)}）的状态是“${row.status}”，应为“ready”`, RUN_INIT_ZH],
  }),
  "drift.row.digest": reason<Identity & { id: number; found: string; stored: string }>({
    exit: 76,
    en: [(row) => `row ${row.id} (${what(row)}) has SHA-256 "${row.found}", its object ${row.stored}`, RUN_INIT],
    zh: [(row) => `记录 ${row.id}（${what(row)}）的 SHA-256 是“${row.found}”，其对象为 ${row.stored}`, RUN_INIT_ZH],
  }),
  "verification.failed": reason<{ problems: number; first: Record<"en" | "zh", string> }>({
    exit: 76,
    en: [({ problems, first }) => `verification failed: ${plural(problems, "problem")}${problems > 1 ? "; first" : ""}: ${first.en}`, RUN_INIT],
    zh: [({ problems, first }) => `校验失败：共 ${problems} 处问题${problems > 1 ? "，第一处" : ""}：${first.zh}`, RUN_INIT_ZH],
  }),
  "verification.unstable": reason<{ first: Record<"en" | "zh", string> }>({
    exit: 76,
    en: [({ first }) => `what was written is not there: ${first.en}`, "run again; if it stays so, somebody else changes the bucket or the table at the same time"],
    zh: [({ first }) => `写入的内容读不到：${first.zh}`, "请重新运行；如果仍然如此，说明有其他程序同时在修改存储桶或数据表"],
  }),
  "content.replaced": reason<{ key: string; stored: string; local: string }>({
    exit: null,
    en: [
      ({ key, stored, local }) => `replaced different content that was stored under this version: ${key} (SHA-256 was ${stored}, is ${local})`,
      "nothing has to be done if this build is meant to replace that one; ON_CONFLICT=keep or fail would not have",
    ],
    zh: [({ key, stored, local }) => `该版本原有内容不同，已替换：${key}（SHA-256 原为 ${stored}，现为 ${local}）`, "如果本来就要用这次构建替换，则无需处理；ON_CONFLICT=keep 或 fail 则不会替换"],
  }),
  "content.kept": reason<{ key: string; stored: string; local: string }>({
    exit: null,
    en: [
      ({ key, stored, local }) => `different content is stored under this version and stays: ${key} (SHA-256 stored ${stored}, on the volume ${local})`,
      "to have this build installed, give it another version, or set ON_CONFLICT=replace",
    ],
    zh: [({ key, stored, local }) => `该版本已存储的内容不同，予以保留：${key}（SHA-256 已存储 ${stored}，卷上 ${local}）`, "要安装这次构建，请换一个版本号，或设置 ON_CONFLICT=replace"],
  }),
};
