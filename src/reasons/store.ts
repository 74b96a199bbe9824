import { plural, reason } from "./define.ts";

/** What JetStream or the client library says, in its own words. */
interface Said {
  said: string;
}

interface In extends Said {
  bucket: string;
}

/** Of the Object Store: what it refuses, and what it lacks. */
export const store = {
  "store.denied": reason<{ action: "publish to" | "subscribe to"; subject: string }>({
    exit: 77,
    again: false,
    en: {
      cause: ({ action, subject }) => `the NATS user may not ${action} "${subject}"`,
      remedy: "give the job's NATS user the subjects that docs/permissions.md lists",
    },
    zh: {
      cause: ({ action, subject }) =>
        `NATS 用户无权${action === "publish to" ? "发布到" : "订阅"}“${subject}”`,
      remedy: "请为任务的 NATS 用户授予 docs/zh-CN/permissions.md 列出的主题权限",
    },
  }),
  "store.refused": reason<Said>({
    exit: 77,
    again: false,
    en: {
      cause: ({ said }) => `NATS refused: ${said}`,
      remedy: "give the job's NATS user the subjects that docs/permissions.md lists",
    },
    zh: {
      cause: ({ said }) => `NATS 拒绝：${said}`,
      remedy: "请为任务的 NATS 用户授予 docs/zh-CN/permissions.md 列出的主题权限",
    },
  }),
  "store.jetstream.off": reason<Said>({
    exit: 77,
    again: false,
    en: {
      cause: ({ said }) => `JetStream said: ${said}`,
      remedy: "enable JetStream for the account of the job's NATS user",
    },
    zh: {
      cause: ({ said }) => `JetStream 返回：${said}`,
      remedy: "请为任务的 NATS 用户所在账户启用 JetStream",
    },
  }),
  "store.unexpected": reason<In>({
    exit: 69,
    again: true,
    en: {
      cause: ({ bucket, said }) => `bucket "${bucket}": JetStream said: ${said}`,
      remedy: "check the nats-server's log and the stream's configuration",
    },
    zh: {
      cause: ({ bucket, said }) => `存储桶“${bucket}”：JetStream 返回：${said}`,
      remedy: "请检查 nats-server 的日志和流的配置",
    },
  }),
  "store.gone": reason<{ bucket: string }>({
    exit: 69,
    again: true,
    en: {
      cause: ({ bucket }) => `bucket "${bucket}" has disappeared`,
      remedy: "somebody deleted it during the run: run again",
    },
    zh: { cause: ({ bucket }) => `存储桶“${bucket}”已不存在`, remedy: "运行期间有人删除了它，请重新运行" },
  }),
  "store.answered.elsewhere": reason<{ subject: string; stream: string; expected: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ subject, stream, expected }) =>
        `"${subject}" is answered by ${stream}, not by stream ${expected}`,
      remedy: "another stream or service listens on the bucket's subjects: remove it",
    },
    zh: {
      cause: ({ subject, stream, expected }) => `“${subject}”由 ${stream} 应答，而不是流 ${expected}`,
      remedy: "另有流或服务占用了该存储桶的主题，请将其移除",
    },
  }),
  "store.lost": reason<Said>({
    exit: 69,
    again: true,
    en: {
      cause: ({ said }) => `the connection to NATS was lost: ${said}`,
      remedy:
        "check the nats-server's log and the network, then run again: what is stored already is not sent again",
    },
    zh: {
      cause: ({ said }) => `与 NATS 的连接中断：${said}`,
      remedy: "请检查 nats-server 的日志和网络后重新运行，已存储的内容不会再次上传",
    },
  }),
  "store.silent": reason<Said>({
    exit: 69,
    again: true,
    en: {
      cause: ({ said }) => `JetStream did not answer as it should: ${said}`,
      remedy:
        "check the nats-server's log and load, then run again: what is stored already is not sent again",
    },
    zh: {
      cause: ({ said }) => `JetStream 未正常应答：${said}`,
      remedy: "请检查 nats-server 的日志和负载后重新运行，已存储的内容不会再次上传",
    },
  }),
  "store.stalled": reason<{ seconds: number }>({
    exit: 69,
    again: true,
    en: {
      cause: ({ seconds }) => `the upload made no progress for ${seconds} s (NATS_TIMEOUT)`,
      remedy: "check the nats-server's log and disk, and the line to it",
    },
    zh: {
      cause: ({ seconds }) => `上传 ${seconds} 秒没有进展（NATS_TIMEOUT）`,
      remedy: "请检查 nats-server 的日志、磁盘以及网络线路",
    },
  }),
  "store.disorder": reason({
    exit: 69,
    again: true,
    en: {
      cause: "JetStream stored chunks in another order than they were sent",
      remedy: "a cluster that changes its leader may do so: run again",
    },
    zh: { cause: "JetStream 存储分块的顺序与发送顺序不一致", remedy: "集群切换主节点时可能发生，请重新运行" },
  }),
  "store.chunks.missing": reason<{ key: string; stored: number; chunks: number }>({
    exit: 69,
    again: true,
    en: {
      cause: ({ key, stored, chunks }) => `${key}: ${stored} of ${plural(chunks, "chunk")} are stored`,
      remedy: "somebody else purges chunks of this bucket at the same time: find out who, then run again",
    },
    zh: {
      cause: ({ key, stored, chunks }) => `${key}：${chunks} 个分块中只存有 ${stored} 个`,
      remedy: "有其他程序同时在清除该存储桶的分块：请查明后重新运行",
    },
  }),
  "store.fenced": reason<{ key: string }>({
    exit: 75,
    again: true,
    en: {
      cause: ({ key }) => `${key}: another run took over before this one could publish it`,
      remedy:
        "the lock was lost during the upload: let one run end before another is started, then run again",
    },
    zh: {
      cause: ({ key }) => `${key}：发布之前已被另一个任务接管`,
      remedy: "上传期间锁已丢失：请等一个任务结束后再启动另一个，然后重新运行",
    },
  }),
  "store.contended": reason<{ key: string }>({
    exit: 75,
    again: true,
    en: {
      cause: ({ key }) => `${key} was written by somebody else in the meantime`,
      remedy: "find out who uploads at the same time (the web page, another bootstrap), then run again",
    },
    zh: {
      cause: ({ key }) => `${key} 在此期间被其他程序写入`,
      remedy: "请查明是谁在同时上传（页面、其他初始化脚本），然后重新运行",
    },
  }),
  "store.reading.stalled": reason<{ seconds: number }>({
    exit: 74,
    again: true,
    en: {
      cause: ({ seconds }) => `reading made no progress for ${seconds} s (NATS_TIMEOUT)`,
      remedy: "check the volume: a network file system that hangs looks like this",
    },
    zh: {
      cause: ({ seconds }) => `读取 ${seconds} 秒没有进展（NATS_TIMEOUT）`,
      remedy: "请检查卷：网络文件系统挂起时会出现这种情况",
    },
  }),
  "store.bytes.changed": reason<{ name: string }>({
    exit: 74,
    again: true,
    en: {
      cause: ({ name }) => `${name} changed while it was read`,
      remedy: "wait until nothing writes to the volume any more, then run again",
    },
    zh: { cause: ({ name }) => `${name} 在读取过程中发生变化`, remedy: "请等到没有程序写入该卷后重新运行" },
  }),
  "cleanup.failed": reason<Said>({
    exit: null,
    again: false,
    en: {
      cause: ({ said }) => `the unfinished upload could not be purged: ${said}`,
      remedy: "nothing has to be done: the next run purges it",
    },
    zh: { cause: ({ said }) => `未完成的上传未能清除：${said}`, remedy: "无需处理，下一次运行会清除" },
  }),
  "staging.found": reason<{ objects: number; rows: number }>({
    exit: null,
    again: false,
    en: {
      cause: ({ objects, rows }) =>
        `uploads from BK-Lite's page have not ended: ${plural(objects, "staged object")} and ${plural(rows, "pending row")}: broken off, or under way`,
      remedy: "set PURGE_ORPHANS=true to remove those over a day old",
    },
    zh: {
      cause: ({ objects, rows }) =>
        `页面上传尚未结束：暂存对象 ${objects} 个，pending 记录 ${rows} 条：已中断，或正在进行`,
      remedy: "请设置 PURGE_ORPHANS=true 以清除其中超过一天的内容",
    },
  }),
  "orphans.found": reason<{ objects: number; bytes: number; atLeast: boolean }>({
    exit: null,
    again: false,
    en: {
      cause: ({ objects, bytes, atLeast }) =>
        `${plural(objects, "upload")} in the bucket (${atLeast ? "at least " : ""}${plural(bytes, "byte")}) belong to no object: crashed, or under way`,
      remedy: "PURGE_ORPHANS=true purges those whose last chunk is over a day old",
    },
    zh: {
      cause: ({ objects, bytes, atLeast }) =>
        `存储桶中有 ${objects} 次上传的孤立分块（${atLeast ? "至少 " : ""}${bytes} 字节）：已中断，或正在进行`,
      remedy: "PURGE_ORPHANS=true 会清除最后一块超过一天的孤立分块",
    },
  }),
};
