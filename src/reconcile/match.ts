import { type Arch, archOf, type Identity, isKeyRow, OPERATING_SYSTEMS, type Os } from "../identity.ts";
import type { Package } from "../packages/package.ts";
import { packageEntries, packageOrigin } from "../packages/sources.ts";
import type { Row } from "../postgres/rows.ts";
import { ENTRIES_HEADER, ORIGIN_HEADER } from "../store/meta.ts";
import type { StoredObject } from "../store/object.ts";

/** The part of the servers' state that a decision needs. */
export interface Observed {
  rows: readonly Row[];
  /** By key; deletion markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  /** Whether the table distinguishes architectures (state C). */
  archColumn: boolean;
}

/** The parts of a key; a row and an identity both have them. */
interface KeyParts {
  os: string;
  /** As the row has it; null where the table has no such column. */
  arch: string | null;
  object: string;
  version: string;
}

/** The architecture in the key of a row that names none (BKLITE.md, "The object"). */
const NO_ARCH = "generic";

/**
 * Returns the keys under which the server finds a row's object, in its order (BKLITE.md, "The object"):
 * without the architecture column one key; with it the key with the architecture, then the old one.
 */
export function keysOf(parts: KeyParts, name: string, archColumn: boolean): readonly [string, ...string[]] {
  const { os, arch, object, version } = parts;
  const old = `${os}/${object}/${version}/${name}`;
  return archColumn ? [`${os}/${arch || NO_ARCH}/${object}/${version}/${name}`, old] : [old];
}

/** Returns the keys of a row, whoever wrote it; none if its values cannot be parts of a key. */
export function rowKeys(row: KeyParts & { name: string }, archColumn: boolean): readonly string[] {
  return isKeyRow(row) ? keysOf(row, row.name, archColumn) : [];
}

/**
 * Returns the keys of a package under a name: those of its row, which may spell the architecture in another
 * way, or its own.
 */
export function packageKeys(
  pkg: Package,
  row: Row | undefined,
  name: string,
  archColumn: boolean,
): readonly [string, ...string[]] {
  return pkg.keyWithoutRow === undefined ? keysOf(row ?? pkg, name, archColumn) : [pkg.keyWithoutRow];
}

/** The identity in the key of a row's object. */
interface ParsedKey {
  os: Os;
  /** undefined: the key names none, and may serve any architecture. */
  arch: Arch | undefined;
  object: string;
  version: string;
}

/** Parses a key in one of keysOf's forms; undefined for any other key. */
export function parseKey(key: string): ParsedKey | undefined {
  const os = OPERATING_SYSTEMS.find((known) => key.startsWith(`${known}/`));
  if (!os) return undefined;
  const rest = key.split("/").slice(1, -1);
  const [object = "", version = ""] = rest.slice(-2);
  if (rest.length === 2) return { os, arch: undefined, object, version };
  const name = rest[0] === NO_ARCH ? "x86_64" : rest[0];
  const arch = rest.length === 3 ? archOf(name ?? "") : undefined;
  return arch && { os, arch, object, version };
}

const STAGING = /^\.staging-[\da-f]{8}(?:-?[\da-f]{4}){3}-?[\da-f]{12}$/i;

/**
 * Whether a key has the form of `linux/x86_64/Telegraf/1.0.0/.staging-UUID/telegraf`. Other applications may
 * stage objects too.
 */
export function isStaged(key: string): boolean {
  if (!key.includes("/.staging-")) return false;
  const parts = key.split("/");
  const [folder = ""] = parts.splice(-2, 1);
  return STAGING.test(folder) && parseKey(parts.join("/"))?.arch !== undefined;
}

/** Whether BK-Lite serves a key without a row: an installer's or an APM probe's. */
export function isKeyWithoutRow(key: string): boolean {
  return /^(?:installer|apm\/probe)\//.test(key);
}

/** Whether a key is of BK-Lite's packages: only its platforms' rows have others. */
export function isPackageKey(key: string): boolean {
  return isKeyWithoutRow(key) || parseKey(key) !== undefined || isStaged(key);
}

/** The platform of a row; undefined for one that BK-Lite has no packages for. */
export function platformOf(
  row: Pick<Row, "os" | "arch">,
  archColumn: boolean,
): { os: Os; arch: Arch | null } | undefined {
  const os = OPERATING_SYSTEMS.find((known) => known === row.os);
  const arch = archColumn ? archOf(row.arch || "x86_64") : null;
  return os && arch !== undefined ? { os, arch } : undefined;
}

/** Whether a package is, or was, served by a key under any name. */
export function isKeyOf(key: string, { os, arch, object, version }: Identity): boolean {
  const parsed = parseKey(key);
  return (
    parsed?.os === os &&
    parsed.object === object &&
    parsed.version === version &&
    (parsed.arch ?? arch) === arch
  );
}

/** Returns the object that the server would serve: that of the first key that holds one. */
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
 * Returns the row of an identity; the unique constraint does not include `type`. A row may name the
 * architecture by an alias, and a row without one is the x86_64 one (BKLITE.md): the best match counts.
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

/** Returns the rows of the same package for another architecture, which the old key may serve too. */
export function otherArchitectures(pkg: Package, { rows, archColumn }: Observed): Row[] {
  if (!archColumn || pkg.keyWithoutRow !== undefined) return [];
  return rows.filter(
    (row) =>
      row.os === pkg.os &&
      row.object === pkg.object &&
      row.version === pkg.version &&
      findRow({ ...pkg, arch: pkg.arch }, [row], true) === undefined,
  );
}

/** Whether the server would serve an object to a row of the same package for another architecture. */
function isServedToAnother(object: StoredObject, pkg: Package, input: Observed): boolean {
  return otherArchitectures(pkg, input).some(
    (row) => served(rowKeys(row, true), input.objects)?.key === object.key,
  );
}

/** A package on the volume, with what decides whether a stored object has its content. */
export interface DesiredPackage {
  package: Package;
  /** Hex; undefined until the file has to be read. */
  sha256: string | undefined;
  /** Bytes; undefined if they are derived and not known yet. */
  bytes: number | undefined;
  /**
   * For a derived package: from what, and how. The object's header has the same value if nothing has changed.
   */
  origin?: string;
  /** For a zip: one digest of its entries; undefined if it decides nothing. */
  entries?: string;
}

/**
 * Whether an object has the content of a package: the same bytes; or, by its headers, the same entries in
 * another packaging, or the same origin if the package's bytes are not known. `headers: "ignored"` compares
 * bytes alone, for an object whose headers are not trusted.
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

/** Whether an object holds these entries, in any packaging. */
export function hasEntries(object: StoredObject, entries: string): boolean {
  return object.headers[ENTRIES_HEADER]?.[0] === entries;
}

/** Whether an object's headers name its entries. */
export function saysEntries({ headers }: StoredObject): boolean {
  return headers[ENTRIES_HEADER] !== undefined;
}

/** Whether an object was derived from the same source in the same way, so that its content is the same. */
function hasOrigin({ key, headers }: StoredObject, origin: string): boolean {
  // version 1.0 named no rule, and stored a folder under a `.zip` and a program under any other name
  const origin10 = origin.replace(key.endsWith(".zip") ? ":folder/1:" : ":executable/1:", ":");
  return [origin, origin10].includes(headers[ORIGIN_HEADER]?.[0] ?? "");
}

/** Returns a package with the digest of a stored object that has its content. */
export function known(desired: DesiredPackage, { sha256, size }: StoredObject): DesiredPackage {
  return { ...desired, sha256, bytes: size };
}

/** Returns the headers that tell the next run an object's origin and entries. */
export async function headersOf(
  { package: pkg, origin: known }: DesiredPackage,
  options: { entries: boolean; signal: AbortSignal },
): Promise<Record<string, string[]>> {
  // the upload has read what the origin names
  const origin = known ?? (await packageOrigin(pkg, options.signal));
  const entries = options.entries ? packageEntries(pkg) : undefined;
  return {
    ...(origin !== undefined && { [ORIGIN_HEADER]: [origin] }),
    ...(entries !== undefined && { [ENTRIES_HEADER]: [entries] }),
  };
}

/** Returns the row of a package; undefined for a package without rows. */
export function rowOf(pkg: Package, { rows, archColumn }: Observed): Row | undefined {
  return pkg.keyWithoutRow === undefined ? findRow(pkg, rows, archColumn) : undefined;
}

/**
 * Returns the object that the server would serve for a package now (SPEC §4's O): under the row's name, or
 * the file's.
 */
export function storedFor(pkg: Package, input: Observed): StoredObject | undefined {
  const row = rowOf(pkg, input);
  if (row && !isKeyRow(row)) return undefined;
  const object = served(packageKeys(pkg, row, row?.name ?? pkg.name, input.archColumn), input.objects);
  // The old key, without the architecture, may serve another architecture: its object does not belong to this
  // package.
  return object && !row && isServedToAnother(object, pkg, input) ? undefined : object;
}

/**
 * Whether an object's headers are trusted: not if its row has another digest, because another process stored
 * it then.
 */
export function isBelieved(row: Row | undefined, stored: StoredObject): boolean {
  return !row?.sha256 || row.sha256 === stored.sha256;
}

/** Whether an object has a package's content. Its headers count only if they are trusted. */
export function isSame(desired: DesiredPackage, object: StoredObject, row: Row | undefined): boolean {
  return sameContent(desired, object, isBelieved(row, object) ? "believed" : "ignored");
}
