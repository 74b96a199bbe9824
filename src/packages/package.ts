/**
 * packages/: what the files on the volume are in BK-Lite: controllers, collectors, installers and APM probes,
 * their identities, and the form in which they are stored. Knows neither Postgres nor NATS.
 */
import type { Entry, ExecutableType, FileDigests, Listing } from "../archive/types.ts";
import type { ZipItem } from "../archive/zip-write.ts";
import type { Problem } from "../errors.ts";
import type { Arch, Identity, Os, PackageType } from "../identity.ts";
import type { FormReason } from "../messages/archive.ts";
import type { SigningKey } from "../sshsig.ts";
import type { StampedFile, VolumeFile } from "../volume/files.ts";
import type { TreeEntry } from "../volume/list.ts";
import { type Named, typeByName } from "../volume/name.ts";
import type { Versions } from "../volume/version.ts";

/** A file or folder of the volume after it has been read. */
export type Archive = ControllerArchive | CollectorFile | CollectorFolder | InstallerFile | ProbeFile;

interface ReadFile extends VolumeFile, StampedFile {
  digests: DigestCache;
  /** The key that signed its list of checksums, if signatures are verified. */
  signedBy?: SigningKey;
}

/** A zip or tar.gz with a controller and collectors. */
export interface ControllerArchive extends ReadFile, Pick<Listing, "entries" | "rootEntry" | "repeated"> {
  kind: "controller";
  format: "zip" | "tar.gz";
  nameInfo: Named;
  /** The VERSION files that apply: the archive's own, then those beside and above it, nearest first. */
  versions: readonly Versions[];
  /** The folder that contains everything; "" if there is none. */
  topFolder: string;
  /** Files directly in the top folder or below its bin/, by path below the top folder. */
  members: ReadonlyMap<string, Entry>;
  /** `certs/ca.crt`, by which the nodes verify the certificate of NATS. */
  ca: Buffer | undefined;
}

/** A collector's own file: declared by a user, or in a slot of the bundle layout. */
export interface CollectorFile extends ReadFile {
  kind: "collector";
  format: "zip" | "other";
  nameInfo: Named;
  /** The entries of a zip; none for any other file. */
  entries: readonly Entry[];
  /** The file's own type; for a zip, that of the program in it. */
  executable: ExecutableType;
  /** Why it cannot be a collector; an error only if the platform defines a collector of this name. */
  problem?: Problem;
}

/** A collector's folder in a slot of the bundle layout. */
export interface CollectorFolder extends ReadFile {
  kind: "collector-folder";
  tree: readonly TreeEntry[];
  /** The types of the files directly in it, by path on a node: `bin/filebeat/filebeat`. */
  executables: ReadonlyMap<string, ExecutableType>;
  /** As in CollectorFile. */
  problem?: Problem;
}

export interface InstallerFile extends ReadFile {
  kind: "installer";
  executable: ExecutableType;
}

export interface ProbeFile extends ReadFile {
  kind: "apm-probe";
  format: "zip" | "tar.gz";
}

/** Digests that this run has computed so far. A cache, and so the only part of an archive that changes. */
export class DigestCache {
  /** SHA-256 in hex of files on the volume, by `file`. */
  readonly files: Map<string, string>;
  readonly derived = new Map<Derived, Digest>();
  /** The digests of all entries; undefined until the whole archive was read without an error. */
  entries: FileDigests | undefined;

  constructor(files: Iterable<readonly [string, string]> = [], entries?: FileDigests) {
    this.files = new Map(files);
    this.entries = entries;
  }
}

/** Returns a file's type: as declared, else by its slot, else by its name, else a controller's archive. */
export function packageType({
  declared,
  slot,
  name,
}: Pick<VolumeFile, "declared" | "slot" | "name">): PackageType {
  return declared?.type ?? (slot ? "collector" : (typeByName(name) ?? "controller"));
}

/** Whether an archive is a zip. */
export function isZip(archive: Archive): boolean {
  return "format" in archive && archive.format === "zip";
}

/** One package to be stored and registered. */
export interface Package extends Identity {
  archive: Archive;
  /** The row's name and the last part of the key. */
  name: string;
  description: string;
  /** The key of a package that has no row (an installer, an APM probe). Each upload replaces the last one. */
  keyWithoutRow?: string;
  /** For all platforms: os and architecture mean nothing (an APM probe). */
  anywhere?: boolean;
  /** Set if the stored bytes are not the file's own. */
  derived?: Derived;
  /** Set for a collector whose program BK-Lite would not find where the definition says. */
  unstartable?: true;
  /** Why BK-Lite's installer cannot unpack the archive, which REPACK=never stores as it is. */
  repackNeeded?: readonly FormReason[];
}

/** The bytes of a package that differ from its file (SPEC §5). The same source gives the same bytes. */
export type Derived = DerivedFromArchive | DerivedFromFolder;
export type DerivedFromArchive = CutOut | Repacked;

/** The digest of bytes, and their number. */
export interface Digest {
  /** Hex. */
  sha256: string;
  bytes: number;
}

interface DerivedBase {
  /** Below the source's top folder, for messages and the origin: `bin/filebeat`; "" for all of it. */
  path: string;
  /** The program's path below bin/ on a node, if it differs from the source's: the bytes depend on it. */
  target?: string;
}

/** A collector out of an archive. `executable`: one file. `folder`: with its folder, as a zip. */
export interface CutOut extends DerivedBase {
  kind: "executable" | "folder";
  /** Returns the zip's entries with their names and modes; for an executable its one file. */
  items(): readonly ZipItem[];
}

/** A whole archive as a zip that BK-Lite's installer accepts. */
export interface Repacked extends DerivedBase {
  kind: "repacked";
  /** Why the archive is not stored as it is. */
  reasons: readonly FormReason[];
  items(): readonly ZipItem[];
}

/**
 * `loose-folder`: a folder on the volume as a zip. `loose-file`: one file of it. The names are part of the
 * origin.
 */
export interface DerivedFromFolder extends DerivedBase {
  kind: "loose-folder" | "loose-file";
  /** Returns files and folders in the zip's order; a folder's name ends in `/`. */
  items(): readonly ZipItem<TreeEntry>[];
}

/** A row for a collector that names the archive of its controller: it has no object of its own. */
export interface Collector extends Identity {
  type: "collector";
  archive: Archive;
  /** The row's name: the archive's. */
  name: string;
  /** The program's path below the top folder: `bin/telegraf`. */
  executable: string;
}

/** A collector as the platform defines it. */
export interface CollectorDefinition {
  object: string;
  os: Os;
  /** undefined: any architecture. */
  arch: Arch | undefined;
  /** Below the top folder, with `/`: `bin/telegraf`; undefined if it lies elsewhere (`/usr/bin/java`). */
  executable: string | undefined;
  /** The program's name in an archive then: `jmx_jvm` for `bin/jmx_jvm.jar`. */
  packageName?: string | undefined;
}

/** Settings that decide which packages the files on the volume become. */
export interface ResolveOptions {
  /** The command line's; they win over the file's name, PACKAGE_VERSION and VERSION files. */
  options: {
    os?: Os | undefined;
    arch?: Arch | undefined;
    object?: string | undefined;
    version?: string | undefined;
  };
  packageVersion?: string | undefined;
  /** REPACK: `never` stores every archive as it is. */
  repack?: "auto" | "never";
  collectors: "auto" | "none" | readonly string[];
  /** COLLECTOR_PACKAGES=standalone: each collector is a package of its own, cut out of the archive. */
  standalone?: boolean;
  /** The platform's own; the built-in ones are used for an os and architecture without any. */
  definitions: readonly CollectorDefinition[];
  /** Whether the table has an architecture column (state C). */
  archColumn: boolean;
}

/** Returns a package's platform as it is shown to people and in reports. */
export function shownPlatform(
  { os, arch, anywhere }: Pick<Package, "os" | "arch" | "anywhere">,
  archColumn = true,
): { os: string | null; arch: string | null } {
  return anywhere ? { os: null, arch: null } : { os, arch: archColumn ? arch : null };
}

/** The version of packages that each upload replaces: installers, APM probes and the bundle's collectors. */
export const LATEST = "latest";

/** Whether each upload replaces the package, even with other content. */
export function isMoving({ version }: Pick<Identity, "version">): boolean {
  return version === LATEST;
}

const NUMBERED = /^(\d+(?:\.\d+)*)(?:-([^+]+))?/;
const NATURAL = new Intl.Collator("en", { numeric: true });

/** Whether a version has a place among others: numbers, maybe a pre-release, maybe build metadata. */
export function isOrdered(version: string): boolean {
  return /^\d+(?:\.\d+)*(?:-[^+]+)?(?:\+.+)?$/.test(version);
}

/**
 * Compares two versions, the newer being the greater: by number, a pre-release before its release. `latest`
 * is the newest; a version without a number is the oldest.
 */
export function compareVersions(a: string, b: string): number {
  return compareParsed(parse(a), parse(b));
}

/** Returns versions, the oldest first. */
export function sortVersions(versions: Iterable<string>): string[] {
  const parsed = Array.from(versions, (version) => ({ version, ...parse(version) }));
  return parsed.sort(compareParsed).map(({ version }) => version);
}

interface Parsed {
  numbers: number[];
  pre: string | undefined;
}

function compareParsed(left: Parsed, right: Parsed): number {
  const length = Math.max(left.numbers.length, right.numbers.length);
  for (let index = 0; index < length; index++) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.pre === undefined || right.pre === undefined)
    return Number(left.pre === undefined) - Number(right.pre === undefined);
  return NATURAL.compare(left.pre, right.pre);
}

function parse(version: string): Parsed {
  if (version === LATEST) return { numbers: [Number.MAX_SAFE_INTEGER], pre: undefined };
  const [, numbers, pre] = NUMBERED.exec(version) ?? [];
  return { numbers: numbers?.split(".").map(Number) ?? [-1], pre };
}
