import { type Arch, archOf, type Identity, isKeyRow, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import type { Package } from "../packages/package.ts";
import type { Row } from "../postgres/rows.ts";
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
