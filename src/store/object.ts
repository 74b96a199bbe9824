import { isUtf8 } from "node:buffer";
import type { StreamInfo } from "nats";
import { keyOf, metaSubject, type Nuid, parseDigest, parseNuid } from "./meta.ts";
import type { LiveNames } from "./names.ts";

/** What a metadata message says of an object, parsed: nothing behind the parser looks at others' values again. */
export interface ObjectFacts {
  /** undefined: the metadata is damaged. No client can read the object, and none of its other values is used. */
  nuid: Nuid | undefined;
  /** Bytes. */
  size: number;
  /** Chunks that there should be. */
  chunks: number;
  /** Lower-case hex; undefined where the metadata has none that can be read. */
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
  names: Nuid | undefined;
}

/** Parses a metadata message of a bucket: what BK-Lite's clients (nats.py, nats.go) cannot read is damaged. */
export function readMeta(bucket: string, subject: string, data: Uint8Array): ReadMeta {
  const key = keyOf(bucket, subject);
  const fields = parseRecord(data);
  const isKey = metaSubject(bucket, key) === subject;
  // nats.py takes nothing else; nats.go does, so what such metadata names still counts.
  const facts = (isKey && isUtf8(data) && readFacts(fields, { name: key, bucket })) || DAMAGED;
  return {
    key: isKey ? key : undefined,
    facts,
    names: facts.deleted ? undefined : parseNuid(fields.nuid),
  };
}

function readFacts(
  fields: Record<string, unknown>,
  expected: { name: string; bucket: string },
): ObjectFacts | undefined {
  const { name, bucket, size, chunks, digest, deleted, headers } = fields;
  const nuid = parseNuid(fields.nuid);
  if (name !== expected.name || bucket !== expected.bucket || nuid === undefined) return undefined;
  if (!isCount(size) || !isCount(chunks) || (size > 0 && chunks === 0)) return undefined;
  const texts = [fields.description, fields.mtime, digest];
  if (!texts.every((text) => isAbsent(text) || typeof text === "string")) return undefined;
  if (!isAbsent(deleted) && typeof deleted !== "boolean") return undefined;
  if (!isAbsent(headers) && !isHeaders(headers)) return undefined;
  if (!isAbsent(fields.options) && !isOptions(fields.options)) return undefined;
  return {
    nuid,
    size,
    chunks,
    sha256: parseDigest(digest),
    deleted: deleted === true,
    headers: isAbsent(headers) ? {} : headers,
  };
}

/** A link has its bytes elsewhere: nats.py cannot follow it. */
function isOptions(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { link, max_chunk_size: chunk } = value;
  return isAbsent(link) && (isAbsent(chunk) || isCount(chunk));
}

function isHeaders(value: unknown): value is Record<string, string[]> {
  const isList = (list: unknown) => Array.isArray(list) && list.every((one) => typeof one === "string");
  return isRecord(value) && Object.values(value).every(isList);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseRecord(data: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
