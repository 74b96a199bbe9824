import { readFileSync } from "node:fs";
import env from "env-var";
import { withStackNames } from "./stack.ts";

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

/** Node's timers take 2^31 - 1 milliseconds, 24 days; a longer one would fire at once. */
const MAX_SECONDS = 2_147_483;

/**
 * Reads variables one by one and collects what is wrong with each, so that the operator hears of all problems at
 * once: env-var by itself throws at the first. An empty value counts as not set (Compose passes `${X:-}` so).
 */
export class Reader {
  readonly problems: string[] = [];
  /** Secret values met on the way, for the redaction. */
  readonly secrets: string[] = [];
  readonly #values: Record<string, string> = {};

  constructor(given: Environment) {
    const environment = withStackNames(given);
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
