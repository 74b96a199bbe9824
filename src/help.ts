import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { JobError } from "./errors.ts";
import type { Language } from "./messages/define.ts";
import { nearest } from "./nearest.ts";
import { labelled, renderMarkdown, renderTable, type Table, tablesOf } from "./output/markdown.ts";

const SYNTAX = `bklite-package-init [COMMAND] [--auto | --file PATH]
         [--type controller|collector|installer|apm-probe] [--os linux|windows]
         [--arch x86_64|arm64] [--object NAME] [--version VERSION]
         [--require LIST] [--keep N] [--yes] [--wait] [--deep]
         [--json|--html] [-h|--help] [-V]`;

/** The usage in a few lines, for a mistyped command line. */
export const USAGE: Record<Language, string> = {
  en: `usage:   ${SYNTAX}
commands: init (the default), plan, verify, status, prune, wait, gate,
          scan, version, help`,
  zh: `用法：   ${SYNTAX}
命令：   init（默认）、plan、verify、status、prune、wait、gate、scan、
         version、help`,
};

const EN = `${USAGE.en}

Fills BlueKing Lite's node packages: stores the files of a mounted volume in
NATS, registers them in Postgres, verifies both, and shows what can be installed
on which platform. A second run changes nothing.

Commands
  init      wait for the servers, read the volume, upload, register, verify
  plan      show what init would do; writes nothing
  verify    check that everything on the volume is stored and registered;
            with --wait until it is, or until WAIT_TIMEOUT
  status    show what table and bucket hold, and what can be installed; needs
            no volume, writes nothing
  prune     remove old versions (--keep N, or --version V); shows what would
            go, and does it with --yes; what lies on a mounted volume stays
  wait      wait until Postgres (and the table) and NATS (and JetStream) work
  gate      open once a controller is registered and stored; needs no volume
  scan      read and check the volume only; needs no server
  version   the program's version (also -V)
  help      this page; help TOPIC shows a page of the documentation,
            an exit code (help 76) or a reason (help lock.held)

Options
  --auto             everything in PACKAGES_DIR (the default)
  --file PATH        a single file; a bare name is also looked for in
                     PACKAGES_DIR
  --type TYPE        controller (the default), collector, installer, apm-probe
  --os OS            linux or windows; overrides the file's name
  --arch ARCH        x86_64 (amd64) or arm64 (aarch64)
  --object NAME      Controller (the default), Telegraf, Vector, ...
  --version VERSION  the package's version, such as 1.0.0 or latest
  --keep N           prune: versions of each package that stay, the newest
  --yes              prune: do it
  --require LIST     what must be complete, instead of REQUIRE
  --deep             init, plan, verify, status: read the bytes of every object
                     back and compare their SHA-256; init stores damaged ones
                     again
  --json             the report on standard output, the log on standard error
  --html             the report as an HTML page, likewise

Examples
  bklite-package-init
  bklite-package-init plan
  bklite-package-init --file fusion-collectors-linux-amd64.zip --version 2.0.0
  bklite-package-init --file telegraf --type collector --object Telegraf

Common variables (help configuration lists all)
  PACKAGES_DIR       the volume; /packages
  DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD (or DATABASE_URL)
                     Postgres of BK-Lite; DB_PASSWORD_FILE for a mounted secret
  NATS_SERVERS, NATS_USER, NATS_PASSWORD, NATS_NAMESPACE
                     NATS of BK-Lite, and the bucket; bklite
  NATS_TLS_CA_FILE   the CA of its certificate
  PACKAGE_VERSION    for controller archives whose names have none
  ON_CONFLICT        same version, different content: replace, keep, fail
  REQUIRE            what must be complete: linux/x86_64,apm/java,region/2
  WAIT_TIMEOUT       seconds to wait for the servers and for the lock; 300
  REPORT_FILE        path of the report; several with commas; a name in
                     .html gets a page
  LOG_LEVEL, LOG_FORMAT (json, pretty), LOG_LANG (en, zh)

Exit codes (* a retry may help)
   0  stored, registered, verified     74* a file, or the output, failed
  64  command line                     75* lock not free in time, RUN_TIMEOUT
  65  a package is invalid             76* verification failed, or a platform
  66  no volume, or nothing on it          of REQUIRE is incomplete
  69* Postgres or NATS not ready       77  login, certificate or privilege
  70  a bug here                       78  configuration, table or bucket
  73  store full or sealed            130*, 143* stopped by a signal
`;

const ZH = `${USAGE.zh}

为蓝鲸 Lite 准备节点探针包：将挂载卷上的文件存入 NATS 对象存储，在 Postgres
中登记，逐一校验，并说明各平台可以安装什么。重复运行不会产生任何改动。

命令
  init      等待服务就绪，读取卷，上传，登记，校验
  plan      显示 init 将执行的操作，不写入任何内容
  verify    检查卷上的内容是否均已存储并登记；加 --wait 则持续检查，
            直至通过或超过 WAIT_TIMEOUT
  status    显示数据表与存储桶的现状以及可安装的内容；不需要卷，不写入任何内容
  prune     删除旧版本（--keep N 或 --version V）；默认只列出，加 --yes 才
            执行；已挂载的卷中的版本予以保留
  wait      等待 Postgres（及数据表）与 NATS（及 JetStream）可用
  gate      有控制器已登记并存储后放行，不需要卷
  scan      仅读取并检查卷，不需要任何服务
  version   程序版本（同 -V）
  help      显示本页；help TOPIC 显示相应文档、
            退出码（help 76）或原因（help lock.held）

选项
  --auto             处理 PACKAGES_DIR 中的全部文件（默认）
  --file PATH        指定单个文件；只给文件名时也会在 PACKAGES_DIR 中查找
  --type TYPE        controller（默认）、collector、installer、apm-probe
  --os OS            linux 或 windows，优先于文件名中的信息
  --arch ARCH        x86_64（amd64）或 arm64（aarch64）
  --object NAME      Controller（默认）、Telegraf、Vector 等
  --version VERSION  探针包版本，如 1.0.0 或 latest
  --keep N           prune：每个探针包保留最新的 N 个版本
  --yes              prune：执行删除
  --require LIST     必须完整的内容，代替 REQUIRE
  --deep             init、plan、verify、status：回读每个对象的内容并比对
                     SHA-256；init 会重新存储已损坏的对象
  --json             报告写到标准输出，日志写到标准错误
  --html             同上，但报告为可打印、存档和签字的页面

示例
  bklite-package-init
  bklite-package-init plan
  bklite-package-init --file fusion-collectors-linux-amd64.zip --version 2.0.0
  bklite-package-init --file telegraf --type collector --object Telegraf

常用环境变量（完整列表见 help configuration）
  PACKAGES_DIR       卷的路径，默认 /packages
  DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD（或 DATABASE_URL）
                     BK-Lite 的 Postgres；挂载的密钥用 DB_PASSWORD_FILE
  NATS_SERVERS, NATS_USER, NATS_PASSWORD, NATS_NAMESPACE
                     BK-Lite 的 NATS 及存储桶，存储桶默认 bklite
  NATS_TLS_CA_FILE   NATS 证书的 CA 文件
  PACKAGE_VERSION    控制器压缩包未标明版本时使用的版本
  ON_CONFLICT        版本相同而内容不同时：replace、keep、fail
  REQUIRE            必须完整的内容，如 linux/x86_64,apm/java,region/2
  WAIT_TIMEOUT       等待服务和锁的秒数，默认 300
  REPORT_FILE        报告的路径，多个以逗号分隔；以 .html 结尾时为页面
  LOG_LEVEL, LOG_FORMAT（json、pretty）, LOG_LANG（en、zh）

退出码（带 * 的可重试）
   0  已存储、登记并校验               74* 文件或输出读写失败
  64  命令行错误                       75* 未及时获得锁，或超过 RUN_TIMEOUT
  65  探针包无效                       76* 校验失败，或 REQUIRE 中的平台不完整
  66  卷不存在或为空                   77  登录、证书或权限问题
  69* Postgres 或 NATS 未就绪          78  配置、数据表或存储桶问题
  70  程序缺陷                        130*、143* 被信号停止
  73  存储空间不足或已封存
`;

/** The page of `--help`. */
export const HELP: Record<Language, string> = { en: EN, zh: ZH };

/**
 * Returns the page of `help TOPIC` in lines of `width` terminal cells: an exit code, a reason, or a page of
 * the documentation, from the folder `docs` beside the program or one folder up. Throws exit 64 for an
 * unknown topic.
 */
export function helpPage(
  topic: string | undefined,
  { language, width }: HelpOptions,
  programDir: string,
): string {
  if (topic === undefined) return HELP[language];
  const folders = [join(programDir, "docs"), join(programDir, "..", "docs")];
  const docs = folders.find((folder) => topicsIn(folder).length > 0) ?? "";
  const topics = topicsIn(docs);
  const page = (name: string) => {
    const own = join(docs, "zh-CN", `${name}.md`);
    const translated = language === "zh" && topicsIn(join(docs, "zh-CN")).includes(name);
    return readFileSync(translated ? own : join(docs, `${name}.md`), "utf8");
  };
  if (topics.includes(topic)) return renderMarkdown(page(topic), width);
  const found = ["output", "troubleshooting", "reasons"]
    .filter((name) => topics.includes(name))
    .flatMap((name) => rowsOf(page(name), topic));
  if (found.length > 0) return `${found.flatMap((table) => renderTable(table, width)).join("\n")}\n`;
  const reasons = topics.includes("reasons")
    ? tablesOf(page("reasons")).flatMap(({ rows }) => rows.map(([id = ""]) => id))
    : [];
  throw new JobError("usage.topic", { topic, topics, nearest: nearest(topic, [...topics, ...reasons]) });
}

interface HelpOptions {
  language: Language;
  /** Terminal cells of a line. */
  width: number;
}

/** Returns the row of an exit code or a reason; for an exit code also the reasons that end a run with it. */
function rowsOf(markdown: string, topic: string): Table[] {
  const tables = tablesOf(markdown);
  const own = tables.flatMap(({ heads, rows }) => {
    const [row] = rows.filter(([first]) => first === topic);
    return row && (/^\d+$/.test(topic) || topic.includes(".")) ? [{ heads, rows: [row] }] : [];
  });
  // in the page of reasons the second column is the exit code
  const ids = tables.flatMap(({ rows }) =>
    rows.flatMap(([id = "", exit, again]) => (exit === topic && again ? [id] : [])),
  );
  const head = (tables[0]?.heads[0] ?? "").replace(/^reason$/, "reasons");
  return ids.length > 0 && own.length === 0
    ? [{ heads: [""], rows: [[labelled({ head, cell: ids.join(", ") })]] }]
    : own;
}

function topicsIn(folder: string): string[] {
  try {
    const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));
    return pages.map((name) => name.slice(0, -".md".length)).sort();
  } catch {
    return [];
  }
}
