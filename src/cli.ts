import { parseArgs } from "node:util";
import { EXIT, JobError } from "./errors.ts";
import { ARCH_NAMES, type Arch, archOf, isKeyPart, type Os, type PackageType } from "./identity.ts";

const COMMANDS = ["init", "plan", "verify", "wait"] as const;
export type Command = (typeof COMMANDS)[number];

export interface Arguments {
  command: Command;
  help: boolean;
  json: boolean;
  /** `verify --wait`: poll until it holds. */
  wait: boolean;
  /** One package by hand instead of the volume. */
  file?: string;
  type?: PackageType;
  os?: Os;
  arch?: Arch;
  object?: string;
  version?: string;
}

export const USAGE =
  "usage: bklite-package-init [init|plan|verify|wait] [--auto | --file PATH] [--type controller|collector] " +
  "[--os linux|windows] [--arch x86_64|arm64] [--object NAME] [--version VERSION] [--wait] [--json] [-h|--help]";

export const HELP = `${USAGE}

Fills BlueKing Lite's probe packages: puts the fusion-collectors archives of a mounted volume into the NATS
Object Store, registers controller and collectors in Postgres, and proves it. A second run changes nothing.

Commands
  init      wait for the servers, scan, upload, register, verify (the default)
  plan      show what init would do; writes nothing
  verify    check that everything on the volume is stored and registered; exit 76 if not
  wait      wait until Postgres (and the table) and NATS (and JetStream) are usable

Options
  --auto            every archive in PACKAGES_DIR (the default)
  --file PATH       one package by hand, whatever its name
  --type TYPE       controller (default) or collector; collector needs --file and --object
  --os OS           linux or windows; wins over what the file's name says
  --arch ARCH       x86_64 (amd64) or arm64 (aarch64)
  --object NAME     Controller (default), Telegraf, Vector, ...
  --version VERSION such as 1.0.0, or latest
  --wait            with verify: poll until it holds or WAIT_TIMEOUT is over
  --json            the report on standard output, the log on standard error
  -h, --help        this page

Examples
  bklite-package-init                      everything in /packages
  bklite-package-init plan                 what would be done?
  bklite-package-init --file fusion-collectors-linux-amd64.zip --version 2.0.0
  bklite-package-init --file telegraf-collector.zip --object Telegraf --type collector --version 1.0.0

Servers, credentials and behaviour come from the environment: DB_HOST (or DATABASE_URL), DB_PASSWORD, NATS_SERVERS,
NATS_TLS_CA_FILE, PACKAGES_DIR, ON_CONFLICT, WAIT_TIMEOUT, ... The README lists every variable, event and exit code.

Exit codes
   0  stored, registered and verified     74  a file could not be read, or changed
  64  command line                        75  lock not free in time, or RUN_TIMEOUT
  65  invalid or conflicting package      76  verification failed
  66  no volume or no archive             77  login, certificate or privilege
  69  Postgres or NATS not ready          78  configuration or table shape
  70  a bug here                          130, 143  stopped by SIGINT, SIGTERM
  73  store full or sealed
`;

function usageError(problem: string): JobError {
  return JobError.legacy(EXIT.usage, problem, { hint: USAGE });
}

function choice<T extends string>(
  option: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((a) => a === value.toLowerCase());
  if (!found) throw usageError(`--${option} must be one of ${allowed.join(", ")}`);
  return found;
}

/** A part of the key `{os}/{arch}/{object}/{version}/{name}`: must not bring a separator of its own. */
function keyPart(option: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (!isKeyPart(value)) {
    throw usageError(`--${option} must be 1 to 100 characters without "/", spaces or control characters`);
  }
  return value;
}

/** Parses the command line. Throws exit 64 with the usage line as its hint. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = read(argv);
  const [command = "init", ...extra] = positionals;
  const known = COMMANDS.find((c) => c === command);
  if (!known) throw usageError(`unknown command "${command}"`);
  if (extra.length > 0) throw usageError(`unexpected argument "${extra[0]}"`);
  if (values.auto && values.file !== undefined) throw usageError("--auto and --file exclude each other");
  if (values.file === "") throw usageError("--file needs a path");
  if (values.wait && known !== "verify") throw usageError("--wait goes with verify");
  const type = choice("type", values.type, ["controller", "collector"]);
  if (type === "collector" && (values.file === undefined || values.object === undefined)) {
    throw usageError("--type collector needs --file and --object");
  }
  const os = choice("os", values.os, ["linux", "windows"]);
  const archName = choice("arch", values.arch, Object.keys(ARCH_NAMES));
  const arch = archName && archOf(archName);
  const object = keyPart("object", values.object);
  const version = keyPart("version", values.version);
  return {
    command: known,
    help: values.help ?? false,
    json: values.json ?? false,
    wait: values.wait ?? false,
    ...(values.file !== undefined && { file: values.file }),
    ...(type && { type }),
    ...(os && { os }),
    ...(arch && { arch }),
    ...(object && { object }),
    ...(version && { version }),
  };
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        auto: { type: "boolean" },
        file: { type: "string" },
        type: { type: "string" },
        os: { type: "string" },
        arch: { type: "string" },
        object: { type: "string" },
        version: { type: "string" },
        wait: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    // Node's own sentence names the option; the rest of it is advice for programmers.
    throw usageError((error as Error).message.split(". ")[0] as string);
  }
}
