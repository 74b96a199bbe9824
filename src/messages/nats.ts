import { type At, connectionReasons, failure, plural, reason, type Said } from "./define.ts";

const connection = connectionReasons("NATS", {
  host: "NATS_SERVERS",
  tls: { en: "NATS_SERVERS (nats:// or tls://)", zh: "NATS_SERVERS（nats:// 或 tls://）" },
  ca: "NATS_TLS_CA_FILE",
  certificate: ["NATS_TLS_CERT_FILE", "NATS_TLS_KEY_FILE"],
  hostname: ", or name it in NATS_TLS_HOSTNAME",
});

interface InBucket extends At {
  bucket: string;
}
/** `command`: mends it, with the nats command line tool. */
interface Setting extends InBucket {
  command: string;
}
type Refused = InBucket & Said;

/** A NATS server speaks first, unless its TLS block has handshake_first. */
const silent = failure<At & { seconds: number }>(
  "NATS",
  69,
  [
    ({ seconds }) => `accepts the connection, but does not answer within ${seconds} s`,
    "the nats-server hangs, or something else listens there: check its log and its load, and NATS_SERVERS; if its tls block has handshake_first, set NATS_TLS_HANDSHAKE_FIRST=true",
  ],
  [
    ({ seconds }) => `连接已建立，但 ${seconds} 秒内没有应答`,
    "nats-server 可能已挂起，或该端口上是其他程序：查看其日志与负载，并检查 NATS_SERVERS；如其 tls 段配置了 handshake_first，请设置 NATS_TLS_HANDSHAKE_FIRST=true",
  ],
);

function refused(exit: 69 | 73 | 78, en: [string, string], zh: [string, string]) {
  return failure<Refused>("NATS", exit, [({ bucket, said }) => `bucket "${bucket}" ${en[0]} ("${said}")`, en[1]], [({ bucket, said }) => `存储桶“${bucket}”${zh[0]}（“${said}”）`, zh[1]]);
}

function setting(en: string, zh: string) {
  return failure<Setting>(
    "NATS",
    78,
    [({ bucket }) => `the stream of bucket "${bucket}" ${en}: it was not made as an object store`, ({ command }) => `run ${command}, or remove it so that this job makes it anew`],
    [({ bucket }) => `存储桶“${bucket}”的流${zh}，并非按对象存储创建`, ({ command }) => `执行 ${command}，或将其删除后由本任务重新创建`],
  );
}

/** Where a setting cannot be changed any more. */
function fixed(en: string, zh: string) {
  return failure<InBucket>(
    "NATS",
    78,
    [
      ({ bucket }) => `the stream of bucket "${bucket}" ${en}`,
      "that cannot be changed: use another bucket (NATS_NAMESPACE, for BK-Lite's server too), or remove this one so that the job makes it anew",
    ],
    [({ bucket }) => `存储桶“${bucket}”的流${zh}`, "此设置无法更改：请改用其他存储桶（NATS_NAMESPACE，服务端须一致），或将其删除后由本任务重新创建"],
  );
}

/** What JetStream or the client library says, in its own words. */
interface StoreSaid {
  said: string;
}

interface In extends StoreSaid {
  bucket: string;
}

interface Full {
  bucket: string;
  /** What JetStream says, in its own words. */
  said: string;
}

interface Room {
  bucket: string;
  /** Bytes. */
  limit: number;
  used: number;
  needed: number;
}

const FREE = "raise the limit that is named (the bucket's max_bytes, the account's or the server's store), or free room; PURGE_ORPHANS=true frees what crashed uploads left";
const FREE_ZH = "请调大上述限制（存储桶的 max_bytes、账户或服务器的存储），或释放空间；PURGE_ORPHANS=true 可清除中断上传留下的孤立分块";

/** NATS: the connection, the bucket, and what is stored in it. */
export const nats = {
  // Reaching NATS, logging in, and JetStream.
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
  "nats.tls.required": failure<At>(
    "NATS",
    77,
    ["the server requires TLS, and the job is not set up for it", "use tls:// in NATS_SERVERS or NATS_TLS_ENABLED=true, with NATS_TLS_CA_FILE"],
    ["服务端要求 TLS，而本任务未启用", "在 NATS_SERVERS 中使用 tls:// 或设置 NATS_TLS_ENABLED=true，并设置 NATS_TLS_CA_FILE"],
  ),
  "nats.tls.off": failure<At>(
    "NATS",
    77,
    ["the server offers no TLS, and the job is set up for it", "use nats:// in NATS_SERVERS and NATS_TLS_ENABLED=false, or give the server a certificate"],
    ["服务端未提供 TLS，而本任务已启用", "在 NATS_SERVERS 中使用 nats:// 并设置 NATS_TLS_ENABLED=false，或为服务端配置证书"],
  ),
  "nats.tls.not-first": failure<Said>(
    "NATS",
    78,
    [({ said }) => `the server speaks before the TLS handshake ("${said}")`, "unset NATS_TLS_HANDSHAKE_FIRST, or set handshake_first in the server's tls block (nats-server 2.10)"],
    [({ said }) => `服务端在 TLS 握手之前就已发送数据（“${said}”）`, "取消 NATS_TLS_HANDSHAKE_FIRST，或在服务端 tls 段中配置 handshake_first（nats-server 2.10 起）"],
  ),
  "nats.login.silent": silent,
  "nats.login.protocol": failure<Said>(
    "NATS",
    69,
    [
      ({ said }) => `what listens there does not speak like a nats-server: no INFO, but "${said}"`,
      "check NATS_SERVERS, and the nats-server's log; if its tls block has handshake_first, set NATS_TLS_HANDSHAKE_FIRST=true",
    ],
    [({ said }) => `该端口上的程序不是 nats-server：未收到 INFO，而是“${said}”`, "检查 NATS_SERVERS，并查看 nats-server 日志；如其 tls 段配置了 handshake_first，请设置 NATS_TLS_HANDSHAKE_FIRST=true"],
  ),
  "nats.login.refused": failure<Said>(
    "NATS",
    77,
    [({ said }) => `the login was refused ("${said}")`, "check the credentials: user and password in NATS_SERVERS or NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_CREDS_FILE, NATS_NKEY_SEED_FILE"],
    [({ said }) => `登录被拒绝（“${said}”）`, "检查凭据：NATS_SERVERS 中或 NATS_USER、NATS_PASSWORD 的用户名和密码，NATS_TOKEN，NATS_CREDS_FILE，NATS_NKEY_SEED_FILE"],
  ),
  "nats.login.credentials": failure<Said>(
    "NATS",
    77,
    [({ said }) => `the credentials file holds no usable credentials ("${said}")`, "check the file in NATS_CREDS_FILE or NATS_NKEY_SEED_FILE"],
    [({ said }) => `凭据文件中没有可用的凭据（“${said}”）`, "检查 NATS_CREDS_FILE 或 NATS_NKEY_SEED_FILE 指定的文件"],
  ),
  "nats.login.connections": failure<Said>(
    "NATS",
    69,
    [({ said }) => `the server takes no more connections ("${said}")`, "raise max_connections of the server or of the account, or find out who uses them"],
    [({ said }) => `服务端不再接受新连接（“${said}”）`, "调大服务端或账户的 max_connections，或查明占用者"],
  ),
  "nats.login.failed": failure<Said>("NATS", 69, [({ said }) => `the login failed ("${said}")`, "check the nats-server's log"], [({ said }) => `登录失败（“${said}”）`, "查看 nats-server 日志"]),
  "nats.jetstream.off": failure<At>(
    "NATS",
    69,
    ["the server runs without JetStream", "start nats-server with JetStream (jetstream {} in its configuration, or -js)"],
    ["服务端未启用 JetStream", "启用 JetStream 后启动 nats-server（配置中加入 jetstream {}，或使用 -js）"],
  ),
  "nats.jetstream.account": failure<Said>(
    "NATS",
    77,
    [({ said }) => `JetStream is not enabled for the account ("${said}")`, "enable JetStream for the account of the job's NATS user"],
    [({ said }) => `该账户未启用 JetStream（“${said}”）`, "为任务的 NATS 用户所属账户启用 JetStream"],
  ),
  "nats.jetstream.failed": failure<Said>(
    "NATS",
    69,
    [({ said }) => `JetStream cannot be used yet ("${said}")`, "check the nats-server's log; in a cluster, that a majority of its servers runs"],
    [({ said }) => `JetStream 暂不可用（“${said}”）`, "查看 nats-server 日志；集群环境下确认多数节点正在运行"],
  ),
  "nats.jetstream.silent": failure<At & { seconds: number }>(
    "NATS",
    69,
    [({ seconds }) => `accepts the login, but JetStream does not answer within ${seconds} s`, "check the nats-server's log and its load; in a cluster, that a majority of its servers runs"],
    [({ seconds }) => `登录成功，但 JetStream 在 ${seconds} 秒内没有应答`, "查看 nats-server 日志与负载；集群环境下确认多数节点正在运行"],
  ),
  // The bucket: making it, and the settings of one that is there.
  "nats.bucket.replicas": refused(
    78,
    ["cannot be made with NATS_REPLICAS copies", "set NATS_REPLICAS to what this server or cluster can hold: 1 without a cluster"],
    ["无法按 NATS_REPLICAS 创建", "将 NATS_REPLICAS 设为该服务或集群可承载的副本数：非集群为 1"],
  ),
  "nats.bucket.max-bytes-required": refused(
    78,
    ["cannot be made: the account asks for a size limit", "create it with one: nats object add BUCKET --max-bucket-size=20GB, or lift max_bytes_required of the account"],
    ["无法创建：账户要求限定大小", "带上限创建：nats object add BUCKET --max-bucket-size=20GB，或取消账户的 max_bytes_required"],
  ),
  "nats.bucket.streams": refused(
    73,
    ["cannot be made: the account has no stream left", "raise max_streams of the account, or remove a stream that nobody needs"],
    ["无法创建：账户的流数量已达上限", "调大账户的 max_streams，或删除无用的流"],
  ),
  "nats.bucket.overlap": refused(
    78,
    ["cannot be made: another stream has its subjects", "find it with nats stream ls --subject '$O.>', and remove it or take the subjects from it"],
    ["无法创建：其主题已被其他流占用", "用 nats stream ls --subject '$O.>' 查找该流，将其删除或移除相应主题"],
  ),
  "nats.bucket.failed": refused(69, ["cannot be used", "check the nats-server's log"], ["无法使用", "查看 nats-server 日志"]),
  "nats.bucket.sealed": failure<InBucket>(
    "NATS",
    73,
    [({ bucket: name }) => `bucket "${name}" is sealed and takes nothing any more`, "a sealed bucket cannot be opened again: choose another with NATS_NAMESPACE, on the server's side too"],
    [({ bucket: name }) => `存储桶“${name}”已封存，不再接受写入`, "封存后无法恢复：请用 NATS_NAMESPACE 改用其他存储桶，服务端须一致"],
  ),
  "nats.bucket.subjects": setting("does not take the subjects of an object store", "未包含对象存储的主题"),
  "nats.bucket.rollup": setting("does not allow rollup headers", "不允许 rollup 消息头"),
  "nats.bucket.per-subject": setting("has a limit of messages per subject, which would drop chunks", "限制了每个主题的消息数，会丢失分块"),
  "nats.bucket.message-size": setting("limits the size of a message below that of a chunk", "的单条消息上限小于分块大小"),
  "nats.bucket.no-ack": setting("acknowledges no message", "不确认消息"),
  "nats.bucket.retention": fixed("has interest or work-queue retention, which drops what was read", "采用 interest 或 work-queue 保留策略，消息读取后即被丢弃"),
  "nats.bucket.mirror": fixed("is a mirror of another, which takes no writes", "是其他流的镜像，不接受写入"),
  "nats.bucket.transform": fixed("stores messages under other subjects than they are sent to (subject_transform)", "会改写消息的主题（subject_transform）"),
  "nats.bucket.deny-purge": fixed("denies purging (deny_purge)", "禁止清除（deny_purge）"),
  "nats.bucket.max-age": reason<{ bucket: string; seconds: number; command: string }>({
    exit: null,
    en: [
      ({ bucket: name, seconds }) => `bucket "${name}" forgets what is older than ${seconds} s: packages will vanish from it, and installing them fails then`,
      ({ command }) => `lift the limit: ${command}`,
    ],
    zh: [({ bucket: name, seconds }) => `存储桶“${name}”会丢弃超过 ${seconds} 秒的数据：安装包届时将消失，安装会失败`, ({ command }) => `取消该限制：${command}`],
  }),
  "nats.bucket.discard-old": reason<{ bucket: string; command: string }>({
    exit: null,
    en: [({ bucket: name }) => `bucket "${name}" makes room by dropping its oldest messages: packages lose chunks when it is full`, ({ command }) => `let it refuse new ones instead: ${command}`],
    zh: [({ bucket: name }) => `存储桶“${name}”写满时会丢弃最旧的消息，安装包将丢失分块`, ({ command }) => `改为拒绝新消息：${command}`],
  }),
  // Of the Object Store: what it refuses, and what it lacks.
  "store.denied": reason<{ action: "publish to" | "subscribe to"; subject: string }>({
    exit: 77,
    en: [({ action, subject }) => `the NATS user may not ${action} "${subject}"`, "give the job's NATS user the subjects that docs/permissions.md lists"],
    zh: [({ action, subject }) => `NATS 用户无权${action === "publish to" ? "发布到" : "订阅"}“${subject}”`, "请为任务的 NATS 用户授予 docs/zh-CN/permissions.md 列出的主题权限"],
  }),
  "store.refused": reason<StoreSaid>({
    exit: 77,
    en: [({ said }) => `NATS refused: ${said}`, "give the job's NATS user the subjects that docs/permissions.md lists"],
    zh: [({ said }) => `NATS 拒绝：${said}`, "请为任务的 NATS 用户授予 docs/zh-CN/permissions.md 列出的主题权限"],
  }),
  "store.jetstream.off": reason<StoreSaid>({
    exit: 77,
    en: [({ said }) => `JetStream said: ${said}`, "enable JetStream for the account of the job's NATS user"],
    zh: [({ said }) => `JetStream 返回：${said}`, "请为任务的 NATS 用户所在账户启用 JetStream"],
  }),
  "store.unexpected": reason<In>({
    exit: 69,
    en: [({ bucket, said }) => `bucket "${bucket}": JetStream said: ${said}`, "check the nats-server's log and the stream's configuration"],
    zh: [({ bucket, said }) => `存储桶“${bucket}”：JetStream 返回：${said}`, "请检查 nats-server 的日志和流的配置"],
  }),
  "store.gone": reason<{ bucket: string }>({
    exit: 69,
    en: [({ bucket }) => `bucket "${bucket}" has disappeared`, "somebody deleted it during the run: run again"],
    zh: [({ bucket }) => `存储桶“${bucket}”已不存在`, "运行期间有人删除了它，请重新运行"],
  }),
  "store.answered.elsewhere": reason<{ subject: string; stream: string; expected: string }>({
    exit: 78,
    en: [({ subject, stream, expected }) => `"${subject}" is answered by ${stream}, not by stream ${expected}`, "another stream or service listens on the bucket's subjects: remove it"],
    zh: [({ subject, stream, expected }) => `“${subject}”由 ${stream} 应答，而不是流 ${expected}`, "另有流或服务占用了该存储桶的主题，请将其移除"],
  }),
  "store.lost": reason<StoreSaid>({
    exit: 69,
    en: [({ said }) => `the connection to NATS was lost: ${said}`, "check the nats-server's log and the network, then run again: what is stored already is not sent again"],
    zh: [({ said }) => `与 NATS 的连接中断：${said}`, "请检查 nats-server 的日志和网络后重新运行，已存储的内容不会再次上传"],
  }),
  "store.silent": reason<StoreSaid>({
    exit: 69,
    en: [({ said }) => `JetStream did not answer as it should: ${said}`, "check the nats-server's log and load, then run again: what is stored already is not sent again"],
    zh: [({ said }) => `JetStream 未正常应答：${said}`, "请检查 nats-server 的日志和负载后重新运行，已存储的内容不会再次上传"],
  }),
  "store.stalled": reason<{ seconds: number }>({
    exit: 69,
    en: [({ seconds }) => `the upload made no progress for ${seconds} s (NATS_TIMEOUT)`, "check the nats-server's log and disk, and the line to it"],
    zh: [({ seconds }) => `上传 ${seconds} 秒没有进展（NATS_TIMEOUT）`, "请检查 nats-server 的日志、磁盘以及网络线路"],
  }),
  "store.disorder": reason({
    exit: 69,
    en: ["JetStream stored chunks in another order than they were sent", "a cluster that changes its leader may do so: run again"],
    zh: ["JetStream 存储分块的顺序与发送顺序不一致", "集群切换主节点时可能发生，请重新运行"],
  }),
  "store.chunks.missing": reason<{ key: string; stored: number; chunks: number }>({
    exit: 69,
    en: [({ key, stored, chunks }) => `${key}: ${stored} of ${plural(chunks, "chunk")} are stored`, "somebody else purges chunks of this bucket at the same time: find out who, then run again"],
    zh: [({ key, stored, chunks }) => `${key}：${chunks} 个分块中只存有 ${stored} 个`, "有其他程序同时在清除该存储桶的分块：请查明后重新运行"],
  }),
  "store.fenced": reason<{ key: string }>({
    exit: 75,
    en: [({ key }) => `${key}: another run took over before this one could publish it`, "the lock was lost during the upload: let one run end before another is started, then run again"],
    zh: [({ key }) => `${key}：发布之前已被另一个任务接管`, "上传期间锁已丢失：请等一个任务结束后再启动另一个，然后重新运行"],
  }),
  "store.contended": reason<{ key: string }>({
    exit: 75,
    en: [({ key }) => `${key} was written by somebody else in the meantime`, "find out who uploads at the same time (the web page, another bootstrap), then run again"],
    zh: [({ key }) => `${key} 在此期间被其他程序写入`, "请查明是谁在同时上传（页面、其他初始化脚本），然后重新运行"],
  }),
  "store.reading.stalled": reason<{ seconds: number }>({
    exit: 74,
    en: [({ seconds }) => `reading made no progress for ${seconds} s (NATS_TIMEOUT)`, "check the volume: a network file system that hangs looks like this"],
    zh: [({ seconds }) => `读取 ${seconds} 秒没有进展（NATS_TIMEOUT）`, "请检查卷：网络文件系统挂起时会出现这种情况"],
  }),
  "store.bytes.changed": reason<{ name: string }>({
    exit: 74,
    en: [({ name }) => `${name} changed while it was read`, "wait until nothing writes to the volume any more, then run again"],
    zh: [({ name }) => `${name} 在读取过程中发生变化`, "请等到没有程序写入该卷后重新运行"],
  }),
  "cleanup.failed": reason<StoreSaid>({
    exit: null,
    en: [({ said }) => `the unfinished upload could not be purged: ${said}`, "nothing has to be done: the next run purges it"],
    zh: [({ said }) => `未完成的上传未能清除：${said}`, "无需处理，下一次运行会清除"],
  }),
  "staging.found": reason<{ objects: number; rows: number }>({
    exit: null,
    en: [
      ({ objects, rows }) => `uploads from BK-Lite's page have not ended: ${plural(objects, "staged object")} and ${plural(rows, "pending row")}: broken off, or under way`,
      "set PURGE_ORPHANS=true to remove those over a day old",
    ],
    zh: [({ objects, rows }) => `页面上传尚未结束：暂存对象 ${objects} 个，pending 记录 ${rows} 条：已中断，或正在进行`, "请设置 PURGE_ORPHANS=true 以清除其中超过一天的内容"],
  }),
  "orphans.found": reason<{ objects: number; bytes: number; atLeast: boolean }>({
    exit: null,
    en: [
      ({ objects, bytes, atLeast }) => `${plural(objects, "upload")} in the bucket (${atLeast ? "at least " : ""}${plural(bytes, "byte")}) belong to no object: crashed, or under way`,
      "PURGE_ORPHANS=true purges those whose last chunk is over a day old",
    ],
    zh: [
      ({ objects, bytes, atLeast }) => `存储桶中有 ${objects} 次上传的孤立分块（${atLeast ? "至少 " : ""}${bytes} 字节）：已中断，或正在进行`,
      "PURGE_ORPHANS=true 会清除最后一块超过一天的孤立分块",
    ],
  }),
  // Of the room in the Object Store.
  "store.full": reason<Full>({
    exit: 73,
    en: [({ bucket, said }) => `bucket "${bucket}" is full: JetStream said: ${said}`, FREE],
    zh: [({ bucket, said }) => `存储桶“${bucket}”已满，JetStream 返回：${said}`, FREE_ZH],
  }),
  "store.full.bucket": reason<Room>({
    exit: 73,
    en: [({ bucket, limit, used, needed }) => `bucket "${bucket}" has no room: max_bytes ${limit}, used ${used}, needed ${needed} more`, FREE],
    zh: [({ bucket, limit, used, needed }) => `存储桶“${bucket}”空间不足：max_bytes ${limit}，已用 ${used}，还需 ${needed} 字节`, FREE_ZH],
  }),
  "store.full.account": reason<Room>({
    exit: 73,
    en: [({ bucket, limit, used, needed }) => `the NATS account has no room for bucket "${bucket}": limit ${limit}, used ${used}, needed ${needed} more`, FREE],
    zh: [({ bucket, limit, used, needed }) => `NATS 账户没有空间供存储桶“${bucket}”使用：限制 ${limit}，已用 ${used}，还需 ${needed} 字节`, FREE_ZH],
  }),
};
