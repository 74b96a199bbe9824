/**
 * store/: the Object Store in NATS: the bucket, uploads, capacity. It alone knows NATS; it knows bytes and
 * keys, not packages.
 */
import {
  type ApiError,
  createInbox,
  DiscardPolicy,
  type JetStreamAccountStats,
  type JetStreamManager,
  type Msg,
  type MsgHdrs,
  type MsgRequest,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StoredMsg,
  type StreamInfo,
  type Subscription,
} from "nats";
import { abortable, inParallel } from "../async.ts";
import { JobError } from "../errors.ts";
import { LiveMetadata, type OnMessage, type Wanted } from "./live-metadata.ts";
import { chunkPrefix, chunkSubject, metaSubject, type Nuid, nuidOf } from "./meta.ts";
import {
  type Listing,
  type ObjectMetadata,
  readMeta,
  type StoredObject,
  type StreamState,
  toStored,
} from "./object.ts";
import { JS, jsCode, storeError } from "./store-errors.ts";

/**
 * Milliseconds for one answer of the JetStream API: it may come after the 8 MiB that an upload has in flight,
 * at 300 kB/s.
 */
export const API_TIMEOUT = 30_000;
/** Milliseconds; a day: longer than any chunk needs, and within what a timer can hold. */
const CHUNK_TIMEOUT = 86_400_000;
/** Requests at the same time. */
const LANES = 16;
/** Messages, and bytes, that a consumer sends at a time. */
const BATCH = 1000;
const BATCH_BYTES = 1024 * 1024;
/** Milliseconds for the creation of a consumer, which only saves requests: its server may hang. */
const CREATE_TIMEOUT = 5000;
/** Milliseconds after which it is asked again for messages, and how often without one. */
const RETRY = 250;
const TRIES = 20;
/** Milliseconds for the deletion of a consumer, which otherwise ends by itself. */
const DELETE_TIMEOUT = 2000;

const EVERYTHING: Wanted = { keeps: () => true, keys: [] };
const NEVER = new AbortController().signal;

/** The server's answer to a published message. */
export interface Ack {
  /** Stream sequence. */
  sequence: number;
  /** The message was not stored: the one with this sequence has the same id. */
  duplicate: boolean;
}

/** What a consumer's messages are pulled with. */
interface Pull {
  /** Of the request. */
  subject: string;
  /** The prefix of the subjects that `messages` subscribes to. */
  inbox: string;
  messages: Subscription;
  /** The number of messages. */
  pending: number;
}

/** JetStream's answer to a request for one message. */
interface Answer {
  message?: { seq: number };
  error?: ApiError;
}

const DATA = Buffer.from('"data":"');
const QUOTE = '"'.charCodeAt(0);

/**
 * Parses such an answer. The message's bytes, a megabyte in base64, are cut out before the rest is parsed as
 * JSON: in JSON the quotes of DATA cannot be part of a text.
 */
function readAnswer(answer: Uint8Array): Answer & { data: Buffer } {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  const at = bytes.indexOf(DATA);
  const start = at < 0 ? bytes.length : at + DATA.length;
  const end = at < 0 ? bytes.length : bytes.indexOf(QUOTE, start);
  const rest = bytes.toString("utf8", 0, start) + bytes.toString("utf8", end);
  return { ...JSON.parse(rest), data: decodeBase64(bytes.subarray(start, end)) };
}

/** Characters that are decoded at a time: short texts are young, and cost no memory. */
const PIECE = 64 * 1024;

function decodeBase64(text: Buffer): Buffer {
  const data = Buffer.allocUnsafeSlow((text.length / 4) * 3);
  let length = 0;
  for (let at = 0; at < text.length; at += PIECE)
    length += data.write(text.toString("latin1", at, at + PIECE), length, "base64");
  return data.subarray(0, length);
}

/** One Object Store bucket. Every method throws storeError's translation of the library's errors. */
export class Bucket {
  readonly name: string;
  readonly stream: string;
  readonly nc: NatsConnection;
  readonly #jsm: JetStreamManager;
  readonly #metadata: LiveMetadata;
  #isListed = false;
  /** False once this user, or the server, has refused a consumer. */
  #mayConsume = true;
  /** The reading of all metadata that is running, and the one that starts after it. */
  #reading: Promise<unknown> = Promise.resolve();
  #nextReading: Promise<void> | undefined;

  private constructor(name: string, nc: NatsConnection, jsm: JetStreamManager) {
    this.name = name;
    this.stream = `OBJ_${name}`;
    this.nc = nc;
    this.#jsm = jsm;
    this.#metadata = new LiveMetadata(this);
  }

  /**
   * Opens a bucket without checking that it, or JetStream, exists. `domain`: that of another server's
   * JetStream; `timeout` in milliseconds.
   */
  static async open(
    name: string,
    nc: NatsConnection,
    { domain, timeout = API_TIMEOUT }: { domain?: string; timeout?: number } = {},
  ): Promise<Bucket> {
    const options = { checkAPI: false, timeout, ...(domain !== undefined && { domain }) };
    return new Bucket(name, nc, await nc.jetstreamManager(options));
  }

  async #call<T>(request: Promise<T>): Promise<T> {
    try {
      return await request;
    } catch (error) {
      throw storeError(error, this.name, this.nc);
    }
  }

  /** Returns undefined if JetStream answers with this err_code. */
  async #unless<T>(code: number, request: Promise<T>): Promise<T | undefined> {
    return this.#call(request.catch((error) => (jsCode(error) === code ? undefined : Promise.reject(error))));
  }

  /** Returns the job's error for what JetStream answered. */
  #apiError(answer: ApiError | undefined): Error {
    const error = new NatsError(answer?.description ?? "no answer", String(answer?.code ?? ""));
    if (answer) error.api_error = answer;
    return storeError(error, this.name, this.nc);
  }

  /** Reads usage and limits of the account. Throws exit 77 if JetStream is off for it. */
  account(): Promise<JetStreamAccountStats> {
    return this.#call(this.#jsm.getAccountInfo());
  }

  /**
   * Reads the bucket's stream, with the number of messages of each subject below `filter`; undefined: it does
   * not exist.
   */
  async info(filter?: string): Promise<StreamInfo | undefined> {
    const options = filter === undefined ? undefined : { subjects_filter: filter };
    return this.#unless(JS.streamNotFound, this.#jsm.streams.info(this.stream, options));
  }

  /**
   * Creates the bucket with the clients' defaults, as BK-Lite's server does. False: another process was
   * faster.
   */
  async create(replicas: number): Promise<boolean> {
    const config = {
      name: this.stream,
      subjects: [`$O.${this.name}.C.>`, `$O.${this.name}.M.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      num_replicas: replicas,
      max_bytes: -1,
      allow_rollup_hdrs: true,
      allow_direct: true,
    };
    return (await this.#unless(JS.streamNameInUse, this.#jsm.streams.add(config))) !== undefined;
  }

  /** Counts the chunks that are stored under a nuid. */
  async countChunks(nuid: Nuid): Promise<number> {
    const subject = chunkSubject(this.name, nuid);
    return (await this.info(subject))?.state.subjects?.[subject] ?? 0;
  }

  /**
   * Reads the wanted objects, and counts all chunks. A bucket that does not exist is empty. The first listing
   * reads through the stream's leader, or through a consumer; later ones read what is new.
   */
  async list(wanted: Wanted = EVERYTHING, signal: AbortSignal = NEVER): Promise<Listing> {
    const info = await this.info(`${chunkPrefix(this.name)}>`);
    const counts = Object.entries(info?.state.subjects ?? {});
    const chunks = new Map<Nuid, number>();
    for (const [subject, count] of counts) {
      const nuid = nuidOf(this.name, subject);
      if (nuid !== undefined) chunks.set(nuid, count);
    }
    const now = info && {
      created: info.created,
      lastSequence: info.state.last_seq,
      subjects: (info.state.num_subjects ?? 0) - counts.length,
    };
    await this.#metadata.refresh(now, wanted, signal);
    this.#isListed = true;
    const objects = new Map<string, StoredObject>();
    for (const object of this.#metadata.objects.values())
      objects.set(object.key, toStored(object, chunks.get(object.nuid as Nuid) ?? 0));
    // A count may be older than the metadata (an upload is running): count again before calling an object
    // damaged.
    const unsure = [...objects.values()].filter((one) => !one.deleted && one.stored !== one.chunks);
    await inParallel(unsure, LANES, async (object) => {
      signal.throwIfAborted();
      objects.set(object.key, await this.#counted(object));
    });
    return { objects, keys: this.#metadata.size, chunks, stream: info && streamState(info) };
  }

  /** Reads one object. */
  async get(key: string): Promise<StoredObject | undefined> {
    const subject = metaSubject(this.name, key);
    const message = await this.message({ last_by_subj: subject });
    if (!message) return undefined;
    return this.#counted({ key, ...readMeta(this.name, subject, message.data).facts, sequence: message.seq });
  }

  async #counted(object: ObjectMetadata): Promise<StoredObject> {
    return toStored(object, object.nuid === undefined ? 0 : await this.countChunks(object.nuid));
  }

  /** Returns those uploads whose chunks no live metadata names. Reads all metadata only if it has to. */
  async unnamed(nuids: readonly Nuid[], signal: AbortSignal = NEVER): Promise<Nuid[]> {
    const isUnnamed = (nuid: Nuid) => !this.#metadata.names(nuid);
    if (!nuids.some(isUnnamed)) return [];
    await this.#readAll(signal);
    return nuids.filter(isUnnamed);
  }

  /** Reads all live metadata that has not been read. */
  #readAll(signal: AbortSignal): Promise<void> {
    // One reading serves all callers that came before it started: purges at the same time share it.
    this.#nextReading ??= this.#reading.then(() => {
      this.#nextReading = undefined;
      const reading = (this.#isListed ? Promise.resolve() : this.list()).then(() =>
        this.#metadata.complete(signal),
      );
      this.#reading = reading.catch(() => {});
      return reading;
    });
    return this.#nextReading;
  }

  /**
   * Reads the last message of each subject below `filter` through a consumer, in the stream's order. False:
   * there may be more, as this user may not create one, or it failed: the caller reads the rest one by one.
   */
  async readLast(filter: string, onMessage: OnMessage, signal: AbortSignal): Promise<boolean> {
    if (!this.#mayConsume) return false;
    const api = (verb: string, consumer = "") => `$JS.API.CONSUMER.${verb}.${this.stream}${consumer}`;
    const config = {
      ack_policy: "none",
      deliver_policy: "last_per_subject",
      filter_subject: filter,
      // Nanoseconds; the job deletes it, unless it is killed.
      inactive_threshold: 10e9,
      mem_storage: true,
      num_replicas: 1,
    };
    const create = JSON.stringify({ stream_name: this.stream, config });
    const inbox = createInbox();
    // Before the request that creates the consumer: by its answer all servers of a cluster know the inbox.
    const messages = this.nc.subscribe(`${inbox}.*`);
    try {
      const answer = await this.nc.request(api("CREATE"), create, { timeout: CREATE_TIMEOUT });
      const { name, num_pending: pending = 0 } = answer.json<{ name?: string; num_pending?: number }>();
      if (name === undefined) return false;
      const pull = { subject: api("MSG.NEXT", `.${name}`), inbox, messages, pending };
      try {
        return pending === 0 || (await abortable(this.#pull(pull, onMessage), signal));
      } finally {
        await this.nc.request(api("DELETE", `.${name}`), "", { timeout: DELETE_TIMEOUT }).catch(() => {});
      }
    } catch (error) {
      if (!(error instanceof NatsError)) throw error;
      this.#mayConsume = false;
      return false;
    } finally {
      messages.unsubscribe();
    }
  }

  /**
   * Pulls `pending` messages from a consumer, a batch at a time, so that none of them waits in memory.
   * Returns whether all came.
   */
  async #pull({ subject, inbox, messages, pending }: Pull, onMessage: OnMessage): Promise<boolean> {
    // The library ends the subscription of a request that this user may not publish.
    Object.assign(messages, { requestSubject: subject });
    let [left, batch, got, delivered, turn, tries, isWhole] = [pending, 0, 0, 0, 0, 0, true];
    const ask = () => {
      if (tries === TRIES) return messages.unsubscribe();
      [batch, got, turn, tries] = [Math.min(left, BATCH), 0, turn + 1, tries + 1];
      const query = JSON.stringify({ batch, max_bytes: BATCH_BYTES, no_wait: true });
      this.nc.publish(subject, query, { reply: `${inbox}.${turn}` });
    };
    // A request may stay without an answer: a cluster's servers do not know a new consumer yet, or the next
    // message was replaced meanwhile (nats-server 2.10).
    let seen = 0;
    const again = setInterval(() => {
      if (seen === delivered) ask();
      seen = delivered;
    }, RETRY);
    try {
      ask();
      for await (const message of messages) {
        // Not a stored message, but why no more come for a request.
        if (message.subject.startsWith(inbox)) {
          if (message.subject !== `${inbox}.${turn}` || delivered === 0) continue;
          // Servers may pass over the message that would have exceeded max_bytes.
          isWhole = false;
          ask();
          continue;
        }
        const place = placeOf(message);
        delivered += 1;
        got += 1;
        tries = 0;
        left = place.pending;
        isWhole &&= place.delivered === delivered;
        onMessage(message.subject, message.data, place.sequence);
        if (left === 0) break;
        if (got === batch) ask();
      }
    } finally {
      clearInterval(again);
    }
    return left === 0 && isWhole;
  }

  /**
   * Purges an upload's chunks if no live metadata names them; nothing else purges. Returns how many there
   * were.
   */
  async purgeChunks(nuid: Nuid): Promise<number> {
    await this.#readAll(NEVER);
    if (this.#metadata.names(nuid)) return 0;
    const purge = this.#jsm.streams.purge(this.stream, { filter: chunkSubject(this.name, nuid) });
    return (await this.#call(purge)).purged;
  }

  /** Publishes a chunk and returns its stream sequence. The upload's window watches its progress. */
  async publish(subject: string, data: Uint8Array): Promise<number> {
    return (await this.send(subject, data, undefined, CHUNK_TIMEOUT)).sequence;
  }

  /** Publishes one message and returns the server's answer. `timeout` in milliseconds. */
  async send(subject: string, data: Uint8Array, headers?: MsgHdrs, timeout = API_TIMEOUT): Promise<Ack> {
    // Not by the library's JetStream client: it adds an empty header to each message, and an Error to each
    // request.
    const options = { timeout, ...(headers && { headers }) };
    const message = await this.#call(this.nc.request(subject, data, options));
    const ack = message.json<{ stream?: string; seq?: number; duplicate?: boolean; error?: ApiError }>();
    if (ack.error) throw this.#apiError(ack.error);
    if (ack.stream !== this.stream || ack.seq === undefined) {
      const params = { subject, stream: ack.stream ?? "?", expected: this.stream };
      throw new JobError("store.answered.elsewhere", params);
    }
    return { sequence: ack.seq, duplicate: ack.duplicate === true };
  }

  /**
   * Reads the bytes of the first and last of an upload's `count` chunks, and the last one's time; undefined
   * if there are none.
   */
  async chunkEnds(
    nuid: Nuid,
    count: number,
  ): Promise<{ first: number; last: number; lastAt: Date } | undefined> {
    const subject = chunkSubject(this.name, nuid);
    // The library's types do not know next_by_subj, which the server has had since 2.9.
    const last = await this.message({ last_by_subj: subject });
    const query = { seq: 0, next_by_subj: subject } as unknown as MsgRequest;
    const first = count > 1 ? await this.message(query) : last;
    return first && last && { first: first.data.length, last: last.data.length, lastAt: last.time };
  }

  /**
   * Reads an upload's first chunk after a stream sequence; undefined: there are no more. Through the leader,
   * as `message`, but without the library's parser, which copies a chunk several times.
   */
  async chunkAfter(nuid: Nuid, sequence: number): Promise<{ sequence: number; data: Buffer } | undefined> {
    const query = { seq: sequence + 1, next_by_subj: chunkSubject(this.name, nuid) };
    const request = this.nc.request(`$JS.API.STREAM.MSG.GET.${this.stream}`, JSON.stringify(query), {
      timeout: API_TIMEOUT,
    });
    const { message, error, data } = readAnswer((await this.#call(request)).data);
    if (message) return { sequence: message.seq, data };
    if (error?.err_code === JS.notFoundMessage) return undefined;
    throw this.#apiError(error);
  }

  /**
   * Reads one stored message; undefined: there is none. Through the leader: a direct get from a replica that
   * lags would show an older state.
   */
  async message(query: MsgRequest): Promise<StoredMsg | undefined> {
    return this.#unless(JS.notFoundMessage, this.#jsm.streams.getMessage(this.stream, query));
  }
}

/**
 * Returns a message's place in its stream, its number among those that the consumer has sent, and how many
 * follow it: from
 * `$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.DELIVERIES.SEQUENCE.DELIVERED.TIME.PENDING[.ANY]`.
 */
function placeOf({ reply = "" }: Msg): { sequence: number; delivered: number; pending: number } {
  const tokens = reply.split(".").map(Number);
  const [sequence = 0, delivered = 0, , pending = 0] = tokens.slice(tokens.length === 9 ? 5 : 7);
  return { sequence, delivered, pending };
}

function streamState(info: StreamInfo): StreamState {
  const { config, state } = info;
  // nats-server 2.10 and later add their time to the answer; the newest message's time is never later than
  // that.
  const { ts = state.last_ts } = info as StreamInfo & { ts?: string };
  return {
    replicas: config.num_replicas,
    maxBytes: config.max_bytes,
    maxMessageBytes: config.max_msg_size,
    sealed: config.sealed ?? false,
    bytes: state.bytes,
    messages: state.messages,
    lastSequence: state.last_seq,
    time: Date.parse(ts),
  };
}
