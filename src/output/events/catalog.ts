import { type LogEvent, reasonEvent } from "./define.ts";
import { form } from "./form.ts";
import { look } from "./look.ts";
import { progress } from "./progress.ts";
import { reconcile } from "./reconcile.ts";
import { run } from "./run.ts";
import { volume } from "./volume.ts";
import { wait } from "./wait.ts";

/** Every event there is, in the order in which a run comes to them; the documented table is made of it. */
export const EVENTS = {
  ...run,
  ...wait,
  "bucket.setting": reasonEvent({
    en: "a setting of the bucket's stream that will lose packages",
    zh: "存储桶的流有会导致安装包丢失的设置",
  }),
  ...volume,
  ...form,
  ...progress,
  ...reconcile,
  ...look,
};

export type EventName = keyof typeof EVENTS;
export type EventFields<E extends EventName> = (typeof EVENTS)[E] extends LogEvent<infer F> ? F : never;
