import { reason } from "./define.ts";

export const gate = {
  "gate.closed": reason<{ missing: readonly string[]; seconds: number }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ missing, seconds }) =>
        missing.includes("*")
          ? `no controller that can be installed was there within ${seconds} s (WAIT_TIMEOUT)`
          : `no controller that can be installed on ${missing.join(", ")} was there within ${seconds} s (WAIT_TIMEOUT)`,
      remedy: "look at the log of the init job: it registers the controller, or says why it could not",
    },
    zh: {
      cause: ({ missing, seconds }) =>
        missing.includes("*")
          ? `等待 ${seconds} 秒（WAIT_TIMEOUT）后仍没有可安装的控制器`
          : `等待 ${seconds} 秒（WAIT_TIMEOUT）后 ${missing.join("、")} 仍没有可安装的控制器`,
      remedy: "请查看 init 任务的日志：控制器由它登记，未能登记的原因也在其中",
    },
  }),
};
