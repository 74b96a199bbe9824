import { suspicion } from "./fault.ts";

/** A collector that is stored, though BK-Lite will not be able to start it. */
export const collectors = {
  "collector.unstartable": suspicion<{ object: string; program: string }>(
    {
      en: ({ object, program }) =>
        `is stored as ${object}, but BK-Lite starts ${program}, which is not there after it has unpacked this on a node: it cannot be installed`,
      zh: ({ object, program }) =>
        `按 ${object} 存储，但 BK-Lite 启动的是 ${program}，在节点上解压后该文件不存在：无法安装`,
    },
    {
      en: ({ program }) =>
        `give a file, folder or zip that holds ${program}, and compare executable_path in node_mgmt_collector: BK-Lite unpacks collectors below bin/ alone`,
      zh: ({ program }) =>
        `请提供含有 ${program} 的文件、目录或 zip，并核对 node_mgmt_collector 的 executable_path：BK-Lite 只将采集器解压到 bin/ 下`,
    },
  ),
};
