import { randomBytes } from "node:crypto";

/**
 * An object's metadata as ADR-20 has it (https://github.com/nats-io/nats-architecture-and-design, "Object
 * Store"), with only the fields that nats.py, nats.go and nats.js all read.
 */
export interface ObjectMeta {
  name: string;
  description: string;
  headers?: Record<string, string[]>;
  options: { max_chunk_size: number };
  bucket: string;
  nuid: string;
  size: number;
  mtime: string;
  chunks: number;
  /** `SHA-256=` and padded base64url. */
  digest: string;
  deleted?: boolean;
}

/**
 * Names, in an object's headers, the chunks that it replaced: if a crash keeps them from being purged, the
 * next run knows them.
 */
export const REPLACES_HEADER = "Bklite-Package-Init-Replaces";

/** For an object that was derived from a file: the file's SHA-256, and what was derived by which rule. */
export const ORIGIN_HEADER = "Bklite-Package-Init-Origin";

/**
 * For a zip: one digest of its entries, whatever its packaging. Another zip with the same digest need not
 * replace it.
 */
export const ENTRIES_HEADER = "Bklite-Package-Init-Entries";

const DIGEST_PREFIX = "SHA-256=";
/** 32 bytes: the last character before the padding has two bits that are zero. */
const DIGEST = /^SHA-256=[\w-]{42}[AEIMQUYcgkosw048]=$/;
const MARK = "PKGINIT";
/** One token of a subject; the server's default limit for a whole protocol line is 4096 bytes. */
const NUID = /^[^.*>\p{C}\p{Z}]{1,255}$/u;

declare const plain: unique symbol;

/**
 * The last token of a chunk subject. Only `parseNuid` and `newNuid` return one, so a purge by it never
 * reaches another upload.
 */
export type Nuid = string & { readonly [plain]: true };

/** Returns a stored nuid if it is one plain token: no wildcard, dot, blank or control character. */
export function parseNuid(value: unknown): Nuid | undefined {
  return typeof value === "string" && NUID.test(value) ? (value as Nuid) : undefined;
}

/** Returns the subject of an object's chunks. */
export function chunkSubject(bucket: string, nuid: Nuid): string {
  return chunkPrefix(bucket) + nuid;
}

/** Returns the beginning of all chunk subjects. */
export function chunkPrefix(bucket: string): string {
  return `$O.${bucket}.C.`;
}

/** Returns the last token of a chunk subject if it is plain; undefined for any other subject. */
export function nuidOf(bucket: string, subject: string): Nuid | undefined {
  const prefix = chunkPrefix(bucket);
  return subject.startsWith(prefix) ? parseNuid(subject.slice(prefix.length)) : undefined;
}

/** Returns the subject of a key's metadata: base64url with padding, as ADR-20 has it. */
export function metaSubject(bucket: string, key: string): string {
  return `$O.${bucket}.M.${toBase64Url(Buffer.from(key))}`;
}

/** Returns the key of a metadata subject. */
export function keyOf(bucket: string, subject: string): string {
  return Buffer.from(subject.slice(metaSubject(bucket, "").length), "base64url").toString("utf8");
}

/**
 * Creates the last token of a chunk subject: 22 characters as every client's, with a mark in front, so that
 * the next run recognises the chunks of a killed one whatever was on the volume.
 */
export function newNuid(): Nuid {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUV"; // 32 characters: a byte's low five bits choose evenly
  return (MARK + Array.from(randomBytes(15), (byte) => alphabet[byte & 31]).join("")) as Nuid;
}

/** Whether a run of this job created a nuid. */
export function isNuidOfThisJob(nuid: Nuid): boolean {
  return nuid.startsWith(MARK) && nuid.length === 22;
}

/** Formats a digest in hex as `SHA-256=…`. */
export function formatDigest(sha256: string): string {
  return DIGEST_PREFIX + toBase64Url(Buffer.from(sha256, "hex"));
}

/** Returns base64url with padding. */
function toBase64Url(bytes: Buffer): string {
  const text = bytes.toString("base64url");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/**
 * Parses a digest in the one form that every client accepts, formatDigest's, to lower-case hex; undefined for
 * any other.
 */
export function parseDigest(digest: unknown): string | undefined {
  if (typeof digest !== "string" || !DIGEST.test(digest)) return undefined;
  return Buffer.from(digest.slice(DIGEST_PREFIX.length), "base64url").toString("hex");
}
