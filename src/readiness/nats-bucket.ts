import { DiscardPolicy, NatsError, RetentionPolicy, type StreamConfig } from "nats";
import type { NatsConfig } from "../config/nats-settings.ts";
import { JobError } from "../errors.ts";
import { EXIT } from "../exit.ts";
import type { Log } from "../output/log.ts";
import type { Bucket } from "../store/bucket.ts";
import { JS, jsCode } from "../store/errors.ts";
import type { Attempt } from "./attempt.ts";
import { LayerFailure, words } from "./layer.ts";
import type { Line } from "./line.ts";

/** What a command needs of the bucket. */
export interface BucketNeeds {
  /** Whether it may be created. */
  makes: boolean;
  /** Whether its settings have to be those of an object store that takes uploads. */
  settings: boolean;
}

/** What JetStream itself said, where it did: `description (err_code)`. */
function jetStreamWords(error: unknown): string {
  const { cause } = error as Error;
  const { description, err_code: code } = (cause instanceof NatsError && cause.api_error) || {};
  return description ? `${description} (${code})` : words(error);
}

/** Whether JetStream answers for this account. Throws LayerFailure `jetstream`. */
export async function checkJetStream({ where }: Line, bucket: Bucket): Promise<void> {
  try {
    await bucket.account();
  } catch (error) {
    const code = jsCode((error as Error).cause);
    const said = jetStreamWords(error);
    // Least privilege does not ask for $JS.API.INFO: the bucket's layer shows whether JetStream works.
    if (error instanceof JobError && error.code === EXIT.denied && code === undefined) return;
    if (code === JS.notEnabledForAccount) {
      throw LayerFailure.of("jetstream", "nats.jetstream.account", { where, said }, error);
    }
    if (code === JS.notEnabled || bucket.nc.info?.jetstream !== true) {
      throw LayerFailure.of("jetstream", "nats.jetstream.off", { where }, error);
    }
    throw LayerFailure.of("jetstream", "nats.jetstream.failed", { where, said }, error);
  }
}

/** Codes with which JetStream refuses to make a bucket, however often it is asked. */
const NEVER = {
  10027: "nats.bucket.streams",
  10065: "nats.bucket.overlap",
  10074: "nats.bucket.replicas",
  10113: "nats.bucket.max-bytes-required",
} as const;

interface BucketCheck {
  config: NatsConfig;
  needs: BucketNeeds;
  log: Log;
  attempt: Pick<Attempt, "answered">;
}

/** Looks at the bucket, or makes it; false: it is missing and stays so. Throws LayerFailure `bucket`. */
export async function checkBucket(
  { where }: Line,
  bucket: Bucket,
  { config, needs, log, attempt }: BucketCheck,
): Promise<boolean> {
  try {
    const info = await bucket.info();
    attempt.answered();
    if (info) {
      if (needs.settings) {
        checkSettings(where, bucket, info.config);
        warnOfLoss(bucket, info.config, log);
      }
      return true;
    }
    if (!needs.makes) return false;
    if (await bucket.create(config.replicas)) {
      log.info("bucket.created", { bucket: bucket.name, replicas: config.replicas });
    }
    return true;
  } catch (error) {
    if (error instanceof LayerFailure) throw error;
    const code = jsCode((error as Error).cause);
    const said = jetStreamWords(error);
    const params = { where, bucket: bucket.name, said };
    const never = NEVER[code as keyof typeof NEVER];
    if (never) throw LayerFailure.of("bucket", never, params, error);
    if (error instanceof JobError && error.code !== EXIT.unavailable) {
      throw LayerFailure.from("bucket", error, `NATS at ${where}`);
    }
    throw LayerFailure.of("bucket", "nats.bucket.failed", params, error);
  }
}

/** The settings of a stream that somebody else has made: whether an object store can live in it. Throws LayerFailure `bucket`. */
function checkSettings(where: string, bucket: Bucket, config: StreamConfig): void {
  const { name, stream } = bucket;
  const fixed = (id: "mirror" | "retention" | "deny-purge" | "transform") =>
    LayerFailure.of("bucket", `nats.bucket.${id}`, { where, bucket: name });
  const mend = (id: "subjects" | "rollup" | "per-subject" | "message-size" | "no-ack", option: string) => {
    const command = `nats stream edit ${stream} ${option}`;
    return LayerFailure.of("bucket", `nats.bucket.${id}`, { where, bucket: name, command });
  };
  // What needs no writing is right as it is; the first chunk would be refused otherwise, and says so.
  if (config.sealed) return;
  if (config.mirror) throw fixed("mirror");
  if (config.retention !== RetentionPolicy.Limits) throw fixed("retention");
  if (config.deny_purge) throw fixed("deny-purge");
  if (config.subject_transform) throw fixed("transform");
  const subjects = [`$O.${name}.C.>`, `$O.${name}.M.>`];
  if (!subjects.every((subject) => config.subjects?.some((taken) => covers(taken, subject)))) {
    throw mend("subjects", subjects.map((subject) => `--subjects='${subject}'`).join(" "));
  }
  if (!config.allow_rollup_hdrs) throw mend("rollup", "--allow-rollup");
  if (config.max_msgs_per_subject > 0) throw mend("per-subject", "--max-msgs-per-subject=-1");
  if (config.no_ack) throw mend("no-ack", "--ack");
  const largest = Math.min(bucket.nc.info?.max_payload ?? 0, 1024 * 1024);
  if ((config.max_msg_size ?? -1) > 0 && (config.max_msg_size ?? 0) < largest) {
    throw mend("message-size", "--max-msg-size=-1");
  }
}

/** Settings with which packages are stored, and vanish later. */
function warnOfLoss({ name, stream }: Bucket, config: StreamConfig, log: Log): void {
  const edit = (option: string) => `nats stream edit ${stream} ${option}`;
  if (config.max_age > 0) {
    const seconds = config.max_age / 1e9;
    const params = { bucket: name, seconds, command: edit("--max-age=-1") };
    log.warn("bucket.setting", "nats.bucket.max-age", params);
  }
  if (config.discard === DiscardPolicy.Old && (config.max_bytes > 0 || config.max_msgs > 0)) {
    log.warn("bucket.setting", "nats.bucket.discard-old", { bucket: name, command: edit("--discard=new") });
  }
}

/** Whether a subject with wildcards takes everything that `inner` does. */
function covers(outer: string, inner: string): boolean {
  const [ours, theirs] = [outer.split("."), inner.split(".")];
  const at = ours.findIndex((token, i) => token === ">" || (token !== "*" && token !== theirs[i]));
  return at === -1 ? ours.length === theirs.length : ours[at] === ">";
}
