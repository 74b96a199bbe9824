import { reason } from "./define.ts";

/** Why the gate is still shut: a run is at work, a row has no whole object, all controllers are for other platforms, or no init has run. */
export type GateHint = "running" | "object" | "platform" | "init";

const HINT: Record<GateHint, Record<"en" | "zh", string>> = {
  running: {
    en: "wait until the init that is at work has ended: the pod starts again by itself; if it does not, raise WAIT_TIMEOUT",
    zh: "请等待正在运行的 init 任务结束：Pod 会自动重启；如果不会，请调大 WAIT_TIMEOUT",
  },
  object: {
    en: "run init with the controller's archive on the volume, and check NATS_NAMESPACE: a controller is registered, but its row is not ready, or its object is missing or damaged",
    zh: "请在目录（PACKAGES_DIR）中放入控制器探针包并运行 init，同时检查 NATS_NAMESPACE：控制器已登记，但其记录未就绪，或其对象缺失、已损坏",
  },
  platform: {
    en: "run init with that platform's archive on the volume, or take it out of REQUIRE: all controllers that are there are for other platforms",
    zh: "请在目录（PACKAGES_DIR）中放入该平台的控制器探针包并运行 init，或从 REQUIRE 中去掉该平台：现有的控制器都属于其他平台",
  },
  init: {
    en: "look at the log of the init job, and check that it uses this bucket and database: no controller was ever registered here",
    zh: "请查看 init 任务的日志，并确认它使用的是同一个存储桶和数据库：这里还没有登记过控制器",
  },
};

export const gate = {
  "gate.closed": reason<{ missing: readonly string[]; seconds: number; hint: GateHint }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ missing, seconds }) =>
        missing.includes("*")
          ? `no controller that can be installed was there within ${seconds} s (WAIT_TIMEOUT)`
          : `no controller that can be installed on ${missing.join(", ")} was there within ${seconds} s (WAIT_TIMEOUT)`,
      remedy: ({ hint }) => HINT[hint].en,
    },
    zh: {
      cause: ({ missing, seconds }) =>
        missing.includes("*")
          ? `等待 ${seconds} 秒（WAIT_TIMEOUT）后仍没有可安装的控制器`
          : `等待 ${seconds} 秒（WAIT_TIMEOUT）后 ${missing.join("、")} 仍没有可安装的控制器`,
      remedy: ({ hint }) => HINT[hint].zh,
    },
  }),
};
