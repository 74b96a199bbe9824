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
  "row.altered": reason<{ table: string; column: string; written: string; found: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ table, column, written, found }) =>
        `the database changed a row of ${table} while it was written: ${column} became "${found}" instead of "${written}"; nothing was kept`,
      remedy: ({ table }) =>
        `look for a trigger on ${table} or a column type that pads or shortens (char(n)), and remove it`,
    },
    zh: {
      cause: ({ table, column, written, found }) =>
        `写入 ${table} 的记录被数据库改动：${column} 应为“${written}”，实际为“${found}”；已全部回滚`,
      remedy: ({ table }) =>
        `请检查 ${table} 上的触发器，以及会补空格或截断的列类型（如 char(n)），并将其去除`,
    },
  }),
  "row.suppressed": reason<{ table: string; statement: "INSERT" | "UPDATE" }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ table, statement }) =>
        `the database accepted ${statement} on ${table}, but wrote no row; nothing was kept`,
      remedy: ({ table }) => `look for a trigger on ${table} that suppresses rows, and remove it`,
    },
    zh: {
      cause: ({ table, statement }) => `数据库接受了对 ${table} 的 ${statement}，但没有写入记录；已全部回滚`,
      remedy: ({ table }) => `请检查 ${table} 上是否有丢弃记录的触发器，并将其去除`,
    },
  }),
  "row.not-ready": reason<{ id: number; status: string; what: string; user: string }>({
    exit: 76,
    again: true,
    en: {
      cause: ({ id, status, what, user }) =>
        `row ${id} (${what}, created by "${user}") has status "${status}": BK-Lite neither offers nor installs it, and the job leaves it as it is`,
      remedy: ({ id }) =>
        `wait until BK-Lite has finished with row ${id}, or delete the package on the web page, then run again`,
    },
    zh: {
      cause: ({ id, status, what, user }) =>
        `记录 ${id}（${what}，创建者“${user}”）的状态为“${status}”：BK-Lite 不会提供或安装它，本任务不改动它`,
      remedy: ({ id }) => `请等待 BK-Lite 处理完记录 ${id}，或在页面上删除该包，然后重新运行`,
    },
  }),
  "row.defaults.known": reason<{ columns: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ columns }) => `ROW_DEFAULTS names columns that the job fills itself: ${columns}`,
      remedy: ({ columns }) => `remove ${columns} from ROW_DEFAULTS`,
    },
    zh: {
      cause: ({ columns }) => `ROW_DEFAULTS 包含由本任务自行填写的列：${columns}`,
      remedy: ({ columns }) => `请从 ROW_DEFAULTS 中去掉 ${columns}`,
    },
  }),
  "row.defaults.refused": reason<Said & { columns: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ columns, said }) =>
        `Postgres does not accept the values of ROW_DEFAULTS (${columns}): ${said}`,
      remedy: ({ columns }) => `correct the values of ${columns} in ROW_DEFAULTS`,
    },
    zh: {
      cause: ({ columns, said }) => `Postgres 不接受 ROW_DEFAULTS 的值（${columns}）：${said}`,
      remedy: ({ columns }) => `请修正 ROW_DEFAULTS 中 ${columns} 的值`,
    },
  }),
  "table.unknown": reason<{ table: string; names: readonly string[]; types: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ table, types }) =>
        `${table} has NOT NULL columns without a default that this version does not know: ${types}`,
      remedy: ({ names }) =>
        `set ROW_DEFAULTS=${names.map((name) => `${name}=VALUE`).join(",")} with what BK-Lite itself writes there, or use a newer bklite-package-init`,
    },
    zh: {
      cause: ({ table, types }) => `${table} 有本版本不认识、且没有默认值的 NOT NULL 列：${types}`,
      remedy: ({ names }) =>
        `请设置 ROW_DEFAULTS=${names.map((name) => `${name}=值`).join(",")}（填 BK-Lite 自己写入的值），或使用更新版本的 bklite-package-init`,
    },
  }),
  "table.unique": reason<{ table: string; columns: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ table, columns }) =>
        `a unique constraint or index of ${table} has columns that this version does not know: ${columns}`,
      remedy:
        "use a newer bklite-package-init: which rows are the same package cannot be told without knowing these columns",
    },
    zh: {
      cause: ({ table, columns }) => `${table} 的唯一约束或唯一索引含有本版本不认识的列：${columns}`,
      remedy: "请使用更新版本的 bklite-package-init：不认识这些列就无法判断哪些记录是同一个包",
    },
  }),
  "table.incomplete": reason<{ table: string; columns: string }>({
    exit: 78,
    again: false,
    en: {
      cause: ({ table, columns }) => `${table} has no column ${columns}`,
      remedy:
        "check DB_SCHEMA: this is no table of BK-Lite's; or use a newer bklite-package-init if BK-Lite has dropped the column",
    },
    zh: {
      cause: ({ table, columns }) => `${table} 缺少列 ${columns}`,
      remedy:
        "请检查 DB_SCHEMA：这不是 BK-Lite 的表；如果是 BK-Lite 去掉了该列，请使用更新版本的 bklite-package-init",
    },
  }),
};
