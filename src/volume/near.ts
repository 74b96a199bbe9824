import type { Problem } from "../errors.ts";
import { OPERATING_SYSTEMS } from "../identity.ts";
import { nearest } from "../nearest.ts";
import type { Params, ReasonId } from "../reasons/catalog.ts";
import { collectorPlace, KNOWN_NAMES, VERSION_FILE } from "./known.ts";
import { formatOf } from "./name.ts";

const STEM = "fusion-collectors";
/** Letters that a mistyped name may be off. */
const OFF = 2;
/** Endings under which archives are packed that BK-Lite does not take, or that a download or an editor leaves. */
const ENDINGS =
  /(?:\.(?:zip|tar\.gz|tgz|tar|gz|tar\.(?:xz|bz2|zst)|txz|tbz2|rar|7z|zipx)(?:[._ -]\d{1,3})?)?(?:[._ -](?:bak|old|orig|txt|new|zip))?$/i;
/** Signatures and descriptions of an archive. */
const BESIDE =
  /\.(?:asc|sig|sign|minisig|sigstore|pem|crt|cert|json|ya?ml|md|html?|log|pdf|docx?|meta4?|torrent)$/i;

/** Names that are passed over without a word: hidden ones, and what is still being copied or edited. */
export function isPassedOver(name: string): boolean {
  return (
    name.startsWith(".") ||
    /(?:\.(?:part|partial|filepart|tmp|temp|crdownload|download|swp|!ut|aria2)|~)$/i.test(name)
  );
}

/** A checksum file that is read, with the archives that it belongs to. */
export function isChecksumFile(name: string): boolean {
  return name === "SHA256SUMS" || /.\.sha256$/.test(name);
}

/** Something that looks like a mistake. */
export function suspect<Id extends ReasonId>(file: string, reason: Id, params: Params<Id>): Problem {
  return { file, reason, params } as unknown as Problem;
}

/** Why a file with this name, which is left alone, looks like a mistake; undefined: it does not. */
export function nearMiss(file: string, name: string): Problem | undefined {
  if (isChecksumFile(name)) return undefined;
  const sums = otherChecksumName(name);
  if (sums) return suspect(file, "checksum.name", { meant: sums });
  const meant = nearKnown(name) ?? nearArchive(name);
  return meant === undefined || meant === name ? undefined : suspect(file, "volume.near.name", { meant });
}

/** How things are packed that BK-Lite does not unpack on a node. */
const PACKED = /\.(?:tar|tar\.\w+|tgz|txz|gz|xz|bz2|zst|7z|rar|rpm|deb|msi)$/i;
const PROGRAM = /^[^.]+$|\.(?:exe|jar|zip)$/i;

/** Whether a collector of that name is packed in a way that BK-Lite does not unpack. */
export function isPacked(name: string): boolean {
  return PACKED.test(name);
}

/** Something in the collectors' folder that is in no collector's place, or packed in a way that BK-Lite does not unpack. */
export function nearCollector(file: string, isFolder: boolean): Problem | undefined {
  const [name = "", ...above] = file.split("/").reverse();
  if (collectorPlace(file) !== undefined)
    return isPacked(name) && !isFolder ? suspect(file, "collector.packed", {}) : undefined;
  const isSystem = OPERATING_SYSTEMS.some((os) => os === name.toLowerCase());
  const root = above[0]?.toLowerCase();
  const misplaced =
    root === "collector"
      ? !isSystem && (isFolder || PROGRAM.test(name))
      : root === "collectors" && isSystem && isFolder;
  return misplaced ? suspect(file, "collector.place", {}) : undefined;
}

/** A `packages.json` or a VERSION file under another name, or in another place; `names`: what lies beside it. */
export function nearSpecial(file: string, name: string, names: readonly string[]): Problem | undefined {
  const isManifest = file === name ? /^packages?\.json(?:\.\w+)?$/i.test(name) : name === "packages.json";
  if (isManifest && file !== "packages.json") return suspect(file, "manifest.name", {});
  const isVersion = /^version(?:\.txt)?$/i.test(name) && name !== VERSION_FILE;
  return isVersion && names.some((one) => formatOf(one)) ? suspect(file, "version.name", {}) : undefined;
}

const LIST =
  /(?:^|[-_. ])(?:(?:sha256|sha512|sha1|md5)(?:sums?)?|shasums?(?:256|512)?|check-?sums?)(?:\.(?:txt|asc|sha256|list))?$/i;

function otherChecksumName(name: string): string | undefined {
  const [, archive] =
    /^(fusion-collectors.*\.(?:zip|tar\.gz|tgz))\.(?:sha256|sha256sum|sha256\.txt|sha512|sha1|md5|digest|sum)$/i.exec(
      name,
    ) ?? [];
  if (archive !== undefined) return `${archive}.sha256`;
  return LIST.test(name) && formatOf(name) === undefined && !/\.exe$/i.test(name) ? "SHA256SUMS" : undefined;
}

/** A checksum file whose archive is not beside it, though one is that it may be about; undefined: there is none. */
export function strayChecksum(file: string, names: readonly string[]): Problem | undefined {
  const stem = file.slice(file.lastIndexOf("/") + 1).replace(/\.sha256$/, "");
  if (names.includes(stem)) return undefined;
  const archive = names.find((name) => formatOf(name) !== undefined && name.startsWith(stem));
  return archive === undefined ? undefined : suspect(file, "checksum.name", { meant: `${archive}.sha256` });
}

/** The installer or probe that was meant, where the name is a letter or two off, or more was added to it. */
function nearKnown(name: string): string | undefined {
  const lower = name.toLowerCase();
  const [stem] = /^bklite-controller-(?:installer|bootstrap)/.exec(lower) ?? [];
  const windows = stem === undefined || lower.endsWith(".exe") || stem.endsWith("bootstrap");
  return stem === undefined ? nearest(lower, KNOWN_NAMES) : `${stem}${windows ? ".exe" : ""}`;
}

/** The archive's name that was meant, where the stem is a letter or two off or the ending is another. */
function nearArchive(name: string): string | undefined {
  const lower = name.toLowerCase();
  // `Copy of fusion-collectors.zip`, `bklite-fusion-collectors.zip`
  const inside = lower.indexOf(STEM);
  if (inside > 0 && formatOf(name.slice(inside))) return name.slice(inside);
  const heads = Array.from({ length: 2 * OFF + 1 }, (_, i) => lower.slice(0, STEM.length - OFF + i));
  const head = nearest(STEM, heads);
  if (head === undefined) return undefined;
  const rest = name.slice(head.length);
  if (formatOf(STEM + rest)) return STEM + rest;
  // what belongs to an archive is none
  if (BESIDE.test(rest)) return undefined;
  const [, whole] = /^(.*?\.(?:zip|tar\.gz|tgz))(?:[^\p{L}\p{N}]|gz$)/isu.exec(rest) ?? [];
  if (whole !== undefined) return STEM + whole;
  const [ending] = ENDINGS.exec(rest) ?? [""];
  const bare = rest.slice(0, rest.length - ending.length);
  if (ending === "" && !/[-_.\d]/.test(rest.slice(0, 1))) return undefined;
  const packed = /\.(?:tar\.gz|tgz)/i.test(ending) ? ".tar.gz" : ".zip";
  return `${STEM}${bare}${packed}`;
}
