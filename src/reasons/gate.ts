import { reason } from "./define.ts";

export const gate = {
  "gate.closed": reason<{ missing: readonly string[]; seconds: number }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ missing, seconds }) =>
        missing.includes("*")
          ? `no controller could be installed within ${seconds} s (WAIT_TIMEOUT)`
          : `no controller could be installed for ${missing.join(", ")} within ${seconds} s (WAIT_TIMEOUT)`,
      remedy: "look at the log of the init job: it registers the controller, or says why it could not",
    },
    zh: {
      cause: ({ missing, seconds }) =>
        missing.includes("*")
          ? `${seconds} 秒内（WAIT_TIMEOUT）没有可安装的控制器`
          : `${seconds} 秒内（WAIT_TIMEOUT）${missing.join("、")} 没有可安装的控制器`,
      remedy: "请查看 init 任务的日志：控制器由它登记，未能登记的原因也在其中",
    },
  }),
};
