import { reason } from "./define.ts";

export const lock = {
  "lock.held": reason<{ bucket: string; pid: number; client: string; age: number; waited: number }>({
    exit: 75,
    again: true,
    en: {
      cause: ({ bucket, pid, client, age, waited }) =>
        `another run holds the lock for bucket "${bucket}" and did not release it within ${waited} s: Postgres session ${pid}, client ${client}, ${age} s old`,
      remedy: ({ pid }) =>
        `wait until it ends; if it hangs, or its machine is gone, end it: SELECT pg_terminate_backend(${pid})`,
    },
    zh: {
      cause: ({ bucket, pid, client, age, waited }) =>
        `另一个任务持有存储桶“${bucket}”的锁，${waited} 秒内没有释放：Postgres 会话 ${pid}，客户端 ${client}，已持续 ${age} 秒`,
      remedy: ({ pid }) =>
        `等待它结束；如果它已挂起或所在机器已不在，请终止该会话：SELECT pg_terminate_backend(${pid})`,
    },
  }),
  "lock.pooled": reason({
    exit: 78,
    again: false,
    en: {
      cause:
        "the connection to Postgres is pooled per transaction (pgbouncer's pool_mode = transaction, or the like): the lock that keeps two runs apart cannot hold there",
      remedy: "point DB_HOST and DB_PORT at Postgres itself, or at a pool with pool_mode = session",
    },
    zh: {
      cause:
        "到 Postgres 的连接按事务复用（如 pgbouncer 的 pool_mode = transaction），防止两个任务同时写入的锁无法保持",
      remedy: "让 DB_HOST 和 DB_PORT 直连 Postgres，或使用 pool_mode = session 的连接池",
    },
  }),
};
