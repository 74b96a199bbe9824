import { reason } from "./define.ts";

/** What Postgres says of a statement of ours; `said` in its own words. */
interface Said {
  said: string;
}

const refused = ({ said }: Said) => `Postgres refused: ${said}`;
const refusedZh = ({ said }: Said) => `Postgres 拒绝执行：${said}`;

export const row = {
  "row.sequence.behind": reason<{ sequence: string; table: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ sequence, table }) =>
        `no row can be inserted into ${table}: the id sequence ${sequence} lags behind the ids that are taken (a restored dump leaves it so)`,
      remedy: ({ sequence, table }) =>
        `run as the table's owner: SELECT setval('${sequence}', (SELECT max(id) FROM ${table}))`,
    },
    zh: {
      cause: ({ sequence, table }) =>
        `无法向 ${table} 插入记录：id 序列 ${sequence} 落后于已有的 id（恢复备份后常见）`,
      remedy: ({ sequence, table }) =>
        `请以表的所有者执行：SELECT setval('${sequence}', (SELECT max(id) FROM ${table}))`,
    },
  }),
  "row.denied": reason<Said>({
    exit: 77,
    again: false,
    en: { cause: refused, remedy: "grant the job's user what docs/permissions.md lists" },
    zh: { cause: refusedZh, remedy: "请按 docs/zh-CN/permissions.md 授予任务用户所需的权限" },
  }),
  "row.disk.full": reason<Said>({
    exit: 73,
    again: false,
    en: { cause: refused, remedy: "free room on the disk of Postgres" },
    zh: { cause: refusedZh, remedy: "请释放 Postgres 所在磁盘的空间" },
  }),
  "row.readonly": reason<Said>({
    exit: 69,
    again: true,
    en: { cause: refused, remedy: "the server only reads now: point DB_HOST at the primary" },
    zh: { cause: refusedZh, remedy: "该服务器目前只读，请将 DB_HOST 指向主库" },
  }),
  "row.busy": reason<Said>({
    exit: 69,
    again: true,
    en: {
      cause: refused,
      remedy: "the server is busy, or something (a migration?) holds a lock on the table: run again",
    },
    zh: { cause: refusedZh, remedy: "服务器繁忙，或表被锁定（可能正在迁移）：请重新运行" },
  }),
  "row.refused": reason<Said>({
    exit: 78,
    again: false,
    en: {
      cause: refused,
      remedy:
        "something in this database refuses what the job does (a trigger, a constraint): check the table, or use a newer bklite-package-init",
    },
    zh: {
      cause: refusedZh,
      remedy: "该数据库中有触发器或约束拒绝写入：请检查数据表，或使用更新版本的 bklite-package-init",
    },
  }),
  "table.changed": reason<Said>({
    exit: 78,
    again: false,
    en: {
      cause: refused,
      remedy:
        "check the table against BK-Lite's migrations (a trigger or column of somebody's own?), or use a newer bklite-package-init",
    },
    zh: {
      cause: refusedZh,
      remedy:
        "请对照 BK-Lite 的迁移检查数据表（是否有自行添加的触发器或列），或使用更新版本的 bklite-package-init",
    },
  }),
  "table.unknown": reason<{ table: string; columns: string; what: "missing" | "unknown" }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ table, columns, what }) =>
        what === "missing"
          ? `${table} has no column ${columns}`
          : `${table} has NOT NULL columns without a default that this version does not know: ${columns}`,
      remedy:
        "this table is of no BK-Lite version that the job knows: use a newer bklite-package-init, or check DB_SCHEMA",
    },
    zh: {
      cause: ({ table, columns, what }) =>
        what === "missing"
          ? `${table} 缺少列 ${columns}`
          : `${table} 有本版本不认识、且没有默认值的 NOT NULL 列：${columns}`,
      remedy: "这不是本任务认识的 BK-Lite 表结构：请使用更新版本的 bklite-package-init，或检查 DB_SCHEMA",
    },
  }),
};
