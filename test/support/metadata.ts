import { headers } from "nats";
import { inParallel } from "../../src/async.ts";
import type { Objects } from "./objects.ts";

/** A key's metadata subject, as ADR-20 has it. */
function subjectOf(bucket: string, key: string): string {
  return `$O.${bucket}.M.${Buffer.from(key).toString("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
}

/** A key's metadata as it is stored. */
export async function readMetadata(
  { connection }: Objects,
  bucket: string,
  key: string,
): Promise<Record<string, unknown>> {
  const jsm = await connection.jetstreamManager();
  const { data } = await jsm.streams.getMessage(`OBJ_${bucket}`, { last_by_subj: subjectOf(bucket, key) });
  return JSON.parse(Buffer.from(data).toString());
}

/** Puts any bytes, or any value as JSON, in the place of a key's metadata, as a client would. */
export async function writeMetadata(
  { connection }: Objects,
  bucket: string,
  key: string,
  value: unknown,
): Promise<void> {
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  const data = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value));
  await connection.jetstream().publish(subjectOf(bucket, key), data, { headers: rollup });
}

/** Of one `x`. */
const DIGEST = "SHA-256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTb0__m0l2oH3k=";

/** Puts objects of another application, `job/0` and so on, with a chunk each. */
export async function putOthers(objects: Objects, bucket: string, count: number): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index);
  await inParallel(indexes, 32, async (index) => {
    const [name, nuid] = [`job/${index}`, `OTHER${index}`];
    await objects.connection.request(`$O.${bucket}.C.${nuid}`, "x");
    await writeMetadata(objects, bucket, name, { name, bucket, nuid, size: 1, chunks: 1, digest: DIGEST });
  });
}
