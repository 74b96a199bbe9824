import type { Entry } from "../archive/types.ts";
import { type Arch, isRowName, type Os } from "../identity.ts";
import type { Archive, CollectorDefinition } from "./package.ts";

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

/** What a program's file may be called after its package_name. */
export const PROGRAM_ENDINGS = ["", ".jar", ".exe", ".sh", ".py"];

/** A collector whose executable is in an archive. */
export interface FoundCollector {
  object: string;
  /** The member's path. */
  executable: string;
  /** What makes it a collector, and says where BK-Lite starts it. */
  definition: CollectorDefinition;
}

/** The collectors of an os whose own definitions the platform does not (yet) have. */
export function builtinDefinitions(os: Os): CollectorDefinition[] {
  return BUILTIN.filter(([object]) => os === "windows" || object !== "Winlogbeat").map(([object, path]) => {
    const executable = os === "windows" && !path.endsWith(".jar") ? `${path}.exe` : path;
    return { object, os, arch: undefined, executable };
  });
}

/**
 * Returns the platform's own definitions for an os and architecture; the built-in ones if it has none. `arch` is null where the table
 * does not tell architectures apart.
 */
export function definitionsFor(
  { os, arch }: { os: Os; arch: Arch | null },
  definitions: readonly CollectorDefinition[],
): readonly CollectorDefinition[] {
  const fits = (one: CollectorDefinition) => one.arch === undefined || arch === null || one.arch === arch;
  const own = definitions.filter((one) => one.os === os && fits(one));
  const builtin = builtinDefinitions(os);
  if (own.length === 0) return builtin;
  // an old table has no package_name: it does not say what is started by another program (Java)
  const known = (object: string) => builtin.find((one) => one.object === object)?.executable;
  return own.map((one) =>
    (one.executable ?? one.packageName) === undefined ? { ...one, executable: known(one.object) } : one,
  );
}

/** Which of the defined collectors an archive holds, in the definitions' order, each object once. */
export function findCollectors(
  archive: Pick<Archive, "members">,
  os: Os,
  definitions: readonly CollectorDefinition[],
): FoundCollector[] {
  const paths = new Map<string, string>();
  // Windows does not tell the case of names apart, so neither does what is looked for there
  const key = (path: string) => (os === "windows" ? path.toLowerCase() : path);
  for (const path of archive.members.keys()) paths.set(key(path), path);
  const found = new Map<string, FoundCollector>();
  for (const definition of definitions) {
    const { object, executable, packageName } = definition;
    if (found.has(object)) continue;
    const names = executable === undefined ? byPackageName(packageName) : spellings(key(executable), os);
    const [path] = names.flatMap((name) => paths.get(key(name)) ?? []);
    if (path !== undefined) found.set(object, { object, executable: path, definition });
  }
  return [...found.values()];
}

/** What a program below bin/ may be called after the platform's package_name, the program itself being another's (Java, say). */
function byPackageName(name: string | undefined): string[] {
  if (name === undefined) return [];
  return PROGRAM_ENDINGS.flatMap((ending) => [`bin/${name}${ending}`, `bin/${name}/${name}${ending}`]);
}

/** A program may lie where it is started, in bin/ itself, or in a folder of its own name there; on Windows with or without `.exe`. */
function spellings(executable: string, os: Os): string[] {
  const bare = executable.replace(/\.exe$/i, "");
  const name = bare.slice(bare.lastIndexOf("/") + 1);
  const paths = [bare, `bin/${name}`, `bin/${name}/${name}`];
  return [executable, ...(os === "windows" ? paths.flatMap((path) => [`${path}.exe`, path]) : paths)];
}

/** Whether BK-Lite has had a collector of that name, whatever its definitions say now. */
export function isBuiltin(archive: Pick<Archive, "members" | "place">): boolean {
  const { place } = archive;
  return place !== undefined && findCollectors(archive, place.os, builtinDefinitions(place.os)).length > 0;
}

/** A collector's object: one file, or a zip that BK-Lite unzips. */
export interface Shape {
  /** The row's name. */
  name: string;
  /** Paths of the files in the zip; undefined for a zip that nobody has opened. */
  files?: readonly string[];
}

/** Where a collector's program lies before it is stored. */
export interface Source {
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
  /** Whether the program takes all of its folder along, rather than its libraries alone. */
  whole: boolean;
  /** Returns the path in the zip for a path in the source; undefined for what does not belong to the collector. */
  place(path: string): string | undefined;
}

const BIN = "bin/";
/** BK-Lite unzips an object of such a name (BKLITE.md). */
const ZIP = /\.zip$/;
/** Programs that are built with their libraries in a folder beside them (BKLITE.md); PyInstaller names it so. */
const WITH_LIBRARIES = /^ansible-executor(?:\.exe)?$/i;
export const LIBRARIES = "_internal";

/**
 * Returns the path below fusion-collectors/ at which BK-Lite finds the collector's program after it has downloaded a shape to bin/ and
 * unzipped it there; undefined if nothing lies where the definition says. A zip that nobody has opened is believed.
 */
export function installedPath(definition: CollectorDefinition, { name, files }: Shape): string | undefined {
  const wanted = startPaths(definition);
  const unopened = ZIP.test(name) && files === undefined;
  if (unopened) return wanted[0];
  const there = (ZIP.test(name) ? (files ?? []) : [name]).map((path) => BIN + path);
  return there.find((path) => wanted.some((one) => isSamePath(one, path, definition.os)));
}

/**
 * Returns the shape for a program and what it needs: a plain file, or a zip with the folder that the definition names. bin/ itself is
 * shared by all collectors, so only the program and its libraries go there.
 */
export function arrange(definition: CollectorDefinition, source: Source): Arranged {
  const { program, ownFolder, hasFolder } = source;
  const target = targetOf(definition, source);
  const from = folderOf(program);
  const into = folderOf(target);
  const libraries = (ownFolder || WITH_LIBRARIES.test(baseOf(program))) && hasFolder(join(from, LIBRARIES));
  const whole = ownFolder && into !== "";
  const zip = into !== "" || libraries;
  const place = (path: string) => {
    if (path === program) return target;
    if (from !== "" && !path.startsWith(`${from}/`)) return undefined;
    const beside = from === "" ? path : path.slice(from.length + 1);
    return whole || (libraries && beside.startsWith(`${LIBRARIES}/`)) ? join(into, beside) : undefined;
  };
  const base = baseOf(target);
  const name = zip ? `${into.split("/")[0] || base.replace(/\.exe$/i, "")}.zip` : base;
  return { name, zip, target, whole, place };
}

/** Returns a collector's program in a zip of any layout: one that runs, near the root, rather than a large one. */
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

/** Paths at which BK-Lite may find the program: the definition's own, or that of its package_name if it starts another program (Java). */
function startPaths({ executable, packageName, os }: CollectorDefinition): string[] {
  if (executable === undefined)
    return packageName === undefined ? [] : PROGRAM_ENDINGS.map((ending) => `${BIN}${packageName}${ending}`);
  if (!isBelowBin(executable)) return [];
  // Windows starts NAME.exe if NAME is asked for
  return os === "windows" && !/\.exe$/i.test(executable) ? [executable, `${executable}.exe`] : [executable];
}

/** A definition comes from the table: a path that leads elsewhere, or that cannot be a row's name, is never used. */
function isBelowBin(path: string): boolean {
  const parts = path.slice(BIN.length).split("/");
  return path.startsWith(BIN) && parts.every((part) => !["", ".", ".."].includes(part) && isRowName(part));
}

function targetOf(definition: CollectorDefinition, { program, ownFolder }: Source): string {
  const base = baseOf(program);
  const { executable } = definition;
  if (executable === undefined) return base;
  const [wanted] = startPaths(definition);
  // no shape puts it there, so it stays as it is
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
