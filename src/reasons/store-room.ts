import { reason } from "./define.ts";

interface Full {
  bucket: string;
  /** What JetStream says, in its own words. */
  said: string;
}

interface Room {
  bucket: string;
  /** Bytes. */
  limit: number;
  used: number;
  needed: number;
}

const FREE =
  "raise the limit that is named (the bucket's max_bytes, the account's or the server's store), or free room; PURGE_ORPHANS=true frees what crashed uploads left";
const FREE_ZH =
  "请调大上述限制（存储桶的 max_bytes、账户或服务器的存储），或释放空间；PURGE_ORPHANS=true 可清除中断上传留下的孤立分块";

/** Of the room in the Object Store. */
export const storeRoom = {
  "store.full": reason<Full>({
    exit: 73,
    again: false,
    en: { cause: ({ bucket, said }) => `bucket "${bucket}" is full: JetStream said: ${said}`, remedy: FREE },
    zh: { cause: ({ bucket, said }) => `存储桶“${bucket}”已满，JetStream 返回：${said}`, remedy: FREE_ZH },
  }),
  "store.full.bucket": reason<Room>({
    exit: 73,
    again: false,
    en: {
      cause: ({ bucket, limit, used, needed }) =>
        `bucket "${bucket}" has no room: max_bytes ${limit}, used ${used}, needed ${needed} more`,
      remedy: FREE,
    },
    zh: {
      cause: ({ bucket, limit, used, needed }) =>
        `存储桶“${bucket}”空间不足：max_bytes ${limit}，已用 ${used}，还需 ${needed} 字节`,
      remedy: FREE_ZH,
    },
  }),
  "store.full.account": reason<Room>({
    exit: 73,
    again: false,
    en: {
      cause: ({ bucket, limit, used, needed }) =>
        `the NATS account has no room for bucket "${bucket}": limit ${limit}, used ${used}, needed ${needed} more`,
      remedy: FREE,
    },
    zh: {
      cause: ({ bucket, limit, used, needed }) =>
        `NATS 账户没有空间供存储桶“${bucket}”使用：限制 ${limit}，已用 ${used}，还需 ${needed} 字节`,
      remedy: FREE_ZH,
    },
  }),
};
