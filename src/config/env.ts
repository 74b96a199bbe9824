import { readFileSync } from "node:fs";
import env from "env-var";
import type { ConfigProblem, ConfigReason } from "../messages/config.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

interface Variable {
  /** As the documented table has it. */
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
  COLLECTOR_PACKAGES: { default: "auto" },
  REPACK: { default: "auto" },
  VERIFY_KEY_FILE: {},
  KEEP_VERSIONS: { default: "0" },
  ROW_DEFAULTS: {},
  ON_CONFLICT: { default: "replace" },
  REQUIRE: {},
  REGIONS: { default: "auto" },
  ALLOW_EMPTY: { default: "false" },
  PURGE_ORPHANS: { default: "false" },
  ARCHIVE_CHECK: { default: "full" },
  DATABASE_URL: { file: true },
  DB_HOST: {},
  DB_PORT: { default: "5432" },
  DB_NAME: { default: "bklite" },
  DB_USER: { default: "postgres" },
  DB_PASSWORD: { file: true, secret: true },
  DB_ENGINE: {},
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
  NATS_TLS_HANDSHAKE_FIRST: { default: "false" },
  NATS_NAMESPACE: { default: "bklite" },
  NATS_REPLICAS: { default: "1" },
  NATS_TIMEOUT: { default: "60" },
  WAIT_TIMEOUT: { default: "300" },
  RUN_TIMEOUT: { default: "0" },
  REPORT_FILE: {},
  LOG_LEVEL: { default: "info" },
  LOG_FORMAT: { default: "auto" },
  LOG_LANG: { default: "auto" },
} satisfies Record<string, Variable>;

export type VariableName = keyof typeof variables;
export const VARIABLES: Readonly<Record<VariableName, Variable>> = variables;

/** Node's timers take 2^31 - 1 milliseconds, 24 days; a longer one would fire immediately. */
const MAX_SECONDS = 2_147_483;

type ParamsOf<Id extends ConfigReason> = Extract<ConfigProblem, { reason: Id }>["params"];

/**
 * Reads variables and collects the problems, so that an operator sees all of them together: env-var by itself
 * throws at the first. An empty value counts as not set (Compose passes `${X:-}` so).
 */
export class Reader {
  readonly problems: ConfigProblem[] = [];
  /** Secret values, for the redaction. */
  readonly secrets: string[] = [];
  readonly #values: Record<string, string> = {};

  constructor(given: Environment) {
    const environment = withStackNames(given);
    for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
      const value = this.#resolve(environment, name, variable.file ?? false);
      if (value === undefined || value === "") continue;
      if (variable.secret) this.secrets.push(value);
      const what = leftover(value, variable.secret ?? false);
      if (what) this.addProblem("config.stray", { name, what });
      // read on as it was meant: one problem a value is enough
      this.#values[name] = what ? value.trim().replace(/^(["'])(.*)\1$/s, "$2") : value;
    }
  }

  #resolve(environment: Environment, name: string, mayBeFile: boolean): string | undefined {
    const direct = environment[name];
    const path = mayBeFile ? environment[`${name}_FILE`] : undefined;
    if (!path) return direct;
    if (direct) {
      this.addProblem("config.both", { names: [name, `${name}_FILE`] });
      return direct;
    }
    return this.fileAt(`${name}_FILE`, path)
      ?.toString("utf8")
      .replace(/\r?\n$/, "");
  }

  /** Notes a problem; the run ends before a socket is opened, with all of them. */
  addProblem<Id extends ConfigReason>(reason: Id, params: ParamsOf<Id>): void {
    this.problems.push({ reason, params } as ConfigProblem);
  }

  /** Sets a variable to what the command line says in its place. */
  set(name: VariableName, value: string): void {
    if (value === "") delete this.#values[name];
    else this.#values[name] = value;
  }

  has(name: VariableName): boolean {
    return name in this.#values;
  }

  /** Returns the value, or the default; undefined: there is neither. */
  text(name: VariableName): string | undefined {
    const { default: fallback }: Variable = VARIABLES[name];
    return this.#values[name] ?? fallback;
  }

  /**
   * Returns the parts of a list, separated by ASCII or Chinese commas and semicolons; none if it is not set.
   */
  list(name: VariableName): string[] {
    const text = this.text(name);
    return text === undefined ? [] : text.split(/[,;，；、]/u).map((part) => part.trim());
  }

  /** Runs one of env-var's parsers; on a bad value returns undefined. */
  #parse<T>(name: VariableName, parser: (variable: env.IPresentVariable) => T): T | undefined {
    try {
      return parser(
        env
          .from({ [name]: this.text(name) ?? "" })
          .get(name)
          .required(),
      );
    } catch {
      return undefined; // env-var's own words would show the value
    }
  }

  flag(name: VariableName): boolean {
    const value = this.#parse(name, (variable) => variable.asBool());
    if (value === undefined) this.addProblem("config.choice", { name, allowed: ["true", "false"] });
    return value ?? false;
  }

  oneOf<T extends string>(name: VariableName, allowed: readonly [T, ...T[]]): T {
    const value = allowed.find((word) => word === this.text(name));
    if (value === undefined) this.addProblem("config.choice", { name, allowed });
    return value ?? allowed[0];
  }

  /** A whole number from `least` to `most`. */
  integer(name: VariableName, least: number, most: number): number {
    const value = this.#parse(name, (variable) => variable.asInt());
    if (value !== undefined && value >= least && value <= most) return value;
    this.addProblem("config.number", { name, least, most, whole: true });
    return least;
  }

  /** A whole number or fraction of seconds, at least `least`, and no more than a timer can hold. */
  seconds(name: VariableName, least = 0): number {
    const value = this.#parse(name, (variable) => variable.asFloatPositive());
    if (value !== undefined && value >= least && value <= MAX_SECONDS) return value;
    this.addProblem("config.seconds", { name, least, most: MAX_SECONDS });
    return least;
  }

  /** The content of the file that a `*_FILE` variable names. */
  file(name: VariableName): Buffer | undefined {
    const path = this.text(name);
    return path === undefined ? undefined : this.fileAt(name, path);
  }

  /** Returns the content of the file at `path`, which the variable `name` contains. */
  fileAt(name: string, path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") this.addProblem("config.file.missing", { name, path });
      else this.addProblem("config.file.unreadable", { name, path, said: code });
      return undefined;
    }
  }
}

/**
 * Returns what a CRLF .env file or a shell's quoting left in a value. A secret may have blanks and quotes.
 */
function leftover(value: string, secret: boolean): "carriage-return" | "quotes" | "blanks" | undefined {
  if (value.includes("\r")) return "carriage-return";
  if (secret) return undefined;
  if (/^(["']).*\1$/s.test(value)) return "quotes";
  return value === value.trim() ? undefined : "blanks";
}

/**
 * Names of the logins in the .env of BK-Lite's Compose stack. Compose 1.29 cannot say "DB_PASSWORD, or else
 * POSTGRES_PASSWORD", so compose.init.yml passes both, and withStackNames chooses.
 */
export const STACK_NAMES = {
  DB_PASSWORD: "POSTGRES_PASSWORD",
  NATS_USER: "NATS_ADMIN_USERNAME",
  NATS_PASSWORD: "NATS_ADMIN_PASSWORD",
} as const;

const POSTGRES_LOGIN = ["DB_PASSWORD", "DB_PASSWORD_FILE"];
const NATS_LOGIN = ["NATS_USER", "NATS_PASSWORD", "NATS_PASSWORD_FILE", "NATS_TOKEN", "NATS_TOKEN_FILE"];
const NATS_KEY = ["NATS_CREDS_FILE", "NATS_NKEY_SEED_FILE"];

/**
 * Returns the environment with the stack's logins under the job's names, for each server without another
 * login.
 */
export function withStackNames(environment: Environment): Environment {
  const given = (names: readonly string[]) => names.some((name) => environment[name]);
  return {
    ...environment,
    ...(!given(POSTGRES_LOGIN) && { DB_PASSWORD: environment[STACK_NAMES.DB_PASSWORD] }),
    ...(!given([...NATS_LOGIN, ...NATS_KEY]) && {
      NATS_USER: environment[STACK_NAMES.NATS_USER],
      NATS_PASSWORD: environment[STACK_NAMES.NATS_PASSWORD],
    }),
  };
}
