import type { MsgRequest, StoredMsg, StreamInfo } from "nats";
import { inParallel } from "../async.ts";
import { createSweep } from "../memory.ts";
import { keyOf, metaSubject, type Nuid } from "./meta.ts";
import { type ObjectFacts, type ObjectMetadata, readMeta } from "./object.ts";

/** Messages that are read at the same time. */
const READERS = 16;
/** Messages that are read one by one; for more, a consumer needs fewer requests. */
const FEW = 100;

/** Bytes that reading a message leaves behind, beside its own. */
const MESSAGE = 2048;

/** Called for each message, in the stream's order. */
export type OnMessage = (subject: string, data: Uint8Array, sequence: number) => void;

/** The bucket that metadata is read from. */
export interface MetadataSource {
  readonly name: string;
  info(filter: string): Promise<StreamInfo | undefined>;
  message(query: MsgRequest): Promise<StoredMsg | undefined>;
  /** Reads the last message of each subject below `filter`; false: there may be more. */
  readLast(filter: string, onMessage: OnMessage, signal: AbortSignal): Promise<boolean>;
}

/** What the server says of a bucket's stream. */
interface Known {
  created: string;
  lastSequence: number;
  /** Metadata subjects. */
  subjects: number;
}

/** Which objects of a bucket a listing has. */
export interface Wanted {
  /** Whether objects under a key are wanted: the same function for all listings of a connection. */
  keeps: (key: string) => boolean;
  /** Keys of further ones. */
  keys: readonly string[];
  /** The chunks that no metadata names will be asked for, so all metadata is read. */
  all?: boolean;
}

/**
 * A bucket's live metadata, as far as it has been read. A stored message never changes, so only what is new
 * in the stream is read again.
 */
export class LiveMetadata {
  readonly #source: MetadataSource;
  readonly #filter: string;
  readonly #names = new LiveNames();
  readonly #objects = new Map<string, ObjectMetadata>();
  /** Subjects whose metadata has not been read. */
  readonly #unread = new Set<string>();
  readonly #sweep = createSweep();
  #keeps: Wanted["keeps"] | undefined;
  #created = "";
  /** Stream sequence: the metadata up to it has been read, except that of #unread. */
  #upTo = 0;

  constructor(source: MetadataSource) {
    this.#source = source;
    this.#filter = `${metaSubject(source.name, "")}>`;
  }

  /** The wanted objects, by key, deletion markers included. */
  get objects(): ReadonlyMap<string, ObjectMetadata> {
    return this.#objects;
  }

  /** The number of keys, deletion markers included. */
  get size(): number {
    return this.#names.size + this.#unread.size;
  }

  /** Whether metadata that has been read names an upload's chunks. */
  names(nuid: Nuid): boolean {
    return this.#names.has(nuid);
  }

  /** Reads the wanted metadata that is new. `now`: undefined if the stream does not exist. */
  async refresh(now: Known | undefined, { keeps, keys, all }: Wanted, signal: AbortSignal): Promise<void> {
    // A stream that was created again, or that lost its last messages, has other messages.
    const isSame = now?.created === this.#created && now.lastSequence >= this.#upTo && keeps === this.#keeps;
    if (!isSame) this.#forgetAll();
    if (!now) return;
    if (isSame) await this.#readNewer();
    else [this.#created, this.#upTo, this.#keeps] = [now.created, now.lastSequence, keeps];
    const isWhole = !(all && now.subjects - this.size > FEW) || (await this.#readTogether(signal));
    // A new subject may make up for one that was left out.
    if (!isWhole || this.size !== now.subjects) await this.#compareSubjects();
    await this.#read(
      [...this.#unread].filter((subject) => keeps(keyOf(this.#source.name, subject))),
      signal,
    );
    const others = keys
      .filter((key) => !this.#objects.has(key))
      .map((key) => metaSubject(this.#source.name, key));
    const there = others.filter((subject) => this.#unread.has(subject) || this.#names.knows(subject));
    await inParallel(there, READERS, (subject) => this.#readOne(subject, true));
  }

  /** Reads all metadata that has not been read. */
  async complete(signal: AbortSignal): Promise<void> {
    await this.#read([...this.#unread], signal);
    await this.#readNewer();
  }

  #forgetAll(): void {
    this.#names.clear();
    this.#objects.clear();
    this.#unread.clear();
    this.#created = "";
  }

  /** Finds subjects that are new, and those that are gone without a message. */
  async #compareSubjects(): Promise<void> {
    const state = (await this.#source.info(this.#filter))?.state;
    const subjects = new Set(Object.keys(state?.subjects ?? {}));
    for (const [subject, sequence] of this.#names.noted()) {
      if (subjects.has(subject) || sequence > (state?.last_seq ?? 0)) continue;
      this.#names.forget(subject);
      this.#objects.delete(keyOf(this.#source.name, subject));
    }
    for (const subject of this.#unread) if (!subjects.has(subject)) this.#unread.delete(subject);
    for (const subject of subjects) if (!this.#names.knows(subject)) this.#unread.add(subject);
  }

  /** Reads all metadata in one stream, as far as the server allows. False: there may be more. */
  async #readTogether(signal: AbortSignal): Promise<boolean> {
    let last = 0;
    const onMessage: OnMessage = (subject, data, sequence) => {
      this.#note({ subject, data, seq: sequence });
      last = sequence;
    };
    const isWhole = await this.#source.readLast(this.#filter, onMessage, signal);
    if (last === 0) return false;
    // A replica that lags behind the leader may have sent it: what is newer is read from the leader.
    this.#upTo = Math.min(this.#upTo, last);
    await this.#readNewer();
    return isWhole;
  }

  /** Reads metadata of #unread. */
  async #read(subjects: readonly string[], signal: AbortSignal): Promise<void> {
    if (subjects.length > FEW) await this.#readTogether(signal);
    const left = subjects.filter((subject) => this.#unread.has(subject));
    await inParallel(left, READERS, async (subject) => {
      signal.throwIfAborted();
      await this.#readOne(subject, false);
    });
  }

  async #readOne(subject: string, wanted: boolean): Promise<void> {
    const message = await this.#source.message({ last_by_subj: subject });
    if (message) this.#note(message, wanted);
    this.#unread.delete(subject);
  }

  async #readNewer(): Promise<void> {
    for (;;) {
      const query = { seq: this.#upTo + 1, next_by_subj: this.#filter };
      // The library's types do not know next_by_subj, which the server has had since 2.9.
      const message = await this.#source.message(query as unknown as MsgRequest);
      if (!message) return;
      this.#note(message);
      this.#upTo = message.seq;
    }
  }

  #note({ subject, data, seq: sequence }: Pick<StoredMsg, "subject" | "data" | "seq">, wanted = false): void {
    const { key, facts, names } = readMeta(this.#source.name, subject, data);
    this.#sweep(MESSAGE + 4 * data.length);
    this.#unread.delete(subject);
    if (!this.#names.note(subject, names, sequence) || key === undefined) return;
    if (wanted || this.#objects.has(key) || this.#keeps?.(key))
      this.#objects.set(key, toMetadata(key, facts, sequence));
  }
}

/** Written out for the reason that `toStored` gives. */
function toMetadata(key: string, facts: ObjectFacts, sequence: number): ObjectMetadata {
  const { nuid, size, chunks, sha256, deleted, headers } = facts;
  return { key, nuid, size, chunks, sha256, deleted, headers, sequence };
}

/** One for all. */
const NO_OTHERS: readonly Nuid[] = [];

/** The last metadata of a subject. */
interface Last {
  sequence: number;
  /** The chunks that it names, nearly always one upload's. */
  nuid: Nuid | undefined;
  others: readonly Nuid[];
}

/** Counts how often a bucket's live metadata names each upload's chunks. */
export class LiveNames {
  readonly #bySubject = new Map<string, Last>();
  readonly #counts = new Map<Nuid, number>();

  /** The number of subjects. */
  get size(): number {
    return this.#bySubject.size;
  }

  has(nuid: Nuid): boolean {
    return this.#counts.has(nuid);
  }

  knows(subject: string): boolean {
    return this.#bySubject.has(subject);
  }

  /** Returns the subjects with the sequences of their metadata. */
  *noted(): Iterable<[string, number]> {
    for (const [subject, { sequence }] of this.#bySubject) yield [subject, sequence];
  }

  /** Notes the chunks that a subject's metadata names; false if newer metadata has been noted. */
  note(subject: string, names: readonly Nuid[], sequence: number): boolean {
    const before = this.#bySubject.get(subject);
    if (before && before.sequence > sequence) return false;
    if (before?.nuid !== undefined) this.#count(before.nuid, -1);
    for (const nuid of before?.others ?? NO_OTHERS) this.#count(nuid, -1);
    for (const nuid of names) this.#count(nuid, 1);
    const others = names.length > 1 ? names.slice(1) : NO_OTHERS;
    this.#bySubject.set(subject, { sequence, nuid: names[0], others });
    return true;
  }

  forget(subject: string): void {
    this.note(subject, [], Number.POSITIVE_INFINITY);
    this.#bySubject.delete(subject);
  }

  clear(): void {
    this.#bySubject.clear();
    this.#counts.clear();
  }

  #count(nuid: Nuid, change: number): void {
    const count = (this.#counts.get(nuid) ?? 0) + change;
    if (count > 0) this.#counts.set(nuid, count);
    else this.#counts.delete(nuid);
  }
}
