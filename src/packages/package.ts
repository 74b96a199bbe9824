/**
 * packages/: what the files on the volume are in BK-Lite: controllers, collectors, installers, APM probes, under which identity, and
 * in which form they are stored. Knows neither Postgres nor NATS.
 */
import type { ExecutableType as BinaryKind, Entry, FileDigests } from "../archive/types.ts";
import type { ZipItem } from "../archive/zip-write.ts";
import type { Problem } from "../errors.ts";
import type { Arch, Identity, Os, PackageType } from "../identity.ts";
import type { FormReason } from "../messages/archive.ts";
import type { FileStamp, VolumeFile } from "../volume/files.ts";
import type { TreeEntry } from "../volume/list.ts";
import type { Named } from "../volume/name.ts";
import { typeByName } from "../volume/name.ts";
import type { Versions } from "../volume/version.ts";

/** What an archive's entries come to as a package of BK-Lite's. */
export interface Contents {
  /** The folder that everything in it is below; "" where there is no such folder. */
  top: string;
  /** Whether `collector-sidecar` or `collector-sidecar.exe` is below the top folder. */
  sidecar: boolean;
  /** Files that could be somebody's executable, by path below the top folder: directly in it, or in bin/. */
  members: ReadonlyMap<string, Entry>;
  /** Its `certs/ca.crt`. */
  authority: Entry | undefined;
}

/** An archive that has been opened and read as the package it claims to be. */
export interface Archive extends VolumeFile, Contents {
  /** `other`: what is not opened as an archive: a program, a collector of any content, a folder. */
  format: "zip" | "tar.gz" | "other";
  stamp: FileStamp;
  /** What the file's name says. */
  named: Named;
  /** What the VERSION file says: one version, or one for each os. */
  versions: Versions;
  /** What the VERSION files beside and above it say, the nearest first. */
  around?: readonly Versions[];
  /** What the first bytes of a file that is no archive say. */
  program?: BinaryKind;
  /** What is wrong with it, should it be a collector that the platform knows. */
  fault?: Problem;
  /** Everything in it, where it is a folder on the volume. */
  tree?: readonly TreeEntry[];
  /** Its `certs/ca.crt`, by which the nodes know NATS' certificate. */
  ca?: Buffer | undefined;
  /** Everything in it, in its own order. */
  entries: readonly Entry[];
  /** Whether it has an entry for its own root (`./`). */
  rootEntry?: boolean;
  /** Names that a tar has more than once. */
  repeated?: readonly string[];
  /** Of the files in it; undefined until all of it has been read and found whole. */
  fileDigests?: FileDigests;
  /** Lower-case hex; known already where the scan had to read the whole file anyway (tar.gz, checksum files). */
  sha256: string | undefined;
}

/** One package to be stored and registered. */
export interface Package extends Identity {
  archive: Archive;
  /** The row's name and the last part of the key. */
  name: string;
  description: string;
  /**
   * Set for what has no row (an installer, an APM probe): the one key under which it is stored, whatever the table looks like
   * (BKLITE.md). Such packages move: each upload replaces the last.
   */
  fixedKey?: string;
  /** For whatever platform: os and architecture mean nothing (an APM probe). */
  anywhere?: boolean;
  /** Set where the package's bytes are not the file's own but made of what lies on the volume. */
  made?: Made;
  /** A collector whose program BK-Lite will not find where the definition says: stored, but not installable. */
  unstartable?: true;
  /** Why BK-Lite's installer cannot unpack it, although it is stored as it is (REPACK=never). */
  unfit?: readonly FormReason[];
}

/** What is made of something on the volume, and how (SPEC §5). The same source gives the same bytes. */
export type Made = MadeOfArchive | MadeOfFolder;

/** What bytes come to: SHA-256 in hex, and how many they are. */
export interface Digest {
  sha256: string;
  bytes: number;
}

interface MadeBase {
  /** Below the source's top folder, for messages and the origin: `bin/telegraf`, `bin/filebeat`; "" for all of it. */
  path: string;
  /** Where the program lies below bin/ on a node, if that is not its path in the source: then the bytes depend on it. */
  target?: string;
  /** Why an archive is not stored as it is (`repacked`). */
  reasons?: readonly FormReason[];
  /** What its bytes come to; unknown until it has been made once. */
  digest?: Digest;
}

/**
 * `executable`: one file of the archive, as it is. `folder`: a collector with its folder, as a zip. `repacked`: the whole archive as
 * the zip that BK-Lite's installer takes.
 */
export interface MadeOfArchive extends MadeBase {
  kind: "executable" | "folder" | "repacked";
  /** What goes into it, under its name and mode in the new zip; of an executable the one file. */
  items(): readonly ZipItem[];
}

/**
 * Files that lie on the volume as such. `loose-folder`: a zip of them (`collector/linux/filebeat/`). `loose-file`: one of them, as it
 * is, out of a folder.
 */
export interface MadeOfFolder extends MadeBase {
  kind: "loose-folder" | "loose-file";
  /** Its files and folders, in the zip's order; a folder's name ends in `/` and its file is not read. */
  items(): readonly ZipItem<TreeEntry>[];
}

/** A row for a collector that names the archive of its controller: no object of its own. */
export interface Collector extends Identity {
  type: "collector";
  archive: Archive;
  /** The row's name: the archive's. */
  name: string;
  /** The member that makes it a collector: `bin/telegraf`. */
  executable: string;
}

/** A collector as the platform defines it. */
export interface CollectorDefinition {
  object: string;
  os: Os;
  /** undefined: whatever the architecture. */
  arch: Arch | undefined;
  /** Below the top folder, with `/`: `bin/telegraf`; undefined for one that lies elsewhere (`/usr/bin/java`). */
  executable: string | undefined;
  /** What its program is called in an archive then: `jmx_jvm` for `bin/jmx_jvm.jar`. */
  packageName?: string | undefined;
}

/** A package's platform as people and reports are shown it. */
export function shownPlatform(
  { os, arch, anywhere }: Pick<Package, "os" | "arch" | "anywhere">,
  archColumn = true,
): { os: string | null; arch: string | null } {
  return anywhere ? { os: null, arch: null } : { os, arch: archColumn ? arch : null };
}

/** What decides which packages the files on the volume become. */
export interface ResolveOptions {
  /** The command line's; wins over the file's name, PACKAGE_VERSION and the archive's VERSION. */
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
  /** The platform's own; where it has none for an os and architecture, the built-in ones count. */
  definitions: readonly CollectorDefinition[];
  /** Whether the table tells architectures apart (state C). */
  archColumn: boolean;
}

/** What a file is taken for: what somebody said of it, else what its place or its name says, else a controller's archive. */
export function typeOf({ claim, place, name }: Pick<VolumeFile, "claim" | "place" | "name">): PackageType {
  return claim?.type ?? (place ? "collector" : (typeByName(name) ?? "controller"));
}

/** Stands for whatever is there: each upload replaces the last. Installers, APM probes and the bundle's collectors have no other version. */
export const LATEST = "latest";

/** Whether a package is replaced by each upload, whatever it holds. */
export function isMoving({ version }: Pick<Identity, "version">): boolean {
  return version === LATEST;
}

const NUMBERED = /^(\d+(?:\.\d+)*)(?:-([^+]+))?/;
const NATURAL = new Intl.Collator("en", { numeric: true });

/**
 * Compares two versions, the newer being the greater: by number, a pre-release before its release. `latest` is the newest; a version
 * without a number is the oldest.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  const length = Math.max(left.numbers.length, right.numbers.length);
  for (let index = 0; index < length; index++) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.pre === undefined || right.pre === undefined)
    return Number(left.pre === undefined) - Number(right.pre === undefined);
  return NATURAL.compare(left.pre, right.pre);
}

function parse(version: string): { numbers: number[]; pre: string | undefined } {
  if (version === LATEST) return { numbers: [Number.MAX_SAFE_INTEGER], pre: undefined };
  const [, numbers, pre] = NUMBERED.exec(version) ?? [];
  return { numbers: numbers?.split(".").map(Number) ?? [-1], pre };
}

/**
 * Gives a collector one version on every architecture of an os: BK-Lite offers a node the version that it has, whatever its architecture
 * (BKLITE.md). If one has a file of its own without a version (`moving`), what archives hold of it for other architectures has none
 * either, and comes from the newest archive.
 */
export function alignVersions<Part extends Identity>(
  parts: readonly Part[],
  moving: readonly Identity[],
): Part[] {
  const moves = (part: Part) => moving.some((one) => isSameCollector(one, part));
  const newest = new Map<string, Part>();
  const place = ({ os, arch, object }: Part) => `${os}/${arch}/${object}`;
  for (const part of parts.filter(moves)) {
    const other = newest.get(place(part));
    if (!other || compareVersions(part.version, other.version) > 0) newest.set(place(part), part);
  }
  return parts.flatMap((part) => {
    if (!moves(part)) return [part];
    return newest.get(place(part)) === part ? [{ ...part, version: LATEST }] : [];
  });
}

/** Whether two packages are one collector of an os, whatever their versions and architectures. */
export function isSameCollector(a: Identity, b: Identity): boolean {
  return a.os === b.os && a.object.toLowerCase() === b.object.toLowerCase();
}
