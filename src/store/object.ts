import { isUtf8 } from "node:buffer";
import type { StreamFacts } from "../output/report.ts";
import { keyOf, metaSubject, type Nuid, parseDigest, parseNuid } from "./meta.ts";

/** The content of a metadata message, parsed: nothing behind the parser checks its values again. */
export interface ObjectFacts {
  /** undefined: the metadata is damaged. No client can read the object, and its other values are not used. */
  nuid: Nuid | undefined;
  /** Bytes. */
  size: number;
  /** Chunks that the metadata names. */
  chunks: number;
  /** Lower-case hex; undefined if the object is empty or deleted. */
  sha256: string | undefined;
  deleted: boolean;
  headers: Readonly<Record<string, readonly string[]>>;
}

export interface ObjectMetadata extends ObjectFacts {
  key: string;
  /** Stream sequence of the metadata: a writer expects it to be the last still. */
  sequence: number;
}

/** An object as the bucket holds it. */
export interface StoredObject extends ObjectMetadata {
  /** Chunks that are stored. */
  stored: number;
  /** What its chunks contain, if they were read back and are not the bytes that the metadata names. */
  found?: Content;
}

/**
 * Returns an object with the number of its stored chunks. Written out, as a spread makes objects twice as
 * large, and a bucket may hold 100,000.
 */
export function toStored(object: ObjectMetadata, stored: number): StoredObject {
  const { key, nuid, size, chunks, sha256, deleted, headers, sequence } = object;
  return { key, nuid, size, chunks, sha256, deleted, headers, sequence, stored };
}

/** What an upload's chunks contain. */
export interface Content {
  bytes: number;
  chunks: number;
  /** Lower-case hex. */
  sha256: string;
}

/** The content of a bucket. */
export interface Listing {
  /** The wanted ones, deletion markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  /** The number of keys, wanted or not, deletion markers included. */
  keys: number;
  /** Messages by the chunk subject's last token. */
  chunks: ReadonlyMap<Nuid, number>;
  /** The stream when it was read; undefined if the bucket does not exist. */
  stream: StreamState | undefined;
}

/** What the server says of a bucket's stream. */
export interface StreamState extends StreamFacts {
  /**
   * The time by the server's clock, in milliseconds since 1970; NaN if an old server has stored nothing yet.
   */
  time: number;
}

/**
 * Whether a client can read all of an object's bytes: metadata alone is no proof. Without `--deep` the chunks
 * are counted, with it their bytes have been compared too.
 */
export function isWhole(object: StoredObject): boolean {
  const { deleted, stored, chunks, found } = object;
  return !deleted && !isUnreadable(object) && stored === chunks && found === undefined;
}

/**
 * Whether an object's metadata is damaged, so that no client can read the object, whatever chunks are stored.
 */
export function isUnreadable({ nuid }: ObjectFacts): boolean {
  return nuid === undefined;
}

const UINT32 = 2 ** 32 - 1;
const FIELDS: ReadonlySet<string> = new Set([
  ...["name", "description", "headers", "options", "bucket", "nuid"],
  ...["size", "mtime", "chunks", "digest", "deleted"],
]);

/** One for all objects without headers. */
const NONE = Object.freeze({});

const DAMAGED: ObjectFacts = {
  nuid: undefined,
  size: 0,
  chunks: 0,
  sha256: undefined,
  deleted: false,
  headers: NONE,
};

/** A parsed metadata message. */
interface ReadMeta {
  /** undefined: clients read no key from this subject. */
  key: string | undefined;
  facts: ObjectFacts;
  /** Chunks that must not be purged while this is the subject's metadata: damaged metadata keeps them too. */
  names: readonly Nuid[];
}

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
/**
 * A nuid anywhere in metadata, as any of the clients reads it: Go accepts `NUID`, Python accepts NaN beside
 * it.
 */
const NAMED = /"nuid"\s*:\s*"[^"\\]{1,255}"/gi;

/**
 * Parses a metadata message. Metadata that one of BK-Lite's clients (nats.py, nats.go) rejects is damaged.
 */
export function readMeta(bucket: string, subject: string, data: Uint8Array): ReadMeta {
  const text = UTF8.decode(data);
  const fields = parseRecord(text);
  const key = keyIn(bucket, subject, fields.name);
  const isRead = key !== undefined && (!text.includes("\ufffd") || isUtf8(data));
  const facts = (isRead && readFacts(fields, { name: key, bucket })) || DAMAGED;
  return { key, facts, names: namesIn(text, facts, fields.nuid) };
}

function namesIn(text: string, facts: ObjectFacts, nuid: unknown): readonly Nuid[] {
  if (facts.deleted) return [];
  // Usually there is one, and no escape that could hide another.
  const isOne = text.indexOf('"nuid"') === text.lastIndexOf('"nuid"') && !text.includes("\\");
  if (isOne && facts.nuid !== undefined) return [facts.nuid];
  const named = (text.match(NAMED) ?? []).map((field) =>
    field.slice(field.lastIndexOf('"', field.length - 2) + 1, -1),
  );
  return [...new Set([nuid, ...named])].flatMap((name) => parseNuid(name) ?? []);
}

/** Returns the key of a subject; undefined if clients read none from it. */
function keyIn(bucket: string, subject: string, name: unknown): string | undefined {
  // Nearly always the metadata's own name.
  if (typeof name === "string" && name.isWellFormed() && metaSubject(bucket, name) === subject) return name;
  const key = keyOf(bucket, subject);
  return metaSubject(bucket, key) === subject ? key : undefined;
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
  // Clients compare the digest with the bytes that they have read, and reject an object without one.
  if (sha256 === undefined && size > 0 && deleted !== true) return undefined;
  return {
    nuid,
    size,
    chunks,
    sha256,
    deleted: deleted === true,
    headers: isAbsent(headers) ? NONE : headers,
  };
}

/** Whether options are valid. A link is not: its bytes are elsewhere, and nats.py cannot follow it. */
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

/** Whether a time has the only form that Go accepts. */
function isTime(text: string): boolean {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
  return form.test(text) && !Number.isNaN(Date.parse(text));
}

/** Whether a field's name differs from one of ADR-20's in capitals alone: Go reads it, Python does not. */
function isMisspelt(field: string): boolean {
  return !FIELDS.has(field) && FIELDS.has(field.toUpperCase().toLowerCase());
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
