import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConnectionOptions,
  connect,
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  type ObjectInfo,
  type ObjectStore,
  type StreamInfo,
} from "nats";

export interface StoredObject {
  info: ObjectInfo;
  bytes: number;
  /** Lower-case hex, of the bytes that came. */
  sha256: string;
}

/** A bucket as an independent client sees it: the `nats` library's own object store, nothing of the job's. */
export interface Objects {
  connection: NatsConnection;
  /** Metadata under `key`; null if there is none. A deleted marker has `deleted`. */
  info(key: string): Promise<ObjectInfo | null>;
  /** Metadata of all objects that are not deleted, by name. */
  list(): Promise<ObjectInfo[]>;
  /**
   * Reads the object to its end; the library compares its digest. Throws if it cannot be read, also when
   * nothing comes.
   */
  read(key: string): Promise<StoredObject>;
  /** Throws if there is no bucket. */
  streamInfo(): Promise<StreamInfo>;
  /** The stream's last sequence, which any write moves; 0 without a bucket. */
  lastSeq(): Promise<number>;
  /** Chunk subjects with their number of messages. */
  chunkSubjects(): Promise<Map<string, number>>;
  /** Chunk subjects that no live metadata names. */
  unreachable(): Promise<string[]>;
  /** What somebody else's client uploads; makes the bucket if it is missing. */
  putForeign(key: string, bytes: Uint8Array, description?: string): Promise<ObjectInfo>;
  /** Deletes the object as the web page does: a marker stays. */
  remove(key: string): Promise<void>;
  /** Takes chunks away behind the metadata's back: all of them, or the first alone. */
  damage(key: string, which?: "all" | "first"): Promise<void>;
  /** Stores other chunks under the metadata of `key`: what `change` makes of those that are stored. */
  rewrite(key: string, change: (chunks: readonly Buffer[]) => readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** The login that a NatsServer of the tests has. */
export interface NatsLogin {
  url: string;
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
}

/**
 * How long an answer or a read's next byte may take, on a busy machine too: a library's get never ends when
 * all chunks are gone (BK-Lite fact).
 */
const SILENCE_MS = 60_000;

/** Connects as the library does, but with a minute for each answer, by default one or five seconds. */
export async function connectNats(options: ConnectionOptions): Promise<NatsConnection> {
  const patience = { timeout: SILENCE_MS };
  const connection = await connect({ ...patience, ...options });
  const { request, jetstream, jetstreamManager } = connection;
  const own: Partial<NatsConnection> = {
    request: (subject, payload, how = patience) => request.call(connection, subject, payload, how),
    jetstream: (how) => jetstream.call(connection, { ...patience, ...how }),
    jetstreamManager: (how) => jetstreamManager.call(connection, { ...patience, ...how }),
  };
  return Object.assign(connection, own);
}

/** Opens the bucket for reading, without making it. `options` for TLS and other logins. */
export async function openObjects(
  nats: NatsLogin,
  bucket = "bklite",
  options: ConnectionOptions = {},
): Promise<Objects> {
  const { url, user, password, token } = nats;
  const connection = await connectNats({
    servers: url.split(","),
    // null: otherwise the library turns to TLS as soon as the server offers it.
    tls: null,
    ...(user === undefined ? {} : { user, pass: password ?? "" }),
    ...(token === undefined ? {} : { token }),
    ...options,
  });
  const jsm = await connection.jetstreamManager();
  return new Bucket(connection, jsm, bucket);
}

class Bucket implements Objects {
  readonly connection: NatsConnection;
  readonly #jsm: JetStreamManager;
  readonly #bucket: string;
  readonly #stream: string;

  constructor(connection: NatsConnection, jsm: JetStreamManager, bucket: string) {
    this.connection = connection;
    this.#jsm = jsm;
    this.#bucket = bucket;
    this.#stream = `OBJ_${bucket}`;
  }

  async info(key: string): Promise<ObjectInfo | null> {
    return (await this.#existing())?.info(key) ?? null;
  }

  async list(): Promise<ObjectInfo[]> {
    const objects = (await (await this.#existing())?.list()) ?? [];
    return objects.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async read(key: string): Promise<StoredObject> {
    const result = await (await this.#existing())?.get(key);
    if (!result) throw new Error(`${this.#bucket} has no object ${key}`);
    const hash = createHash("sha256");
    let bytes = 0;
    const reader = result.data.getReader();
    for (;;) {
      const piece = await withinSilence(reader.read(), `${key}: nothing more came after ${bytes} bytes`);
      if (piece.done) break;
      hash.update(piece.value);
      bytes += piece.value.length;
    }
    const failed = await result.error;
    if (failed) throw failed;
    return { info: result.info, bytes, sha256: hash.digest("hex") };
  }

  streamInfo(): Promise<StreamInfo> {
    return this.#jsm.streams.info(this.#stream);
  }

  async lastSeq(): Promise<number> {
    return (await this.#exists()) ? (await this.streamInfo()).state.last_seq : 0;
  }

  async chunkSubjects(): Promise<Map<string, number>> {
    if (!(await this.#exists())) return new Map();
    const filter = { subjects_filter: `$O.${this.#bucket}.C.>` };
    const { state } = await this.#jsm.streams.info(this.#stream, filter);
    return new Map(Object.entries(state.subjects ?? {}));
  }

  async unreachable(): Promise<string[]> {
    const named = new Set((await this.list()).map((info) => this.#chunks(info)));
    return [...(await this.chunkSubjects()).keys()].filter((subject) => !named.has(subject)).sort();
  }

  async putForeign(key: string, bytes: Uint8Array, description?: string): Promise<ObjectInfo> {
    const store = await this.#open();
    return store.putBlob({ name: key, ...(description === undefined ? {} : { description }) }, bytes, {
      timeout: SILENCE_MS,
    });
  }

  async remove(key: string): Promise<void> {
    await (await this.#open()).delete(key);
  }

  async damage(key: string, which: "all" | "first" = "all"): Promise<void> {
    const info = await this.info(key);
    if (!info) throw new Error(`${this.#bucket} has no object ${key}`);
    const filter = this.#chunks(info);
    if (which === "all") {
      await this.#jsm.streams.purge(this.#stream, { filter });
      return;
    }
    // The library's types do not know next_by_subj, which the server has had since 2.9.
    const reply = await this.connection.request(
      `$JS.API.STREAM.MSG.GET.${this.#stream}`,
      JSON.stringify({ next_by_subj: filter }),
    );
    const { message } = reply.json<{ message?: { seq: number } }>();
    if (!message) throw new Error(`${key} has no chunks`);
    await this.#jsm.streams.deleteMessage(this.#stream, message.seq);
  }

  async rewrite(key: string, change: (chunks: readonly Buffer[]) => readonly Uint8Array[]): Promise<void> {
    const info = await this.info(key);
    if (!info) throw new Error(`${this.#bucket} has no object ${key}`);
    const filter = this.#chunks(info);
    const chunks: Buffer[] = [];
    for (let seq = 1; ; ) {
      const query = JSON.stringify({ seq, next_by_subj: filter });
      const reply = await this.connection.request(`$JS.API.STREAM.MSG.GET.${this.#stream}`, query);
      const { message } = reply.json<{ message?: { seq: number; data?: string } }>();
      if (!message) break;
      chunks.push(Buffer.from(message.data ?? "", "base64"));
      seq = message.seq + 1;
    }
    await this.#jsm.streams.purge(this.#stream, { filter });
    const stream = this.connection.jetstream();
    for (const chunk of change(chunks)) await stream.publish(filter, chunk);
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  #chunks(info: ObjectInfo): string {
    return `$O.${this.#bucket}.C.${info.nuid}`;
  }

  #open(): Promise<ObjectStore> {
    return this.connection.jetstream().views.os(this.#bucket);
  }

  async #exists(): Promise<boolean> {
    try {
      await this.streamInfo();
      return true;
    } catch (error) {
      if (error instanceof NatsError && error.api_error?.err_code === 10059) return false;
      throw error;
    }
  }

  /** The library makes a bucket that it does not find; a reader must not. */
  async #existing(): Promise<ObjectStore | undefined> {
    return (await this.#exists()) ? this.#open() : undefined;
  }
}

async function withinSilence<T>(piece: Promise<T>, message: string): Promise<T> {
  const stop = new AbortController();
  const silence = sleep(SILENCE_MS, undefined, { signal: stop.signal }).then(() => {
    throw new Error(message);
  });
  silence.catch(() => undefined);
  try {
    return await Promise.race([piece, silence]);
  } finally {
    stop.abort();
  }
}

/** Makes a bucket's stream as a server does, but for `more` of its configuration. */
export function addStream({ connection }: Objects, bucket: string, more: object): Promise<unknown> {
  return connection.request(
    `$JS.API.STREAM.CREATE.OBJ_${bucket}`,
    JSON.stringify({
      name: `OBJ_${bucket}`,
      subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
      storage: "file",
      discard: "new",
      allow_rollup_hdrs: true,
      allow_direct: true,
      max_bytes: -1,
      ...more,
    }),
  );
}
