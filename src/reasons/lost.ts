import { reason } from "./define.ts";

interface Said {
  said: string;
}

/** Of Postgres: what a clean start may mend. */
export const lost = {
  "run.postgres.lost": reason<Said>({
    exit: 69,
    again: true,
    en: {
      cause: ({ said }) => `the connection to Postgres was lost during the run: ${said}`,
      remedy:
        "check Postgres's log and the network, then run again: what is stored already is not sent again",
    },
    zh: {
      cause: ({ said }) => `运行期间与 Postgres 的连接中断：${said}`,
      remedy: "请检查 Postgres 的日志和网络后重新运行，已存储的内容不会再次上传",
    },
  }),
  "lock.lost": reason({
    exit: 69,
    again: true,
    en: {
      cause: "this session does not hold the bucket's lock any more",
      remedy: "something ended or reset the session in Postgres: check its log, then run again",
    },
    zh: {
      cause: "当前会话已不再持有存储桶的锁",
      remedy: "Postgres 中的会话被终止或重置：请检查其日志后重新运行",
    },
  }),
  "row.contended": reason<Said>({
    exit: 75,
    again: true,
    en: {
      cause: ({ said }) => `somebody else wrote the same rows in the meantime: ${said}`,
      remedy: "find out who uploads at the same time (the web page, another bootstrap), then run again",
    },
    zh: {
      cause: ({ said }) => `其他程序在此期间写入了相同的记录：${said}`,
      remedy: "请查明是谁在同时上传（页面、其他初始化脚本），然后重新运行",
    },
  }),
};
