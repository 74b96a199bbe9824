import type { Package } from "../packages/package.ts";
import { packageEntries } from "../packages/sources.ts";
import { ENTRIES_HEADER, ORIGIN_HEADER } from "../store/meta.ts";
import type { StoredObject } from "../store/object.ts";

/** A package on the volume, and what tells whether a stored object has its bytes. */
export interface DesiredPackage {
  package: Package;
  /** Hex; undefined while the file has not had to be read. */
  sha256: string | undefined;
  /** Bytes; undefined where they are made and not known before. */
  bytes: number | undefined;
  /** For what is made: of what, and how. The object's header says the same if nothing has changed. */
  origin?: string;
  /** For a zip: one digest of its entries; undefined while it decides nothing. */
  entries?: string;
}

/**
 * Whether an object has the content of a package: the same bytes; or, as its headers say, the same entries in another packaging, or the same
 * origin where the package's bytes are not known. `headers: "ignored"` compares bytes alone, for an object whose headers are not believed.
 */
export function sameContent(
  { sha256, bytes, origin, entries }: DesiredPackage,
  object: StoredObject,
  headers: "believed" | "ignored" = "believed",
): boolean {
  if (sha256 !== undefined && object.sha256 === sha256 && object.size === bytes) return true;
  if (headers === "ignored") return false;
  if (entries !== undefined && hasEntries(object, entries)) return true;
  return sha256 === undefined && origin !== undefined && hasOrigin(object, origin);
}

/** Whether an object holds these entries, in whatever packaging. */
export function hasEntries(object: StoredObject, entries: string): boolean {
  return object.headers[ENTRIES_HEADER]?.[0] === entries;
}

/** Whether an object says which entries it holds. */
export function saysEntries({ headers }: StoredObject): boolean {
  return headers[ENTRIES_HEADER] !== undefined;
}

/** Whether an object was made of that, in that way: then its content is the same. */
export function hasOrigin(object: StoredObject, origin: string): boolean {
  return object.headers[ORIGIN_HEADER]?.[0] === origin;
}

/** What is stored has the desired content: so that is what it comes to. */
export function known(desired: DesiredPackage, { sha256, size }: StoredObject): DesiredPackage {
  return { ...desired, sha256, bytes: size };
}

/** What an object's headers say of how it came about, so that the next run need not find out again. */
export function headersOf(
  { package: pkg, origin }: DesiredPackage,
  options: { entries: boolean },
): Record<string, string[]> {
  const entries = options.entries ? packageEntries(pkg) : undefined;
  return {
    ...(origin !== undefined && { [ORIGIN_HEADER]: [origin] }),
    ...(entries !== undefined && { [ENTRIES_HEADER]: [entries] }),
  };
}
