import { deflateRawSync, inflateRawSync } from "node:zlib";
import { Entries } from "./contents.ts";
import type { BinaryKind, Entry, Listing } from "./types.ts";

/** Of the rules by which an archive is judged: what was judged by others is judged again. */
const RULE = 3;
/** Characters: an object's metadata is one message, and has to fit a small server's as well. */
const MAX_TEXT = 16 * 1024;
/** Bytes that such a text unpacks to at most. */
const MAX_JSON = 4 * 1024 * 1024;
const KINDS: readonly string[] = ["file", "directory", "link", "hardlink"] satisfies Entry["kind"][];

/** Which file a listing is of: SHA-256 in lower-case hex, and bytes. */
export interface ListedFile {
  sha256: string;
  size: number;
}

/** What a scan found, as one line; undefined for an archive with too many entries for that. `parseListing` reads it. */
export function listingText(
  { sha256, size }: ListedFile,
  { entries, rootEntry, gzipEnd }: Pick<Listing, "rootEntry" | "gzipEnd"> & { entries: readonly Entry[] },
): string | undefined {
  const plain = entries.map((entry) => ({
    ...entry,
    ...(entry.head && { head: entry.head.toString("base64") }),
  }));
  const json = JSON.stringify({ entries: plain, rootEntry, gzipEnd });
  if (json.length > MAX_JSON) return undefined;
  const text = `${RULE} ${sha256} ${size} ${deflateRawSync(json, { level: 9 }).toString("base64")}`;
  return text.length > MAX_TEXT ? undefined : text;
}

/** Which file it is of, if it was written by today's rules. */
export function listedFile(text: string): ListedFile | undefined {
  const [, rule, sha256 = "", size] = /^(\d+) ([0-9a-f]{64}) (\d{1,15}) /.exec(text) ?? [];
  return Number(rule) === RULE ? { sha256, size: Number(size) } : undefined;
}

/**
 * What the scan found that wrote it. Anybody may have written it since: it is checked as an archive's own entries are, and is
 * undefined where there is anything wrong with it. `file` is for messages.
 */
export function parseListing(text: string, file: string): Listing | undefined {
  try {
    const packed = Buffer.from(text.slice(text.lastIndexOf(" ") + 1), "base64");
    const said = JSON.parse(
      inflateRawSync(packed, { maxOutputLength: MAX_JSON }).toString(),
    ) as Partial<Listing>;
    const { gzipEnd, rootEntry } = said;
    if (gzipEnd !== undefined && !isNumber(gzipEnd)) return undefined;
    const kept = new Entries(file);
    for (const entry of said.entries ?? []) {
      if (!isEntry(entry)) return undefined;
      const { head, ...rest } = entry;
      kept.add({ ...rest, ...(head && { head: Buffer.from(head, "base64") }) });
    }
    return {
      entries: kept.finish(),
      rootEntry: rootEntry === true,
      ...(gzipEnd !== undefined && { gzipEnd }),
    };
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is Omit<Entry, "head"> & { head?: string } {
  const { path, kind, size, mode, offset, target, head, kindOfBinary } = value as Record<string, unknown>;
  const optional = (one: unknown, type: string) => one === undefined || typeof one === type;
  return (
    typeof path === "string" &&
    KINDS.includes(kind as string) &&
    isNumber(size) &&
    isNumber(mode) &&
    isNumber(offset) &&
    optional(target, "string") &&
    optional(head, "string") &&
    (kindOfBinary === undefined || isBinaryKind(kindOfBinary))
  );
}

function isBinaryKind(value: unknown): value is BinaryKind {
  const { format, machine, instead, cut } = (value ?? {}) as Record<string, unknown>;
  const { bytes, needed } = (cut ?? { bytes: 0, needed: 0 }) as Record<string, unknown>;
  return (
    isNumber(bytes) &&
    isNumber(needed) &&
    ["elf", "pe", "macho", "other"].includes(format as string) &&
    [machine, instead].every(
      (one) => one === undefined || (typeof one === "string" && /^[\w ]{1,20}$/.test(one)),
    )
  );
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
