/**
 * config/: from the environment to one frozen, typed configuration, all problems together and before a socket is opened. Knows the
 * variables' names and rules, not what is done with them.
 */
import { randomUUID } from "node:crypto";
import { accessSync, constants, rmSync, statSync, writeFileSync } from "node:fs";
import { JobError } from "../errors.ts";
import { type Arch, archOf, isKeyPart, OPERATING_SYSTEMS, type Os, versionOf } from "../identity.ts";
import type { ConfigProblem } from "../reasons/config.ts";
import { LANGUAGES, type Language } from "../reasons/define.ts";
import { type DbConfig, readDb } from "./db.ts";
import type { Environment, Reader } from "./env.ts";
import { type NatsConfig, readNats } from "./nats.ts";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Platform {
  os: Os;
  arch: Arch;
}

/** What a command needs that reads the volume alone. */
export interface VolumeConfig {
  packagesDir: string;
  packageVersion: string | undefined;
  collectors: "auto" | "none" | readonly string[];
  collectorPackages: "auto" | "shared" | "standalone";
  /** Whether archives that BK-Lite's installer could not unpack are made anew as a zip that it can. */
  repack: "auto" | "never";
  onConflict: "replace" | "keep" | "fail";
  /** Platforms that must be complete. */
  require: readonly Platform[];
  allowEmpty: boolean;
  purgeOrphans: boolean;
  archiveCheck: "full" | "quick";
  /** Seconds without progress after which an upload is given up. */
  natsTimeout: number;
  /** Seconds. */
  waitTimeout: number;
  /** Seconds; 0: no limit. */
  runTimeout: number;
  reportFile: string | undefined;
}

export interface Config extends VolumeConfig {
  db: DbConfig;
  nats: NatsConfig;
}

/** What is needed to say anything at all: read first, and never fails. */
export interface OutputConfig {
  logLevel: LogLevel;
  logFormat: "json" | "pretty" | "auto";
  language: Language;
}

/** How to log, with the defaults where the values are bad: the complaint about them has to come out somehow. */
export function readOutput(environment: Environment): OutputConfig {
  const level = LOG_LEVELS.find((l) => l === environment.LOG_LEVEL);
  const format = (["json", "pretty", "auto"] as const).find((f) => f === environment.LOG_FORMAT);
  return { logLevel: level ?? "info", logFormat: format ?? "auto", language: readLanguage(environment) };
}

/** LOG_LANG; else Chinese where the first of LC_ALL, LC_MESSAGES and LANG that is set says so, as gettext reads them. */
function readLanguage({ LOG_LANG, LC_ALL, LC_MESSAGES, LANG }: Environment): Language {
  const asked = LANGUAGES.find((language) => language === LOG_LANG);
  const locale = LC_ALL || LC_MESSAGES || LANG || "";
  return asked ?? (/^zh/i.test(locale) ? "zh" : "en");
}

/** Reads and checks the whole configuration. Throws exit 78 that lists every bad variable by name, never with its value. */
export function readConfig(reader: Reader): Config {
  const config = { ...readVolume(reader), db: readDb(reader), nats: readNats(reader) };
  complain(reader.problems);
  return Object.freeze(config);
}

/** The same for a command that talks to no server: what is said of servers is not looked at. */
export function readVolumeConfig(reader: Reader): VolumeConfig {
  const config = readVolume(reader);
  complain(reader.problems.filter((problem) => !isAboutServers(problem)));
  return Object.freeze(config);
}

function isAboutServers({ params }: ConfigProblem): boolean {
  const names = "name" in params ? [params.name] : "names" in params ? params.names : [];
  return names.some((name) => /^(?:DB_|NATS_|DATABASE_)/.test(name));
}

function complain([first, ...others]: readonly ConfigProblem[]): void {
  if (first && others.length === 0) throw new JobError(first.reason, first.params);
  if (first) throw new JobError("config.several", { problems: [first, ...others] });
}

function readVolume(reader: Reader): VolumeConfig {
  const config: VolumeConfig = {
    packagesDir: reader.text("PACKAGES_DIR") as string,
    packageVersion: readVersion(reader, "PACKAGE_VERSION"),
    collectors: readCollectors(reader),
    collectorPackages: reader.oneOf("COLLECTOR_PACKAGES", ["auto", "shared", "standalone"]),
    repack: reader.oneOf("REPACK", ["auto", "never"]),
    onConflict: reader.oneOf("ON_CONFLICT", ["replace", "keep", "fail"]),
    require: readPlatforms(reader),
    allowEmpty: reader.flag("ALLOW_EMPTY"),
    purgeOrphans: reader.flag("PURGE_ORPHANS"),
    archiveCheck: reader.oneOf("ARCHIVE_CHECK", ["full", "quick"]),
    natsTimeout: reader.seconds("NATS_TIMEOUT", 1),
    waitTimeout: reader.seconds("WAIT_TIMEOUT"),
    runTimeout: reader.seconds("RUN_TIMEOUT"),
    reportFile: readReportFile(reader),
  };
  reader.oneOf("LOG_LEVEL", LOG_LEVELS);
  reader.oneOf("LOG_FORMAT", ["auto", "json", "pretty"]);
  reader.oneOf("LOG_LANG", ["auto", ...LANGUAGES]);
  return config;
}

function readVersion(reader: Reader, name: "PACKAGE_VERSION"): string | undefined {
  const value = reader.text(name);
  if (value !== undefined && !isKeyPart(value)) reader.complain("config.key-part", { name });
  return value && versionOf(value);
}

function readCollectors(reader: Reader): Config["collectors"] {
  const text = reader.text("COLLECTORS") as string;
  const word = text.toLowerCase();
  if (word === "auto" || word === "none") return word;
  const names = text.split(",").map((name) => name.trim());
  if (!names.every(isKeyPart)) reader.complain("config.collectors", {});
  return [...new Set(names)];
}

/** `linux/x86_64,windows/x86_64`; architectures by any of their names. */
function readPlatforms(reader: Reader): readonly Platform[] {
  const platforms: Platform[] = [];
  for (const part of reader.text("REQUIRE")?.split(",") ?? []) {
    const [os, arch, ...more] = part.trim().toLowerCase().split("/");
    const platform = { os: OPERATING_SYSTEMS.find((known) => known === os), arch: archOf(arch ?? "") };
    if (!platform.os || !platform.arch || more.length > 0) {
      reader.complain("config.platforms", { name: "REQUIRE" });
      return [];
    }
    platforms.push(platform as Platform);
  }
  return platforms;
}

/** Tried now, by the way in which the report is written: a report that cannot be left is found out before any work. */
function readReportFile(reader: Reader): string | undefined {
  const path = reader.text("REPORT_FILE");
  if (path === undefined) return undefined;
  const problem = whyUnwritable(path);
  if (problem) reader.complain("config.report", { path, said: problem });
  return path;
}

/** The system's word for why a file can be neither replaced nor written; undefined: it can. */
function whyUnwritable(path: string): string | undefined {
  const code = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return "EISDIR";
    writeFileSync(beside, "", { flag: "wx" });
    rmSync(beside, { force: true });
    return undefined;
  } catch (error) {
    try {
      // A file that is mounted by itself.
      accessSync(path, constants.W_OK);
      return undefined;
    } catch {
      return code(error);
    }
  }
}

/** Values that are no secret even where somebody chose one of them as a password. */
export function publicValues(config: Config | VolumeConfig): string[] {
  if (!("db" in config)) return [];
  const { db, nats } = config;
  const servers = nats.servers.flatMap((server) => [
    server.host,
    server.auth?.kind === "password" ? server.auth.user : "",
  ]);
  const user = nats.auth?.kind === "password" ? nats.auth.user : "";
  return [
    ...db.servers.map(({ host }) => host),
    db.database,
    db.user,
    db.schema,
    nats.bucket,
    user,
    ...servers,
  ].filter((value) => value !== "");
}
