import { readlink, stat } from "node:fs/promises";
import { readFully } from "../archive/blocks.ts";
import { executableType } from "../archive/file-kind.ts";
import { inspectZip } from "../archive/zip-read.ts";
import { finding, type Problem } from "../errors.ts";
import { quoteForShell } from "../messages/define.ts";
import { nearest } from "../nearest.ts";
import { type Located, withFile } from "./files.ts";
import { BOOTSTRAP_NAME, INSTALLER_NAMES, KNOWN_NAMES, PROBES, parseName, slotOf } from "./name.ts";
import { isNowhere } from "./paths.ts";

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

function isLikely(name: string): boolean {
  return (ARCHIVE.test(name) || PACKAGE.test(name)) && !COMPANION.test(name);
}

/**
 * Returns the one warning for a file that was not recognised but could be a package by its name or as a
 * program: what it is, or what it would have to be called. `joins`: of its folder; `isFile`: else it is not
 * opened.
 */
export async function unrecognised(
  located: Located,
  name: string,
  joins: ReturnType<typeof joinCommands>,
  isFile: boolean,
): Promise<Problem | undefined> {
  const { file } = located;
  const command = joins.get(name);
  if (command) return finding(file, "volume.near.split", { command });
  if (command === "") return undefined;
  const [, archive] = CHECKSUM.exec(name) ?? [];
  if (archive !== undefined) return finding(file, "checksum.name", { meant: `${archive}.sha256` });
  if (!isLikely(name) && !(isFile && PROGRAM.test(name) && (await isProgram(located)))) return undefined;
  const dangling = isFile ? undefined : await danglingLink(located);
  if (dangling) return dangling;
  if (isFile && /\.zip$/i.test(name) && (await isReleasePack(located)))
    return finding(file, "volume.near.release", {});
  if (slotOf(file)) return finding(file, "collector.packed", {});
  if (/(?:^|\/)collectors?\//i.test(file)) return finding(file, "collector.place", {});
  const meant = meantName(name);
  return meant === undefined
    ? finding(file, "volume.near.unknown", {})
    : finding(file, "volume.near.name", { meant });
}

/** Returns the warning for a link that ends nowhere; undefined for any other file. */
export async function danglingLink({ file, path }: Located): Promise<Problem | undefined> {
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined || !isNowhere(await stat(path).catch((error: unknown) => error))) return undefined;
  return finding(file, "volume.near.link", { target });
}

async function isProgram(file: Located): Promise<boolean> {
  const { format } = await withFile(file, async (handle) =>
    executableType(await readFully(handle, Buffer.alloc(FIRST_BYTES), FIRST_BYTES, 0)),
  ).catch(() => ({ format: undefined }));
  return format === "elf" || format === "pe";
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
  const manifest = paths.find((path) => /(?:^|\/)manifest\.json$/.test(path));
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
  if (lower.startsWith("opentelemetry-")) {
    const probes = Object.keys(PROBES);
    const languages = probes.filter((probe) => lower.includes(/-(?:java|[a-z]+)/.exec(probe)?.[0] ?? probe));
    return (languages.length > 0 ? languages : probes).join(", ");
  }
  return isInstaller ? INSTALLER_NAMES[/\.exe$|windows/.test(lower) ? "windows" : "linux"] : undefined;
}

/** Returns a controller archive's name as it should be: `fusion-collectors-linux-arm64-1.2.3.zip`. */
function meantArchive(name: string): string {
  const ending = /\.(?:tar\.gz|tgz)/i.test(name) ? ".tar.gz" : ".zip";
  const end = name.search(ARCHIVE);
  const read = parseName(end > 0 ? name.slice(0, end) : name);
  const { os, arch, version } =
    "named" in read ? read.named : ({ os: "linux", arch: "x86_64", version: "1.2.3" } as const);
  const words = [os, arch === "x86_64" ? "amd64" : arch, version].filter((word) => word !== undefined);
  return `${["fusion-collectors", ...words].join("-")}${ending}`;
}

/** How the parts of a file are named, behind what they have in common, and the program that joins them. */
const SPLIT = [
  // `.001`, `.00`, `.part1`, `.part-01`, `.aa`, behind the whole file's name
  [/^(.+\.(?:zip|tar|tgz|gz|xz|bz2|zst|7z|rar|jar|exe))[._-](?:part[-_.]?)?(?:\d{1,4}|a[a-z])$/i, "cat"],
  // WinZip's, beside `NAME.zip`
  [/^(.+)\.z\d{2,4}$/i, "zip"],
  [/^(.+)\.part\d{1,4}\.(?:rar|7z|zip)$/i, "7z"],
] as const;
const NUMERIC = new Intl.Collator("en", { numeric: true });
/** The most parts that a command lists by name. */
const LISTED = 8;

/**
 * Returns, for each part of a split file in a folder, the command that joins them, relative to the volume;
 * "" for all but the first part, and for parts that have been joined.
 */
export function joinCommands(folder: string, names: readonly string[]): ReadonlyMap<string, string> {
  const all = new Set(names);
  const into = folder === "" ? "" : `cd ${quoteForShell(`${folder}/`)} && `;
  const commands = new Map<string, string>();
  for (const [form, program] of SPLIT) {
    const parts = names.filter((name) => form.test(name)).sort(NUMERIC.compare);
    for (const [stem, own] of Map.groupBy(parts, (name) => form.exec(name)?.[1] ?? "")) {
      const isJoined = program === "cat" && all.has(stem);
      // `wget` names a second copy `.1`
      if ((isJoined || own.length === 1) && own.every((name) => /^.\d$/.test(name.slice(stem.length))))
        continue;
      for (const part of own) commands.set(part, "");
      if (own[0] !== undefined && !isJoined) commands.set(own[0], into + joinCommand(program, stem, own));
    }
  }
  return commands;
}

function joinCommand(program: "cat" | "zip" | "7z", stem: string, parts: readonly string[]): string {
  const [first = "", last = ""] = [parts[0], parts.at(-1)];
  const whole = quoteForShell(program === "zip" ? `${stem}.zip` : stem);
  if (program === "7z") return `7z x ${quoteForShell(first)}`;
  // a hidden file is not read, should the job run meanwhile
  if (program === "zip")
    return `zip -s 0 ${whole} --out .joined.zip && mv .joined.zip ${whole} && rm ${quoteForShell(stem)}.z[0-9]*`;
  // the shell sorts names of equal length as the parts are numbered
  const pattern = first.slice(stem.length).replace(/[a-z\d]{1,4}$/i, (end) => "?".repeat(end.length));
  const isLong = parts.length > LISTED && first.length === last.length;
  return `cat ${isLong ? whole + pattern : parts.map(quoteForShell).join(" ")} > ${whole}`;
}
