import { event } from "./define.ts";

/** Where the way up to a server stands. */
interface Layer {
  /** The highest layer passed, or `none`. */
  passed: string;
  failed: string;
  reason: string;
  /** In the log's language. */
  cause: string;
  hint: string;
  /** Seconds. */
  waited: number;
  left: number;
}

/** Seconds of waiting from which on a line says what to do: with the second of those that come every 10 s. */
const ADVISE = 20;

const layer = (name: string, zh: string) =>
  event<Layer>({
    about: {
      en: `${name}: highest layer passed, first failed, why, seconds waited and left; when it changes and every 10 s`,
      zh: `${zh}：已通过的最高层、首个失败的层、原因、已等待与剩余秒数；变化时及每 10 秒一行`,
    },
    en: ({ failed, cause, hint, waited, left }) =>
      `waiting (${failed}): ${cause}; ${waited} s waited, ${left} s left${waited < ADVISE ? "" : `. What to do: ${hint}`}`,
    zh: ({ failed, cause, hint, waited, left }) =>
      `等待中（${failed}）：${cause}；已等待 ${waited} 秒，剩余 ${left} 秒${waited < ADVISE ? "" : `。处理办法：${hint}`}`,
  });

/** How many seconds the waiting took. */
interface Ready {
  where: string;
  version: string;
  seconds: number;
}

export const wait = {
  "wait.postgres.layer": layer("Postgres", "Postgres"),
  "wait.postgres.ready": event<Ready & { database: string; state: string }>({
    about: {
      en: "Postgres is usable, down to the privileges on the table",
      zh: "Postgres 可用，包括数据表上的权限",
    },
    en: ({ version, where, state }) => `Postgres ${version} at ${where} is ready: table state ${state}`,
    zh: ({ version, where, state }) => `Postgres ${version}（${where}）已就绪：表结构 ${state}`,
  }),
  "wait.nats.layer": layer("NATS", "NATS"),
  "wait.nats.ready": event<Ready & { bucket: string; exists: boolean }>({
    about: { en: "NATS is usable, down to the bucket", zh: "NATS 可用，包括存储桶" },
    en: ({ version, where, bucket, exists }) =>
      `NATS ${version} at ${where} is ready: bucket "${bucket}"${exists ? "" : " does not exist yet"}`,
    zh: ({ version, where, bucket, exists }) =>
      `NATS ${version}（${where}）已就绪：存储桶“${bucket}”${exists ? "" : "尚不存在"}`,
  }),
  "bucket.created": event<{ bucket: string; replicas: number }>({
    about: { en: "the bucket was missing and has been made", zh: "存储桶不存在，已创建" },
    en: ({ bucket }) => `bucket "${bucket}" was missing and has been created`,
    zh: ({ bucket }) => `存储桶“${bucket}”不存在，已创建`,
  }),
};
