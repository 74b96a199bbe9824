import { collectProblem, finding, type Problem, problem } from "../errors.ts";
import { FIELD_LENGTHS, type Identity, isRowName } from "../identity.ts";
import { versionFor } from "../volume/version.ts";
import { definitionsFor, type FoundCollector, findCollectors, LIBRARIES } from "./definitions.ts";
import {
  type Beside,
  besideOf,
  calledLike,
  installerPackage,
  looseCollectors,
  ownShape,
  probePackage,
  standalone,
  unstartableWarnings,
} from "./layouts.ts";
import {
  type Archive,
  alignVersions,
  type Collector,
  isMoving,
  isSameCollector,
  type Package,
  type ResolveOptions,
  typeOf,
} from "./package.ts";
import { takeForm } from "./repack.ts";
import {
  checkBinaries,
  checkKnown,
  checkParts,
  checkProgram,
  checkVersion,
  checkWindowsNames,
  holdsProgram,
  nameWarnings,
  oddities,
  platformOf,
  readZipProgram,
} from "./validate.ts";

export interface Resolved {
  /** Each archive's own, followed by those that are cut out of it. */
  packages: Package[];
  /** Those that have only a row. */
  collectors: Collector[];
  /** Everything that contradicts itself: contents and claim, two archives with one identity, a named collector that is not there. */
  problems: Problem[];
  /** What lies in a collector's place and is none, or none that is wanted. */
  ignored: Archive[];
  /** Which of those look like a mistake. */
  warnings: Problem[];
}

/** What each archive is to be stored and registered as. */
export async function resolvePackages(
  archives: readonly Archive[],
  wanted: ResolveOptions,
): Promise<Resolved> {
  const resolved: Resolved = { packages: [], collectors: [], problems: [], ignored: [], warnings: [] };
  const attempt = (check: () => unknown) => collectProblem(resolved.problems, check);
  // what has a file of its own comes first: it is not looked for in the archives
  const isController = (archive: Archive) => typeOf(archive) === "controller";
  const others = archives.filter((one) => !isController(one));
  const beside = besideOf(others);
  for (const archive of others) await attempt(() => addOther(archive, { wanted, resolved, beside }));
  const own = resolved.packages.filter(({ type }) => type === "collector");
  const parts: Package[] = [];
  for (const archive of archives.filter(isController)) {
    const pkg = packageOf(archive, wanted);
    resolved.packages.push(pkg);
    await attempt(() => checkVersion(pkg, wanted, resolved.warnings));
    await attempt(() => takeForm(pkg, wanted.repack));
    await attempt(() => checkFields(pkg));
    if (pkg.os === "windows") await attempt(() => checkWindowsNames(archive));
    const found = findCollectors(archive, pkg.os, definitionsFor(pkg, wanted.definitions));
    await attempt(async () => {
      checkKnown(pkg, found);
      // programs of another os explain what is missing
      await checkBinaries(pkg, found);
      checkParts(pkg);
    });
    // whatever its version: it is not cut out of an archive too (SPEC §3)
    const hasOwn = ({ object }: Pick<Identity, "object">) =>
      own.some(
        (one) => (!wanted.archColumn || one.arch === pkg.arch) && isSameCollector(one, { ...pkg, object }),
      );
    await attempt(async () => {
      for (const one of chosen(found, pkg, wanted.collectors, hasOwn)) {
        checkObject(one, pkg);
        if (wanted.standalone) await attempt(() => parts.push(partOf(one, pkg)));
        else resolved.collectors.push(rowOf(one, pkg));
      }
    });
  }
  const moving = own.filter(isMoving);
  resolved.packages.push(...alignVersions(parts, moving));
  resolved.collectors = alignVersions(resolved.collectors, moving);
  const place = new Map(archives.map((archive, index) => [archive, index]));
  const at = ({ archive }: Package) => place.get(archive) ?? 0;
  resolved.warnings.push(...nameWarnings(resolved.packages));
  resolved.packages.sort((a, b) => at(a) - at(b));
  resolved.warnings.push(...unstartableWarnings(resolved.packages, wanted));
  resolved.problems.push(...clashes([...resolved.packages, ...resolved.collectors], wanted.archColumn));
  return resolved;
}

interface Others {
  wanted: ResolveOptions;
  resolved: Resolved;
  beside: Beside;
}

/** What is no controller's archive. Throws exit 65 for what it cannot be. */
async function addOther(archive: Archive, { wanted, resolved, beside }: Others): Promise<void> {
  const type = typeOf(archive);
  if (type === "collector" && archive.format === "zip") {
    const { os, object } = { ...archive.place, ...archive.claim, ...wanted.options };
    await readZipProgram(archive, { os, object }, wanted.definitions);
  }
  if (archive.place) {
    const found = looseCollectors(archive, wanted, beside);
    const kept = found.filter(({ object }) => isWanted(object, wanted.collectors));
    for (const pkg of kept) checkFields(pkg);
    resolved.packages.push(...kept);
    if (kept.length === 0) resolved.ignored.push(archive);
    if (found.length > 0) return;
    const { file, place } = archive;
    const like = archive.isFolder ? calledLike(archive, wanted) : undefined;
    if (like) resolved.warnings.push({ file, reason: "collector.incomplete", params: like });
    else if (holdsProgram(archive) && archive.name !== LIBRARIES)
      resolved.warnings.push({ file, reason: "collector.unknown", params: { os: place.os } });
    return;
  }
  if (type === "installer") resolved.packages.push(installerPackage(archive));
  else if (type === "apm-probe") resolved.packages.push(probePackage(archive));
  else {
    const declared = packageOf(archive, wanted);
    checkProgram(archive.file, archive.program, declared, "archive");
    const definition = definitionsFor(declared, wanted.definitions).find(
      ({ object }) => object === declared.object,
    );
    const shape = definition && ownShape(archive, definition, { beside, program: archive.name });
    const pkg: Package = { ...declared, ...shape };
    checkFields(pkg);
    resolved.packages.push(pkg);
    resolved.warnings.push(...oddities(pkg, wanted.definitions));
  }
}

function isWanted(object: string, collectors: ResolveOptions["collectors"]): boolean {
  if (collectors === "auto" || collectors === "none") return collectors === "auto";
  return collectors.some((name) => name.toLowerCase() === object.toLowerCase());
}

/** A controller's archive, or a collector that somebody has declared. */
function packageOf(archive: Archive, wanted: ResolveOptions): Package {
  const { named, versions, around = [], name } = archive;
  const type = typeOf(archive);
  // the command line wins over packages.json, and both over what the file says of itself
  const given = { ...archive.claim, ...wanted.options };
  const header = platformOf(archive.program);
  const os = given.os ?? named.os ?? header?.os ?? "linux";
  // a collector's file is named by whoever made the collector: a number in it is not BK-Lite's version
  const version =
    given.version ?? (type === "collector" ? undefined : named.version) ?? wanted.packageVersion;
  return {
    type,
    os,
    arch: given.arch ?? named.arch ?? header?.arch ?? "x86_64",
    object: given.object ?? "Controller",
    version: version ?? versionFor([versions, ...around], os) ?? "1.0.0",
    archive,
    name,
    description: archive.claim?.description ?? "",
  };
}

function rowOf(
  { object, executable }: FoundCollector,
  { os, arch, version, name, archive }: Package,
): Collector {
  return { type: "collector", os, arch, object, version, name, executable, archive };
}

function partOf(found: FoundCollector, pkg: Package): Package {
  const part = standalone(found, pkg);
  checkFields(part);
  return part;
}

/** The table has one row for an object and version: an archive cannot stand beside its own collector there. */
function checkObject({ object }: FoundCollector, pkg: Package): void {
  if (object !== pkg.object) return;
  throw problem(pkg.archive.file, "package.object.collector", { object: object });
}

function checkFields(pkg: Package): void {
  if (!isRowName(pkg.name)) throw problem(pkg.archive.file, "name.characters", { name: pkg.name });
  for (const [field, limit] of Object.entries(FIELD_LENGTHS)) {
    const length = [...pkg[field as keyof typeof FIELD_LENGTHS]].length;
    if (length <= limit) continue;
    throw problem(pkg.archive.file, "package.field.long", {
      field: field as keyof typeof FIELD_LENGTHS,
      length,
      limit,
    });
  }
}

/** Those that COLLECTORS asks for and that lie nowhere else. Throws exit 65 for a named one that is not there. */
function chosen(
  found: readonly FoundCollector[],
  { archive }: Package,
  wanted: ResolveOptions["collectors"],
  hasOwn: (collector: { object: string }) => boolean,
): FoundCollector[] {
  if (wanted === "none") return [];
  if (wanted === "auto") return found.filter((one) => !hasOwn(one));
  return wanted.flatMap((name) => {
    const one = found.find(({ object }) => object.toLowerCase() === name.toLowerCase());
    if (hasOwn(one ?? { object: name })) return [];
    if (one) return [one];
    const held = found.map(({ object }) => object);
    throw problem(archive.file, "collector.missing", { name: name, held });
  });
}

/** What is stored under one key, or registered in one row. */
type Claimed = Identity & { archive: Pick<Archive, "file">; fixedKey?: string };

/**
 * Returns the problems of two files that claim one identity, each naming the other: files, or collectors in archives. Of two archives that
 * clash themselves nothing more is said.
 */
export function clashes(packages: readonly Claimed[], archColumn: boolean): Problem[] {
  const first = new Map<string, Claimed>();
  const problems = new Map<string, Problem[]>();
  for (const pkg of packages) {
    const words = identityWords(pkg, archColumn);
    const id = words.join("\0");
    const other = first.get(id) ?? pkg;
    first.set(id, other);
    const pair = [other, pkg].map(({ archive }) => archive.file).join("\0");
    if (other !== pkg && !problems.has(pair))
      problems.set(pair, [clash(other, pkg, words), clash(pkg, other, words)]);
  }
  return [...problems.values()].flat();
}

/** What the table's unique constraint compares; the key of what has no row. */
function identityWords({ os, arch, object, version, fixedKey }: Claimed, archColumn: boolean): string[] {
  if (fixedKey !== undefined) return [fixedKey];
  return [os, ...(archColumn ? [arch] : []), object, version];
}

function clash(pkg: Claimed, other: Claimed, words: readonly string[]): Problem {
  const { file } = pkg.archive;
  const both = { other: other.archive.file, identity: words.join(" ") };
  return other.arch === pkg.arch
    ? finding(file, "package.clash", { ...both, moves: isMoving(pkg) && isMoving(other) })
    : finding(file, "package.clash.arch", { ...both, arch: pkg.arch, otherArch: other.arch });
}
