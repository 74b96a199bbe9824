import { type Arch, archOf, type Identity, isKeyRow, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import type { Package } from "../packages/package.ts";
import { packageEntries } from "../packages/sources.ts";
import type { Row } from "../postgres/rows.ts";
import { ENTRIES_HEADER, ORIGIN_HEADER } from "../store/meta.ts";
import type { StoredObject } from "../store/object.ts";

/** What the servers hold, as far as a decision needs it. */
export interface Observed {
  rows: readonly Row[];
  /** By key; deleted markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  /** Whether the table tells architectures apart (state C). */
  archColumn: boolean;
}

/** What a key is made of; a row and an identity both have it. */
interface KeyParts {
  os: string;
  /** As the row has it; null where the table has no such column. */
  arch: string | null;
  object: string;
  version: string;
}

/** Stands in a key for the architecture that a row does not name (BKLITE.md, "The object"). */
const NO_ARCH = "generic";

/**
 * The keys under which the server looks for a row's object, in its order (BKLITE.md, "The object"): without the architecture
 * column one; with it the one with the architecture, then the old one.
 */
export function keysOf(parts: KeyParts, name: string, archColumn: boolean): readonly [string, ...string[]] {
  const { os, arch, object, version } = parts;
  const old = `${os}/${object}/${version}/${name}`;
  return archColumn ? [`${os}/${arch || NO_ARCH}/${object}/${version}/${name}`, old] : [old];
}

/** The keys of a row that somebody may have written; none where its parts cannot be parts of a key. */
export function rowKeys(row: KeyParts & { name: string }, archColumn: boolean): readonly string[] {
  return isKeyRow(row) ? keysOf(row, row.name, archColumn) : [];
}

/** The keys of a package under a name: those of its row, which may spell the architecture in its own way, or its own. */
export function packageKeys(
  pkg: Package,
  row: Row | undefined,
  name: string,
  archColumn: boolean,
): readonly [string, ...string[]] {
  return pkg.fixedKey === undefined ? keysOf(row ?? pkg, name, archColumn) : [pkg.fixedKey];
}

/** What a key of a row's object says of it. */
export interface ParsedKey {
  os: Os;
  /** undefined: the key names none, and may serve any. */
  arch: Arch | undefined;
  object: string;
  version: string;
}

/** Reads a key of the forms that keysOf makes; undefined for any other key. */
export function parseKey(key: string): ParsedKey | undefined {
  const [first, ...rest] = key.split("/").slice(0, -1);
  const os = OPERATING_SYSTEMS.find((known) => known === first);
  if (!os) return undefined;
  const [object = "", version = ""] = rest.slice(-2);
  if (rest.length === 2) return { os, arch: undefined, object, version };
  const name = rest[0] === NO_ARCH ? "x86_64" : rest[0];
  const arch = rest.length === 3 ? archOf(name ?? "") : undefined;
  return arch && { os, arch, object, version };
}

/** Whether a package is, or was, served by a key under some name. */
export function isKeyOf(key: string, { os, arch, object, version }: Identity): boolean {
  const parsed = parseKey(key);
  return (
    parsed?.os === os &&
    parsed.object === object &&
    parsed.version === version &&
    (parsed.arch ?? arch) === arch
  );
}

/** The first of the keys that holds an object, as the server looks for it. */
export function served(
  keys: readonly string[],
  objects: ReadonlyMap<string, StoredObject>,
): StoredObject | undefined {
  for (const key of keys) {
    const object = objects.get(key);
    if (object && !object.deleted) return object;
  }
  return undefined;
}

/**
 * The row of an identity; the unique constraint leaves `type` out. A row may name the architecture by another of its names, and one
 * that names none is the x86_64 one (BKLITE.md): the best match counts.
 */
export function findRow(identity: Identity, rows: readonly Row[], archColumn: boolean): Row | undefined {
  const same = rows.filter(
    (row) => row.os === identity.os && row.object === identity.object && row.version === identity.version,
  );
  if (!archColumn) return same[0];
  return (
    same.find(({ arch }) => arch === identity.arch) ??
    same.find(({ arch }) => archOf(arch ?? "") === identity.arch) ??
    (identity.arch === "x86_64" ? same.find(({ arch }) => !arch) : undefined)
  );
}

/** Rows of the same package for another architecture, which the old key may serve too. */
export function otherArchitectures(pkg: Package, { rows, archColumn }: Observed): Row[] {
  if (!archColumn || pkg.fixedKey !== undefined) return [];
  return rows.filter(
    (row) =>
      row.os === pkg.os &&
      row.object === pkg.object &&
      row.version === pkg.version &&
      findRow({ ...pkg, arch: pkg.arch }, [row], true) === undefined,
  );
}

/** Whether the server would serve an object to a row of the same package for another architecture. */
export function isServedToAnother(object: StoredObject, pkg: Package, input: Observed): boolean {
  return otherArchitectures(pkg, input).some(
    (row) => served(rowKeys(row, true), input.objects)?.key === object.key,
  );
}

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
