import { ErrorCode, type NatsConnection, NatsError } from "nats";
import { JobError } from "../errors.ts";

/** The connection to NATS was lost, or NATS did not answer or lost chunks. */
export class StoreLostError extends JobError {
  override readonly name = "StoreLostError";
  override readonly retryable = true;
}

/** Another process wrote the same key in between: everything has to be read and decided again. */
export class StoreConflictError extends JobError<"store.contended"> {
  override readonly name = "StoreConflictError";

  constructor(key: string) {
    super("store.contended", { key }, { retryable: true });
  }
}

/**
 * JetStream's own error codes (err_code), not the HTTP-like ones: 503 means "full" as well as "try again".
 */
export const JS = {
  resourcesExceeded: 10002,
  temporarilyUnavailable: 10008,
  insufficientResources: 10023,
  memoryExceeded: 10028,
  notFoundMessage: 10037,
  notEnabledForAccount: 10039,
  storageExceeded: 10047,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  notEnabled: 10076,
  storeFailed: 10077,
  sealed: 10109,
  ingestLimit: 10167,
} as const;

const FULL: readonly number[] = [
  JS.resourcesExceeded,
  JS.insufficientResources,
  JS.memoryExceeded,
  JS.storageExceeded,
  JS.storeFailed,
];

/** Returns JetStream's err_code if the server sent one. */
export function jsCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** Returns what JetStream itself said, `description (err_code)`, if it is the cause of a job's error. */
export function jetStreamText(error: unknown): string | undefined {
  const { cause } = error as Error;
  const { description, err_code: code } = (cause instanceof NatsError && cause.api_error) || {};
  return description && `${description} (${code})`;
}

/**
 * Translates an error of the library or of JetStream. `nc` distinguishes a lost connection from a slow
 * answer.
 */
export function storeError(error: unknown, bucket: string, nc: NatsConnection): Error {
  if (!(error instanceof NatsError)) return error as Error;
  const { err_code: code, description } = error.api_error ?? {};
  const said = `${description ?? error.message}${code ? ` (${code})` : ""}`;
  if (nc.isClosed()) return new StoreLostError("store.lost", { said }, { cause: error });
  if (error.code === ErrorCode.PermissionsViolation) return denied(error);
  const cause = { cause: error };
  if (code !== undefined && FULL.includes(code)) return new JobError("store.full", { bucket, said }, cause);
  if (code === JS.sealed) {
    const params = { where: nc.getServer(), bucket };
    return new JobError("nats.bucket.sealed", params, { layer: "bucket", cause: error });
  }
  if (code === JS.notEnabled || code === JS.notEnabledForAccount) {
    return new JobError("store.jetstream.off", { said }, { layer: "jetstream", cause: error });
  }
  if (code === undefined || code === JS.temporarilyUnavailable || code === JS.ingestLimit) {
    return new StoreLostError("store.silent", { said }, cause);
  }
  return new JobError("store.unexpected", { bucket, said }, cause);
}

function denied(error: NatsError): JobError {
  const { operation, subject } = error.permissionContext ?? {};
  if (!subject) return new JobError("store.refused", { said: error.message }, { cause: error });
  const action = operation === "subscription" ? "subscribe to" : "publish to";
  return new JobError("store.denied", { action, subject }, { cause: error });
}
