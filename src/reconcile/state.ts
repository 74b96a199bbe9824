import { setTimeout as sleep } from "node:timers/promises";
import type { StreamInfo } from "nats";
import type { Servers } from "../readiness/wait.ts";
import { type Row, readRows } from "../registry/rows.ts";
import type { Recorder, Support } from "../report/recorder.ts";
import type { Listing } from "../store/bucket.ts";

/** What the servers hold now. */
export interface State {
  rows: readonly Row[];
  listing: Listing;
  archColumn: boolean;
}

/** Reads table and bucket at once. */
export async function readState({ postgres, nats }: Servers, { support }: Recorder): Promise<State> {
  const [rows, listing] = await Promise.all([readRows(postgres.db, postgres.shape), nats.bucket.list()]);
  if (listing.info) support.store = describeStore(listing.info, listing);
  return { rows, listing, archColumn: postgres.shape.archColumn };
}

function describeStore({ config, state }: StreamInfo, { objects }: Listing): Support["store"] {
  return {
    replicas: config.num_replicas,
    maxBytes: config.max_bytes,
    maxMessageBytes: config.max_msg_size,
    sealed: config.sealed ?? false,
    bytes: state.bytes,
    messages: state.messages,
    lastSequence: state.last_seq,
    objects: [...objects.values()].filter((object) => !object.deleted).length,
  };
}

/** Rejects with the signal's reason as soon as it is aborted; whatever `promise` does then is nobody's business. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {});
    throw signal.reason;
  }
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Sleeps, but not through a stop. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return abortable(sleep(ms), signal);
}
