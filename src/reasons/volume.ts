import { plural, reason } from "./define.ts";

/** Who may read something, and who tries to. */
export interface Access {
  /** Numbers, `uid:gid`. */
  owner: string;
  /** Octal: `0600`. */
  mode: string;
  /** Who the job runs as, `uid:gid`. */
  user: string;
  /** The folder that this is of, where it is one on the way that is closed. */
  folder?: string;
}

const access = {
  en: ({ owner, mode, user, folder }: Access) =>
    `${folder ? `folder ${folder}: ` : ""}owner ${owner}, mode ${mode}, read as ${user}`,
  zh: ({ owner, mode, user, folder }: Access) =>
    `${folder ? `目录 ${folder}：` : ""}属主 ${owner}，权限 ${mode}，读取用户 ${user}`,
};

/** What the system says when a file system itself has failed. */
const SYSTEM: Record<string, { en: string; zh: string }> = {
  EIO: { en: "input/output error", zh: "输入输出错误" },
  ESTALE: { en: "stale NFS file handle", zh: "NFS 文件句柄已失效" },
};
const word = (code: string, language: "en" | "zh") => {
  const known = SYSTEM[code]?.[language];
  return known === undefined ? "" : language === "zh" ? `（${known}）` : ` (${known})`;
};

const HEALTH = {
  en: ({ code }: { code: string }) =>
    code === "ESTALE"
      ? "mount the volume again (the NFS server has replaced or restarted it), then run the job again"
      : "look at the disk or network storage behind the volume (its logs, dmesg), then run the job again",
  zh: ({ code }: { code: string }) =>
    code === "ESTALE"
      ? "请重新挂载该卷（NFS 服务端已更换或重启），再运行任务"
      : "请检查卷所在的磁盘或网络存储（存储日志、dmesg），再运行任务",
};

const MOUNT = {
  en: "mount the folder that holds the packages there, or set PACKAGES_DIR",
  zh: "请将存放安装包的目录挂载到该处，或设置 PACKAGES_DIR",
};

/** What a volume without a package is found to hold. */
interface Emptiness {
  path: string;
  /** Files that look like a mistake. */
  suspects: readonly string[];
  /** Every file that is no package. */
  others: readonly string[];
  /** The command that joins the parts of a split archive. */
  join?: string | undefined;
}

/** Names that are shown of a folder's files. */
const SHOWN = 5;
const shortly = (names: readonly string[], between: string) =>
  `${names.slice(0, SHOWN).join(between)}${names.length > SHOWN ? " …" : ""}`;
const held = {
  en: (names: readonly string[]) =>
    names.length === 0 ? "is empty" : `holds ${plural(names.length, "other file")}: ${shortly(names, ", ")}`,
  zh: (names: readonly string[]) =>
    names.length === 0 ? "目录为空" : `另有 ${names.length} 个文件：${shortly(names, "、")}`,
};

/** The volume and the files on it. */
export const volume = {
  "volume.missing": reason<{ path: string }>({
    exit: 66,
    again: false,
    en: { cause: ({ path }) => `${path}: there is no such folder`, remedy: MOUNT.en },
    zh: { cause: ({ path }) => `${path}：目录不存在`, remedy: MOUNT.zh },
  }),
  "volume.file": reason<{ path: string }>({
    exit: 66,
    again: false,
    en: { cause: ({ path }) => `${path}: is a file, not a folder`, remedy: MOUNT.en },
    zh: { cause: ({ path }) => `${path}：是文件而不是目录`, remedy: MOUNT.zh },
  }),
  "volume.denied": reason<Access & { path: string }>({
    exit: 66,
    again: false,
    en: {
      cause: (at) => `${at.path}: permission denied: the folder cannot be read (${access.en(at)})`,
      remedy: ({ path, user }) =>
        `make the folder readable for user ${user}, such as by chmod -R a+rX ${path}; where the mode allows it already, look at SELinux (mount option :z) and at the export's root squash`,
    },
    zh: {
      cause: (at) => `${at.path}：权限不足，无法读取目录（${access.zh(at)}）`,
      remedy: ({ path, user }) =>
        `请为用户 ${user} 授予该目录的读权限，例如 chmod -R a+rX ${path}；若权限本已足够，请检查 SELinux（挂载选项 :z）和 NFS 的 root squash`,
    },
  }),
  "volume.unreadable": reason<{ path: string; code: string; said: string }>({
    exit: 74,
    again: true,
    en: {
      cause: ({ path, code, said }) => `${path}: the folder could not be read: ${said}${word(code, "en")}`,
      remedy: HEALTH.en,
    },
    zh: {
      cause: ({ path, code, said }) => `${path}：无法读取目录：${said}${word(code, "zh")}`,
      remedy: HEALTH.zh,
    },
  }),
  "volume.empty": reason<Emptiness>({
    exit: 66,
    again: false,
    en: {
      cause: ({ path, suspects, others }) =>
        `no usable package in ${path}, which ${held.en(others)}${suspects.length > 0 ? `; this looks like a mistake: ${suspects.join(", ")}` : ""}`,
      remedy: ({ suspects, join }) => {
        if (join !== undefined) return `join the parts of the split archive: ${join}`;
        return suspects.length > 0
          ? "correct what is named (the warnings above say how), or put fusion-collectors*.zip or .tar.gz there"
          : "put fusion-collectors*.zip or .tar.gz there (at most four folders deep), check the mount, or set ALLOW_EMPTY=true";
      },
    },
    zh: {
      cause: ({ path, suspects, others }) =>
        `${path} 中没有可用的探针包（${held.zh(others)}）${suspects.length > 0 ? `，以下项目疑似有误：${suspects.join("、")}` : ""}`,
      remedy: ({ suspects, join }) => {
        if (join !== undefined) return `请合并分卷：${join}`;
        return suspects.length > 0
          ? "请按前面的告警修正上述项目，或放入 fusion-collectors*.zip 或 .tar.gz"
          : "请放入 fusion-collectors*.zip 或 .tar.gz（目录最深四层），检查挂载，或设置 ALLOW_EMPTY=true";
      },
    },
  }),
  "file.link": reason({
    exit: 65,
    again: false,
    en: {
      cause:
        "is a symbolic link that leads out of PACKAGES_DIR: a link that is read must end at a regular file below that folder",
      remedy: "put the file itself there, or a relative link to a file on the same volume",
    },
    zh: {
      cause: "是指向卷（PACKAGES_DIR）之外的符号链接：会被读取的链接必须指向该目录下的普通文件",
      remedy: "请放入文件本身，或改为指向同一卷内文件的相对链接",
    },
  }),
  "file.missing": reason({
    exit: 66,
    again: false,
    en: {
      cause: "there is no such file",
      remedy: "give --file the path of a regular file, as seen from inside the container",
    },
    zh: { cause: "文件不存在", remedy: "请用 --file 指定容器内可见的普通文件路径" },
  }),
  "file.irregular": reason({
    exit: 66,
    again: false,
    en: {
      cause: "is not a regular file",
      remedy: "give --file the path of a regular file, as seen from inside the container",
    },
    zh: { cause: "不是普通文件", remedy: "请用 --file 指定容器内可见的普通文件路径" },
  }),
  "file.denied": reason<Access>({
    exit: 66,
    again: false,
    en: {
      cause: (at) => `cannot be read: permission denied (${access.en(at)})`,
      remedy: ({ user }) =>
        `make the file readable for user ${user}, such as by chmod a+r; where the mode allows it already, look at the folders above it, at SELinux (mount option :z) and at the export's root squash`,
    },
    zh: {
      cause: (at) => `无法读取：权限不足（${access.zh(at)}）`,
      remedy: ({ user }) =>
        `请为用户 ${user} 授予读权限，例如 chmod a+r；若权限本已足够，请检查上级目录、SELinux（挂载选项 :z）和 NFS 的 root squash`,
    },
  }),
  "file.unreadable": reason<{ code: string; said: string }>({
    exit: 74,
    again: true,
    en: { cause: ({ code, said }) => `could not be read: ${said}${word(code, "en")}`, remedy: HEALTH.en },
    zh: { cause: ({ code, said }) => `无法读取：${said}${word(code, "zh")}`, remedy: HEALTH.zh },
  }),
  "file.changed": reason({
    exit: 74,
    again: true,
    en: {
      cause: "changed while it was read",
      remedy:
        "wait until the copy is complete (copy to a name ending in .part, then rename), then run the job again",
    },
    zh: {
      cause: "在读取过程中发生了变化",
      remedy: "请等待复制完成（先复制为以 .part 结尾的名称，再重命名），然后重新运行任务",
    },
  }),
  "file.growing": reason<{ seconds: number }>({
    exit: 74,
    again: true,
    en: {
      cause: ({ seconds }) => `is still being written: waited ${seconds} s for it to be complete`,
      remedy:
        "wait until the copy is complete (copy to a name ending in .part, then rename), then run the job again; if nothing writes to it any more, the copy was cut short: copy it again",
    },
    zh: {
      cause: ({ seconds }) => `仍在写入：已等待 ${seconds} 秒，文件尚不完整`,
      remedy:
        "请等待复制完成（先复制为以 .part 结尾的名称，再重命名），然后重新运行任务；若已无进程写入，说明复制中断，请重新复制",
    },
  }),
};
