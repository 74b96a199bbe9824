import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import env from "env-var";
import { isKeyPart } from "./cli.ts";
import { type DbConfig, readDb } from "./config/db.ts";
import { type NatsConfig, readNats } from "./config/nats.ts";
import { EXIT, JobError } from "./errors.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

interface Variable {
  /** As the README's table has it. */
  default?: string;
  /** NAME_FILE may hold a path to the value. */
  file?: boolean;
  secret?: boolean;
}

/** Every variable of SPEC §2. */
const variables = {
  PACKAGES_DIR: { default: "/packages" },
  PACKAGE_VERSION: {},
  COLLECTORS: { default: "auto" },
  COLLECTOR_PACKAGES: { default: "shared" },
  ON_CONFLICT: { default: "replace" },
  ALLOW_EMPTY: { default: "false" },
  PURGE_ORPHANS: { default: "false" },
  ARCHIVE_CHECK: { default: "full" },
  DATABASE_URL: { file: true },
  DB_HOST: {},
  DB_PORT: { default: "5432" },
  DB_NAME: { default: "bklite" },
  DB_USER: { default: "postgres" },
  DB_PASSWORD: { file: true, secret: true },
  DB_SSLMODE: { default: "disable" },
  DB_SSL_CA_FILE: {},
  DB_SSL_CERT_FILE: {},
  DB_SSL_KEY_FILE: {},
  DB_SCHEMA: { default: "public" },
  NATS_SERVERS: { file: true },
  NATS_USER: {},
  NATS_PASSWORD: { file: true, secret: true },
  NATS_TOKEN: { file: true, secret: true },
  NATS_CREDS_FILE: {},
  NATS_NKEY_SEED_FILE: {},
  NATS_TLS_ENABLED: { default: "false" },
  NATS_TLS_CA_FILE: {},
  NATS_TLS_CERT_FILE: {},
  NATS_TLS_KEY_FILE: {},
  NATS_TLS_HOSTNAME: {},
  NATS_TLS_INSECURE: { default: "false" },
  NATS_NAMESPACE: { default: "bklite" },
  NATS_REPLICAS: { default: "1" },
  NATS_TIMEOUT: { default: "60" },
  WAIT_TIMEOUT: { default: "300" },
  RUN_TIMEOUT: { default: "0" },
  REPORT_FILE: {},
  LOG_LEVEL: { default: "info" },
  LOG_FORMAT: { default: "auto" },
} satisfies Record<string, Variable>;

export type VariableName = keyof typeof variables;
export const VARIABLES: Readonly<Record<VariableName, Variable>> = variables;

export interface Config {
  packagesDir: string;
  packageVersion: string | undefined;
  collectors: "auto" | "none" | readonly string[];
  collectorPackages: "shared" | "standalone";
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

/** Node's timers take 2^31 - 1 milliseconds, 24 days; a longer one would fire at once. */
const MAX_SECONDS = 2_147_483;

/** What is needed to say anything at all: read first, and never fails. */
export interface OutputConfig {
  logLevel: LogLevel;
  logFormat: "json" | "pretty" | "auto";
}

/**
 * Reads variables one by one and collects what is wrong with each, so that the operator hears of all problems at
 * once: env-var by itself throws at the first. An empty value counts as not set (Compose passes `${X:-}` so).
 */
export class Reader {
  readonly problems: string[] = [];
  /** Secret values met on the way, for the redaction. */
  readonly secrets: string[] = [];
  readonly #values: Record<string, string> = {};

  constructor(environment: Environment) {
    for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
      const value = this.#resolve(environment, name, variable.file ?? false);
      if (value === undefined || value === "") continue;
      this.#values[name] = value;
      if (variable.secret) this.secrets.push(value);
    }
  }

  #resolve(environment: Environment, name: string, mayBeFile: boolean): string | undefined {
    const direct = environment[name];
    const path = mayBeFile ? environment[`${name}_FILE`] : undefined;
    if (!path) return direct;
    if (direct) {
      this.problems.push(`${name} and ${name}_FILE are both set: give one of them`);
      return direct;
    }
    return this.#readFile(`${name}_FILE`, path)
      ?.toString("utf8")
      .replace(/\r?\n$/, "");
  }

  has(name: VariableName): boolean {
    return name in this.#values;
  }

  /** The value as it is, or the default; undefined where neither exists. */
  text(name: VariableName): string | undefined {
    return this.#values[name] ?? VARIABLES[name].default;
  }

  /** Runs one of env-var's parsers; on a bad value notes the problem and returns undefined. */
  parse<T>(name: VariableName, parser: (variable: env.IPresentVariable) => T): T | undefined {
    const variable: { default?: string } = VARIABLES[name];
    const reader = env
      .from(this.#values)
      .get(name)
      .default(variable.default ?? "");
    try {
      return parser(reader as unknown as env.IPresentVariable);
    } catch (error) {
      this.problems.push((error as Error).message.replace(/^env-var: "([^"]+)"/, "$1:"));
      return undefined;
    }
  }

  flag(name: VariableName): boolean {
    return this.parse(name, (v) => v.asBool()) ?? false;
  }

  oneOf<T extends string>(name: VariableName, allowed: readonly T[]): T {
    return (this.parse(name, (v) => v.asEnum([...allowed])) ?? allowed[0]) as T;
  }

  /** A whole number or fraction of seconds, at least `least`, and no more than a timer can hold. */
  seconds(name: VariableName, least = 0): number {
    const value = this.parse(name, (v) => v.asFloatPositive()) ?? least;
    if (value < least || value > MAX_SECONDS) {
      this.problems.push(`${name}: should be ${least} to ${MAX_SECONDS} seconds`);
    }
    return value;
  }

  /** Checks a value against `valid`; says `should` where it does not hold. */
  check(name: VariableName, valid: (value: string) => boolean, should: string): string | undefined {
    const value = this.text(name);
    if (value !== undefined && !valid(value)) this.problems.push(`${name}: ${should}`);
    return value;
  }

  /** The content of the file that a `*_FILE` variable names. */
  file(name: VariableName): Buffer | undefined {
    const path = this.text(name);
    return path === undefined ? undefined : this.#readFile(name, path);
  }

  #readFile(name: string, path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
      this.problems.push(`${name}: file ${path} ${why}`);
      return undefined;
    }
  }
}

/** How to log, with the defaults where the values are bad: the complaint about them has to come out somehow. */
export function readOutput(environment: Environment): OutputConfig {
  const level = LOG_LEVELS.find((l) => l === environment.LOG_LEVEL);
  const format = (["json", "pretty", "auto"] as const).find((f) => f === environment.LOG_FORMAT);
  return { logLevel: level ?? "info", logFormat: format ?? "auto" };
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
  if (reader.problems.length > 0) {
    throw new JobError(EXIT.config, `bad configuration: ${reader.problems.join("; ")}`, {
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
