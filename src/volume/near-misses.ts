import { executableType } from "../archive/file-kind.ts";
import { inspectZip } from "../archive/zip-read.ts";
import { finding, type Problem } from "../errors.ts";
import { quoteForShell } from "../messages/define.ts";
import { nearest } from "../nearest.ts";
import { type Located, withFile } from "./files.ts";
import { BOOTSTRAP_NAME, INSTALLER_NAMES, KNOWN_NAMES, PROBES, parseName, slotOf } from "./name.ts";

/** An archive's ending, anywhere in a name; BK-Lite does not unpack them all. */
const ARCHIVE = /\.(?:zip|zipx|tar|tgz|txz|tbz2|gz|xz|bz2|zst|7z|rar|jar|rpm|deb|msi)(?![\p{L}\p{N}])/iu;
/** Other names of packages. */
const PACKAGE = /^bklite-|^opentelemetry-|installer|fusion.?collector|\.exe$/i;
/** Signatures and descriptions of a package. */
const COMPANION =
  /\.(?:sha256|asc|sig|sign|minisig|sigstore|pem|crt|cert|json|ya?ml|md|html?|log|pdf|docx?|meta4?|torrent)$/i;
/** A checksum file of an archive with a name that the job does not read. */
const CHECKSUM = /^(.+\.(?:zip|gz|tgz))\.(?:sha256sum|sha256\.txt|sha512|sha1|md5|digest|sum)$/i;
/** Names of files that may be programs: no ending of letters, or a program's own. Only these are opened. */
const PROGRAM = /^[^.]*$|\.(?:bin|run|elf)$|\.[^.]*\d[^.]*$/i;
/** Endings of a collector that BK-Lite does not unpack on a node. */
const PACKED = /\.(?:tar|tar\.\w+|tgz|txz|gz|xz|bz2|zst|7z|rar|rpm|deb|msi)$/i;
const FIRST_BYTES = 4096;

/** Whether a collector of this name is packed in a form that BK-Lite does not unpack. */
export function isPacked(name: string): boolean {
  return PACKED.test(name);
}

/** Whether a file could be a package, by its name. */
export function isLikely(name: string): boolean {
  return (ARCHIVE.test(name) || PACKAGE.test(name)) && !COMPANION.test(name);
}

/**
 * Returns the one warning for a file that was not recognised but could be a package by its name or as a
 * program. `siblings`: the files beside it; `isLink`: it is not opened.
 */
export async function unrecognised(
  located: Located,
  name: string,
  siblings: Siblings,
  isLink: boolean,
): Promise<Problem | undefined> {
  const { file } = located;
  const part = siblings.splitPart(name);
  if (part) {
    // one warning for all parts, and none once they are joined
    if (part.parts[0] !== name || (part.command === "cat" && siblings.has(part.whole))) return undefined;
    return finding(file, "volume.near.split", { command: joinCommand(part, file) });
  }
  const [, archive] = CHECKSUM.exec(name) ?? [];
  if (archive !== undefined) return finding(file, "checksum.name", { meant: `${archive}.sha256` });
  if (!isLikely(name) && (isLink || !PROGRAM.test(name) || !(await isProgram(located)))) return undefined;
  if (!isLink && /\.zip$/i.test(name) && (await isReleasePack(located))) {
    return finding(file, "volume.near.release", {});
  }
  if (slotOf(file)) return finding(file, "collector.packed", {});
  if (/(?:^|\/)collectors?\//i.test(file)) return finding(file, "collector.place", {});
  const meant = meantName(name);
  return meant === undefined
    ? finding(file, "volume.near.unknown", {})
    : finding(file, "volume.near.name", { meant });
}

async function isProgram(file: Located): Promise<boolean> {
  const bytes = await withFile(file, async (handle) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  }).catch(() => Buffer.alloc(0));
  return ["elf", "pe"].includes(executableType(bytes).format);
}

/** Whether a zip is a release pack, which BK-Lite imports on its page (BKLITE.md). */
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

/** Returns the name that was most likely meant; undefined: the name does not say which package it is. */
function meantName(name: string): string | undefined {
  const lower = name.toLowerCase();
  const isInstaller = lower.includes("installer");
  if (/fusion|collectors/.test(lower) && !isInstaller) return meantArchive(name);
  const near = nearest(lower, KNOWN_NAMES);
  if (near !== undefined) return near;
  if (/^bklite-.*bootstrap/.test(lower)) return BOOTSTRAP_NAME;
  if (lower.startsWith("opentelemetry-")) return meantProbe(lower);
  const os = /\.exe$|windows/.test(lower) ? "windows" : "linux";
  return isInstaller ? INSTALLER_NAMES[os] : undefined;
}

/** Returns the probe of the language in the name, or all of them. */
function meantProbe(lower: string): string {
  const probes = Object.keys(PROBES);
  const languages = probes.filter((probe) => {
    const [, word = ""] = /^opentelemetry-(java|[a-z]+)/.exec(probe) ?? [];
    return lower.includes(`-${word}`);
  });
  return (languages.length > 0 ? languages : probes).join(", ");
}

/** Returns a controller archive's name as it should be: `fusion-collectors-linux-arm64-1.2.3.zip`. */
function meantArchive(name: string): string {
  const ending = /\.(?:tar\.gz|tgz)/i.test(name) ? ".tar.gz" : ".zip";
  const end = name.search(ARCHIVE);
  const read = parseName(end > 0 ? name.slice(0, end) : name);
  if (!("named" in read)) return `fusion-collectors-linux-amd64-1.2.3${ending}`;
  const { os, arch, version } = read.named;
  const words = [os, arch === "x86_64" ? "amd64" : arch, version].filter((word) => word !== undefined);
  return `${["fusion-collectors", ...words].join("-")}${ending}`;
}

/** A file that is one part of another, as `split`, 7-Zip and network disks write them. */
interface SplitPart {
  /** The whole file's name. */
  whole: string;
  /** The names of the parts beside it, in order. */
  parts: readonly string[];
  /** The program that joins them. */
  command: "cat" | "zip" | "7z";
}

/** `.001`, `.00`, `.part1`, `.part-01`, `.aa`, behind the whole file's name. */
const NUMBERED = /^(.+\.(?:zip|tar|tgz|gz|xz|bz2|zst|7z|rar|jar|exe))[._-](?:part[-_.]?)?(\d{1,4}|a[a-z])$/i;
/** WinZip's `.z01`, and `.part1.rar`. */
const ZIPPED = /^(.+)\.z\d{2,4}$/i;
const VOLUME = /^(.+)\.part\d{1,4}\.(?:rar|7z|zip)$/i;

/** The names in a folder, and which of them are parts of one file; each name is read once for each form. */
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

  /** Returns the split file that a name is a part of; undefined for any other name. */
  splitPart(name: string): SplitPart | undefined {
    const [, whole, number = ""] = NUMBERED.exec(name) ?? [];
    if (whole !== undefined) {
      const parts = this.#partsOf(whole, NUMBERED);
      // `wget` names a second copy `.1`
      const isCopy = /^\d$/.test(number) && (parts.length < 2 || this.has(whole)) && !/part/i.test(name);
      return isCopy ? undefined : { whole, parts, command: "cat" };
    }
    const [, zip] = ZIPPED.exec(name) ?? [];
    if (zip !== undefined) return { whole: `${zip}.zip`, parts: this.#partsOf(zip, ZIPPED), command: "zip" };
    const [, stem] = VOLUME.exec(name) ?? [];
    if (stem !== undefined) return { whole: stem, parts: this.#partsOf(stem, VOLUME), command: "7z" };
    return undefined;
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
/** The most parts that a command lists by name. */
const LISTED = 8;

/** Returns the command that joins the parts, relative to the volume. */
function joinCommand({ whole, parts, command }: SplitPart, file: string): string {
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const into = folder === "" ? "" : `cd ${quoteForShell(folder)} && `;
  if (command === "zip") {
    // a hidden file is not read, should the job run meanwhile
    const others = `${quoteForShell(whole.slice(0, -".zip".length))}.z[0-9]*`;
    return `${into}zip -s 0 ${quoteForShell(whole)} --out .joined.zip && mv .joined.zip ${quoteForShell(whole)} && rm ${others}`;
  }
  const [first = "", last = ""] = [parts[0], parts.at(-1)];
  if (command === "7z") return `${into}7z x ${quoteForShell(first)}`;
  // the shell sorts names of equal length as the parts are numbered
  const listed =
    parts.length > LISTED && first.length === last.length
      ? `${quoteForShell(whole)}${first.slice(whole.length).replace(/[a-z\d]{1,4}$/i, (end) => "?".repeat(end.length))}`
      : parts.map(quoteForShell).join(" ");
  return `${into}cat ${listed} > ${quoteForShell(whole)}`;
}
