/**
 * config/: from the environment to one frozen, typed configuration, all problems together and before a socket
 * is opened. Knows the variables' names and rules, not their use.
 */
import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { JobError } from "../errors.ts";
import {
  type Arch,
  archOf,
  isKeyPart,
  OPERATING_SYSTEMS,
  type Os,
  PROBE_LANGUAGES,
  type ProbeLanguage,
  regionId,
  versionOf,
} from "../identity.ts";
import type { ConfigProblem } from "../messages/config.ts";
import { LANGUAGES, type Language } from "../messages/define.ts";
import { parseKeys, type SigningKey } from "../sshsig.ts";
import { type DbConfig, readDb } from "./db-settings.ts";
import type { Environment, Reader } from "./env.ts";
import { type NatsConfig, readNats } from "./nats-settings.ts";
import { reportPaths, whyUnwritable } from "./report-file.ts";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Platform {
  os: Os;
  arch: Arch;
}

/** The settings of a command that reads only the volume. */
export interface VolumeConfig {
  packagesDir: string;
  packageVersion: string | undefined;
  collectors: "auto" | "none" | readonly string[];
  collectorPackages: "auto" | "shared" | "standalone";
  /** `auto`: an archive that BK-Lite's installer cannot unpack is repacked as a zip. */
  repack: "auto" | "never";
  onConflict: "replace" | "keep" | "fail";
  /** REQUIRE: platforms that must be complete, */
  require: readonly Platform[];
  /** languages whose APM probe must be there, */
  requireProbes: readonly ProbeLanguage[];
  /** and cloud regions by id. */
  requireRegions: readonly number[];
  /** Cloud regions whose mirrors are read; `auto`: those of BK-Lite's table. */
  regions: "auto" | readonly number[];
  /** VERIFY_KEY_FILE: the keys that may sign packages; undefined: signatures are ignored. */
  verifyKeys: readonly SigningKey[] | undefined;
  allowEmpty: boolean;
  purgeOrphans: boolean;
  /** KEEP_VERSIONS: how many versions of each package stay after a successful init; 0: all. */
  keepVersions: number;
  archiveCheck: "full" | "quick";
  /** Seconds without progress after which an upload is given up. */
  natsTimeout: number;
  /** Seconds. */
  waitTimeout: number;
  /** Seconds; 0: no limit. */
  runTimeout: number;
}

export interface Config extends VolumeConfig {
  db: DbConfig;
  nats: NatsConfig;
}

/** The settings of the output: read first, and never an error. */
interface OutputConfig {
  logLevel: LogLevel;
  logFormat: "json" | "pretty" | "auto";
  language: Language;
}

/** Reads how to log; a bad value is replaced by the default, so that the problem can be logged. */
export function readOutput(environment: Environment): OutputConfig {
  const level = LOG_LEVELS.find((l) => l === environment.LOG_LEVEL);
  const format = (["json", "pretty", "auto"] as const).find((f) => f === environment.LOG_FORMAT);
  return { logLevel: level ?? "info", logFormat: format ?? "auto", language: readLanguage(environment) };
}

/** Returns LOG_LANG, or else the language of the first of LC_ALL, LC_MESSAGES and LANG, as gettext does. */
function readLanguage({ LOG_LANG, LC_ALL, LC_MESSAGES, LANG }: Environment): Language {
  const asked = LANGUAGES.find((language) => language === LOG_LANG);
  const locale = LC_ALL || LC_MESSAGES || LANG || "";
  return asked ?? (/^zh/i.test(locale) ? "zh" : "en");
}

/** Reads and checks the whole configuration. Throws exit 78 with every bad variable's name, never a value. */
export function readConfig(reader: Reader): Config {
  const volume = readVolume(reader);
  const config = { ...volume, db: readDb(reader), nats: readNats(reader) };
  throwProblems(reader.problems);
  return Object.freeze(config);
}

/** Does the same for a command without servers: problems of their settings are ignored. */
export function readVolumeConfig(reader: Reader): VolumeConfig {
  const config = readVolume(reader);
  throwProblems(reader.problems.filter((problem) => !isAboutServers(problem)));
  return Object.freeze(config);
}

function isAboutServers({ params }: ConfigProblem): boolean {
  const names = "name" in params ? [params.name] : "names" in params ? params.names : [];
  return names.some((name) => /^(?:DB_|NATS_|DATABASE_|ROW_)/.test(String(name)));
}

function throwProblems([first, ...others]: readonly ConfigProblem[]): void {
  if (first && others.length === 0) throw new JobError(first.reason, first.params);
  if (first) throw new JobError("config.several", { problems: [first, ...others] });
}

function readVolume(reader: Reader): VolumeConfig {
  const version = reader.text("PACKAGE_VERSION");
  if (version !== undefined && !isKeyPart(version))
    reader.addProblem("config.key-part", { name: "PACKAGE_VERSION" });
  const config: VolumeConfig = {
    packagesDir: reader.text("PACKAGES_DIR") as string,
    packageVersion: version && versionOf(version),
    collectors: readCollectors(reader),
    collectorPackages: reader.oneOf("COLLECTOR_PACKAGES", ["auto", "shared", "standalone"]),
    repack: reader.oneOf("REPACK", ["auto", "never"]),
    onConflict: reader.oneOf("ON_CONFLICT", ["replace", "keep", "fail"]),
    ...readRequired(reader),
    regions: readRegions(reader),
    verifyKeys: readKeys(reader),
    allowEmpty: reader.flag("ALLOW_EMPTY"),
    purgeOrphans: reader.flag("PURGE_ORPHANS"),
    keepVersions: reader.integer("KEEP_VERSIONS", 0, 999_999),
    archiveCheck: reader.oneOf("ARCHIVE_CHECK", ["full", "quick"]),
    natsTimeout: reader.seconds("NATS_TIMEOUT", 1),
    waitTimeout: reader.seconds("WAIT_TIMEOUT"),
    runTimeout: reader.seconds("RUN_TIMEOUT"),
  };
  // a report that cannot be written is exit 78 before any work
  for (const path of reportPaths(reader.text("REPORT_FILE"))) {
    const said = whyUnwritable(path);
    if (said) reader.addProblem("config.report", { path, said });
  }
  reader.oneOf("LOG_LEVEL", LOG_LEVELS);
  reader.oneOf("LOG_FORMAT", ["auto", "json", "pretty"]);
  reader.oneOf("LOG_LANG", ["auto", ...LANGUAGES]);
  return config;
}

/**
 * Returns the keys of VERIFY_KEY_FILE. The null device, which Compose mounts if no file is given, counts as
 * not set.
 */
function readKeys(reader: Reader): readonly SigningKey[] | undefined {
  const path = reader.text("VERIFY_KEY_FILE");
  if (path === undefined || isDevice(path)) return undefined;
  const text = reader.file("VERIFY_KEY_FILE")?.toString("latin1");
  if (text === undefined) return [];
  const folder = realPath(reader.text("PACKAGES_DIR") as string);
  if (leadsThrough(path, folder)) reader.addProblem("config.keys.inside", { path });
  const { keys, bad } = parseKeys(text);
  for (const line of bad) reader.addProblem("config.keys.line", { path, ...line });
  if (keys.length === 0 && bad.length === 0) reader.addProblem("config.keys.empty", { path });
  return keys;
}

/** Whether a file is a device; if it cannot be examined, reading it tells why. */
function isDevice(path: string): boolean {
  try {
    return statSync(path).isCharacterDevice();
  } catch {
    return false;
  }
}

/** Links that Linux follows in one path. */
const MAX_LINKS = 40;

/** Whether a file, or one of the links that lead to it, lies in a folder. */
function leadsThrough(path: string, folder: string): boolean {
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links += 1) {
    const parent = realPath(dirname(at));
    const place = join(parent, basename(at));
    if (`${place}/`.startsWith(`${folder}/`)) return true;
    if (!lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()) return false;
    at = resolve(parent, readlinkSync(place));
  }
  return false;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function readCollectors(reader: Reader): Config["collectors"] {
  const names = reader.list("COLLECTORS");
  const word = names.join().toLowerCase();
  if (word === "auto" || word === "none") return word;
  if (!names.every(isKeyPart)) reader.addProblem("config.collectors", {});
  return [...new Set(names)];
}

/** `linux/x86_64,apm/java,region/2`; architectures by any of their names. */
function readRequired(reader: Reader): Pick<VolumeConfig, "require" | "requireProbes" | "requireRegions"> {
  const require: Platform[] = [];
  const requireProbes: ProbeLanguage[] = [];
  const requireRegions: number[] = [];
  for (const part of reader.list("REQUIRE")) {
    const [kind, what = "", ...more] = part.toLowerCase().split("/");
    const os = OPERATING_SYSTEMS.find((known) => known === kind);
    const arch = archOf(what);
    const language = PROBE_LANGUAGES.find((known) => known === what);
    const region = regionId(what);
    if (more.length === 0 && os && arch) require.push({ os, arch });
    else if (more.length === 0 && kind === "apm" && language) requireProbes.push(language);
    else if (more.length === 0 && kind === "region" && region) requireRegions.push(region);
    else {
      reader.addProblem("config.platforms", { name: "REQUIRE" });
      break;
    }
  }
  return { require, requireProbes, requireRegions };
}

function readRegions(reader: Reader): VolumeConfig["regions"] {
  const parts = reader.list("REGIONS");
  const word = parts.join().toLowerCase();
  if (word === "auto") return word;
  if (word === "none") return [];
  const ids = parts.map(regionId);
  if (ids.includes(undefined)) reader.addProblem("config.regions", {});
  return ids.filter((id) => id !== undefined);
}

/** Returns values that are shown, even if one of them is a password too. */
export function publicValues(config: Config | VolumeConfig): string[] {
  if (!("db" in config)) return [];
  const { db, nats } = config;
  const users = [nats, ...nats.servers].map(({ auth }) => (auth?.kind === "password" ? auth.user : ""));
  const hosts = [...db.servers, ...nats.servers].map(({ host }) => host);
  return [...hosts, db.database, db.user, db.schema, nats.bucket, ...users].filter((value) => value !== "");
}
