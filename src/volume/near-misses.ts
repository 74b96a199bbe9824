import { executableType as kindOf } from "../archive/file-kind.ts";
import { inspectZip } from "../archive/zip-read.ts";
import { finding, type Problem } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { type Located, withFile } from "./files.ts";
import { collectorPlace, INSTALLER_NAMES, KNOWN_NAMES, PROBES, parseName } from "./name.ts";

/** How archives end, also those that BK-Lite does not take; anywhere in a name. */
const ARCHIVE = /\.(?:zip|zipx|tar|tgz|txz|tbz2|gz|xz|bz2|zst|7z|rar|jar|rpm|deb|msi)(?![\p{L}\p{N}])/iu;
/** How names of packages begin, or what is in them. */
const PACKAGE = /^bklite-|^opentelemetry-|installer|fusion.?collector|\.exe$/i;
/** Signatures and descriptions of a package. */
const ABOUT =
  /\.(?:sha256|asc|sig|sign|minisig|sigstore|pem|crt|cert|json|ya?ml|md|html?|log|pdf|docx?|meta4?|torrent)$/i;
/** An archive's checksum under a name that is not read. */
const CHECKSUM = /^(.+\.(?:zip|gz|tgz))\.(?:sha256sum|sha256\.txt|sha512|sha1|md5|digest|sum)$/i;
/** Names that may be a program's: without an ending of letters, or with one of a program's own. */
const PROGRAM = /^[^.]*$|\.(?:bin|run|elf)$|\.[^.]*\d[^.]*$/i;
/** How things are packed that BK-Lite does not unpack on a node. */
const PACKED = /\.(?:tar|tar\.\w+|tgz|txz|gz|xz|bz2|zst|7z|rar|rpm|deb|msi)$/i;
const HEAD = 4096;

/** Whether a collector of that name is packed in a way that BK-Lite does not unpack. */
export function isPacked(name: string): boolean {
  return PACKED.test(name);
}

/** Whether a file with this name could be a package, as far as its name says. */
export function isLikely(name: string): boolean {
  return (ARCHIVE.test(name) || PACKAGE.test(name)) && !ABOUT.test(name);
}

/**
 * Returns the one warning for a file that was not recognised but could be a package: an archive, a program, or a name like a package's;
 * undefined for any other. `siblings`: what lies beside it; `isLink`: it is not opened.
 */
export async function unrecognised(
  file: Located,
  name: string,
  siblings: Siblings,
  isLink: boolean,
): Promise<Problem | undefined> {
  const part = siblings.splitPart(name);
  if (part) {
    // one warning for all parts, and none where they have been joined
    const [first] = part.parts;
    if (first !== name || (part.command === "cat" && siblings.has(part.whole))) return undefined;
    return finding(file.file, "volume.near.split", { command: joinCommand(part, file.file) });
  }
  const [, sums] = CHECKSUM.exec(name) ?? [];
  if (sums !== undefined) return finding(file.file, "checksum.name", { meant: `${sums}.sha256` });
  if (!isLikely(name) && (isLink || !PROGRAM.test(name) || !(await isProgram(file)))) return undefined;
  if (!isLink && /\.zip$/i.test(name) && (await isReleasePack(file))) {
    return finding(file.file, "volume.near.release", {});
  }
  const folders = file.file.toLowerCase().split("/").slice(0, -1);
  if (collectorPlace(file.file)) return finding(file.file, "collector.packed", {});
  if (folders.includes("collector") || folders.includes("collectors")) {
    return finding(file.file, "collector.place", {});
  }
  const meant = nameMeant(name);
  return meant === undefined
    ? finding(file.file, "volume.near.unknown", {})
    : finding(file.file, "volume.near.name", { meant });
}

async function isProgram(file: Located): Promise<boolean> {
  const head = await withFile(file, async (handle) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.subarray(0, bytesRead);
  }).catch(() => Buffer.alloc(0));
  const { format } = kindOf(head);
  return format === "elf" || format === "pe";
}

/** Whether a zip is what BK-Lite imports on its page, with monitoring templates (BKLITE.md). */
async function isReleasePack(file: Located): Promise<boolean> {
  return withFile(file, async (handle, { size }) => {
    const { entries } = await inspectZip(file.file, handle, Number(size), {});
    return isRelease(entries.map(({ path }) => path));
  }).catch(() => false);
}

/** Whether these are the paths of a release pack: `manifest.json` beside `artifacts/`. */
export function isRelease(paths: readonly string[]): boolean {
  const manifest = paths.find((path) => path === "manifest.json" || path.endsWith("/manifest.json"));
  const folder = manifest?.slice(0, -"manifest.json".length);
  return folder !== undefined && paths.some((path) => path.startsWith(`${folder}artifacts/`));
}

/** Returns what a file would have to be called, as far as its own name says; undefined where it says nothing. */
function nameMeant(name: string): string | undefined {
  const lower = name.toLowerCase();
  const isWindows = lower.endsWith(".exe") || lower.includes("windows");
  if (lower.includes("bootstrap") && lower.startsWith("bklite-")) return "bklite-controller-bootstrap.exe";
  if (lower.startsWith("opentelemetry-")) return probeMeant(lower);
  if (/fusion|collectors/.test(lower) && !lower.includes("installer")) return archiveMeant(name);
  const near = nearest(lower, KNOWN_NAMES);
  if (near !== undefined) return near;
  return lower.includes("installer") ? INSTALLER_NAMES[isWindows ? "windows" : "linux"] : undefined;
}

function probeMeant(lower: string): string {
  const probes = Object.keys(PROBES);
  const languages = probes.filter((probe) => {
    const [, word = ""] = /^opentelemetry-(java|[a-z]+)/.exec(probe) ?? [];
    return lower.includes(`-${word}`);
  });
  return nearest(lower, probes) ?? (languages.length > 0 ? languages : probes).join(", ");
}

/** A controller's archive by what its name says: `fusion-collectors-linux-arm64-1.2.3.zip`. */
function archiveMeant(name: string): string {
  const ending = /\.(?:tar\.gz|tgz)/i.test(name) ? ".tar.gz" : ".zip";
  const end = name.search(ARCHIVE);
  const read = parseName(end > 0 ? name.slice(0, end) : name);
  const { os, arch, version } = "named" in read ? read.named : {};
  const words = [os, arch === "x86_64" ? "amd64" : arch, version].filter((word) => word !== undefined);
  const parts = "named" in read ? words : ["linux", "amd64", "1.2.3"];
  return `${["fusion-collectors", ...parts].join("-")}${ending}`;
}

/** A file that is one part of another, as `split`, 7-Zip and network disks make them. */
export interface SplitPart {
  /** The whole file's name. */
  whole: string;
  /** The names of the parts that lie beside it, in order. */
  parts: readonly string[];
  /** What joins them. */
  command: "cat" | "zip" | "7z";
}

/** `.001`, `.00`, `.part1`, `.part-01`, `.aa`, behind the whole file's name. */
const NUMBERED = /^(.+\.(?:zip|tar|tgz|gz|xz|bz2|zst|7z|rar|jar|exe))[._-](?:part[-_.]?)?(\d{1,4}|a[a-z])$/i;
/** WinZip's `.z01`, and `.part1.rar`. */
const ZIPPED = /^(.+)\.z\d{2,4}$/i;
const VOLUME = /^(.+)\.part\d{1,4}\.(?:rar|7z|zip)$/i;

/** The names in a folder, and which of them are parts of one file; each name is read once, however many parts there are. */
export class Siblings {
  readonly #names: readonly string[];
  #all: ReadonlySet<string> | undefined;
  readonly #parts = new Map<RegExp, Map<string, string[]>>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  has(name: string): boolean {
    this.#all ??= new Set(this.#names);
    return this.#all.has(name);
  }

  /** Returns what a name says of a part of a split file; undefined for a name that is no part's. */
  splitPart(name: string): SplitPart | undefined {
    const [, whole, number = ""] = NUMBERED.exec(name) ?? [];
    if (whole !== undefined) {
      const parts = this.#partsOf(whole, NUMBERED);
      // `wget` calls a second copy `.1`
      const isCopy = /^\d$/.test(number) && (parts.length < 2 || this.has(whole)) && !/part/i.test(name);
      return isCopy ? undefined : { whole, parts, command: "cat" };
    }
    const [, zip] = ZIPPED.exec(name) ?? [];
    if (zip !== undefined) return { whole: `${zip}.zip`, parts: this.#partsOf(zip, ZIPPED), command: "zip" };
    const [, stem] = VOLUME.exec(name) ?? [];
    return stem === undefined
      ? undefined
      : { whole: stem, parts: this.#partsOf(stem, VOLUME), command: "7z" };
  }

  #partsOf(whole: string, form: RegExp): readonly string[] {
    let byWhole = this.#parts.get(form);
    if (!byWhole) {
      const sorted = this.#names.filter((name) => form.test(name)).sort(NUMERIC.compare);
      byWhole = Map.groupBy(sorted, (name) => form.exec(name)?.[1] ?? "");
      this.#parts.set(form, byWhole);
    }
    return byWhole.get(whole) ?? [];
  }
}

const NUMERIC = new Intl.Collator("en", { numeric: true });

/** Parts that a command names one by one. */
const NAMED = 8;

/** Returns the command that joins the parts, to be run in their folder. */
export function joinCommand({ whole, parts, command }: SplitPart, file: string): string {
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const into = folder === "" ? "" : `cd ${quoted(folder)} && `;
  if (command === "zip") return `${into}zip -s 0 ${quoted(whole)} --out ${quoted(`joined-${whole}`)}`;
  const [first = "", last = ""] = [parts[0], parts.at(-1)];
  if (command === "7z") return `${into}7z x ${quoted(first)}`;
  // parts of equal length are in order as the shell lists them
  const listed =
    parts.length > NAMED && first.length === last.length
      ? `${quoted(whole)}${first.slice(whole.length).replace(/[a-z\d]{1,4}$/i, (end) => "?".repeat(end.length))}`
      : parts.map(quoted).join(" ");
  return `${into}cat ${listed} > ${quoted(whole)}`;
}

/** A name as a shell takes it. */
function quoted(name: string): string {
  return /^[\w./+-]+$/.test(name) && !name.startsWith("-") ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
