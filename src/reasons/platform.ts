import { type Language, reason } from "./define.ts";
import { suspicion } from "./fault.ts";

/** What a platform needs before a node of it can be installed from BK-Lite's pages. */
export type MissingPart = "controller" | "installer" | "bootstrap";

export const MISSING_WORDS: Record<MissingPart, Record<Language, string>> = {
  controller: { en: "controller", zh: "控制器" },
  installer: { en: "installer", zh: "安装器" },
  bootstrap: { en: "Windows bootstrap", zh: "Windows 引导程序" },
};

/** What REQUIRE may find missing. */
type RequiredPart = MissingPart | "probe";

const REQUIRED_WORDS: Record<RequiredPart, Record<Language, string>> = {
  ...MISSING_WORDS,
  probe: { en: "probe", zh: "探针" },
};

interface OnPlatform {
  /** `linux/arm64`; before state C `linux`. */
  platform: string;
}

interface Incomplete {
  incomplete: readonly { platform: string; missing: readonly RequiredPart[] }[];
}

const listed = ({ incomplete }: Incomplete, language: Language) => {
  const zh = language === "zh";
  const parts = incomplete.map(({ platform, missing }) => {
    const words = missing.map((part) => REQUIRED_WORDS[part][language]);
    return zh ? `${platform}（缺少${words.join("、")}）` : `${platform} (no ${words.join(", no ")})`;
  });
  return parts.join(zh ? "、" : ", ");
};

const installerOf = (platform: string) =>
  platform.startsWith("windows") ? "bklite-controller-installer.exe" : "bklite-controller-installer";

/** What cannot be installed although everything on the volume is stored and registered. */
export const platform = {
  "platform.controller.missing": suspicion<OnPlatform>(
    {
      en: ({ platform }) =>
        `${platform}: no controller can be installed: no .zip is registered and completely stored`,
      zh: ({ platform }) => `${platform}：没有可安装的控制器（没有已登记且对象完整的 .zip）`,
    },
    {
      en: ({ platform }) =>
        `put the fusion-collectors archive for ${platform} on the volume and run the job again`,
      zh: ({ platform }) => `请将 ${platform} 的 fusion-collectors 压缩包放入卷中，重新运行本任务`,
    },
  ),
  "platform.installer.missing": suspicion<OnPlatform>(
    {
      en: ({ platform }) =>
        `${platform}: the installer is missing: BK-Lite cannot install a controller from its pages ("object does not exist")`,
      zh: ({ platform }) =>
        `${platform}：缺少安装器，BK-Lite 无法从页面安装控制器（会提示“object does not exist”）`,
    },
    {
      en: ({ platform }) =>
        `put ${installerOf(platform)} for ${platform} on the volume and run the job again`,
      zh: ({ platform }) => `请将 ${platform} 的 ${installerOf(platform)} 放入卷中，重新运行本任务`,
    },
  ),
  "platform.bootstrap.missing": suspicion<OnPlatform>(
    {
      en: ({ platform }) =>
        `${platform}: the Windows bootstrap is missing: BK-Lite cannot install a controller on Windows remotely`,
      zh: ({ platform }) => `${platform}：缺少 Windows 引导程序，BK-Lite 无法远程安装 Windows 控制器`,
    },
    {
      en: "put bklite-controller-bootstrap.exe on the volume and run the job again",
      zh: "请将 bklite-controller-bootstrap.exe 放入卷中，重新运行本任务",
    },
  ),
  "platform.collectors.listed": suspicion<OnPlatform & { names: readonly string[] }>(
    {
      en: ({ platform, names }) =>
        `${platform}: ${names.join(", ")} ${names.length === 1 ? "is" : "are"} only listed: without an object BK-Lite can neither install nor delete ${names.length === 1 ? "it" : "them"}`,
      zh: ({ platform, names }) =>
        `${platform}：${names.join("、")} 仅有登记、没有对象，BK-Lite 既不能安装也不能删除`,
    },
    {
      en: "set COLLECTOR_PACKAGES=auto (or standalone) and run the job again",
      zh: "请设置 COLLECTOR_PACKAGES=auto（或 standalone），重新运行本任务",
    },
  ),
  "platform.collectors.unknown": suspicion<OnPlatform & { names: readonly string[] }>(
    {
      en: ({ platform, names }) =>
        `${platform}: ${names.join(", ")}: stored, but BK-Lite has no definition of exactly that name, so it cannot be installed`,
      zh: ({ platform, names }) =>
        `${platform}：${names.join("、")} 已存储，但 BK-Lite 没有名称完全相同的采集器定义，无法安装`,
    },
    {
      en: "compare the name with node_mgmt_collector, capitals included: store it under the defined name, and delete this row on BK-Lite's page",
      zh: "请与 node_mgmt_collector 核对名称（区分大小写），按定义的名称存储，并在 BK-Lite 页面删除该记录",
    },
  ),
  "platform.collectors.unstartable": suspicion<OnPlatform & { names: readonly string[] }>(
    {
      en: ({ platform, names }) =>
        `${platform}: ${names.join(", ")}: stored under a file name that puts the program elsewhere than where BK-Lite starts it, so it installs and never runs`,
      zh: ({ platform, names }) =>
        `${platform}：${names.join("、")} 存储所用的文件名使程序不在 BK-Lite 启动的位置，安装后无法运行`,
    },
    {
      en: "put the collector on the volume and run the job again, or upload it on BK-Lite's page in the form that executable_path in node_mgmt_collector asks for",
      zh: "请将该采集器放入卷中并重新运行本任务，或按 node_mgmt_collector 的 executable_path 所需的形式在 BK-Lite 页面重新上传",
    },
  ),
  "platform.incomplete": reason<Incomplete>({
    exit: 76,
    again: true,
    en: {
      cause: (params) => `not everything that REQUIRE names can be installed: ${listed(params, "en")}`,
      remedy: "put what is missing on the volume and run the job again, or take it out of REQUIRE",
    },
    zh: {
      cause: (params) => `REQUIRE 指定的内容不完整：${listed(params, "zh")}`,
      remedy: "请将缺少的内容放入卷中并重新运行本任务，或从 REQUIRE 中去掉该项",
    },
  }),
  "definitions.name": suspicion<{ names: readonly string[] }>(
    {
      en: ({ names }) =>
        `node_mgmt_collector has definitions whose name cannot be part of an object's key, and they are passed over: ${names.map((name) => `"${name}"`).join(", ")}`,
      zh: ({ names }) =>
        `node_mgmt_collector 中有名称不能作为对象键一部分的采集器定义，已忽略：${names.map((name) => `“${name}”`).join("、")}`,
    },
    {
      en: "rename or delete them in BK-Lite: a name has 1 to 100 characters without blanks, slashes, backslashes and control characters",
      zh: "请在 BK-Lite 中改名或删除：名称为 1 至 100 个字符，不含空白、斜杠、反斜杠和控制字符",
    },
  ),
};
