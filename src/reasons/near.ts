import { suspicion } from "./fault.ts";

/** Files that could be packages and were not recognised, or are none. */
export const near = {
  "volume.near.name": suspicion<{ meant: string }>(
    {
      en: ({ meant }) => `is left alone: its name is not quite a package's (did you mean ${meant}?)`,
      zh: ({ meant }) => `已忽略：名称与安装包名称相近（是否应为 ${meant}？）`,
    },
    {
      en: ({ meant }) => `rename it to ${meant} if it is a package, or remove it`,
      zh: ({ meant }) => `若确为安装包，请重命名为 ${meant}，否则请删除`,
    },
  ),
  "volume.near.link": suspicion<{ target: string }>(
    {
      en: ({ target }) =>
        `is left alone: it is a link to ${target}, which does not exist where the job looks for it`,
      zh: ({ target }) => `已忽略：链接指向 ${target}，在任务的运行环境中不存在`,
    },
    {
      en: "copy the file itself to the volume, or make the link relative to a file on the same volume: a link to the host's folders ends nowhere in a container",
      zh: "请将文件本身复制到卷上，或改为指向同一卷内文件的相对链接：指向宿主机目录的链接在容器内无效",
    },
  ),
  "volume.near.linked": suspicion<{ target: string }>(
    {
      en: ({ target }) =>
        `is left alone: it is a link to the folder ${target}, and links to folders are not followed`,
      zh: ({ target }) => `已忽略：是指向目录 ${target} 的链接，不跟随指向目录的链接`,
    },
    {
      en: "put the folder itself on the volume, or mount it there",
      zh: "请将该目录本身放到卷上，或挂载到卷中",
    },
  ),
  "volume.near.folder": suspicion(
    {
      en: "is left alone: it is a folder with an archive's name",
      zh: "已忽略：是目录，但名称像压缩包",
    },
    {
      en: "if Docker made it in place of a file that was missing when it was mounted, remove the folder, put the file there and start again; an unpacked archive has to be packed again",
      zh: "若是 Docker 在挂载时因文件缺失而创建的目录，请删除该目录并放入文件后重新启动；若是解压后的目录，请重新打包",
    },
  ),
  "volume.near.special": suspicion(
    {
      en: "is left alone: by its name or place it is a package, but it is no regular file (a FIFO, socket or device)",
      zh: "已忽略：从名称或位置看是安装包，但不是普通文件（命名管道、套接字或设备）",
    },
    { en: "put the file itself there", zh: "请放入文件本身" },
  ),
  "volume.near.deep": suspicion<{ depth: number }>(
    {
      en: ({ depth }) => `is left alone: it lies more than ${depth} folders deep`,
      zh: ({ depth }) => `已忽略：目录超过 ${depth} 层`,
    },
    { en: "move it further up on the volume", zh: "请移到卷中更浅的目录" },
  ),
  "volume.near.unknown": suspicion(
    {
      en: "is left alone: it could be a package, but its name does not say which",
      zh: "已忽略：可能是探针包，但名称没有说明是哪一种",
    },
    {
      en: "call a controller's archive fusion-collectors-linux-amd64-1.2.3.zip, put a collector into collector/linux/ or collector/windows/, declare any other package in packages.json, or remove the file",
      zh: "请将控制器压缩包命名为 fusion-collectors-linux-amd64-1.2.3.zip，将采集器放入 collector/linux/ 或 collector/windows/，其他探针包在 packages.json 中声明，或删除该文件",
    },
  ),
  "volume.near.split": suspicion<{ command: string }>(
    {
      en: "is left alone: it is one part of a split archive",
      zh: "已忽略：是分卷压缩包的一部分",
    },
    {
      en: ({ command }) => `join the parts: ${command}`,
      zh: ({ command }) => `请合并分卷：${command}`,
    },
  ),
  "volume.near.release": suspicion(
    {
      en: "is left alone: it is a release pack of BK-Lite's (manifest.json and artifacts/), which is not for this job",
      zh: "已忽略：是 BK-Lite 的发布包（manifest.json 与 artifacts/），不由本任务处理",
    },
    {
      en: "import it on BK-Lite's page, and remove it from the volume",
      zh: "请在 BK-Lite 页面上导入，并从卷中移除",
    },
  ),
  "collector.place": suspicion(
    {
      en: "is left alone: collectors are looked for in collector/linux/ and collector/windows/, or one folder below for an architecture",
      zh: "已忽略：采集器只从 collector/linux/ 和 collector/windows/（其下可再按架构分目录）读取",
    },
    {
      en: "move it there, such as to collector/linux/telegraf or collector/windows/x86_64/telegraf.exe",
      zh: "请移到其中，例如 collector/linux/telegraf 或 collector/windows/x86_64/telegraf.exe",
    },
  ),
  "collector.packed": suspicion(
    {
      en: "is left alone: a collector lies there as its program, as a folder, or as a zip",
      zh: "已忽略：采集器应以程序文件、目录或 zip 的形式放在此处",
    },
    {
      en: "unpack it, and put the program (telegraf) or its folder (filebeat/) there",
      zh: "请先解压，再放入程序（telegraf）或其目录（filebeat/）",
    },
  ),
};
