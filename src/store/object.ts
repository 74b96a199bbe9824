import type { StoredMsg, StreamInfo } from "nats";
import { keyOf, type ObjectMeta, parseDigest } from "./meta.ts";

/** An object as the bucket holds it. */
export interface StoredObject {
  key: string;
  nuid: string;
  /** Bytes. */
  size: number;
  /** Chunks that there should be. */
  chunks: number;
  /** Chunks that there are. */
  stored: number;
  /** Lower-case hex; undefined where the metadata has none that can be read. */
  sha256: string | undefined;
  deleted: boolean;
  headers: Record<string, string[]>;
  /** Stream sequence of the metadata: what a writer expects to be still the last. */
  sequence: number;
}

/** Everything in the bucket. */
export interface Listing {
  objects: ReadonlyMap<string, StoredObject>;
  /** Messages by the chunk subject's last token. */
  chunks: ReadonlyMap<string, number>;
  /** Of the stream, when it was read; undefined where there is no such bucket. */
  info: StreamInfo | undefined;
}

/** True when all of an object's bytes are there: metadata alone is no proof. */
export function isWhole(object: StoredObject): boolean {
  return !object.deleted && object.stored === object.chunks;
}

/** The object that a stored metadata message speaks of; `counted` tells how many chunks a nuid has. */
export function readObject(
  bucket: string,
  subject: string,
  message: StoredMsg,
  counted: (nuid: string) => number,
): StoredObject {
  const meta = parse(message.data);
  const nuid = String(meta.nuid ?? "");
  return {
    key: keyOf(bucket, subject),
    nuid,
    size: Number(meta.size ?? 0),
    chunks: Number(meta.chunks ?? 0),
    stored: counted(nuid),
    sha256: parseDigest(meta.digest),
    deleted: meta.deleted === true,
    headers: meta.headers ?? {},
    sequence: message.seq,
  };
}

function parse(data: Uint8Array): Partial<ObjectMeta> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {}; // no client could read it either: an object with other bytes
  }
}
