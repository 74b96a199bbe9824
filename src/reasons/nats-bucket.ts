import { reason } from "./define.ts";
import { type At, failure, type Said } from "./line.ts";

interface InBucket extends At {
  bucket: string;
}
/** `command`: mends it, with the nats command line tool. */
interface Setting extends InBucket {
  command: string;
}
type Refused = InBucket & Said;

function refused(exit: 69 | 73 | 78, en: [string, string], zh: [string, string]) {
  return failure<Refused>(
    "NATS",
    exit,
    { cause: ({ bucket, said }) => `bucket "${bucket}" ${en[0]} ("${said}")`, remedy: en[1] },
    { cause: ({ bucket, said }) => `存储桶“${bucket}”${zh[0]}（“${said}”）`, remedy: zh[1] },
  );
}

function setting(en: string, zh: string) {
  return failure<Setting>(
    "NATS",
    78,
    {
      cause: ({ bucket }) => `the stream of bucket "${bucket}" ${en}: it was not made as an object store`,
      remedy: ({ command }) => `run ${command}, or remove it so that this job makes it anew`,
    },
    {
      cause: ({ bucket }) => `存储桶“${bucket}”的流${zh}，并非按对象存储创建`,
      remedy: ({ command }) => `执行 ${command}，或将其删除后由本任务重新创建`,
    },
  );
}

/** Where a setting cannot be changed any more. */
function fixed(en: string, zh: string) {
  return failure<InBucket>(
    "NATS",
    78,
    {
      cause: ({ bucket }) => `the stream of bucket "${bucket}" ${en}`,
      remedy:
        "that cannot be changed: use another bucket (NATS_NAMESPACE, for BK-Lite's server too), or remove this one so that the job makes it anew",
    },
    {
      cause: ({ bucket }) => `存储桶“${bucket}”的流${zh}`,
      remedy:
        "此设置无法更改：请改用其他存储桶（NATS_NAMESPACE，服务端须一致），或将其删除后由本任务重新创建",
    },
  );
}

/** The bucket: making it, and the settings of one that is there. */
export const natsBucket = {
  "nats.bucket.replicas": refused(
    78,
    [
      "cannot be made with NATS_REPLICAS copies",
      "set NATS_REPLICAS to what this server or cluster can hold: 1 without a cluster",
    ],
    ["无法按 NATS_REPLICAS 创建", "将 NATS_REPLICAS 设为该服务或集群可承载的副本数：非集群为 1"],
  ),
  "nats.bucket.max-bytes-required": refused(
    78,
    [
      "cannot be made: the account asks for a size limit",
      "create it with one: nats object add BUCKET --max-bucket-size=20GB, or lift max_bytes_required of the account",
    ],
    [
      "无法创建：账户要求限定大小",
      "带上限创建：nats object add BUCKET --max-bucket-size=20GB，或取消账户的 max_bytes_required",
    ],
  ),
  "nats.bucket.streams": refused(
    73,
    [
      "cannot be made: the account has no stream left",
      "raise max_streams of the account, or remove a stream that nobody needs",
    ],
    ["无法创建：账户的流数量已达上限", "调大账户的 max_streams，或删除无用的流"],
  ),
  "nats.bucket.overlap": refused(
    78,
    [
      "cannot be made: another stream has its subjects",
      "find it with nats stream ls --subject '$O.>', and remove it or take the subjects from it",
    ],
    ["无法创建：其主题已被其他流占用", "用 nats stream ls --subject '$O.>' 查找该流，将其删除或移除相应主题"],
  ),
  "nats.bucket.failed": refused(
    69,
    ["cannot be used", "check the nats-server's log"],
    ["无法使用", "查看 nats-server 日志"],
  ),
  "nats.bucket.sealed": failure<InBucket>(
    "NATS",
    73,
    {
      cause: ({ bucket: name }) => `bucket "${name}" is sealed and takes nothing any more`,
      remedy:
        "a sealed bucket cannot be opened again: choose another with NATS_NAMESPACE, on the server's side too",
    },
    {
      cause: ({ bucket: name }) => `存储桶“${name}”已封存，不再接受写入`,
      remedy: "封存后无法恢复：请用 NATS_NAMESPACE 改用其他存储桶，服务端须一致",
    },
  ),
  "nats.bucket.subjects": setting("does not take the subjects of an object store", "未包含对象存储的主题"),
  "nats.bucket.rollup": setting("does not allow rollup headers", "不允许 rollup 消息头"),
  "nats.bucket.per-subject": setting(
    "has a limit of messages per subject, which would drop chunks",
    "限制了每个主题的消息数，会丢失分块",
  ),
  "nats.bucket.message-size": setting(
    "limits the size of a message below that of a chunk",
    "的单条消息上限小于分块大小",
  ),
  "nats.bucket.no-ack": setting("acknowledges no message", "不确认消息"),
  "nats.bucket.retention": fixed(
    "has interest or work-queue retention, which drops what was read",
    "采用 interest 或 work-queue 保留策略，消息读取后即被丢弃",
  ),
  "nats.bucket.mirror": fixed("is a mirror of another, which takes no writes", "是其他流的镜像，不接受写入"),
  "nats.bucket.transform": fixed(
    "stores messages under other subjects than they are sent to (subject_transform)",
    "会改写消息的主题（subject_transform）",
  ),
  "nats.bucket.deny-purge": fixed("denies purging (deny_purge)", "禁止清除（deny_purge）"),
  "nats.bucket.max-age": reason<{ bucket: string; seconds: number; command: string }>({
    exit: null,
    again: false,
    en: {
      cause: ({ bucket: name, seconds }) =>
        `bucket "${name}" forgets what is older than ${seconds} s: packages will vanish from it, and installing them fails then`,
      remedy: ({ command }) => `lift the limit: ${command}`,
    },
    zh: {
      cause: ({ bucket: name, seconds }) =>
        `存储桶“${name}”会丢弃超过 ${seconds} 秒的数据：安装包届时将消失，安装会失败`,
      remedy: ({ command }) => `取消该限制：${command}`,
    },
  }),
  "nats.bucket.discard-old": reason<{ bucket: string; command: string }>({
    exit: null,
    again: false,
    en: {
      cause: ({ bucket: name }) =>
        `bucket "${name}" makes room by dropping its oldest messages: packages lose chunks when it is full`,
      remedy: ({ command }) => `let it refuse new ones instead: ${command}`,
    },
    zh: {
      cause: ({ bucket: name }) => `存储桶“${name}”写满时会丢弃最旧的消息，安装包将丢失分块`,
      remedy: ({ command }) => `改为拒绝新消息：${command}`,
    },
  }),
};
