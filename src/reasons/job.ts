import { reason } from "./define.ts";

/** What ends a run from outside, what it cannot leave behind, and what should never happen. */
export const job = {
  internal: reason<{ message: string }>({
    exit: 70,
    again: false,
    en: {
      cause: ({ message }) => `internal error: ${message}`,
      remedy: "this is a bug in bklite-package-init: report it with this log, which holds its stack",
    },
    zh: {
      cause: ({ message }) => `内部错误：${message}`,
      remedy: "这是 bklite-package-init 的缺陷，请附上本日志（含调用栈）反馈",
    },
  }),
  "run.sigint": reason({
    exit: 130,
    again: true,
    en: { cause: "stopped by SIGINT", remedy: "run again: what is stored already is not sent again" },
    zh: { cause: "收到 SIGINT 信号，已停止", remedy: "重新运行即可，已存储的内容不会再次上传" },
  }),
  "run.sigterm": reason({
    exit: 143,
    again: true,
    en: { cause: "stopped by SIGTERM", remedy: "run again: what is stored already is not sent again" },
    zh: { cause: "收到 SIGTERM 信号，已停止", remedy: "重新运行即可，已存储的内容不会再次上传" },
  }),
  "run.timeout": reason<{ seconds: number }>({
    exit: 75,
    again: true,
    en: {
      cause: ({ seconds }) => `the run took longer than RUN_TIMEOUT (${seconds} s)`,
      remedy: "raise RUN_TIMEOUT, or find out what takes so long: the log has a line every 10 s",
    },
    zh: {
      cause: ({ seconds }) => `运行时间超过 RUN_TIMEOUT（${seconds} 秒）`,
      remedy: "调大 RUN_TIMEOUT，或查明耗时所在：日志每 10 秒输出一行进度",
    },
  }),
  "report.unwritable": reason<{ path: string; cause: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ path, cause }) => `REPORT_FILE ${path} cannot be written: ${cause}`,
      remedy: "name a path on a writable volume",
    },
    zh: {
      cause: ({ path, cause }) => `REPORT_FILE 指定的 ${path} 无法写入：${cause}`,
      remedy: "改为可写卷上的路径",
    },
  }),
};
