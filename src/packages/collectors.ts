import type { Arch, Os } from "../identity.ts";
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
