import { ErrorCode, type NatsConnection, NatsError } from "nats";
import { EXIT, JobError } from "../errors.ts";

/** NATS is gone, or does not answer: a clean start may help. */
export class StoreLostError extends Error {
  override readonly name = "StoreLostError";
}

/** Somebody else wrote the same key in between: read everything again and decide again. */
export class StoreConflictError extends Error {
  override readonly name = "StoreConflictError";
}

/** JetStream's own error codes (err_code), never the HTTP-like ones: "full" arrives as 503, as does "try again". */
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
  wrongLastSequence: 10071,
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

/** JetStream's err_code, where the server gave one. */
export function jsCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** What an error of the library or of JetStream means for the job. `nc` tells a lost connection from a slow answer. */
export function storeError(error: unknown, bucket: string, nc: NatsConnection): Error {
  if (!(error instanceof NatsError)) return error as Error;
  if (nc.isClosed()) return new StoreLostError("the connection to NATS was lost", { cause: error });
  if (error.code === ErrorCode.PermissionsViolation) return denied(error);
  const { err_code: code, description } = error.api_error ?? {};
  const said = `JetStream said: ${description ?? error.message}${code ? ` (${code})` : ""}`;
  if (code === JS.wrongLastSequence) return new StoreConflictError(said, { cause: error });
  if (code !== undefined && FULL.includes(code)) return full(`bucket "${bucket}" is full: ${said}`, error);
  if (code === JS.sealed) {
    return JobError.legacy(EXIT.storeFull, `bucket "${bucket}" is sealed and takes nothing any more`, {
      hint: "a sealed bucket cannot be opened again: choose another with NATS_NAMESPACE, on the server's side too",
      cause: error,
    });
  }
  if (code === JS.notEnabled || code === JS.notEnabledForAccount) {
    return JobError.legacy(EXIT.denied, said, {
      layer: "jetstream",
      hint: "enable JetStream for the account of the job's NATS user",
      cause: error,
    });
  }
  if (code === undefined || code === JS.temporarilyUnavailable || code === JS.ingestLimit) {
    const words = error.code === ErrorCode.Timeout ? "JetStream did not answer in time" : said;
    return new StoreLostError(words, { cause: error });
  }
  return JobError.legacy(EXIT.unavailable, `bucket "${bucket}": ${said}`, {
    hint: "check the nats-server's log and the stream's configuration",
    cause: error,
  });
}

/** Exit 73. */
export function full(message: string, cause?: unknown): JobError {
  return JobError.legacy(EXIT.storeFull, message, {
    hint: "raise the limit that is named (the bucket's max_bytes, the account's or the server's store), or free room; PURGE_ORPHANS=true frees what crashed uploads left",
    cause,
  });
}

function denied(error: NatsError): JobError {
  const { operation, subject } = error.permissionContext ?? {};
  const what = operation === "subscription" ? "subscribe to" : "publish to";
  const message = subject ? `the NATS user may not ${what} "${subject}"` : `NATS refused: ${error.message}`;
  return JobError.legacy(EXIT.denied, message, {
    hint: "give the job's NATS user the subjects that the README lists under least privilege",
    cause: error,
  });
}
