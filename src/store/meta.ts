import { randomBytes } from "node:crypto";

/**
 * An object's metadata as ADR-20 has it (https://github.com/nats-io/nats-architecture-and-design, "Object Store"),
 * with only the fields that nats.py, nats.go and nats.js all read.
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

/** Names, in an object's own headers, the chunks that it took the place of: should a crash keep them from being purged, the next run knows. */
export const REPLACES_HEADER = "Bklite-Package-Init-Replaces";

/** For an object that was made of something: the source's SHA-256, and what was made of it by which rule. */
export const ORIGIN_HEADER = "Bklite-Package-Init-Origin";

/** For a zip: one digest of its entries, whatever its packaging: another zip with the same one need not take its place. */
export const ENTRIES_HEADER = "Bklite-Package-Init-Entries";

const DIGEST_PREFIX = "SHA-256=";
const OURS = "PKGINIT";
/** One token of a subject; the server's default limit for a whole protocol line is 4096 bytes. */
const NUID = /^[^.*>\p{C}\p{Z}]{1,255}$/u;

declare const plain: unique symbol;

/** The last token of a chunk subject. Only `parseNuid` and `newNuid` make one, so a purge by it never reaches another upload. */
export type Nuid = string & { readonly [plain]: true };

/** Returns a nuid that others wrote if it is one plain token: no wildcard, dot, blank or control character. */
export function parseNuid(value: unknown): Nuid | undefined {
  return typeof value === "string" && NUID.test(value) ? (value as Nuid) : undefined;
}

/** Subject of an object's chunks. */
export function chunkSubject(bucket: string, nuid: Nuid): string {
  return chunkPrefix(bucket) + nuid;
}

/** What all chunk subjects begin with. */
export function chunkPrefix(bucket: string): string {
  return `$O.${bucket}.C.`;
}

/** Subject of a key's metadata: its base64url with padding, as ADR-20 has it. */
export function metaSubject(bucket: string, key: string): string {
  return `$O.${bucket}.M.${Buffer.from(key).toString("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
}

/** The key that a metadata subject stands for. */
export function keyOf(bucket: string, subject: string): string {
  return Buffer.from(subject.slice(metaSubject(bucket, "").length), "base64url").toString("utf8");
}

/**
 * A chunk subject's last token: 22 characters as any client makes them, but with a beginning that says whose it is, so
 * that what a killed run left behind is known as ours whatever was on the volume then.
 */
export function newNuid(): Nuid {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUV"; // 32: a byte's low five bits choose evenly
  return (OURS + Array.from(randomBytes(15), (byte) => alphabet[byte & 31]).join("")) as Nuid;
}

/** Whether a run of this job made a nuid. */
export function isNuidOfThisJob(nuid: Nuid): boolean {
  return nuid.startsWith(OURS) && nuid.length === 22;
}

/** `SHA-256=…` of a digest in hex. */
export function formatDigest(sha256: string): string {
  return (
    DIGEST_PREFIX + Buffer.from(sha256, "hex").toString("base64").replaceAll("+", "-").replaceAll("/", "_")
  );
}

/** Lower-case hex of a digest in the one form that every client takes, that of formatDigest; undefined for any other. */
export function parseDigest(digest: unknown): string | undefined {
  if (typeof digest !== "string") return undefined;
  const sha256 = Buffer.from(digest.slice(DIGEST_PREFIX.length), "base64url").toString("hex");
  return sha256.length === 64 && formatDigest(sha256) === digest ? sha256 : undefined;
}
