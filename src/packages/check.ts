import { type Problem, problem } from "../errors.ts";
import { OPERATING_SYSTEMS, type Os } from "../identity.ts";
import { formatOf } from "../volume/name.ts";
import { isPacked, isRelease } from "../volume/near-misses.ts";
import { versionFor } from "../volume/version.ts";
import { builtinDefinitions, definitionsFor, type FoundCollector, findCollectors } from "./collectors.ts";
import { binaryKind, kindOfEntry } from "./inspect.ts";
import type { Archive, CollectorDefinition, Package, ResolveOptions } from "./package.ts";
import { checkProgram } from "./programs.ts";
import { findProgram } from "./shape.ts";

/**
 * Throws exit 65 where the first VERSION file that says something of the os says what looks like a version and cannot be read as one: it
 * must not become another version unseen. Warns where VERSION files are there and say nothing.
 */
export function checkVersion({ archive, os }: Package, wanted: ResolveOptions, warnings: Problem[]): void {
  const { claim, named, versions, around = [], file } = archive;
  if ((wanted.options.version ?? claim?.version ?? named.version ?? wanted.packageVersion) !== undefined)
    return;
  const files = [versions, ...around].filter((said) => said.from !== undefined);
  for (const said of files) {
    if (versionFor([said], os) !== undefined) return;
    const line = said.unread?.[os] ?? said.unread?.any;
    if (line !== undefined) throw problem(file, "version.unreadable", { from: said.from ?? "", line });
  }
  const [first] = files;
  if (first?.from === undefined) return;
  const params = { from: first.from, os };
  warnings.push({ file, reason: "version.missing", params } as Problem);
}

/** Throws exit 65 for an archive with nothing of BK-Lite's in it. */
export function checkKnown({ archive, os }: Package, found: readonly FoundCollector[]): void {
  if (archive.sidecar || found.length > 0) return;
  if (findCollectors(archive, os, builtinDefinitions(os)).length > 0) return;
  if (isRelease(archive.entries.map(({ path }) => path))) throw problem(archive.file, "package.release", {});
  const inner = archive.entries.find(({ path }) => formatOf(path.slice(path.lastIndexOf("/") + 1)));
  if (inner) throw problem(archive.file, "package.nested", { entry: inner.path });
  throw problem(archive.file, "package.contents", { os });
}

/** Throws exit 65 for a controller's archive without what BK-Lite's installer starts on a node. */
export function checkParts({ archive, os }: Package): void {
  const { members, file } = archive;
  const parts = os === "windows" ? ["collector-sidecar.exe"] : ["install.sh", "collector-sidecar"];
  // Windows does not tell capitals apart
  const held = new Set([...members.keys()].map((path) => (os === "windows" ? path.toLowerCase() : path)));
  const missing = parts.filter((part) => !held.has(part));
  if (missing.length > 0) throw problem(file, "package.incomplete", { missing });
}

/** Returns the warnings for packages whose names are not UTF-8. */
export function nameWarnings(packages: readonly Package[]): Problem[] {
  const archives = new Set(packages.map(({ archive }) => archive));
  const named = [...archives].flatMap((archive) => [archive, ...(archive.tree ?? [])]);
  return named.flatMap(({ file, name, bytes }) =>
    bytes === undefined ? [] : [{ file, reason: "name.bytes", params: { name, bytes } } as Problem],
  );
}

/** Throws exit 65 for a program that is for another platform, or is none. */
export async function checkBinaries(pkg: Package, found: readonly FoundCollector[]): Promise<void> {
  const { archive } = pkg;
  const sidecars = ["collector-sidecar", "collector-sidecar.exe"].filter((path) => archive.members.has(path));
  for (const path of [...sidecars, ...found.map(({ executable }) => executable)]) {
    if (archive.members.get(path)?.size === 0)
      throw problem(archive.file, "program.kind", { entry: path, found: "empty" });
    checkProgram(archive.file, await binaryKind(archive, path), pkg, "archive", path);
  }
}

/**
 * Reads the program that BK-Lite starts in a collector's zip, which the definitions name: it says which platform the zip is for. `object`
 * is set where somebody said which collector it is.
 */
export async function readZipProgram(
  archive: Archive,
  { os, object }: { os: Os | undefined; object: string | undefined },
  definitions: readonly CollectorDefinition[],
): Promise<void> {
  const known = OPERATING_SYSTEMS.filter((one) => one === (os ?? one)).flatMap((one) =>
    definitionsFor({ os: one, arch: null }, definitions),
  );
  const own =
    object === undefined && os !== undefined
      ? findCollectors(archive, os, known).map(({ definition }) => definition)
      : known.filter((one) => one.object === object);
  const program = own.flatMap((one) => findProgram(one, archive.entries) ?? [])[0];
  if (program === undefined) return;
  const kind = await kindOfEntry(archive, program);
  archive.program = kind;
  for (const member of archive.members.values()) member.kindOfBinary = kind;
}

/** What is odd about a collector that somebody has declared: BK-Lite would not find it, or not unpack it. */
export function oddities(pkg: Package, definitions: ResolveOptions["definitions"]): Problem[] {
  const { object, archive } = pkg;
  const { file, name } = archive;
  const known = definitionsFor(pkg, definitions).map((one) => one.object);
  const meant = known.find((one) => one.toLowerCase() === object.toLowerCase());
  const found: Problem[] = [];
  if (meant !== undefined && !known.includes(object))
    found.push({ file, reason: "collector.object", params: { object: object, meant } });
  if (isPacked(name)) found.push({ file, reason: "collector.unpacked", params: {} });
  return found;
}
