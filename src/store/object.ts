import { isUtf8 } from "node:buffer";
import type { StreamInfo } from "nats";
import { keyOf, metaSubject, type Nuid, parseDigest, parseNuid } from "./meta.ts";

/** What a metadata message says of an object, parsed: nothing behind the parser looks at others' values again. */
export interface ObjectFacts {
  /** undefined: the metadata is damaged. No client can read the object, and none of its other values is used. */
  nuid: Nuid | undefined;
  /** Bytes. */
  size: number;
  /** Chunks that there should be. */
  chunks: number;
  /** Lower-case hex; undefined where there is nothing to read. */
  sha256: string | undefined;
  deleted: boolean;
  headers: Readonly<Record<string, readonly string[]>>;
}

/** An object as the bucket holds it. */
export interface StoredObject extends ObjectFacts {
  key: string;
  /** Chunks that there are. */
  stored: number;
  /** Stream sequence of the metadata: what a writer expects to be still the last. */
  sequence: number;
}

/** Everything in the bucket. */
export interface Listing {
  objects: ReadonlyMap<string, StoredObject>;
  /** Messages by the chunk subject's last token. */
  chunks: ReadonlyMap<Nuid, number>;
  /** Chunks that live metadata names, readable or not: those of anything else are unreachable. */
  named: LiveNames;
  /** Of the stream, when it was read; undefined where there is no such bucket. */
  info: StreamInfo | undefined;
}

/** True when a client can read all of an object's bytes: metadata alone is no proof. */
export function isWhole(object: StoredObject): boolean {
  return !object.deleted && !isUnreadable(object) && object.stored === object.chunks;
}

/** True when an object's metadata is damaged, so that no client can read the object whatever chunks there are. */
export function isUnreadable({ nuid }: ObjectFacts): boolean {
  return nuid === undefined;
}

const UINT32 = 2 ** 32 - 1;
const FIELDS: ReadonlySet<string> = new Set([
  ...["name", "description", "headers", "options", "bucket", "nuid"],
  ...["size", "mtime", "chunks", "digest", "deleted"],
]);

const DAMAGED: ObjectFacts = {
  nuid: undefined,
  size: 0,
  chunks: 0,
  sha256: undefined,
  deleted: false,
  headers: {},
};

/** One parsed metadata message. */
export interface ReadMeta {
  /** undefined: the subject is not the one that clients read a key from. */
  key: string | undefined;
  facts: ObjectFacts;
  /** Chunks that must not be purged while this is the subject's metadata: damaged metadata keeps them too. */
  names: readonly Nuid[];
}

/** A nuid in metadata, wherever it stands and whichever of the clients reads it: Go takes `NUID`, Python takes NaN beside it. */
const NAMED = /"nuid"\s*:\s*"([^"\\]{1,255})"/gi;

/** Parses a metadata message of a bucket: metadata that one of BK-Lite's clients (nats.py, nats.go) rejects is damaged. */
export function readMeta(bucket: string, subject: string, data: Uint8Array): ReadMeta {
  const key = keyOf(bucket, subject);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
  const fields = parseRecord(text);
  const isKey = metaSubject(bucket, key) === subject;
  const facts = (isKey && isUtf8(data) && readFacts(fields, { name: key, bucket })) || DAMAGED;
  const names = [fields.nuid, ...Array.from(text.matchAll(NAMED), ([, nuid]) => nuid)];
  return {
    key: isKey ? key : undefined,
    facts,
    names: facts.deleted ? [] : [...new Set(names.flatMap((nuid) => parseNuid(nuid) ?? []))],
  };
}

function readFacts(
  fields: Record<string, unknown>,
  expected: { name: string; bucket: string },
): ObjectFacts | undefined {
  const { name, bucket, size, chunks, digest, deleted, headers, mtime } = fields;
  const nuid = parseNuid(fields.nuid);
  if (name !== expected.name || bucket !== expected.bucket || nuid === undefined) return undefined;
  if (Object.keys(fields).some(isMisspelt)) return undefined;
  if (!isCount(size) || !isCount(chunks, UINT32) || (size > 0 && chunks === 0)) return undefined;
  const texts = [fields.description, mtime, digest];
  if (!texts.every((text) => isAbsent(text) || typeof text === "string")) return undefined;
  if (!isAbsent(mtime) && !isTime(mtime as string)) return undefined;
  if (!isAbsent(deleted) && typeof deleted !== "boolean") return undefined;
  if (!isAbsent(headers) && !isHeaders(headers)) return undefined;
  if (!isAbsent(fields.options) && !isOptions(fields.options)) return undefined;
  const sha256 = parseDigest(digest);
  // Clients compare the digest of what they have read, so without one they reject it.
  if (sha256 === undefined && size > 0 && deleted !== true) return undefined;
  return {
    nuid,
    size,
    chunks,
    sha256,
    deleted: deleted === true,
    headers: isAbsent(headers) ? {} : headers,
  };
}

/** A link has its bytes elsewhere: nats.py cannot follow it. */
function isOptions(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { link, max_chunk_size: chunk } = value;
  return isAbsent(link) && (isAbsent(chunk) || isCount(chunk, UINT32));
}

function isHeaders(value: unknown): value is Record<string, string[]> {
  const isList = (list: unknown) => Array.isArray(list) && list.every((one) => typeof one === "string");
  return isRecord(value) && Object.values(value).every(isList);
}

function isCount(value: unknown, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

/** The only form in which Go takes a time. */
function isTime(text: string): boolean {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
  return form.test(text) && !Number.isNaN(Date.parse(text));
}

/** Whether a field's name differs from one of ADR-20's in its capitals alone: Go reads it, Python does not. */
function isMisspelt(field: string): boolean {
  const folded = field.toUpperCase().toLowerCase();
  return folded !== field && FIELDS.has(folded);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseRecord(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

/** Counts which chunks a bucket's live metadata names, as of a place in its stream. */
export class LiveNames {
  readonly #bySubject = new Map<string, { names: readonly Nuid[]; sequence: number }>();
  readonly #counts = new Map<Nuid, number>();
  /** Stream sequence up to which all metadata has been noted. */
  upTo: number;

  constructor(upTo: number) {
    this.upTo = upTo;
  }

  /** Notes what a subject's metadata names; what is older than the metadata noted already changes nothing. */
  note(subject: string, names: readonly Nuid[], sequence: number): void {
    const before = this.#bySubject.get(subject);
    if (before && before.sequence >= sequence) return;
    for (const nuid of before?.names ?? []) this.#count(nuid, -1);
    for (const nuid of names) this.#count(nuid, 1);
    this.#bySubject.set(subject, { names, sequence });
  }

  has(nuid: Nuid): boolean {
    return this.#counts.has(nuid);
  }

  #count(nuid: Nuid, change: number): void {
    const count = (this.#counts.get(nuid) ?? 0) + change;
    if (count > 0) this.#counts.set(nuid, count);
    else this.#counts.delete(nuid);
  }
}
