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
  "run.sighup": reason({
    exit: 143,
    again: true,
    en: {
      cause: "stopped by SIGHUP: the terminal was closed",
      remedy:
        "run again: what is stored already is not sent again; to keep a run going without its terminal use docker compose up -d, setsid or tmux (nohup has no effect on Node.js)",
    },
    zh: {
      cause: "收到 SIGHUP 信号（终端已关闭），已停止",
      remedy:
        "请重新运行，已存储的内容不会再次上传；如需脱离终端运行，请使用 docker compose up -d、setsid 或 tmux（nohup 对 Node.js 无效）",
    },
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
  "report.unwritable": reason<{ path: string; said: string }>({
    exit: null,
    again: false,
    en: {
      cause: ({ path, said }) => `the report could not be written to REPORT_FILE ${path} (${said})`,
      remedy: "free space on its disk, or name a path on another one: the run itself is not affected",
    },
    zh: {
      cause: ({ path, said }) => `无法将报告写入 REPORT_FILE 指定的 ${path}（${said}）`,
      remedy: "请释放该磁盘的空间，或改用其他磁盘上的路径；本次运行的结果不受影响",
    },
  }),
  "output.unwritable": reason<{ said: string }>({
    exit: 74,
    again: true,
    en: {
      cause: ({ said }) => `the report could not be written to standard output (${said})`,
      remedy:
        "free space where standard output goes, or keep its reader running, and run again: what is stored already is not sent again",
    },
    zh: {
      cause: ({ said }) => `无法将报告写入标准输出（${said}）`,
      remedy: "请释放标准输出所在磁盘的空间，或保持读取方运行，然后重新运行：已存储的内容不会再次上传",
    },
  }),
};
