import { ErrorCode, type MsgRequest, NatsError } from "nats";
import { abortable, inParallel, Patience, poll, until } from "../async.ts";
import { JobError } from "../errors.ts";
import { Bucket } from "./bucket.ts";
import { LiveNames } from "./live-metadata.ts";
import { chunkPrefix, metaSubject, type Nuid, nuidOf } from "./meta.ts";
import { type Listing, readMeta, type StoredObject } from "./object.ts";
import { jetStreamText } from "./store-errors.ts";

/** Seconds for one region. */
export const REGION_SECONDS = 5;
/** Requests to one region at the same time. */
const LANES = 16;
/**
 * Nanoseconds: a mirror whose source was silent for longer does not know how far it lags. A source sends a
 * heartbeat every second.
 */
const FRESH = 5e9;
/**
 * Milliseconds for messages that are still on their way, and between two looks at them: to a mirror that has
 * not received the newest message it is the same as if there were none.
 */
const ON_THE_WAY = 2000;
const LOOK = 250;

/** What a cloud region's mirror of the bucket holds. */
export interface Mirror {
  /** Messages that it still lacks. */
  lag: number;
  /** Keys whose metadata the mirror has passed over, or has in an older version. */
  missing: string[];
  /** Keys whose metadata is there, but not all chunks. */
  damaged: string[];
  /** Chunks that the bucket has purged, which the mirror keeps: a purge is not mirrored. */
  dead: readonly Nuid[];
  /** Their bytes, with the server's own few for each message; undefined: not known while the mirror lags. */
  deadBytes: number | undefined;
}

/** Why a mirror could not be read. */
export type MirrorFault =
  /** No server of that domain is connected; it did not answer in time; it has no mirror of the bucket. */
  | { fault: "unconnected" | "silent" | "absent" }
  /** `said`: the subject that this user may not publish to; or the server's words. */
  | { fault: "denied" | "failed"; said: string };

export interface MirrorOptions {
  /** The bucket that is mirrored, and its content. */
  hub: Bucket;
  listing: Listing;
  /** Those that the mirror should have. */
  objects: readonly StoredObject[];
  signal: AbortSignal;
}

/** Returns the JetStream domain of a cloud region's server. */
export function domainOf(region: number): string {
  return `leaf-${region}`;
}

/**
 * Reads a cloud region's mirror, for at most REGION_SECONDS. Throws only if the signal aborts, or if the
 * connection to the hub is lost.
 */
export async function readMirror(region: number, options: MirrorOptions): Promise<Mirror | MirrorFault> {
  const { hub, signal } = options;
  const late = new AbortController();
  const patience = new Patience(REGION_SECONDS * 1000, () => late.abort());
  const limit = AbortSignal.any([signal, late.signal]);
  try {
    const timeout = REGION_SECONDS * 1000;
    const mirror = await Bucket.open(hub.name, hub.nc, { domain: domainOf(region), timeout });
    return await abortable(readAll(mirror, { ...options, signal: limit }), limit);
  } catch (error) {
    signal.throwIfAborted();
    if (hub.nc.isClosed()) throw error;
    if (late.signal.aborted) return { fault: "silent" };
    return faultOf(error);
  } finally {
    patience.end();
    late.abort(); // what still reads stops
  }
}

async function readAll(mirror: Bucket, options: MirrorOptions): Promise<Mirror | MirrorFault> {
  const { hub, listing, objects, signal } = options;
  const newest = objects.reduce((last, { sequence }) => Math.max(last, sequence), 0);
  await waitForNewest(mirror, newest, signal);
  const state = await readState(mirror, `$O.${mirror.name}.>`);
  if (!state) return { fault: "absent" };
  const { last, atEnd, bytes, counts } = state;
  const names = new LiveNames();
  const read = async (subject: string) => {
    signal.throwIfAborted();
    if (!counts.has(subject)) return undefined;
    // nats-server 2.10 that lost a subject's last message does not find the one before it that way.
    const first = { seq: 0, next_by_subj: subject } as unknown as MsgRequest;
    const message = (await mirror.message({ last_by_subj: subject })) ?? (await mirror.message(first));
    if (message) names.note(subject, readMeta(mirror.name, subject, message.data).names, message.seq);
    return message?.seq;
  };

  const missing: string[] = [];
  const damaged: string[] = [];
  await inParallel(objects, LANES, async (object) => {
    const { key, nuid, chunks, sequence } = object;
    const subject = metaSubject(mirror.name, key);
    const there = (await read(subject)) === sequence;
    // Chunks that came after they were counted are counted again.
    const isWhole = async () =>
      nuid === undefined ||
      counts.get(chunkPrefix(mirror.name) + nuid) === chunks ||
      (await mirror.countChunks(nuid)) === chunks;
    if (there ? await isWhole() : !atEnd && last < sequence) return;
    // Nothing is wrong with the mirror if the bucket has another object by now.
    if ((await hub.message({ last_by_subj: subject }))?.seq !== sequence) return;
    (there ? damaged : missing).push(key);
  });

  const lag = atEnd ? 0 : Math.max(0, (listing.stream?.lastSequence ?? 0) - last);
  const found = { lag, missing: missing.sort(), damaged: damaged.sort() };
  const prefix = chunkPrefix(mirror.name);
  // Read after the mirror: an upload that began in between is in the bucket by now.
  const now = await hub.info(`${prefix}>`);
  const kept = now?.state.subjects ?? {};
  const purged = [...counts.keys()].flatMap((one) => (one in kept ? [] : (nuidOf(mirror.name, one) ?? [])));
  if (purged.length === 0) return { ...found, dead: [], deadBytes: 0 };
  // An object of another application may be outdated in the mirror and still whole: its chunks are not dead.
  const seen = new Set(objects.map(({ key }) => metaSubject(mirror.name, key)));
  const others = [...counts.keys()].filter((subject) => !subject.startsWith(prefix) && !seen.has(subject));
  await inParallel(others, LANES, async (subject) => {
    await read(subject);
  });
  const dead = purged.filter((nuid) => !names.has(nuid)).sort();
  const surplus = bytes - (now?.state.bytes ?? 0);
  return { ...found, dead, deadBytes: dead.length === 0 ? 0 : lag > 0 || surplus <= 0 ? undefined : surplus };
}

/** Waits a moment for a message that may be on its way to a mirror that knows of no further one. */
async function waitForNewest(mirror: Bucket, newest: number, signal: AbortSignal): Promise<void> {
  await poll(() => readState(mirror), {
    until: (state) => !state?.atEnd || state.last >= newest,
    backoff: until(performance.now() + ON_THE_WAY, LOOK),
    signal,
  });
}

/** What a mirror says of itself. */
interface MirrorState {
  /** Stream sequence. */
  last: number;
  /** It hears from its source and knows of no further message. */
  atEnd: boolean;
  bytes: number;
  /** Messages by subject, as far as the filter asks for them. */
  counts: ReadonlyMap<string, number>;
}

/** Reads a mirror's state; undefined: there is no such stream, or it is no mirror of the bucket. */
async function readState(mirror: Bucket, filter?: string): Promise<MirrorState | undefined> {
  const { state, mirror: source } = (await mirror.info(filter)) ?? {};
  if (source?.name !== mirror.stream || !state) return undefined;
  const { last_seq: last, bytes, subjects = {} } = state;
  if (![last, bytes].every(Number.isSafeInteger)) return undefined;
  const { lag, active } = source;
  const atEnd = lag === 0 && active >= 0 && active < FRESH;
  return { last, atEnd, bytes, counts: new Map(Object.entries(subjects)) };
}

function faultOf(error: unknown): MirrorFault {
  // What a region answers may be anything: no error of it ends the run.
  const { message, cause } = error as Error;
  const { reason, params } = error instanceof JobError ? error : {};
  if (reason === "store.denied" || reason === "store.refused") {
    const { subject, said } = params as { subject?: string; said?: string };
    return { fault: "denied", said: subject ?? said ?? message };
  }
  const { code } = cause instanceof NatsError ? cause : {};
  if (code === ErrorCode.NoResponders) return { fault: "unconnected" };
  if (code === ErrorCode.Timeout) return { fault: "silent" };
  return { fault: "failed", said: jetStreamText(error) ?? message };
}
