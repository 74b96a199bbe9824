import { printable } from "../archive/problem.ts";
import { type Problem, problem } from "../errors.ts";
import { formatOf } from "../volume/name.ts";
import { isPacked } from "../volume/near.ts";
import type { Versions } from "../volume/version.ts";
import { builtinDefinitions, definitionsFor, type FoundCollector, findCollectors } from "./collectors.ts";
import { binaryKind } from "./inspect.ts";
import type { Package } from "./package.ts";
import { checkProgram } from "./programs.ts";
import type { ResolveOptions } from "./resolve.ts";

/**
 * A VERSION file that is there, was asked, and gave no answer: what it seems to say must not become 1.0.0 unseen, which may be another
 * version's place. Throws exit 65 for what looks like a version.
 */
export function checkVersion({ archive, os }: Package, wanted: ResolveOptions, warnings: Problem[]): void {
  const { claim, named, versions, beside, file } = archive;
  if ((wanted.options.version ?? claim?.version ?? named.version ?? wanted.packageVersion) !== undefined)
    return;
  const files = [versions, beside].filter((said) => said?.from !== undefined);
  if (files.some((said) => (said?.[os] ?? said?.any) !== undefined)) return;
  for (const { from = "", unread } of files as Versions[]) {
    const line = unread?.[os] ?? unread?.any;
    if (line !== undefined) throw problem(file, "version.unreadable", { from, line: printable(line) });
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
  const inner = archive.entries.find(({ path }) => formatOf(path.slice(path.lastIndexOf("/") + 1)));
  if (inner) throw problem(archive.file, "package.nested", { entry: printable(inner.path) });
  throw problem(archive.file, "package.contents", { os });
}

/** What BK-Lite's installer starts on a node, and what that starts. */
export function missingParts({ archive, os }: Package): Problem[] {
  const { members, file } = archive;
  const parts =
    os === "windows"
      ? [["install.ps1", "install.bat", "install.cmd"], ["collector-sidecar.exe"]]
      : [["install.sh"], ["collector-sidecar"]];
  const missing = parts
    .filter((names) => !names.some((name) => members.has(name)))
    .map(([name = ""]) => name);
  return missing.length > 0 ? [{ file, reason: "package.incomplete", params: { missing } }] : [];
}

/** Throws exit 65 for a program that is for another platform, or is none. */
export async function checkBinaries(pkg: Package, found: readonly FoundCollector[]): Promise<void> {
  const { archive } = pkg;
  const sidecars = ["collector-sidecar", "collector-sidecar.exe"].filter((path) => archive.members.has(path));
  for (const path of [...sidecars, ...found.map(({ executable }) => executable)]) {
    if (archive.members.get(path)?.size === 0)
      throw problem(archive.file, "program.kind", { entry: printable(path), found: "empty" });
    checkProgram(archive.file, await binaryKind(archive, path), pkg, "archive", path);
  }
}

/** What is odd about a collector that somebody has declared: BK-Lite would not find it, or not unpack it. */
export function oddities(pkg: Package, definitions: ResolveOptions["definitions"]): Problem[] {
  const { object, archive } = pkg;
  const { file, name } = archive;
  const known = definitionsFor(pkg, definitions).map((one) => one.object);
  const meant = known.find((one) => one.toLowerCase() === object.toLowerCase());
  const found: Problem[] = [];
  if (meant !== undefined && !known.includes(object))
    found.push({ file, reason: "collector.object", params: { object: printable(object), meant } });
  if (isPacked(name)) found.push({ file, reason: "collector.unpacked", params: {} });
  return found;
}
