import { type Arch, archOf, OPERATING_SYSTEMS, type Os, type PackageType } from "../identity.ts";

/** An archive's name: the ending says how it is packed, the rest what it is for. */
const ARCHIVE = /^fusion-collectors(.*)\.(zip|tar\.gz|tgz)$/is;
const ENDING = /\.(?:zip|tar\.gz|tgz|exe)$/i;
/** What browsers and file managers add to a second copy: ` (1)`, ` - Copy`, ` copy 2`, ` - 副本`. */
const COPY = /\s*\(\d{1,3}\)|\s*[-_ ]\s*(?:copy|副本|拷贝)(?:\s*\d{1,3})?(?![a-z])|副本/giu;
/** What words are made of; Chinese stands right beside them, without a blank. */
const LETTER = "[[\\p{L}\\p{N}]--\\p{Script=Han}]";
const OS_OR_ARCH = new RegExp(
  `(?<!${LETTER})(linux|windows|amd64|x86[_\\-]64|arm64|aarch64)(?!${LETTER}|\\+)`,
  "giv",
);
/** `-rc1`, `-beta.2`: only words that mean a stage of release, so that `-linux` or `-offline` is never one. */
const STAGE =
  "-(?:alpha|beta|rc|pre|preview|dev|snapshot|nightly|build|hotfix|patch|fix|sp|ga|p|r)(?:[.\\-]?\\d+)?";
const BUILD = "\\+[0-9a-z]+(?:[.\\-][0-9a-z]+)*";
const VERSION = new RegExp(
  `(?<!${LETTER})(?:v(?:er(?:sion)?)?|rel(?:ease)?)?(\\d+\\.\\d+\\.\\d+(?:\\.\\d+)?(?:${STAGE})?(?:${BUILD})?)(?!${LETTER}|[+~#])`,
  "giv",
);
/** A commit's hash: at least one digit and one letter in it. */
const HASH = `(?=[0-9a-f]*\\d)(?=\\d*[a-f])[0-9a-f]{7,40}(?!${LETTER})`;
/** What is left of a name and looks like a version all the same: `2.1`, `1_2_3`, `v2`, `20251021`, `r1.2.3`. */
const LIKE_VERSION = new RegExp(
  `(?<!${LETTER}|\\+)v?\\d[\\p{L}\\d.,_+~\\-]*|[\\p{L}\\d]*\\d(?:[._,]\\d+)+|(?<!${LETTER})g?${HASH}`,
  "giv",
);
/** What makes a version another one, behind it but not as it is written: `1.2.3_rc1`, `1.2.3-b7`, `1.2.3 build 7`, a commit. */
const STAGE_APART = new RegExp(
  [
    "\\0[\\-_.~# ]?\\d\\S*(?<!\\s\\d{1,3})",
    `\\0[\\-_. ](?:[abcmv]|pl)[.\\-]?\\d+(?!${LETTER})`,
    `(?<=\\0.*)(?<!${LETTER})(?:(?:alpha|beta|rc|snapshot|nightly|dirty)[.\\-_ ]?\\d*|(?:pre|preview|dev|build|hotfix|patch|fix|sp)[.\\-_ ]?\\d+)(?!${LETTER})`,
    `(?<=\\0.*)(?<!${LETTER})g?${HASH}`,
  ].join("|"),
  "iv",
);

const MEANING: Record<string, { os: Os } | { arch: Arch }> = {
  linux: { os: "linux" },
  windows: { os: "windows" },
  amd64: { arch: "x86_64" },
  x86_64: { arch: "x86_64" },
  "x86-64": { arch: "x86_64" },
  arm64: { arch: "arm64" },
  aarch64: { arch: "arm64" },
};

/** What a file's name says. */
export interface Named {
  os?: Os;
  arch?: Arch;
  version?: string;
}

/** What is wrong with a name, as a reason of the catalog. */
export type NameProblem =
  | { reason: "name.ambiguous"; params: { what: keyof Named; values: string[] } }
  | { reason: "name.version.unreadable"; params: { text: string } };

/** How a file with this name is packed; undefined for a name that is not an archive's. */
export function formatOf(name: string): "zip" | "tar.gz" | undefined {
  const ending = ARCHIVE.exec(name)?.[2]?.toLowerCase();
  return ending === undefined ? undefined : ending === "zip" ? "zip" : "tar.gz";
}

/**
 * What an archive's name says, its words in any order after `fusion-collectors`; unknown words say nothing. A name that says two different
 * things about the same, or something like a version that is none, is a problem (exit 65), for whoever reads it cannot know what is
 * meant; unless `given` says it. Of a file that somebody named on the command line the whole name is read.
 */
export function parseName(
  name: string,
  given: { [what in keyof Named]?: unknown } = {},
): { named: Named } | { problem: NameProblem } {
  const said = { os: new Set<Os>(), arch: new Set<Arch>(), version: new Set<string>() };
  const words = plain(ARCHIVE.exec(name)?.[1] ?? name.replace(ENDING, ""));
  // x86_64 holds a separator and digits, so these words go before a version is looked for
  const rest = words.replace(OS_OR_ARCH, (word) => {
    const meaning = MEANING[word.toLowerCase()];
    if (meaning && "os" in meaning) said.os.add(meaning.os);
    else if (meaning) said.arch.add(meaning.arch);
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

/** Full-width characters as plain ones, what a download left encoded (`%20`, `%2B`), and no mark of a second copy. */
function plain(words: string): string {
  const decoded = words.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decoded.normalize("NFKC").replace(COPY, " ");
}

/**
 * What cannot be read as a version but looks like one. Where there is a version as well, only what makes it another one counts (`1.2.3-4`,
 * a package's revision), or has dots.
 */
function likeVersion(left: string, hasVersion: boolean): string | undefined {
  if (!hasVersion) return left.match(LIKE_VERSION)?.[0];
  const apart = STAGE_APART.exec(left)?.[0].replaceAll("\0", "").trim();
  return apart ?? left.replaceAll("\0", " ").match(/\d+(?:\.\d+)+/)?.[0];
}

/** The name under which BK-Lite keeps an installer; one name for each os (BKLITE.md, "Objects without rows"). */
export const INSTALLER_NAMES: Record<Os, string> = {
  linux: "bklite-controller-installer",
  windows: "bklite-controller-installer.exe",
};
/** The program by which BK-Lite starts the installer on a Windows machine from afar. */
export const BOOTSTRAP_NAME = "bklite-controller-bootstrap.exe";

/** The name that the Windows installer had before. */
const FORMER_INSTALLER = "collector-sidecar-installer.exe";

/** What BK-Lite hands to applications, by name, and the part of its key that says for which language. */
export const PROBES: Readonly<Record<string, string>> = {
  "opentelemetry-javaagent.jar": "java",
  "opentelemetry-python-wheels.tar.gz": "python",
  "opentelemetry-js-auto.tgz": "nodejs",
  "opentelemetry-go-sdk.zip": "go",
  "opentelemetry-dotnet-auto-linux-glibc-x64.zip": "dotnet",
};

/** Every name that alone says what a file is. */
export const KNOWN_NAMES: readonly string[] = [
  ...Object.values(INSTALLER_NAMES),
  BOOTSTRAP_NAME,
  ...Object.keys(PROBES),
];

/** Versions for the archives in the same folder. */
export const VERSION_FILE = "VERSION";

/** What a file of this name is, wherever it lies; undefined where its name does not say. Capitals do not count. */
export function typeByName(name: string): PackageType | undefined {
  const known = knownName(name);
  if (known === undefined) return undefined;
  return Object.hasOwn(PROBES, known) ? "apm-probe" : "installer";
}

/** Returns a known name as BK-Lite writes it today. */
export function knownName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return lower === FORMER_INSTALLER ? INSTALLER_NAMES.windows : KNOWN_NAMES.find((known) => known === lower);
}

/** Where in the official bundle's layout something lies. */
export interface CollectorPlace {
  os: Os;
  /** undefined where no folder says it. */
  arch?: Arch;
}

/** `collector/linux/telegraf`, `collector/windows/amd64/vector.exe`: a place for one collector; undefined for any other. */
export function collectorPlace(file: string): CollectorPlace | undefined {
  const [name, ...above] = file.split("/").reverse();
  if (name === undefined) return undefined;
  const arch = above[0] === undefined ? undefined : archOf(above[0]);
  const [os, root] = arch === undefined ? above : above.slice(1);
  const known = OPERATING_SYSTEMS.find((one) => one === os?.toLowerCase());
  if (!known || root?.toLowerCase() !== "collector") return undefined;
  return { os: known, ...(arch && { arch }) };
}
