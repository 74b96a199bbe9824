/**
 * store/: the Object Store in NATS: the bucket, uploads, capacity. It alone knows NATS; it knows bytes and
 * keys, not packages.
 */
import {
  type ApiError,
  DiscardPolicy,
  type JetStreamAccountStats,
  type JetStreamManager,
  type MsgHdrs,
  type MsgRequest,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StoredMsg,
  type StreamInfo,
} from "nats";
import { JobError } from "../errors.ts";
import { chunkPrefix, chunkSubject, metaSubject, type Nuid, parseNuid } from "./meta.ts";
import { type Listing, LiveNames, readMeta, type StoredObject, type StreamState } from "./object.ts";
import { JS, jsCode, storeError } from "./store-errors.ts";

/**
 * Milliseconds for one answer of the JetStream API: it may come after the 8 MiB that an upload has in flight,
 * at 300 kB/s.
 */
export const API_TIMEOUT = 30_000;
/** Milliseconds; a day: longer than any chunk needs, and within what a timer can hold. */
const CHUNK_TIMEOUT = 86_400_000;
/** Metadata messages that are read at the same time. */
const READERS = 16;

/** The server's answer to a published message. */
export interface Ack {
  /** Stream sequence. */
  sequence: number;
  /** The message was not stored: the one with this sequence has the same id. */
  duplicate: boolean;
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
  /** The live objects: those of the last listing, updated with the metadata read since. */
  #names: LiveNames | undefined;
  /** The reading of newer metadata that is running, and the one that starts after it. */
  #reading: Promise<unknown> = Promise.resolve();
  #nextReading: Promise<LiveNames> | undefined;

  private constructor(name: string, nc: NatsConnection, jsm: JetStreamManager) {
    this.name = name;
    this.stream = `OBJ_${name}`;
    this.nc = nc;
    this.#jsm = jsm;
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
    try {
      return await this.#jsm.streams.info(
        this.stream,
        filter === undefined ? undefined : { subjects_filter: filter },
      );
    } catch (error) {
      if (jsCode(error) === JS.streamNotFound) return undefined;
      throw storeError(error, this.name, this.nc);
    }
  }

  /**
   * Creates the bucket with the clients' defaults, as BK-Lite's server does. False: another process was
   * faster.
   */
  async create(replicas: number): Promise<boolean> {
    try {
      await this.#jsm.streams.add({
        name: this.stream,
        subjects: [`$O.${this.name}.C.>`, `$O.${this.name}.M.>`],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        num_replicas: replicas,
        max_bytes: -1,
        allow_rollup_hdrs: true,
        allow_direct: true,
      });
      return true;
    } catch (error) {
      if (jsCode(error) === JS.streamNameInUse) return false;
      throw storeError(error, this.name, this.nc);
    }
  }

  /** Counts the chunks that are stored under a nuid. */
  async countChunks(nuid: Nuid): Promise<number> {
    const subject = chunkSubject(this.name, nuid);
    return (await this.info(subject))?.state.subjects?.[subject] ?? 0;
  }

  /**
   * Reads all metadata, and counts all chunks, through the stream's leader. A bucket that does not exist is
   * empty.
   */
  async list(): Promise<Listing> {
    const info = await this.info(`$O.${this.name}.>`);
    const names = new LiveNames(info?.state.last_seq ?? 0);
    const prefix = chunkPrefix(this.name);
    const chunks = new Map<Nuid, number>();
    const metas: string[] = [];
    for (const [subject, count] of Object.entries(info?.state.subjects ?? {})) {
      const nuid = subject.startsWith(prefix) ? parseNuid(subject.slice(prefix.length)) : undefined;
      if (nuid !== undefined) chunks.set(nuid, count);
      else if (!subject.startsWith(prefix)) metas.push(subject);
    }
    const objects = new Map<string, StoredObject>();
    const readNext = async () => {
      for (let subject = metas.pop(); subject !== undefined; subject = metas.pop()) {
        const object = await this.#read(subject, (nuid) => chunks.get(nuid) ?? 0, names);
        if (object) objects.set(object.key, object);
      }
    };
    await Promise.all(Array.from({ length: READERS }, readNext));
    this.#names = names;
    return { objects, chunks, named: names, stream: info && streamState(info) };
  }

  /** Reads one object. */
  get(key: string): Promise<StoredObject | undefined> {
    return this.#read(metaSubject(this.name, key), () => -1);
  }

  async #read(
    subject: string,
    counted: (nuid: Nuid) => number,
    names?: LiveNames,
  ): Promise<StoredObject | undefined> {
    const message = await this.message({ last_by_subj: subject });
    if (!message) return undefined;
    const read = readMeta(this.name, subject, message.data);
    names?.note(subject, read.names, message.seq);
    if (read.key === undefined) return undefined;
    const { nuid, deleted, chunks } = read.facts;
    let stored = nuid === undefined ? 0 : counted(nuid);
    // The count may be older than the metadata (an upload is running): count again before calling the object
    // damaged.
    if (nuid !== undefined && !deleted && stored !== chunks) stored = await this.countChunks(nuid);
    return { key: read.key, ...read.facts, stored, sequence: message.seq };
  }

  /**
   * Returns which chunks live metadata names now. Reads only the metadata that is newer than the last
   * reading.
   */
  #liveNames(): Promise<LiveNames> {
    // One reading serves all callers that came before it started: purges at the same time share it.
    this.#nextReading ??= this.#reading.then(() => {
      this.#nextReading = undefined;
      const reading = this.#readNames();
      this.#reading = reading.catch(() => {});
      return reading;
    });
    return this.#nextReading;
  }

  async #readNames(): Promise<LiveNames> {
    const names = this.#names ?? (await this.list()).named;
    for (;;) {
      const query = { seq: names.upTo + 1, next_by_subj: `$O.${this.name}.M.>` };
      // The library's types do not know next_by_subj, which the server has had since 2.9.
      const message = await this.message(query as unknown as MsgRequest);
      if (!message) return names;
      names.note(message.subject, readMeta(this.name, message.subject, message.data).names, message.seq);
      names.upTo = message.seq;
    }
  }

  /**
   * Purges an upload's chunks if no live metadata names them; nothing else purges. Returns how many there
   * were.
   */
  async purgeChunks(nuid: Nuid): Promise<number> {
    if ((await this.#liveNames()).has(nuid)) return 0;
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
    try {
      return await this.#jsm.streams.getMessage(this.stream, query);
    } catch (error) {
      if (jsCode(error) === JS.notFoundMessage) return undefined;
      throw storeError(error, this.name, this.nc);
    }
  }
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
