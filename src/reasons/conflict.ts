import { reason } from "./define.ts";

/** `stored` and `local` are SHA-256 in hex. */
interface Contents {
  /** `linux/x86_64`; without the architecture where the table has none. */
  platform: string;
  object: string;
  version: string;
  stored: string;
  local: string;
}

const identity = ({ platform, object, version }: Contents) => `${platform} ${object} ${version}`;
const digests = ({ stored, local }: Contents) => `SHA-256 stored ${stored}, on the volume ${local}`;
const digestsZh = ({ stored, local }: Contents) => `SHA-256：已存储 ${stored}，卷上 ${local}`;

export const conflict = {
  "conflict.content": reason<Contents>({
    exit: 65,
    again: false,
    en: {
      cause: (p) =>
        `${identity(p)} is already stored with different content, and ON_CONFLICT is fail (${digests(p)})`,
      remedy:
        "give this build another version (PACKAGE_VERSION or --version), or set ON_CONFLICT=replace or keep",
    },
    zh: {
      cause: (p) => `${identity(p)} 已存储但内容不同，且 ON_CONFLICT 为 fail（${digestsZh(p)}）`,
      remedy: "为这次构建换一个版本号（PACKAGE_VERSION 或 --version），或设置 ON_CONFLICT=replace 或 keep",
    },
  }),
  "conflict.user": reason<Contents & { user: string }>({
    exit: 65,
    again: false,
    en: {
      cause: (p) =>
        `${identity(p)} was uploaded by a user ("${p.user}") with different content and is never overwritten (${digests(p)})`,
      remedy:
        "give this build another version (PACKAGE_VERSION or --version), delete the package on the web page, or set ON_CONFLICT=keep",
    },
    zh: {
      cause: (p) => `${identity(p)} 由用户“${p.user}”上传，内容不同，不会被覆盖（${digestsZh(p)}）`,
      remedy:
        "为这次构建换一个版本号（PACKAGE_VERSION 或 --version），在页面上删除该包，或设置 ON_CONFLICT=keep",
    },
  }),
  "conflict.user.damaged": reason<Contents & { user: string; chunks: number; whole: number }>({
    exit: 65,
    again: false,
    en: {
      cause: (p) =>
        `${identity(p)} was uploaded by a user ("${p.user}") with different content, and only ${p.chunks} of its ${p.whole} chunks are stored: it can be neither installed nor repaired from here`,
      remedy: "upload it again or delete it on the web page, or give this build another version",
    },
    zh: {
      cause: (p) =>
        `${identity(p)} 由用户“${p.user}”上传，内容不同，且 ${p.whole} 个分块中只存有 ${p.chunks} 个：既无法安装，也无法从本卷修复`,
      remedy: "请在页面上重新上传或删除该包，或为这次构建换一个版本号",
    },
  }),
  "conflict.name": reason<{ id: number; name: string; user: string }>({
    exit: 65,
    again: false,
    en: {
      cause: ({ id, name, user }) =>
        `row ${id}, uploaded by a user ("${user}"), has the name "${name}", which cannot be part of an object's key: nothing can be served by it`,
      remedy: "delete the package on the web page, or give this build another version",
    },
    zh: {
      cause: ({ id, name, user }) =>
        `用户“${user}”上传的记录 ${id} 名称为“${name}”，不能作为对象键的一部分，无法提供下载`,
      remedy: "请在页面上删除该包，或为这次构建换一个版本号",
    },
  }),
  "row.architecture": reason<{ id: number; object: string; version: string; rowArch: string; arch: string }>({
    exit: null,
    again: false,
    en: {
      cause: (p) =>
        `row ${p.id} calls itself ${p.rowArch}, but serves the ${p.arch} archive of ${p.object} ${p.version}: it was written before BK-Lite's table told architectures apart`,
      remedy: (p) =>
        `put the ${p.rowArch} archive of this version on the volume and run again, or delete row ${p.id} on the web page`,
    },
    zh: {
      cause: (p) =>
        `记录 ${p.id} 标为 ${p.rowArch}，提供的却是 ${p.object} ${p.version} 的 ${p.arch} 压缩包：它写于 BK-Lite 的表区分架构之前`,
      remedy: (p) => `把该版本的 ${p.rowArch} 压缩包放到卷上重新运行，或在页面上删除记录 ${p.id}`,
    },
  }),
};
