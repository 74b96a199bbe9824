import {
  connectionReasons,
  denied,
  fill,
  formatBytes,
  type Language,
  list,
  misconfigured,
  plural,
  probeFailures,
  quoteForShell,
  storeFull,
  tryAgain,
  unavailable,
  unreadable,
  warning,
} from "./define.ts";

const connection = connectionReasons("NATS", {
  host: "NATS_SERVERS",
  port: "NATS_SERVERS",
  tls: { en: "NATS_SERVERS (nats:// or tls://)", zh: "NATS_SERVERS（nats:// 或 tls://）" },
  ca: "NATS_TLS_CA_FILE",
  certificate: ["NATS_TLS_CERT_FILE", "NATS_TLS_KEY_FILE"],
  hostname: "NATS_TLS_HOSTNAME",
});

const { failed, said } = probeFailures("NATS");

/** JetStream does not create the bucket, or does not let it be used. */
const bucketFailure =
  (exit: 69 | 73 | 78) =>
  <const Cause extends string, const CauseZh extends string, const En extends string, const Zh extends string>(en: readonly [Cause, En], zh: readonly [CauseZh, Zh]) =>
    said(exit)([`bucket "{bucket}" ${en[0]}`, en[1]] as const, [`存储桶“{bucket}”${zh[0]}`, zh[1]] as const);

/** A setting of the bucket's stream that a command can correct. */
const setting = (en: string, zh: string) =>
  failed(78)(
    [`the stream of bucket "{bucket}" ${en}: it was not created as an object store`, "run {command}"] as const,
    [`存储桶“{bucket}”的流${zh}，并非按对象存储创建`, "请执行 {command}"] as const,
  );

/** A setting of the bucket's stream that cannot be changed. */
const fixed = (en: string, zh: string) =>
  failed(78)(
    [
      `the stream of bucket "{bucket}" ${en}, which cannot be changed`,
      "set NATS_NAMESPACE to another bucket, for BK-Lite's server too, or delete this one with everything in it: nats stream rm OBJ_{bucket}",
    ],
    [`存储桶“{bucket}”的流${zh}，此设置无法更改`, "请用 NATS_NAMESPACE 改用其他存储桶（BK-Lite 服务端须一致），或连同其中的全部内容一起删除：nats stream rm OBJ_{bucket}"],
  );

const PERMISSIONS = { en: "give the job's NATS user the subjects in bklite-package-init help permissions", zh: "请为任务的 NATS 用户授予 bklite-package-init help permissions 列出的主题权限" };
const ENABLE_JETSTREAM = { en: "enable JetStream for the account of the job's NATS user", zh: "请为任务的 NATS 用户所属账户启用 JetStream" };

interface Capacity {
  bucket: string;
  /** In bytes, as all that follow: the least limit that is enough for the whole run. */
  enough: number;
  /** To what the bucket's max_bytes has to be raised too. */
  raised?: number;
}

interface Full {
  bucket: string;
  /** In the words of JetStream. */
  said: string;
  /** What the whole run needs, and the bucket's limit that is enough; undefined: outside of an upload. */
  more?: number;
  enough?: number;
}

type Limit = "bucket" | "account" | "server";

/** A limit in whole MiB: the nats tool and nats-server both read `512MiB`. */
const inMib = (bytes: number) => `${Math.ceil(bytes / 1024 ** 2)}MiB`;

const LIMITS: Record<Limit, Record<Language, string>> = {
  bucket: { en: "the bucket", zh: "存储桶" },
  account: { en: "the NATS account", zh: "NATS 账户" },
  server: { en: "the nats-server", zh: "nats-server" },
};

/** How to raise each limit; `value` is the least that is enough. */
const RAISE: Record<Limit, Record<Language, string>> = {
  bucket: { en: "raise the bucket's limit: nats stream edit OBJ_{bucket} --max-bytes={value}", zh: "请调大存储桶的上限：nats stream edit OBJ_{bucket} --max-bytes={value}" },
  account: {
    en: "raise the account's limit to {value}: max_file in its jetstream block, or nsc edit account --js-disk-storage {value}",
    zh: "请将账户的上限调到 {value}：账户 jetstream 段的 max_file，或 nsc edit account --js-disk-storage {value}",
  },
  server: { en: "free space on the nats-server's disk, or raise max_file_store in its jetstream block", zh: "请释放 nats-server 所在磁盘的空间，或调大其 jetstream 段的 max_file_store" },
};
/** The same if JetStream has not told the limit before it was reached; `value` is what is lacking. */
const RAISE_BY: typeof RAISE = {
  ...RAISE,
  account: {
    en: "raise the account's limit by {value}: max_file in its jetstream block, or nsc edit account --js-disk-storage",
    zh: "请将账户的上限调大 {value}：账户 jetstream 段的 max_file，或 nsc edit account --js-disk-storage",
  },
  server: {
    en: "free {value} on the nats-server's disk, or raise max_file_store in its jetstream block by {value}",
    zh: "请在 nats-server 所在磁盘释放 {value} 空间，或将其 jetstream 段的 max_file_store 调大 {value}",
  },
};
const FREE = { en: "; or set PURGE_ORPHANS=true, which removes what interrupted uploads left over a day ago", zh: "；或设置 PURGE_ORPHANS=true，清除一天前中断的上传留下的内容" };

/** The limit that JetStream's words name: the bucket's max_bytes, the account's storage, or the server's. */
function limitIn(said: string): Limit {
  if (/maximum (?:bytes|messages)/.test(said)) return "bucket";
  return /account/.test(said) ? "account" : "server";
}

/** How to raise a limit that was reached. */
function raise({ bucket, said, more, enough }: Full, language: Language): string {
  const limit = limitIn(said);
  const text =
    more === undefined || enough === undefined
      ? fill(RAISE[limit][language], { bucket, value: "SIZE" })
      : fill(RAISE_BY[limit][language], { bucket, value: inMib(limit === "bucket" ? enough : more) });
  return text + FREE[language];
}

/** A limit that the check before the upload finds too low; the bucket's may be too low as well. */
function tooLow<const En extends string, const Zh extends string>(limit: "bucket" | "account", en: En, zh: Zh) {
  const remedy =
    (language: Language) =>
    ({ bucket, enough, raised }: Capacity) => {
      const first = fill(RAISE[limit][language], { bucket, value: inMib(enough) });
      const then = raised === undefined ? "" : fill(RAISE.bucket[language], { bucket, value: inMib(raised) });
      return `${first}${then && (language === "en" ? `; then ${then}` : `；然后${then}`)}${FREE[language]}`;
    };
  return storeFull(
    [`${en}: ${limit === "bucket" ? "max_bytes" : "limit"} {limit:size}, used {used:size}, {needed:size} more needed` as const, remedy("en")],
    [`${zh}：${limit === "bucket" ? "max_bytes" : "上限"} {limit:size}，已用 {used:size}，还需 {needed:size}` as const, remedy("zh")],
  );
}

interface Unlisted {
  bucket: string;
  count: number;
  bytes: number;
  keys: readonly string[];
}
interface Orphans {
  objects: number;
  bytes: number;
  atLeast: boolean;
}

/** A NATS server speaks first, unless its TLS block has handshake_first. */
const silent = failed(69)(
  [
    "the connection is open, but the server gave no answer within {seconds} s",
    "check the nats-server's log and load, NATS_SERVERS, and whether another program listens on this port; if its tls block has handshake_first, set NATS_TLS_HANDSHAKE_FIRST=true",
  ],
  ["连接已建立，但 {seconds} 秒内没有应答", "请查看 nats-server 日志与负载，检查 NATS_SERVERS，并确认该端口上不是其他程序；如其 tls 段配置了 handshake_first，请设置 NATS_TLS_HANDSHAKE_FIRST=true"],
);

/** NATS: the connection, the bucket, and the objects in it. */
export const nats = {
  // Connection, login and JetStream.
  "nats.dns": connection.dns,
  "nats.tcp.refused": connection.refused,
  "nats.tcp.silent": connection.vanished,
  "nats.tcp.failed": connection.unreachable,
  "nats.slow": connection.slow,
  "nats.tls.untrusted": connection.untrusted,
  "nats.tls.expired": connection.expired,
  "nats.tls.name": connection.name,
  "nats.tls.rejected": connection.rejected,
  "nats.tls.handshake": connection.handshake,
  "nats.tls.broken": connection.broken,
  "nats.tls.silent": silent,
  "nats.tls.required": failed(77)(
    ["the server requires TLS, but the job is set up without it", "use tls:// in NATS_SERVERS or set NATS_TLS_ENABLED=true, and set NATS_TLS_CA_FILE"],
    ["服务端要求 TLS，而本任务未启用", "请在 NATS_SERVERS 中使用 tls:// 或设置 NATS_TLS_ENABLED=true，并设置 NATS_TLS_CA_FILE"],
  ),
  "nats.tls.off": failed(77)(
    ["the server offers no TLS, but the job is set up for it", "use nats:// in NATS_SERVERS and set NATS_TLS_ENABLED=false, or give the server a certificate"],
    ["服务端未提供 TLS，而本任务已启用", "请在 NATS_SERVERS 中使用 nats:// 并设置 NATS_TLS_ENABLED=false，或为服务端配置证书"],
  ),
  "nats.tls.not-first": said(78)(
    ["the server sends data before the TLS handshake", "unset NATS_TLS_HANDSHAKE_FIRST, or set handshake_first in the server's tls block (nats-server 2.10 or later)"],
    ["服务端在 TLS 握手之前就已发送数据", "请取消 NATS_TLS_HANDSHAKE_FIRST，或在服务端 tls 段中配置 handshake_first（nats-server 2.10 起）"],
  ),
  "nats.login.silent": silent,
  "nats.login.protocol": failed(69)(
    [
      'another program than nats-server listens on this port: it sent no INFO, but "{said}"',
      "check NATS_SERVERS, and the nats-server's log; if its tls block has handshake_first, set NATS_TLS_HANDSHAKE_FIRST=true",
    ],
    ["该端口上的程序不是 nats-server：未收到 INFO，而是“{said}”", "请检查 NATS_SERVERS，并查看 nats-server 日志；如其 tls 段配置了 handshake_first，请设置 NATS_TLS_HANDSHAKE_FIRST=true"],
  ),
  "nats.login.refused": said(77)(
    ["the server rejected the login", "check the credentials: user and password in NATS_SERVERS or in NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_CREDS_FILE, NATS_NKEY_SEED_FILE"],
    ["登录被拒绝", "请检查凭据：NATS_SERVERS 中或 NATS_USER、NATS_PASSWORD 的用户名和密码，NATS_TOKEN，NATS_CREDS_FILE，NATS_NKEY_SEED_FILE"],
  ),
  "nats.login.credentials": said(77)(
    ["the credentials file contains no valid credentials", "check the file in NATS_CREDS_FILE or NATS_NKEY_SEED_FILE"],
    ["凭据文件中没有可用的凭据", "请检查 NATS_CREDS_FILE 或 NATS_NKEY_SEED_FILE 指定的文件"],
  ),
  "nats.login.connections": said(69)(
    ["the server accepts no more connections", "raise max_connections of the server or of the account, or find out which clients use them"],
    ["服务端不再接受新连接", "请调大服务端或账户的 max_connections，或查明占用连接的客户端"],
  ),
  "nats.login.failed": said(69)(["the login failed", "check the nats-server's log"], ["登录失败", "请查看 nats-server 日志"]),
  "nats.jetstream.off": failed(69)(
    ["the server runs without JetStream", "start nats-server with -js, or with jetstream {} in its configuration"],
    ["服务端未启用 JetStream", "请启用 JetStream 后启动 nats-server（使用 -js，或在配置中加入 jetstream {}）"],
  ),
  "nats.jetstream.account": said(77)(["JetStream is not enabled for the account", ENABLE_JETSTREAM.en], ["该账户未启用 JetStream", ENABLE_JETSTREAM.zh]),
  "nats.jetstream.failed": said(69)(
    ["JetStream cannot be used yet", "check the nats-server's log and, in a cluster, that a majority of its servers runs"],
    ["JetStream 暂不可用", "请查看 nats-server 日志；集群环境下请确认多数节点正在运行"],
  ),
  "nats.jetstream.silent": failed(69)(
    ["the login succeeded, but JetStream did not answer within {seconds} s", "check the nats-server's log and load and, in a cluster, that a majority of its servers runs"],
    ["登录成功，但 JetStream 在 {seconds} 秒内没有应答", "请查看 nats-server 日志与负载；集群环境下请确认多数节点正在运行"],
  ),
  // Creating the bucket, and the settings of an existing one.
  "nats.bucket.replicas": bucketFailure(78)(
    ["cannot be created with NATS_REPLICAS copies", "set NATS_REPLICAS to at most the number of servers in the cluster: 1 without a cluster"],
    ["无法按 NATS_REPLICAS 创建", "请将 NATS_REPLICAS 设为不超过集群节点数的副本数：非集群为 1"],
  ),
  "nats.bucket.max-bytes-required": bucketFailure(78)(
    ["cannot be created: the account requires a size limit", "create it with one: nats object add {bucket} --max-bucket-size=20GB; or unset max_bytes_required of the account"],
    ["无法创建：账户要求限定大小", "请创建带上限的存储桶：nats object add {bucket} --max-bucket-size=20GB；或取消账户的 max_bytes_required"],
  ),
  "nats.bucket.streams": bucketFailure(73)(
    ["cannot be created: the account has reached its number of streams", "raise max_streams of the account, or delete a stream that is no longer needed (nats stream ls)"],
    ["无法创建：账户的流数量已达上限", "请调大账户的 max_streams，或删除无用的流（nats stream ls）"],
  ),
  "nats.bucket.overlap": bucketFailure(78)(
    ["cannot be created: another stream has its subjects", "find that stream with nats stream ls --subject '$O.>', then delete it or remove the subjects from it"],
    ["无法创建：其主题已被其他流占用", "请用 nats stream ls --subject '$O.>' 查找该流，将其删除或移除相应主题"],
  ),
  "nats.bucket.failed": bucketFailure(69)(["cannot be used", "check the nats-server's log"], ["无法使用", "请查看 nats-server 日志"]),
  "nats.bucket.sealed": failed(73)(
    ['bucket "{bucket}" is sealed and accepts no more writes', "set NATS_NAMESPACE to another bucket, for BK-Lite's server too: a sealed bucket cannot be opened again"],
    ["存储桶“{bucket}”已封存，不再接受写入", "请用 NATS_NAMESPACE 改用其他存储桶（BK-Lite 服务端须一致）：封存后无法恢复"],
  ),
  "nats.bucket.subjects": setting("lacks the subjects of an object store", "未包含对象存储的主题"),
  "nats.bucket.rollup": setting("does not allow rollup headers", "不允许 rollup 消息头"),
  "nats.bucket.per-subject": setting("has a limit of messages per subject, which would drop chunks", "限制了每个主题的消息数，会丢失分块"),
  "nats.bucket.message-size": setting("limits messages to less than the size of a chunk", "的单条消息上限小于分块大小"),
  "nats.bucket.no-ack": setting("acknowledges no messages (no_ack)", "关闭了消息确认（no_ack=true）"),
  "nats.bucket.retention": fixed("has interest or work-queue retention, which drops messages that were read", "采用 interest 或 work-queue 保留策略，消息读取后即被丢弃"),
  "nats.bucket.mirror": fixed("is a mirror of another stream, which accepts no writes", "是其他流的镜像，不接受写入"),
  "nats.bucket.transform": fixed("stores messages under other subjects than they are sent to (subject_transform)", "会改写消息的主题（subject_transform）"),
  "nats.bucket.deny-purge": fixed("does not allow purging (deny_purge)", "禁止清除（deny_purge）"),
  "nats.bucket.max-age": warning(
    ['bucket "{bucket}" drops messages older than {seconds} s: packages will disappear and can then no longer be installed', "remove the limit: {command}"],
    ["存储桶“{bucket}”会丢弃超过 {seconds} 秒的数据：届时探针包将消失，安装会失败", "请取消该限制：{command}"],
  ),
  "nats.bucket.discard-old": warning(
    ['bucket "{bucket}" drops its oldest messages when it is full: packages would lose chunks', "let it reject new messages instead: {command}"],
    ["存储桶“{bucket}”写满时会丢弃最旧的消息，探针包将丢失分块", "请改为拒绝新消息：{command}"],
  ),
  // The Object Store.
  "store.denied": denied(
    ['the NATS user may not {action} "{subject}"', PERMISSIONS.en],
    [({ action, subject }: { action: "publish to" | "subscribe to"; subject: string }) => `NATS 用户无权${action === "publish to" ? "发布到" : "订阅"}“${subject}”`, PERMISSIONS.zh],
  ),
  "store.refused": denied(["NATS denied permission: {said}", PERMISSIONS.en], ["NATS 拒绝：{said}", PERMISSIONS.zh]),
  "store.jetstream.off": denied(["JetStream cannot be used: {said}", ENABLE_JETSTREAM.en], ["JetStream 无法使用：{said}", ENABLE_JETSTREAM.zh]),
  "store.unexpected": unavailable(
    ['bucket "{bucket}": JetStream answered: {said}', "check the nats-server's log and the stream's configuration: nats stream info OBJ_{bucket}"],
    ["存储桶“{bucket}”：JetStream 返回：{said}", "请检查 nats-server 的日志和流的配置：nats stream info OBJ_{bucket}"],
  ),
  "store.gone": unavailable(['bucket "{bucket}" was deleted during the run', "run again: init creates the bucket"], ["存储桶“{bucket}”在运行期间被删除", "请重新运行：init 会创建该存储桶"]),
  "store.answered.elsewhere": misconfigured(
    ['"{subject}" is answered by {stream}, not by stream {expected}', "remove the bucket's subjects from {stream}, or delete it"],
    ["“{subject}”由 {stream} 应答，而不是流 {expected}", "请从 {stream} 中移除该存储桶的主题，或将其删除"],
  ),
  "store.lost": unavailable(
    ["the connection to NATS was lost: {said}", "check the nats-server's log and the network, then run again: stored objects are not uploaded again"],
    ["与 NATS 的连接中断：{said}", "请检查 nats-server 的日志和网络后重新运行，已存储的内容不会再次上传"],
  ),
  "store.silent": unavailable(
    ["JetStream did not answer as expected: {said}", "check the nats-server's log and load, then run again: stored objects are not uploaded again"],
    ["JetStream 未正常应答：{said}", "请检查 nats-server 的日志和负载后重新运行，已存储的内容不会再次上传"],
  ),
  "store.stalled": unavailable(
    ["the upload made no progress for {seconds} s (NATS_TIMEOUT)", "check the nats-server's log and disk, and the connection to it"],
    ["上传 {seconds} 秒没有进展（NATS_TIMEOUT）", "请检查 nats-server 的日志、磁盘以及到它的网络连接"],
  ),
  "store.disorder": unavailable(
    ["JetStream stored chunks in another order than they were sent", "run again: a NATS cluster may do so when its leader changes"],
    ["JetStream 存储分块的顺序与发送顺序不一致", "请重新运行：NATS 集群切换 leader 时可能发生"],
  ),
  "store.chunks.missing": unavailable(
    ["{key}: {stored} of {chunks:chunk} are stored", "find out which other program purges chunks of this bucket, then run again"],
    ["{key}：{chunks} 个分块中只存有 {stored} 个", "请查明是哪个程序在清除该存储桶的分块，然后重新运行"],
  ),
  "store.fenced": tryAgain(
    ["{key}: the lock was lost during the upload, and another run took over", "make sure that no other run is at work, then run again"],
    ["{key}：上传期间丢失了锁，已由另一个任务接管", "请确认没有其他任务在运行，再重新执行"],
  ),
  "store.contended": tryAgain(
    ["{key} was written by another program at the same time", "find out which program uploads at the same time (BK-Lite's page, another init script), then run again"],
    ["{key} 在此期间被其他程序写入", "请查明是哪个程序在同时上传（BK-Lite 页面、其他初始化脚本），然后重新运行"],
  ),
  "store.reading.stalled": unreadable(
    ["reading made no progress for {seconds} s (NATS_TIMEOUT)", "check the storage behind PACKAGES_DIR: a network file system may hang"],
    ["读取 {seconds} 秒没有进展（NATS_TIMEOUT）", "请检查卷（PACKAGES_DIR）所在的存储：网络文件系统可能已挂起"],
  ),
  "store.bytes.changed": unreadable(
    ["{name} changed while it was read", "wait until no program writes to the volume, then run again"],
    ["{name} 在读取过程中发生变化", "请等到没有程序写入卷（PACKAGES_DIR）后重新运行"],
  ),
  // Unfinished uploads.
  "cleanup.failed": warning(["the unfinished upload could not be purged: {said}", "do nothing: the next run purges it"], ["未完成的上传未能清除：{said}", "请忽略：下一次运行会清除"]),
  "staging.found": warning(
    ["uploads from BK-Lite's page have not ended: {objects:staged object} and {rows:pending row} (interrupted or still running)", "set PURGE_ORPHANS=true to remove those over a day old"],
    ["页面上传尚未结束：暂存对象 {objects} 个，pending 记录 {rows} 条（已中断或正在进行）", "请设置 PURGE_ORPHANS=true 以清除其中超过一天的内容"],
  ),
  "store.unlisted": warning(
    [
      ({ count, bytes, keys }: Unlisted) =>
        list(`${plural(count, "object")} (${formatBytes(bytes)}) without a row, which BK-Lite's page does not show${count > keys.length ? `; the first ${keys.length}` : ""}:`, keys),
      ({ bucket, keys }: Unlisted) =>
        `put the packages on the volume and run the job to register them again; or remove old versions (bklite-package-init prune --keep N --yes), or this object: nats object rm ${bucket} ${quoteForShell(keys[0] ?? "KEY")}`,
    ],
    [
      ({ count, bytes, keys }: Unlisted) => list(`${count} 个对象（${formatBytes(bytes)}）没有记录，BK-Lite 页面不显示${count > keys.length ? `；前 ${keys.length} 个` : ""}：`, keys),
      ({ bucket, keys }: Unlisted) =>
        `请将对应的探针包放入目录并重新运行本任务以登记；或删除旧版本（bklite-package-init prune --keep N --yes），或单独删除对象：nats object rm ${bucket} ${quoteForShell(keys[0] ?? "KEY")}`,
    ],
  ),
  "orphans.found": warning(
    [
      ({ objects, bytes, atLeast }: Orphans) => `chunks of ${plural(objects, "upload")} (${atLeast ? "at least " : ""}${formatBytes(bytes)}) belong to no object (interrupted or still running)`,
      "set PURGE_ORPHANS=true to remove those whose last chunk is over a day old",
    ],
    [
      ({ objects, bytes, atLeast }: Orphans) => `存储桶中有 ${objects} 次上传的孤立分块（${atLeast ? "至少 " : ""}${formatBytes(bytes)}）：已中断或正在进行`,
      "请设置 PURGE_ORPHANS=true 以清除最后一块超过一天的孤立分块",
    ],
  ),
  // Space in the Object Store.
  "store.full": storeFull(
    [({ bucket, said }: Full) => `bucket "${bucket}": ${LIMITS[limitIn(said)].en} is full: ${said}`, (p: Full) => raise(p, "en")],
    [({ bucket, said }: Full) => `存储桶“${bucket}”：${LIMITS[limitIn(said)].zh} 空间已满：${said}`, (p: Full) => raise(p, "zh")],
  ),
  "store.full.bucket": tooLow("bucket", 'bucket "{bucket}" has no space for this run', "存储桶“{bucket}”没有足够空间完成本次运行"),
  "store.full.account": tooLow("account", 'the NATS account has no space for this run (bucket "{bucket}")', "NATS 账户没有足够空间完成本次运行（存储桶“{bucket}”）"),
};
