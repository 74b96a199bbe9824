import type { Log } from "../output/log.ts";
import type { Lock } from "../postgres/lock.ts";
import { deleteStale, isSystemRow, PENDING, type Row } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import { metaSubject } from "../store/meta.ts";
import type { StoredObject } from "../store/object.ts";
import { removeObject } from "../store/publish.ts";
import type { Desired } from "./desired.ts";
import { findRow, parseKey, rowKeys, served } from "./key.ts";
import type { ObservedState } from "./observed.ts";

const DAY = 24 * 3600 * 1000;

/** Uploads of BK-Lite's own that have not ended: broken off, or under way. */
export interface Stale {
  /** Under `{os}/{arch}/{object}/{version}/.staging-{uuid}/{name}`, from where BK-Lite copies them. */
  objects: readonly StoredObject[];
  /** Their rows, which are not ready, but for those that this run finishes. */
  rows: readonly Row[];
}

/** Finds staged objects, and rows that wait for one. */
export function findStale({ rows, listing, archColumn }: ObservedState, desired: Desired): Stale {
  const finished = new Set(
    [...desired.packages, ...desired.collectors].map((identity) => findRow(identity, rows, archColumn)),
  );
  return {
    objects: [...listing.objects.values()].filter(({ key, deleted }) => !deleted && isStaged(key)),
    rows: rows.filter((row) => row.status === PENDING && !(isSystemRow(row) && finished.has(row))),
  };
}

const STAGING = /^\.staging-[\da-f]{8}(?:-?[\da-f]{4}){3}-?[\da-f]{12}$/i;

/** Whether a key has the form of `linux/x86_64/Telegraf/1.0.0/.staging-UUID/telegraf`: other applications may stage objects too. */
function isStaged(key: string): boolean {
  const parts = key.split("/");
  const [folder = ""] = parts.splice(-2, 1);
  return STAGING.test(folder) && parseKey(parts.join("/"))?.arch !== undefined;
}

export interface TidyContext {
  servers: Servers;
  lock: Lock;
  log: Log;
  /** PURGE_ORPHANS */
  purge: boolean;
}

/**
 * Counts what BK-Lite's own uploads left, and with `purge` removes what is over a day old by the servers' clocks: rows only where their
 * key holds no object. Returns the state without what was removed.
 */
export async function tidyStale(
  { objects, rows }: Stale,
  state: ObservedState,
  { servers, lock, log, purge }: TidyContext,
): Promise<ObservedState> {
  const { bucket } = servers.nats;
  const { db, shape } = servers.postgres;
  const removed = new Set<unknown>();
  if (purge && objects.length + rows.length > 0) {
    const now = bucketTime(state);
    for (const object of objects) {
      const message = await bucket.message({ last_by_subj: metaSubject(bucket.name, object.key) });
      if (!message || message.seq !== object.sequence || now - message.time.getTime() <= DAY) continue;
      await removeObject(bucket, object, () => lock.prove());
      removed.add(object.key);
    }
    for (const row of rows) {
      if (served(rowKeys(row, state.archColumn), state.listing.objects)) continue;
      await lock.prove();
      if (await deleteStale(db, shape, row)) removed.add(row);
    }
    const left = objects.filter(({ key }) => removed.has(key)).length;
    if (removed.size > 0) log.info("staging.purged", { objects: left, rows: removed.size - left });
  }
  const found = {
    objects: objects.filter(({ key }) => !removed.has(key)).length,
    rows: rows.filter((row) => !removed.has(row)).length,
  };
  if (found.objects + found.rows > 0) log.warn("staging.found", "staging.found", found, found);
  return {
    ...state,
    rows: state.rows.filter((row) => !removed.has(row)),
    listing: {
      ...state.listing,
      objects: new Map([...state.listing.objects].filter(([key]) => !removed.has(key))),
    },
  };
}

/**
 * The time by the NATS server's clock: nats-server 2.10 and later say it with the stream's state. Else the newest message's, which is
 * never too late.
 */
function bucketTime({ listing: { info } }: ObservedState): number {
  const { ts } = (info ?? {}) as { ts?: string };
  return Date.parse(ts ?? info?.state.last_ts ?? "");
}
