import type { VolumeConfig } from "../config/job-settings.ts";
import { collectProblem, finding, type Problem, problem } from "../errors.ts";
import type { Identity } from "../identity.ts";
import type { Ignored } from "../volume/list.ts";
import { versionFor } from "../volume/version.ts";
import { definitionsFor, type FoundCollector, findCollectors, LIBRARIES } from "./definitions.ts";
import {
  collectorNamed,
  type FindSibling,
  installerPackage,
  probePackage,
  siblingsIn,
  slotCollectors,
  standalone,
  startWarnings,
  storedForm,
} from "./layouts.ts";
import {
  type Archive,
  type Collector,
  type CollectorFile,
  type CollectorFolder,
  type ControllerArchive,
  compareVersions,
  isMoving,
  LATEST,
  type Package,
  type ResolveOptions,
} from "./package.ts";
import type { ScanArguments } from "./read.ts";
import { repackIfNeeded } from "./repack.ts";
import { verifyArchive } from "./sources.ts";
import {
  checkExecutable,
  checkExecutables,
  checkFields,
  checkKnown,
  checkParts,
  checkVersion,
  checkWindowsNames,
  collectorWarnings,
  holdsExecutable,
  nameWarnings,
  platformOf,
  withProgram,
} from "./validate.ts";

export interface Resolved {
  /** In the archives' order: each archive's own, followed by those that are cut out of it. */
  packages: readonly Package[];
  /** Collectors that have only a row. */
  collectors: readonly Collector[];
  /** Contradictions, archives with one identity, and collectors of COLLECTORS that are missing. */
  problems: readonly Problem[];
  /** Files and folders in slots of the bundle layout that do not become packages. */
  ignored: readonly Ignored[];
  warnings: readonly Problem[];
}

/** Returns the packages as which archives are stored and registered. */
export async function resolvePackages(
  archives: readonly Archive[],
  wanted: ResolveOptions,
): Promise<Resolved> {
  const problems: Problem[] = [];
  const findSibling = siblingsIn(archives);
  const others: Others[] = [];
  for (const one of archives) {
    if (one.kind === "controller") continue;
    const found = await collectProblem(problems, () => resolveOther(one, wanted, findSibling));
    if (found) others.push(found);
  }
  // a collector with a file of its own is not searched for in the archives
  const own = others.flatMap(({ packages }) => packages).filter(({ type }) => type === "collector");
  const controllers: Controller[] = [];
  for (const one of archives) {
    if (one.kind === "controller") controllers.push(await resolveController(one, wanted, own));
  }
  const moving = own.filter(isMoving);
  const packages = [
    ...others.flatMap((one) => one.packages),
    ...controllers.map(({ pkg }) => pkg),
    ...alignVersions(
      controllers.flatMap(({ parts }) => parts),
      moving,
    ),
  ];
  const collectors = alignVersions(
    controllers.flatMap((one) => one.collectors),
    moving,
  );
  const order = new Map(archives.map(({ file }, index) => [file, index]));
  const indexOf = ({ archive }: Package) => order.get(archive.file) ?? 0;
  const inOrder = packages.toSorted((a, b) => indexOf(a) - indexOf(b));
  const warnings = [...others, ...controllers].flatMap((one) => one.warnings);
  return {
    packages: inOrder,
    collectors,
    problems: [
      ...problems,
      ...controllers.flatMap((one) => one.problems),
      ...findClashes([...inOrder, ...collectors], wanted.archColumn),
    ],
    ignored: others.flatMap(({ ignored }) => ignored ?? []),
    warnings: [...warnings, ...nameWarnings(packages), ...startWarnings(inOrder, wanted)],
  };
}

/**
 * Returns what archives would become without a server, and their problems: on today's BK-Lite (table state
 * C), with the built-in collectors. `archiveCheck: full` also reads every entry.
 */
export async function judge(
  archives: readonly Archive[],
  args: ScanArguments,
  config: VolumeConfig,
  signal: AbortSignal,
): Promise<Resolved> {
  const resolved = await resolvePackages(archives, {
    options: args,
    packageVersion: config.packageVersion,
    repack: config.repack,
    collectors: config.collectors,
    standalone: config.collectorPackages !== "shared",
    definitions: [],
    archColumn: true,
  });
  if (config.archiveCheck !== "full") return resolved;
  const ignored = new Set(resolved.ignored.map(({ file }) => file));
  const problems = [...resolved.problems];
  for (const archive of archives.filter(({ file }) => !ignored.has(file)))
    await collectProblem(problems, () => verifyArchive(archive, signal));
  return { ...resolved, problems };
}

interface Others {
  packages: readonly Package[];
  warnings: readonly Problem[];
  ignored?: Ignored;
}

/** Resolves any file or folder but a controller's archive. Throws exit 65 for one that contradicts itself. */
async function resolveOther(
  archive: Exclude<Archive, ControllerArchive>,
  wanted: ResolveOptions,
  findSibling: FindSibling,
): Promise<Others> {
  if (archive.kind === "installer") return { packages: [installerPackage(archive)], warnings: [] };
  if (archive.kind === "apm-probe") return { packages: [probePackage(archive)], warnings: [] };
  if (archive.kind === "collector-folder") return resolveSlot(archive, wanted, findSibling);
  const known = { ...archive.slot, ...archive.declared, ...wanted.options };
  const isZip = archive.format === "zip";
  const read = isZip ? await withProgram(archive, known, wanted.definitions) : archive;
  if (read.slot) return resolveSlot(read, wanted, findSibling);
  const declared = packageOf(read, wanted);
  const { file, name, executable } = read;
  checkExecutable(executable, { file, entry: "", target: declared, source: "archive" });
  const definition = definitionsFor(declared, wanted.definitions).find(
    ({ object }) => object === declared.object,
  );
  const stored = definition && storedForm(read, definition, { findSibling, program: name });
  const pkg = checkFields({ ...declared, ...stored });
  return { packages: [pkg], warnings: collectorWarnings(pkg, wanted.definitions) };
}

/** Resolves a file or folder in a slot of the bundle layout. */
function resolveSlot(
  archive: CollectorFile | CollectorFolder,
  wanted: ResolveOptions,
  findSibling: FindSibling,
): Others {
  const found = slotCollectors(archive, wanted, findSibling);
  const packages = found.filter(({ object }) => isWanted(object, wanted.collectors)).map(checkFields);
  const warnings = found.length === 0 ? slotWarnings(archive, wanted) : [];
  return { packages, warnings, ...(packages.length === 0 && { ignored: { file: archive.file } }) };
}

/** Returns a warning for a slot's content that is no collector but most likely should be one. */
function slotWarnings(archive: CollectorFile | CollectorFolder, wanted: ResolveOptions): Problem[] {
  const { file, name, slot } = archive;
  const named = archive.kind === "collector-folder" ? collectorNamed(archive, wanted) : undefined;
  if (named) return [finding(file, "collector.incomplete", named)];
  if (!slot || !holdsExecutable(archive) || name === LIBRARIES) return [];
  return [finding(file, "collector.unknown", { os: slot.os })];
}

function isWanted(object: string, collectors: ResolveOptions["collectors"]): boolean {
  if (collectors === "auto" || collectors === "none") return collectors === "auto";
  return collectors.some((name) => name.toLowerCase() === object.toLowerCase());
}

interface Controller {
  pkg: Package;
  /** Collectors as packages of their own. */
  parts: readonly Package[];
  collectors: readonly Collector[];
  problems: readonly Problem[];
  warnings: readonly Problem[];
}

/** Resolves a controller's archive; `own` has the collectors with files of their own. */
async function resolveController(
  archive: ControllerArchive,
  wanted: ResolveOptions,
  own: readonly Package[],
): Promise<Controller> {
  const problems: Problem[] = [];
  const attempt = <T>(check: () => T) => collectProblem(problems, check);
  const declared = packageOf(archive, wanted);
  const { os } = declared;
  const warnings = (await attempt(() => checkVersion(archive, os, wanted))) ?? [];
  const pkg = (await attempt(() => repackIfNeeded(declared, archive, wanted.repack))) ?? declared;
  await attempt(() => checkFields(pkg));
  if (os === "windows") await attempt(() => checkWindowsNames(archive));
  const found = findCollectors(archive.members.keys(), os, definitionsFor(pkg, wanted.definitions));
  await attempt(async () => {
    checkKnown(archive, os, found);
    // before the check for missing parts: programs for another os explain why they are missing
    await checkExecutables(archive, pkg, found);
    checkParts(archive, os);
  });
  // a collector with a file of its own, of any version, is not cut out of an archive as well (SPEC §3)
  const hasOwn = (object: string) =>
    own.some((one) => (!wanted.archColumn || one.arch === pkg.arch) && isSameCollector(one, { os, object }));
  const parts: Package[] = [];
  const collectors: Collector[] = [];
  await attempt(async () => {
    for (const one of selectCollectors(archive, found, wanted.collectors, hasOwn)) {
      const { object, executable } = one;
      // the table has one row for an object and version
      if (object === pkg.object) throw problem(archive.file, "package.object.collector", { object });
      if (wanted.standalone) await attempt(() => parts.push(checkFields(standalone(one, pkg, archive))));
      else {
        const { arch, version, name } = pkg;
        collectors.push({ type: "collector", os, arch, object, version, name, executable, archive });
      }
    }
  });
  return { pkg, parts, collectors, problems, warnings };
}

/** Returns the package of a controller's archive, or of a declared collector. */
function packageOf(archive: ControllerArchive | CollectorFile, wanted: ResolveOptions): Package {
  const { kind: type, nameInfo, name } = archive;
  // the command line wins over packages.json, and both over the file's own name and contents
  const given = { ...archive.declared, ...wanted.options };
  const isController = archive.kind === "controller";
  const header = isController ? undefined : platformOf(archive.executable);
  const os = given.os ?? nameInfo.os ?? header?.os ?? "linux";
  // a number in the name of a collector's file is its maker's version, not BK-Lite's
  const version =
    given.version ??
    (isController ? nameInfo.version : undefined) ??
    wanted.packageVersion ??
    (isController ? versionFor(archive.versions, os) : undefined);
  return {
    type,
    os,
    arch: given.arch ?? nameInfo.arch ?? header?.arch ?? "x86_64",
    object: given.object ?? "Controller",
    version: version ?? "1.0.0",
    archive,
    name,
    description: archive.declared?.description ?? "",
  };
}

/** Returns the wanted collectors without files of their own. Throws exit 65 if a named one is missing. */
function selectCollectors(
  { file }: Archive,
  found: readonly FoundCollector[],
  wanted: ResolveOptions["collectors"],
  hasOwn: (object: string) => boolean,
): FoundCollector[] {
  if (wanted === "none") return [];
  if (wanted === "auto") return found.filter(({ object }) => !hasOwn(object));
  return wanted.flatMap((name) => {
    const one = found.find(({ object }) => object.toLowerCase() === name.toLowerCase());
    if (hasOwn(one?.object ?? name)) return [];
    if (one) return [one];
    throw problem(file, "collector.missing", { name, held: found.map(({ object }) => object) });
  });
}

/**
 * Gives a collector one version on all architectures of an os, because BK-Lite offers a node this version
 * whatever its architecture (BKLITE.md): if one has a file of its own without a version (`moving`), those in
 * archives for other architectures lose theirs, and come from the newest archive.
 */
function alignVersions<Part extends Identity>(parts: readonly Part[], moving: readonly Identity[]): Part[] {
  const moves = (part: Part) => moving.some((one) => isSameCollector(one, part));
  const keyOf = ({ os, arch, object }: Part) => `${os}/${arch}/${object}`;
  const newest = new Map<string, Part>();
  for (const part of parts.filter(moves)) {
    const other = newest.get(keyOf(part));
    if (!other || compareVersions(part.version, other.version) > 0) newest.set(keyOf(part), part);
  }
  return parts.flatMap((part) => {
    if (!moves(part)) return [part];
    return newest.get(keyOf(part)) === part ? [{ ...part, version: LATEST }] : [];
  });
}

/** Whether two packages are one collector of an os, whatever their versions and architectures. */
function isSameCollector(a: Pick<Identity, "os" | "object">, b: Pick<Identity, "os" | "object">): boolean {
  return a.os === b.os && a.object.toLowerCase() === b.object.toLowerCase();
}

/** A package or a row. */
type Claimed = Identity & { archive: Pick<Archive, "file">; keyWithoutRow?: string };

/** Returns two problems for packages with one identity, each naming the other; once for two archives. */
function findClashes(packages: readonly Claimed[], archColumn: boolean): Problem[] {
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

/** Returns the columns of the table's unique constraint; the key of a package without a row. */
function identityWords({ os, arch, object, version, keyWithoutRow }: Claimed, archColumn: boolean): string[] {
  if (keyWithoutRow !== undefined) return [keyWithoutRow];
  return [os, ...(archColumn ? [arch] : []), object, version];
}

function clash(pkg: Claimed, other: Claimed, words: readonly string[]): Problem {
  const { file } = pkg.archive;
  const both = { other: other.archive.file, identity: words.join(" ") };
  return other.arch === pkg.arch
    ? finding(file, "package.clash", { ...both, moves: isMoving(pkg) && isMoving(other) })
    : finding(file, "package.clash.arch", { ...both, arch: pkg.arch, otherArch: other.arch });
}
