import { printable } from "../archive/problem.ts";
import type { BinaryKind } from "../archive/types.ts";
import { collectProblem, type Problem, problem } from "../errors.ts";
import { type Arch, FIELD_LENGTHS, type Identity, type Os, type PackageType } from "../identity.ts";
import { builtinDefinitions, type FoundCollector, findCollectors } from "./collectors.ts";
import { binaryKind } from "./inspect.ts";
import type { Archive, Collector, CollectorDefinition, Package } from "./package.ts";
import { takeForm } from "./repack.ts";
import { isPart, standalone } from "./standalone.ts";

export interface ResolveOptions {
  /** The command line's; wins over the file's name, PACKAGE_VERSION and the archive's VERSION. */
  options: {
    os?: Os | undefined;
    arch?: Arch | undefined;
    object?: string | undefined;
    version?: string | undefined;
    type?: PackageType | undefined;
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

export interface Resolved {
  /** Each archive's own, followed by those that are cut out of it. */
  packages: Package[];
  /** Those that have only a row. */
  collectors: Collector[];
  /** Everything that contradicts itself: contents and claim, two archives with one identity, a named collector that is not there. */
  problems: Problem[];
}

/** What each archive is to be stored and registered as. */
export async function resolvePackages(
  archives: readonly Archive[],
  wanted: ResolveOptions,
): Promise<Resolved> {
  const resolved = { packages: [] as Package[], collectors: [] as Collector[] };
  const problems: Problem[] = [];
  const attempt = (check: () => unknown) => collectProblem(problems, check);
  for (const archive of archives) {
    const pkg = packageOf(archive, wanted);
    resolved.packages.push(pkg);
    await attempt(() => takeForm(pkg, wanted.repack));
    await attempt(() => checkLengths(archive, pkg));
    // any content may be a stand-alone collector, but a controller's archive is to hold what it says
    if (pkg.type === "collector") continue;
    const found = findCollectors(archive, pkg.os, definitionsFor(pkg, wanted.definitions));
    await attempt(() => checkKnown(pkg, found));
    await attempt(() => checkBinaries(pkg, found));
    await attempt(async () => {
      for (const one of chosen(found, pkg, wanted.collectors)) {
        checkObject(one, pkg);
        if (wanted.standalone) await attempt(() => resolved.packages.push(partOf(one, pkg)));
        else resolved.collectors.push(rowOf(one, pkg));
      }
    });
  }
  const whole = resolved.packages.filter((pkg) => !isPart(pkg));
  problems.push(...clashes(whole, wanted.archColumn));
  // A package that has a file of its own wins over the same one inside a controller's archive.
  const taken = new Set(whole.map((pkg) => identityWords(pkg, wanted.archColumn).join("\0")));
  const free = (pkg: Identity) => !taken.has(identityWords(pkg, wanted.archColumn).join("\0"));
  return {
    packages: resolved.packages.filter((pkg) => !isPart(pkg) || free(pkg)),
    collectors: resolved.collectors.filter(free),
    problems,
  };
}

function packageOf(archive: Archive, { options, packageVersion }: ResolveOptions): Package {
  const { named, versions, name } = archive;
  // The command line wins over packages.json, and both over what the file says of itself.
  const said = { ...archive.claim, ...options };
  const { type = "controller" } = said;
  const os = said.os ?? named.os ?? "linux";
  // a collector's file is named by whoever made the collector: a number in it is not BK-Lite's version
  const version = said.version ?? (type === "collector" ? undefined : named.version);
  return {
    type,
    os,
    arch: said.arch ?? named.arch ?? "x86_64",
    object: said.object ?? "Controller",
    version: version ?? packageVersion ?? versions[os] ?? versions.any ?? "1.0.0",
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
  checkLengths(pkg.archive, part);
  return part;
}

/** The table has one row for an object and version: an archive cannot stand beside its own collector there. */
function checkObject({ object }: FoundCollector, pkg: Package): void {
  if (object !== pkg.object) return;
  throw problem(pkg.archive.file, "package.object.collector", { object: printable(object) });
}

function definitionsFor({ os, arch }: Identity, definitions: readonly CollectorDefinition[]) {
  const own = definitions.filter((one) => one.os === os && (one.arch === undefined || one.arch === arch));
  return own.length > 0 ? own : builtinDefinitions(os);
}

function checkLengths(archive: Archive, pkg: Package): void {
  for (const [field, limit] of Object.entries(FIELD_LENGTHS)) {
    const length = [...pkg[field as keyof typeof FIELD_LENGTHS]].length;
    if (length <= limit) continue;
    throw problem(archive.file, "package.field.long", {
      field: field as keyof typeof FIELD_LENGTHS,
      length,
      limit,
    });
  }
}

function checkKnown({ archive, os }: Package, found: readonly FoundCollector[]): void {
  if (archive.sidecar || found.length > 0) return;
  if (findCollectors(archive, os, builtinDefinitions(os)).length > 0) return;
  throw problem(archive.file, "package.contents", { os });
}

async function checkBinaries(
  { archive, os, arch }: Package,
  found: readonly FoundCollector[],
): Promise<void> {
  const sidecars = ["collector-sidecar", "collector-sidecar.exe"].filter((path) => archive.members.has(path));
  for (const path of [...sidecars, ...found.map(({ executable }) => executable)]) {
    const kind = await binaryKind(archive, path);
    if (!contradicts(kind, os, arch)) continue;
    const found = describe(kind);
    throw problem(archive.file, "package.program", { os, arch, entry: printable(path), found });
  }
}

/** Scripts, jars and formats without a known header pass, and so do 32-bit programs on x86_64, which runs them. */
function contradicts(kind: BinaryKind, os: Os, arch: Arch): boolean {
  if (kind.format === "other") return false;
  if (kind.format === "macho") return true;
  if (kind.format !== (os === "windows" ? "pe" : "elf")) return true;
  return kind.machine !== arch && !(kind.machine === "x86" && arch === "x86_64");
}

function describe(kind: BinaryKind): string {
  if (kind.format === "macho") return "macOS";
  if (kind.format === "other") return "other";
  const machine = kind.machine === "other" ? "another architecture" : kind.machine;
  return `${kind.format === "pe" ? "windows" : "linux"} ${machine}`;
}

function chosen(
  found: readonly FoundCollector[],
  { archive }: Package,
  wanted: ResolveOptions["collectors"],
): FoundCollector[] {
  if (wanted === "none") return [];
  if (wanted === "auto") return [...found];
  return wanted.map((name) => {
    const one = found.find(({ object }) => object.toLowerCase() === name.toLowerCase());
    if (one) return one;
    const held = found.map(({ object }) => object);
    throw problem(archive.file, "collector.missing", { name: printable(name), held });
  });
}

/** What the table's unique constraint compares. */
function identityWords({ os, arch, object, version }: Identity, archColumn: boolean): string[] {
  return [os, ...(archColumn ? [arch] : []), object, version];
}

/** Two files that claim one identity: a problem of both, each naming the other. */
function clashes(packages: readonly Package[], archColumn: boolean): Problem[] {
  const first = new Map<string, Package>();
  const problems: Problem[] = [];
  for (const pkg of packages) {
    const words = identityWords(pkg, archColumn);
    const other = first.get(words.join("\0"));
    if (!other) first.set(words.join("\0"), pkg);
    else problems.push(clash(other, pkg, words), clash(pkg, other, words));
  }
  return problems;
}

function clash(pkg: Package, other: Package, words: readonly string[]): Problem {
  const { file } = pkg.archive;
  const both = { other: other.archive.file, identity: printable(words.join(" ")) };
  const { problem: found } =
    other.arch === pkg.arch
      ? problem(file, "package.clash", both)
      : problem(file, "package.clash.arch", { ...both, arch: pkg.arch, otherArch: other.arch });
  return found;
}
