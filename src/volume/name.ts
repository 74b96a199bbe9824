import { type Arch, archOf, OPERATING_SYSTEMS, type Os, type PackageType } from "../identity.ts";

/** A controller archive's name: the words, and the ending that gives the format. */
const ARCHIVE = /^fusion-collectors(.*)\.(zip|tar\.gz|tgz)$/is;
const ENDING = /\.(?:zip|tar\.gz|tgz|exe)$/i;
/** Marks that browsers and file managers add to a second copy: ` (1)`, ` - Copy`, ` copy 2`, ` - 副本`. */
const COPY = /\s*\(\d{1,3}\)|\s*[-_ ]\s*(?:copy|副本|拷贝)(?:\s*\d{1,3})?(?![a-z])|副本/giu;
/** A word's characters; Chinese may follow a word without a blank. */
const LETTER = "[[\\p{L}\\p{N}]--\\p{Script=Han}]";
const OS_OR_ARCH = new RegExp(
  `(?<!${LETTER})(linux|windows|amd64|x86[_\\-]64|arm64|aarch64)(?!${LETTER}|\\+)`,
  "giv",
);
/** `-rc1`, `-beta.2`: only words that mean a stage of release, so that `-linux` is never one. */
const STAGE =
  "-(?:alpha|beta|rc|pre|preview|dev|snapshot|nightly|build|hotfix|patch|fix|sp|ga|p|r)(?:[.\\-]?\\d+)?";
const BUILD = "\\+[0-9a-z]+(?:[.\\-][0-9a-z]+)*";
const VERSION = new RegExp(
  `(?<!${LETTER})(?:v(?:er(?:sion)?)?|rel(?:ease)?)?(\\d+\\.\\d+\\.\\d+(?:\\.\\d+)?(?:${STAGE})?(?:${BUILD})?)(?!${LETTER}|[+~#])`,
  "giv",
);
/** A commit's hash: at least one digit and one letter in it. */
const HASH = `(?=[0-9a-f]*\\d)(?=\\d*[a-f])[0-9a-f]{7,40}(?!${LETTER})`;
/** The rest of a name, if it still looks like a version: `2.1`, `1_2_3`, `v2`, `20251021`, `r1.2.3`. */
const LIKE_VERSION = new RegExp(
  `(?<!${LETTER}|\\+)v?\\d[\\p{L}\\d.,_+~\\-]*|[\\p{L}\\d]*\\d(?:[._,]\\d+)+|(?<!${LETTER})g?${HASH}`,
  "giv",
);
/** A suffix that makes another version: `1.2.3_rc1`, `1.2.3-b7`, `1.2.3 build 7`, a commit. */
const STAGE_APART = new RegExp(
  [
    "\\0[\\-_.~# ]?\\d\\S*(?<!\\s\\d{1,3})",
    `\\0[\\-_. ](?:[abcmv]|pl)[.\\-]?\\d+(?!${LETTER})`,
    `(?<=\\0.*)(?<!${LETTER})(?:(?:alpha|beta|rc|snapshot|nightly|dirty)[.\\-_ ]?\\d*|(?:pre|preview|dev|build|hotfix|patch|fix|sp)[.\\-_ ]?\\d+)(?!${LETTER})`,
    `(?<=\\0.*)(?<!${LETTER})g?${HASH}`,
  ].join("|"),
  "iv",
);

/** The parts that a file's name gives. */
export interface Named {
  os?: Os;
  arch?: Arch;
  version?: string;
}

/** A problem of a name, as a reason of the catalog. */
type NameProblem =
  | { reason: "name.ambiguous"; params: { what: keyof Named; values: string[] } }
  | { reason: "name.version.unreadable"; params: { text: string } };

/** Returns the format of a controller's archive by its name; undefined: it is no such name. */
export function formatOf(name: string): "zip" | "tar.gz" | undefined {
  const ending = ARCHIVE.exec(name)?.[2]?.toLowerCase();
  if (ending === undefined) return undefined;
  return ending === "zip" ? "zip" : "tar.gz";
}

/**
 * Parses an archive's name: words in any order after `fusion-collectors`; unknown words are ignored. Two
 * values for one part, or a text that looks like a version but is none, are a problem (exit 65), unless
 * `given` has the part. Any other name is parsed as a whole.
 */
export function parseName(
  name: string,
  given: { [what in keyof Named]?: unknown } = {},
): { named: Named } | { problem: NameProblem } {
  const said = { os: new Set<Os>(), arch: new Set<Arch>(), version: new Set<string>() };
  const words = plain(ARCHIVE.exec(name)?.[1] ?? name.replace(ENDING, ""));
  // x86_64 contains a separator and digits: removed before the version is searched
  const rest = words.replace(OS_OR_ARCH, (word) => {
    const arch = archOf(word.replace("-", "_"));
    if (arch) said.arch.add(arch);
    else said.os.add(word.toLowerCase() as Os);
    return " ";
  });
  const left = rest.replace(VERSION, (_, version: string) => {
    said.version.add(version);
    return "\0";
  });
  for (const [what, values] of Object.entries(said) as [keyof Named, Set<string>][]) {
    if (values.size > 1 && given[what] === undefined)
      return { problem: { reason: "name.ambiguous", params: { what, values: [...values] } } };
  }
  const text = given.version === undefined ? likeVersion(left, said.version.size > 0) : undefined;
  if (text !== undefined) return { problem: { reason: "name.version.unreadable", params: { text } } };
  const [os] = said.os;
  const [arch] = said.arch;
  const [version] = said.version;
  return { named: { ...(os && { os }), ...(arch && { arch }), ...(version && { version }) } };
}

/** Returns the words with full-width characters and `%20` resolved, without the mark of a second copy. */
function plain(words: string): string {
  const decoded = words.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decoded.normalize("NFKC").replace(COPY, " ");
}

/**
 * Returns a text that looks like a version but cannot be read as one. Next to a version, only a suffix counts
 * that makes it another one (`1.2.3-4`, a package's revision), or a number with dots.
 */
function likeVersion(left: string, hasVersion: boolean): string | undefined {
  if (!hasVersion) return left.match(LIKE_VERSION)?.[0];
  const apart = STAGE_APART.exec(left)?.[0].replaceAll("\0", "").trim();
  return apart ?? left.replaceAll("\0", " ").match(/\d+(?:\.\d+)+/)?.[0];
}

/** BK-Lite's name of the installer for each os (BKLITE.md, "Objects without rows"). */
export const INSTALLER_NAMES: Record<Os, string> = {
  linux: "bklite-controller-installer",
  windows: "bklite-controller-installer.exe",
};
/** The program that starts the installer on a remote Windows machine. */
export const BOOTSTRAP_NAME = "bklite-controller-bootstrap.exe";

/** APM probes by name, with the language in their keys. */
export const PROBES: Readonly<Record<string, string>> = {
  "opentelemetry-javaagent.jar": "java",
  "opentelemetry-python-wheels.tar.gz": "python",
  "opentelemetry-js-auto.tgz": "nodejs",
  "opentelemetry-go-sdk.zip": "go",
  "opentelemetry-dotnet-auto-linux-glibc-x64.zip": "dotnet",
};

/** Every name that identifies a package by itself. */
export const KNOWN_NAMES: readonly string[] = [
  ...Object.values(INSTALLER_NAMES),
  BOOTSTRAP_NAME,
  ...Object.keys(PROBES),
];

/** Versions for the archives in the same folder. */
export const VERSION_FILE = "VERSION";

/** Returns the type of a file with a known name, in any folder and any case; undefined: not a known name. */
export function typeByName(name: string): PackageType | undefined {
  const known = knownName(name);
  if (known === undefined) return undefined;
  return Object.hasOwn(PROBES, known) ? "apm-probe" : "installer";
}

/** Returns a known name as BK-Lite writes it today. */
export function knownName(name: string): string | undefined {
  const lower = name.toLowerCase();
  // the Windows installer's former name
  if (lower === "collector-sidecar-installer.exe") return INSTALLER_NAMES.windows;
  return KNOWN_NAMES.find((known) => known === lower);
}

/** A collector folder of the official bundle. */
export interface Slot {
  os: Os;
  /** undefined: no folder names one. */
  arch?: Arch;
}

/** Returns the slot of a path such as `collector/windows/amd64/vector.exe`; undefined: it is in none. */
export function slotOf(file: string): Slot | undefined {
  const [name, ...above] = file.split("/").reverse();
  if (name === undefined) return undefined;
  const arch = above[0] === undefined ? undefined : archOf(above[0]);
  const [os, root] = arch === undefined ? above : above.slice(1);
  const known = OPERATING_SYSTEMS.find((one) => one === os?.toLowerCase());
  if (!known || root?.toLowerCase() !== "collector") return undefined;
  return { os: known, ...(arch && { arch }) };
}
