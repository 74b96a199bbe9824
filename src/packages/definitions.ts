import type { Entry } from "../archive/types.ts";
import { type Arch, isRowName, type Os } from "../identity.ts";
import type { Slot } from "../volume/name.ts";
import type { CollectorDefinition, CollectorFile, CollectorFolder } from "./package.ts";

/** BK-Lite's own collectors: object, and executable below the top folder. */
const BUILTIN: readonly (readonly [object: string, executable: string])[] = [
  ["Telegraf", "bin/telegraf"],
  ["Vector", "bin/vector"],
  ["NATS-Executor", "bin/nats-executor"],
  ["Metricbeat", "bin/metricbeat/metricbeat"],
  ["Filebeat", "bin/filebeat/filebeat"],
  ["Packetbeat", "bin/packetbeat/packetbeat"],
  ["Auditbeat", "bin/auditbeat/auditbeat"],
  ["Winlogbeat", "bin/winlogbeat/winlogbeat"],
  ["Ansible-Executor", "bin/ansible-executor"],
  ["JVM-JMX", "bin/jmx_jvm.jar"],
  ["Kafka-Exporter", "bin/kafka_exporter"],
  ["Oracle-Exporter", "bin/oracle_exporter"],
  ["OTel-Collector", "bin/bklite-otelcol"],
  ["APM-OTEL", "bin/bklite-otelcol"],
];

const BIN = "bin/";
/** Endings that may follow a package_name in a program's file name. */
const PROGRAM_ENDINGS = ["", ".jar", ".exe", ".sh", ".py"];

/** A collector whose executable is in an archive. */
export interface FoundCollector {
  object: string;
  /** The executable's path below the top folder. */
  executable: string;
  /** The definition that it matches, which says where BK-Lite starts it. */
  definition: CollectorDefinition;
}

/** Returns BK-Lite's collectors of an os, which stand in for a table without definitions. */
export function builtinDefinitions(os: Os): CollectorDefinition[] {
  return BUILTIN.filter(([object]) => os === "windows" || object !== "Winlogbeat").map(([object, path]) => {
    const executable = os === "windows" && !path.endsWith(".jar") ? `${path}.exe` : path;
    return { object, os, arch: undefined, executable };
  });
}

/** Returns the platform's own definitions; if it has none, the built-in ones. `arch` null: no such column. */
export function definitionsFor(
  { os, arch }: { os: Os; arch: Arch | null },
  definitions: readonly CollectorDefinition[],
): readonly CollectorDefinition[] {
  const fits = (one: CollectorDefinition) => one.arch === undefined || arch === null || one.arch === arch;
  const own = definitions.filter((one) => one.os === os && fits(one));
  const builtin = builtinDefinitions(os);
  if (own.length === 0) return builtin;
  // an old table has no package_name: it has no program for a collector that Java starts
  const known = (object: string) => builtin.find((one) => one.object === object)?.executable;
  return own.map((one) =>
    (one.executable ?? one.packageName) === undefined ? { ...one, executable: known(one.object) } : one,
  );
}

/** Returns the defined collectors among an archive's paths, in the definitions' order, each object once. */
export function findCollectors(
  paths: Iterable<string>,
  os: Os,
  definitions: readonly CollectorDefinition[],
): FoundCollector[] {
  const key = (path: string) => (os === "windows" ? path.toLowerCase() : path);
  const byKey = new Map([...paths].map((path) => [key(path), path]));
  const found = new Map<string, FoundCollector>();
  for (const definition of definitions) {
    const { object, executable, packageName } = definition;
    if (found.has(object)) continue;
    const names = executable === undefined ? pathsOf(packageName) : spellings(key(executable), os);
    const [path] = names.flatMap((name) => byKey.get(key(name)) ?? []);
    if (path !== undefined) found.set(object, { object, executable: path, definition });
  }
  return [...found.values()];
}

/** Returns the paths that a program with this package_name may have, if another program (Java) starts it. */
function pathsOf(name: string | undefined): string[] {
  if (name === undefined) return [];
  return PROGRAM_ENDINGS.flatMap((ending) => [`${BIN}${name}${ending}`, `${BIN}${name}/${name}${ending}`]);
}

/** Returns an executable's path, also in bin/ and in a folder of its name, on Windows also without `.exe`. */
function spellings(executable: string, os: Os): string[] {
  const bare = executable.replace(/\.exe$/i, "");
  const name = baseOf(bare);
  const paths = [bare, `${BIN}${name}`, `${BIN}${name}/${name}`];
  return [executable, ...(os === "windows" ? paths.flatMap((path) => [`${path}.exe`, path]) : paths)];
}

/** Returns the path on a node of a file in a slot of the bundle layout; a zip counts as the program in it. */
export function slotPath(name: string): string {
  return BIN + name.replace(/\.zip$/i, "");
}

/** Returns the paths on a node of a slot's file, or of the files in its folder. */
export function slotPaths(archive: CollectorFile | CollectorFolder): Iterable<string> {
  return archive.kind === "collector" ? [slotPath(archive.name)] : archive.executables.keys();
}

/** Whether a path in a slot is that of one of BK-Lite's own collectors, whatever the platform defines now. */
export function isBuiltin(slot: Slot | undefined, paths: Iterable<string>): boolean {
  return slot !== undefined && findCollectors(paths, slot.os, builtinDefinitions(slot.os)).length > 0;
}

/** A collector's object: one file, or a zip that BK-Lite unpacks. */
interface Shape {
  /** The row's name. */
  name: string;
  /** Paths of the files in the zip; undefined for a zip that was not opened. */
  files?: readonly string[];
}

/** Where a collector's program lies before it is stored. */
export interface ProgramSource {
  /** The program's path. */
  program: string;
  /** Whether everything in the program's folder belongs to the collector. */
  ownFolder: boolean;
  /** Whether a path is a folder with something in it. */
  hasFolder(path: string): boolean;
}

/** How a collector is stored so that BK-Lite finds its program. */
export interface Arranged {
  /** The row's name. */
  name: string;
  zip: boolean;
  /** The program's path below bin/ on a node. */
  target: string;
  /** Whether the program's whole folder is stored, rather than its libraries alone. */
  whole: boolean;
  /** Returns a file's path in the zip; undefined if it is not the collector's. */
  pathOf(path: string): string | undefined;
}

/** BK-Lite unpacks an object of such a name (BKLITE.md). */
const ZIP = /\.zip$/;
/** Programs with their libraries in a folder beside them (BKLITE.md); PyInstaller names it so. */
const WITH_LIBRARIES = /^ansible-executor(?:\.exe)?$/i;
export const LIBRARIES = "_internal";

/** Whether a program of this name has its libraries in a folder beside it. */
export function needsLibraries(name: string): boolean {
  return WITH_LIBRARIES.test(name);
}

/**
 * Returns the path below fusion-collectors/ at which BK-Lite finds the collector's program after it has
 * downloaded an object to bin/ and unpacked it there; undefined if the definition's path does not exist then.
 * A zip that was not opened is assumed to have it.
 */
export function installedPath(definition: CollectorDefinition, { name, files }: Shape): string | undefined {
  const wanted = startPaths(definition);
  if (ZIP.test(name) && files === undefined) return wanted[0];
  const paths = (ZIP.test(name) ? (files ?? []) : [name]).map((path) => BIN + path);
  return paths.find((path) => wanted.some((one) => isSamePath(one, path, definition.os)));
}

/**
 * Returns how to store a program and its files: as a plain file, or as a zip with the folder that the
 * definition names. All collectors share bin/ itself, so only the program and its libraries go there.
 */
export function arrange(definition: CollectorDefinition, source: ProgramSource): Arranged {
  const { program, ownFolder, hasFolder } = source;
  const target = targetOf(definition, source);
  const from = folderOf(program);
  const into = folderOf(target);
  const libraries = (ownFolder || needsLibraries(baseOf(program))) && hasFolder(join(from, LIBRARIES));
  const whole = ownFolder && into !== "";
  const zip = into !== "" || libraries;
  const pathOf = (path: string) => {
    if (path === program) return target;
    if (from !== "" && !path.startsWith(`${from}/`)) return undefined;
    const below = from === "" ? path : path.slice(from.length + 1);
    return whole || (libraries && below.startsWith(`${LIBRARIES}/`)) ? join(into, below) : undefined;
  };
  const base = baseOf(target);
  const name = zip ? `${into.split("/")[0] || base.replace(/\.exe$/i, "")}.zip` : base;
  return { name, zip, target, whole, pathOf };
}

/** Returns a collector's program in any zip: executable before others, then near the root, then large. */
export function findProgram<E extends Pick<Entry, "path" | "kind" | "mode" | "size">>(
  definition: CollectorDefinition,
  entries: readonly E[],
): E | undefined {
  const names = startPaths(definition).map(baseOf);
  const runs = (mode: number) => Number((mode & 0o111) !== 0);
  const depth = (path: string) => path.split("/").length;
  return entries
    .filter(
      ({ path, kind }) =>
        kind === "file" && names.some((name) => isSamePath(name, baseOf(path), definition.os)),
    )
    .toSorted((a, b) => runs(b.mode) - runs(a.mode) || depth(a.path) - depth(b.path) || b.size - a.size)[0];
}

/** Returns the paths of a program: the definition's, or, if another program starts it, its package_name's. */
function startPaths({ executable, packageName, os }: CollectorDefinition): string[] {
  if (executable === undefined)
    return packageName === undefined ? [] : PROGRAM_ENDINGS.map((ending) => `${BIN}${packageName}${ending}`);
  if (!isBelowBin(executable)) return [];
  // Windows starts NAME.exe if NAME is asked for
  return os === "windows" && !/\.exe$/i.test(executable) ? [executable, `${executable}.exe`] : [executable];
}

/** Whether a path of the table, which is not trusted, is below bin/ and can be a row's name. */
function isBelowBin(path: string): boolean {
  const parts = path.slice(BIN.length).split("/");
  return path.startsWith(BIN) && parts.every((part) => !["", ".", ".."].includes(part) && isRowName(part));
}

function targetOf(definition: CollectorDefinition, { program, ownFolder }: ProgramSource): string {
  const base = baseOf(program);
  if (definition.executable === undefined) return base;
  const [wanted] = startPaths(definition);
  // no zip can put it outside bin/, so it keeps its path
  if (wanted === undefined) return ownFolder ? join(baseOf(folderOf(program)), base) : base;
  const ending = definition.os === "windows" && /\.exe$/i.test(base) && !/\.exe$/i.test(wanted) ? ".exe" : "";
  return wanted.slice(BIN.length) + ending;
}

function isSamePath(a: string, b: string, os: Os): boolean {
  return os === "windows" ? a.toLowerCase() === b.toLowerCase() : a === b;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
