import { plural, reason } from "./define.ts";

const RUN_INIT = "run init, and look at its exit code";
const RUN_INIT_ZH = "请运行 init，并查看其退出码";

interface Identity {
  type: string;
  os: string;
  /** null where the table does not tell architectures apart. */
  arch: string | null;
  object: string;
  version: string;
}

const what = ({ type, os, arch, object, version }: Identity) =>
  `${type} ${arch === null ? os : `${os}/${arch}`} ${object} ${version}`;

/** How servers differ from what the volume asks for; each in the words that follow a file's name. */
export const drift = {
  "drift.object.missing": reason<{ key: string }>({
    exit: 76,
    again: true,
    en: { cause: ({ key }) => `object ${key} is missing`, remedy: RUN_INIT },
    zh: { cause: ({ key }) => `缺少对象 ${key}`, remedy: RUN_INIT_ZH },
  }),
  "drift.object.damaged": reason<{ key: string; stored: number; chunks: number }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ key, stored, chunks }) =>
        `object ${key} is damaged: ${stored} of ${plural(chunks, "chunk")} are stored`,
      remedy: RUN_INIT,
    },
    zh: {
      cause: ({ key, stored, chunks }) => `对象 ${key} 已损坏：${chunks} 个分块中只存有 ${stored} 个`,
      remedy: RUN_INIT_ZH,
    },
  }),
  "drift.object.unreadable": reason<{ key: string }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ key }) => `object ${key} cannot be read by any client: its metadata is damaged`,
      remedy: RUN_INIT,
    },
    zh: { cause: ({ key }) => `对象 ${key} 的元数据已损坏，任何客户端都无法读取`, remedy: RUN_INIT_ZH },
  }),
  "drift.object.different": reason<{ key: string; stored: string; local: string }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ key, stored, local }) =>
        `object ${key} has different content: SHA-256 ${stored}, on the volume ${local}`,
      remedy: RUN_INIT,
    },
    zh: {
      cause: ({ key, stored, local }) => `对象 ${key} 内容不同：SHA-256 ${stored}，卷上为 ${local}`,
      remedy: RUN_INIT_ZH,
    },
  }),
  "drift.row.missing": reason<Identity>({
    exit: 76,
    again: true,
    en: { cause: (row) => `its row is missing: ${what(row)}`, remedy: RUN_INIT },
    zh: { cause: (row) => `缺少记录：${what(row)}`, remedy: RUN_INIT_ZH },
  }),
  "drift.row.name": reason<Identity & { id: number; name: string; expected: string }>({
    exit: 76,
    again: true,
    en: {
      cause: (row) => `row ${row.id} (${what(row)}) names ${row.name}, not ${row.expected}`,
      remedy: RUN_INIT,
    },
    zh: {
      cause: (row) => `记录 ${row.id}（${what(row)}）的名称是 ${row.name}，应为 ${row.expected}`,
      remedy: RUN_INIT_ZH,
    },
  }),
  "drift.row.status": reason<Identity & { id: number; status: string }>({
    exit: 76,
    again: true,
    en: {
      cause: (row) => `row ${row.id} (${what(row)}) has status "${row.status}", not "ready"`,
      remedy: RUN_INIT,
    },
    zh: {
      cause: (row) => `记录 ${row.id}（${what(row)}）的状态是“${row.status}”，应为“ready”`,
      remedy: RUN_INIT_ZH,
    },
  }),
  "drift.row.digest": reason<Identity & { id: number; found: string; stored: string }>({
    exit: 76,
    again: true,
    en: {
      cause: (row) => `row ${row.id} (${what(row)}) has SHA-256 "${row.found}", its object ${row.stored}`,
      remedy: RUN_INIT,
    },
    zh: {
      cause: (row) => `记录 ${row.id}（${what(row)}）的 SHA-256 是“${row.found}”，其对象为 ${row.stored}`,
      remedy: RUN_INIT_ZH,
    },
  }),
  "verification.failed": reason<{ problems: number; first: Record<"en" | "zh", string> }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ problems, first }) =>
        `verification failed: ${plural(problems, "problem")}${problems > 1 ? "; first" : ""}: ${first.en}`,
      remedy: RUN_INIT,
    },
    zh: {
      cause: ({ problems, first }) =>
        `校验失败：共 ${problems} 处问题${problems > 1 ? "，第一处" : ""}：${first.zh}`,
      remedy: RUN_INIT_ZH,
    },
  }),
  "verification.unstable": reason<{ first: Record<"en" | "zh", string> }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ first }) => `what was written is not there: ${first.en}`,
      remedy: "run again; if it stays so, somebody else changes the bucket or the table at the same time",
    },
    zh: {
      cause: ({ first }) => `写入的内容读不到：${first.zh}`,
      remedy: "请重新运行；如果仍然如此，说明有其他程序同时在修改存储桶或数据表",
    },
  }),
  "content.replaced": reason<{ key: string; stored: string; local: string }>({
    exit: null,
    again: false,
    en: {
      cause: ({ key, stored, local }) =>
        `replaced different content that was stored under this version: ${key} (SHA-256 was ${stored}, is ${local})`,
      remedy:
        "nothing has to be done if this build is meant to replace that one; ON_CONFLICT=keep or fail would not have",
    },
    zh: {
      cause: ({ key, stored, local }) =>
        `该版本原有内容不同，已替换：${key}（SHA-256 原为 ${stored}，现为 ${local}）`,
      remedy: "如果本来就要用这次构建替换，则无需处理；ON_CONFLICT=keep 或 fail 则不会替换",
    },
  }),
  "content.kept": reason<{ key: string; stored: string; local: string }>({
    exit: null,
    again: false,
    en: {
      cause: ({ key, stored, local }) =>
        `different content is stored under this version and stays: ${key} (SHA-256 stored ${stored}, on the volume ${local})`,
      remedy: "to have this build installed, give it another version, or set ON_CONFLICT=replace",
    },
    zh: {
      cause: ({ key, stored, local }) =>
        `该版本已存储的内容不同，予以保留：${key}（SHA-256 已存储 ${stored}，卷上 ${local}）`,
      remedy: "要安装这次构建，请换一个版本号，或设置 ON_CONFLICT=replace",
    },
  }),
};
