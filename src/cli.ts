import { parseArgs } from "node:util";
import { JobError } from "./errors.ts";
import {
  ARCH_NAMES,
  type Arch,
  archOf,
  isKeyPart,
  OPERATING_SYSTEMS,
  type Os,
  PACKAGE_TYPES,
  type PackageType,
  versionOf,
} from "./identity.ts";
import { nearest } from "./nearest.ts";

const COMMANDS = ["init", "plan", "verify", "status", "prune", "wait", "gate", "scan"] as const;
export type Command = (typeof COMMANDS)[number];
/** Commands that print a page and do nothing else. */
const PAGES = ["version", "help"] as const;

/** How a report is written: for machines, or as a page for people. */
export type ReportForm = "json" | "html";

export interface Arguments {
  command: Command;
  /** `--json`, `--html`: the form in which the report goes to standard output. */
  report?: ReportForm;
  /** In REQUIRE's place. */
  require?: string;
  /** `verify --wait`: poll until it holds. */
  wait: boolean;
  /** `--deep`: read the bytes of every object back. */
  deep: boolean;
  /** A single file instead of the volume. */
  file?: string;
  type?: PackageType;
  os?: Os;
  arch?: Arch;
  object?: string;
  version?: string;
  /** What `prune` removes. */
  prune?: PruneArguments;
}

/** Which versions go: all but the newest `keep` of each package, or one version. */
export interface PruneArguments {
  keep?: number;
  version?: string;
  object?: string;
  os?: Os;
  arch?: Arch;
  /** Without it `prune` only shows what would go. */
  yes: boolean;
}

/** Something to print instead of a run. */
export type Page = { page: "version" } | { page: "help"; topic?: string };

const OPTIONS = {
  auto: { type: "boolean" },
  file: { type: "string" },
  type: { type: "string" },
  os: { type: "string" },
  arch: { type: "string" },
  object: { type: "string" },
  version: { type: "string" },
  require: { type: "string" },
  keep: { type: "string" },
  yes: { type: "boolean" },
  wait: { type: "boolean" },
  deep: { type: "boolean" },
  json: { type: "boolean" },
  html: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  "program-version": { type: "boolean", short: "V" },
} as const;

type Option = keyof typeof OPTIONS;

/** The commands that an option goes with; the others go with all. */
const ONLY: Partial<Record<Option, readonly Command[]>> = {
  wait: ["verify"],
  deep: ["init", "plan", "verify", "status"],
  yes: ["prune"],
  keep: ["prune"],
};

interface Words {
  words: string[];
  flags: ReadonlySet<Option>;
  values: { readonly [O in Option]?: string };
}

/** Words of other programs for what this one calls otherwise. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ["dry-run", "plan"],
  ["check", "verify"],
  ["f", "--file"],
]);

/** Parses the command line. Throws exit 64, with the name that was most likely meant. */
export function parseArguments(argv: readonly string[]): Arguments | Page {
  const { words, flags, values } = read(argv);
  const [word = "init", ...extra] = words;
  const page = pageOf(word, extra, flags);
  if (page) return page;
  const command = COMMANDS.find((known) => known === word);
  if (!command) {
    throw new JobError("usage.command", {
      command: word,
      nearest: MEANT.get(word) ?? nearest(word, [...COMMANDS, ...PAGES]),
    });
  }
  if (extra[0] !== undefined) throw new JobError("usage.argument", { argument: extra[0] });
  if (flags.has("auto") && values.file !== undefined) {
    throw new JobError("usage.together", { option: "--auto", other: "--file" });
  }
  for (const option of [...flags, ...(Object.keys(values) as Option[])]) {
    const only = ONLY[option];
    if (only?.includes(command) === false) {
      throw new JobError("usage.only", { option: `--${option}`, commands: only });
    }
  }
  if (flags.has("json") && flags.has("html")) {
    throw new JobError("usage.together", { option: "--json", other: "--html" });
  }
  const report = (["json", "html"] as const).find((form) => flags.has(form));
  return {
    ...given({ report, require: values.require }),
    command,
    wait: flags.has("wait"),
    deep: flags.has("deep"),
    ...(command === "prune" ? { prune: pruneOf(values, flags) } : claim(values)),
  };
}

function pageOf(word: string, [topic, ...more]: string[], flags: Words["flags"]): Page | undefined {
  if (flags.has("program-version")) return { page: "version" };
  if (flags.has("help")) return { page: "help" };
  if (word !== "help" && word !== "version") return undefined;
  const [extra] = word === "help" ? more : [topic];
  if (extra !== undefined) throw new JobError("usage.argument", { argument: extra });
  return word === "version" ? { page: "version" } : { page: "help", ...(topic !== undefined && { topic }) };
}

/** What `prune` is asked to remove: it reads the whole volume, so options of one file have no place. */
function pruneOf({ file, type, keep, ...values }: Words["values"], flags: Words["flags"]): PruneArguments {
  const other = file !== undefined ? "--file" : type !== undefined ? "--type" : undefined;
  if (other) throw new JobError("usage.together", { option: other, other: "prune" });
  const { version, object, os, arch } = claim(values);
  if (keep !== undefined && version !== undefined)
    throw new JobError("usage.together", { option: "--keep", other: "--version" });
  if (keep === undefined && version === undefined)
    throw new JobError("usage.needs", { option: "prune", needs: "--keep N (or --version VERSION)" });
  if (keep !== undefined && !/^[1-9]\d{0,5}$/.test(keep))
    throw new JobError("usage.value.count", { option: "--keep" });
  return {
    ...given({ keep: keep === undefined ? undefined : Number(keep), version, object, os, arch }),
    yes: flags.has("yes"),
  };
}

/** The options that describe a single file. */
function claim(values: Words["values"]): Omit<Arguments, "command" | "report" | "require" | "wait" | "deep"> {
  const { file } = values;
  if (file === "") throw new JobError("usage.value.missing", { option: "--file" });
  const type = choice("type", values.type, PACKAGE_TYPES);
  if (type !== undefined && type !== "controller" && file === undefined) {
    throw new JobError("usage.needs", { option: `--type ${type}`, needs: "--file" });
  }
  if (type === "collector" && values.object === undefined) {
    throw new JobError("usage.needs", { option: "--type collector", needs: "--object" });
  }
  const os = choice("os", values.os, OPERATING_SYSTEMS);
  const archName = choice("arch", values.arch, Object.keys(ARCH_NAMES));
  const arch = archOf(archName ?? "");
  const object = keyPart("object", values.object);
  const version = keyPart("version", values.version);
  return given({ file, type, os, arch, object, version: version && versionOf(version) });
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Returns the options that are given, without the others' keys. */
function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}

function choice<T extends string>(
  option: Option,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value.toLowerCase());
  if (found) return found;
  const near = nearest(value, allowed);
  throw new JobError("usage.value.choice", { option: `--${option}`, value, allowed, nearest: near });
}

/** A part of the key `{os}/{arch}/{object}/{version}/{name}`: must not bring a separator of its own. */
function keyPart(option: Option, value: string | undefined): string | undefined {
  if (value === undefined || isKeyPart(value)) return value;
  throw new JobError("usage.value.form", { option: `--${option}` });
}

function isOption(name: string): name is Option {
  return Object.hasOwn(OPTIONS, name);
}

/**
 * Node's parser splits the words; the job checks them itself, so that messages are in the operator's
 * language.
 */
function read(argv: readonly string[]): Words {
  const { tokens } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const flags = new Set<Option>();
  const values: { [O in Option]?: string } = {};
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    if (!isOption(name)) throw new JobError("usage.option", { option: rawName, nearest: nearOption(name) });
    if (OPTIONS[name].type === "boolean") {
      if (value !== undefined) throw new JobError("usage.value.unexpected", { option: rawName });
      flags.add(name);
    } else {
      // `--file --json`: the value was forgotten
      if (value === undefined || (!inlineValue && value.startsWith("-"))) {
        throw new JobError("usage.value.missing", { option: rawName });
      }
      // of any other the last one counts; of two files one would be left out unseen
      if (name === "file" && values.file !== undefined)
        throw new JobError("usage.twice", { option: rawName });
      values[name] = value;
    }
  }
  return { words, flags, values };
}

function nearOption(name: string): string | undefined {
  const known = Object.keys(OPTIONS).filter((option) => option !== "program-version");
  const near = nearest(name, known);
  return MEANT.get(name) ?? (near && `--${near}`);
}
