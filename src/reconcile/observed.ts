import type { StreamInfo } from "nats";
import type { Recorder } from "../output/recorder.ts";
import type { Support } from "../output/report.ts";
import { type Row, readRows } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import type { Listing } from "../store/object.ts";

/** What the servers hold now. */
export interface ObservedState {
  rows: readonly Row[];
  listing: Listing;
  archColumn: boolean;
  /** Whether the table has the columns sha256 and status. */
  hasDigest: boolean;
  hasStatus: boolean;
}

/** Reads table and bucket at once. */
export async function observe({ postgres, nats }: Servers, { support }: Recorder): Promise<ObservedState> {
  const [rows, listing] = await Promise.all([readRows(postgres.db, postgres.shape), nats.bucket.list()]);
  if (listing.info) support.store = describeStore(listing.info, listing);
  const { archColumn, optional } = postgres.shape;
  return { rows, listing, archColumn, hasDigest: optional.has("sha256"), hasStatus: optional.has("status") };
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
