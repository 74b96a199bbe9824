import type { Bucket } from "../../src/store/bucket.ts";
import { readChunkSize } from "../../src/store/capacity.ts";
import { type PublishOptions, publish, type StageOptions, stage, type Upload } from "../../src/store/put.ts";
import { InFlightBudget } from "../../src/store/window.ts";

export type PutOptions = Omit<StageOptions, "chunkSize" | "budget"> &
  Partial<Pick<StageOptions, "budget"> & Pick<PublishOptions, "headers" | "prove">>;

/** Stores one object by itself: stages and publishes it. */
export async function put(bucket: Bucket, upload: Upload, options: PutOptions) {
  const chunkSize = await readChunkSize(bucket);
  const staged = await stage(bucket, upload, { budget: new InFlightBudget(), ...options, chunkSize });
  await publish(bucket, staged, { headers: {}, prove: async () => {}, ...options });
  return staged;
}
