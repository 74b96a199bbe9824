/**
 * config/: from the environment to one frozen, typed configuration, all problems together and before a socket is opened. Knows the
 * variables' names and rules, not what is done with them.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { EXIT, JobError } from "../errors.ts";
import { isKeyPart } from "../identity.ts";
import { LANGUAGES, type Language } from "../reasons/define.ts";
import { type DbConfig, readDb } from "./db.ts";
import type { Environment, Reader } from "./env.ts";
import { type NatsConfig, readNats } from "./nats.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Config {
  packagesDir: string;
  packageVersion: string | undefined;
  collectors: "auto" | "none" | readonly string[];
  collectorPackages: "shared" | "standalone";
  /** Whether archives that BK-Lite's installer could not unpack are made anew as a zip that it can. */
  repack: "auto" | "never";
  onConflict: "replace" | "keep" | "fail";
  allowEmpty: boolean;
  purgeOrphans: boolean;
  archiveCheck: "full" | "quick";
  db: DbConfig;
  nats: NatsConfig;
  /** Seconds without progress after which an upload is given up. */
  natsTimeout: number;
  /** Seconds. */
  waitTimeout: number;
  /** Seconds; 0: no limit. */
  runTimeout: number;
  reportFile: string | undefined;
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
  const config: Config = {
    packagesDir: reader.text("PACKAGES_DIR") as string,
    packageVersion: reader.check(
      "PACKAGE_VERSION",
      isKeyPart,
      'should be 1 to 100 characters without "/" and spaces',
    ),
    collectors: readCollectors(reader),
    collectorPackages: reader.oneOf("COLLECTOR_PACKAGES", ["shared", "standalone"]),
    repack: reader.oneOf("REPACK", ["auto", "never"]),
    onConflict: reader.oneOf("ON_CONFLICT", ["replace", "keep", "fail"]),
    allowEmpty: reader.flag("ALLOW_EMPTY"),
    purgeOrphans: reader.flag("PURGE_ORPHANS"),
    archiveCheck: reader.oneOf("ARCHIVE_CHECK", ["full", "quick"]),
    db: readDb(reader),
    nats: readNats(reader),
    natsTimeout: reader.seconds("NATS_TIMEOUT", 1),
    waitTimeout: reader.seconds("WAIT_TIMEOUT"),
    runTimeout: reader.seconds("RUN_TIMEOUT"),
    reportFile: reader.check("REPORT_FILE", folderExists, "its folder does not exist"),
  };
  reader.oneOf("LOG_LEVEL", LOG_LEVELS);
  reader.oneOf("LOG_FORMAT", ["auto", "json", "pretty"]);
  reader.oneOf("LOG_LANG", ["auto", ...LANGUAGES]);
  if (reader.problems.length > 0) {
    throw JobError.legacy(EXIT.config, `bad configuration: ${reader.problems.join("; ")}`, {
      hint: "set the variables named above; the README has a table of all of them",
    });
  }
  return Object.freeze(config);
}

function readCollectors(reader: Reader): Config["collectors"] {
  const text = reader.text("COLLECTORS") as string;
  const word = text.toLowerCase();
  if (word === "auto" || word === "none") return word;
  const names = text.split(",").map((name) => name.trim());
  if (!names.every(isKeyPart))
    reader.problems.push("COLLECTORS: should be auto, none, or names such as Telegraf,Vector");
  return [...new Set(names)];
}

function folderExists(path: string): boolean {
  return statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Values that are no secret even where somebody chose one of them as a password. */
export function publicValues({ db, nats }: Config): string[] {
  const servers = nats.servers.flatMap((server) => [
    server.host,
    server.auth?.kind === "password" ? server.auth.user : "",
  ]);
  const user = nats.auth?.kind === "password" ? nats.auth.user : "";
  return [db.host, db.database, db.user, db.schema, nats.bucket, user, ...servers].filter(
    (value) => value !== "",
  );
}
