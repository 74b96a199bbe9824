import { suspicion } from "./fault.ts";

/** BK-Lite's first start was not over when the waiting for it was. */
export const firstStart = {
  "definitions.empty": suspicion<{ seconds: number }>(
    {
      en: ({ seconds }) =>
        `BK-Lite's list of collectors (node_mgmt_collector) is still empty after ${seconds} s: the built-in list is used`,
      zh: ({ seconds }) =>
        `等待 ${seconds} 秒后，BK-Lite 的采集器清单（node_mgmt_collector）仍为空：改用内置清单`,
    },
    {
      en: "see whether BK-Lite's server has finished its first start (node_init), then run the job again",
      zh: "请确认 BK-Lite 服务端首次启动（node_init）已完成，然后重新运行本任务",
    },
  ),
  "definitions.migrating": suspicion<{ seconds: number }>(
    {
      en: ({ seconds }) =>
        `BK-Lite's server is still migrating the database after ${seconds} s: the job goes on`,
      zh: ({ seconds }) => `等待 ${seconds} 秒后，BK-Lite 服务端仍在迁移数据库：本任务继续执行`,
    },
    {
      en: "run the job again when BK-Lite's server has started: what is written now may not fit the finished table",
      zh: "请在 BK-Lite 服务端启动完成后重新运行本任务：现在写入的内容可能与迁移后的表不符",
    },
  ),
};
