import { DiscardPolicy, RetentionPolicy, type StreamConfig } from "nats";
import { JobError } from "../errors.ts";
import type { Log } from "../output/log.ts";
import type { Bucket } from "./bucket.ts";

/**
 * Checks the settings of a stream that another program created. Returns why no object store can be kept in
 * it, with the command that changes the setting; undefined if one can.
 */
export function settingFailure(bucket: Bucket, config: StreamConfig, where: string): JobError | undefined {
  const { name, stream } = bucket;
  const at = { layer: "bucket" };
  const fixed = (id: "mirror" | "retention" | "deny-purge" | "transform") =>
    new JobError(`nats.bucket.${id}`, { where, bucket: name }, at);
  const changeable = (
    id: "subjects" | "rollup" | "per-subject" | "message-size" | "no-ack",
    option: string,
  ) => {
    const command = `nats stream edit ${stream} ${option}`;
    return new JobError(`nats.bucket.${id}`, { where, bucket: name, command }, at);
  };
  // A run that writes nothing accepts a sealed bucket; otherwise the first chunk is refused, with a reason of
  // its own.
  if (config.sealed) return undefined;
  if (config.mirror) return fixed("mirror");
  if (config.retention !== RetentionPolicy.Limits) return fixed("retention");
  if (config.deny_purge) return fixed("deny-purge");
  if (config.subject_transform) return fixed("transform");
  const subjects = [`$O.${name}.C.>`, `$O.${name}.M.>`];
  if (!subjects.every((subject) => config.subjects?.some((pattern) => covers(pattern, subject))))
    return changeable("subjects", subjects.map((subject) => `--subjects='${subject}'`).join(" "));
  if (!config.allow_rollup_hdrs) return changeable("rollup", "--allow-rollup");
  if (config.max_msgs_per_subject > 0) return changeable("per-subject", "--max-msgs-per-subject=-1");
  if (config.no_ack) return changeable("no-ack", "--ack");
  const largest = Math.min(bucket.nc.info?.max_payload ?? 0, 1024 * 1024);
  const { max_msg_size: maxSize = -1 } = config;
  return maxSize > 0 && maxSize < largest ? changeable("message-size", "--max-msg-size=-1") : undefined;
}

/** Warns of settings with which packages are stored, and deleted later. */
export function warnOfLoss({ name, stream }: Bucket, config: StreamConfig, log: Log): void {
  const edit = (option: string) => `nats stream edit ${stream} ${option}`;
  if (config.max_age > 0) {
    const params = { bucket: name, seconds: config.max_age / 1e9, command: edit("--max-age=-1") };
    log.warn("bucket.setting", "nats.bucket.max-age", params);
  }
  if (config.discard === DiscardPolicy.Old && (config.max_bytes > 0 || config.max_msgs > 0))
    log.warn("bucket.setting", "nats.bucket.discard-old", { bucket: name, command: edit("--discard=new") });
}

/** Returns whether a subject with wildcards matches everything that `inner` does. */
function covers(outer: string, inner: string): boolean {
  const [tokens, others] = [outer.split("."), inner.split(".")];
  const at = tokens.findIndex((token, i) => token === ">" || (token !== "*" && token !== others[i]));
  return at === -1 ? tokens.length === others.length : tokens[at] === ">";
}
