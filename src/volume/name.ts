import type { Arch, Os } from "../identity.ts";

/** An archive's name: the ending says how it is packed, the rest what it is for. */
const ARCHIVE = /^fusion-collectors(.*)\.(zip|tar\.gz|tgz)$/is;
const ENDING = /\.(?:zip|tar\.gz|tgz|exe)$/i;
const OS_OR_ARCH = /(?<![^\-_.])(linux|windows|amd64|x86_64|arm64|aarch64)(?![^\-_.])/gi;
/** `-rc1`, `-beta.2`: only words that mean a stage of release, so that `-linux` or `-offline` is never one. */
const STAGE =
  "-(?:alpha|beta|rc|pre|preview|dev|snapshot|nightly|build|hotfix|patch|fix|sp|ga|p|r)(?:[.-]?\\d+)?";
const VERSION = new RegExp(`(?<![^\\-_.])v?(\\d+\\.\\d+\\.\\d+(?:\\.\\d+)?(?:${STAGE})?)(?![^\\-_.])`, "gi");

const MEANING: Record<string, { os: Os } | { arch: Arch }> = {
  linux: { os: "linux" },
  windows: { os: "windows" },
  amd64: { arch: "x86_64" },
  x86_64: { arch: "x86_64" },
  arm64: { arch: "arm64" },
  aarch64: { arch: "arm64" },
};

/** What a file's name says. */
export interface Named {
  os?: Os;
  arch?: Arch;
  version?: string;
}

export interface NameProblem {
  reason: string;
  hint: string;
}

/** How a file with this name is packed; undefined for a name that is not an archive's. */
export function formatOf(name: string): "zip" | "tar.gz" | undefined {
  const ending = ARCHIVE.exec(name)?.[2]?.toLowerCase();
  return ending === undefined ? undefined : ending === "zip" ? "zip" : "tar.gz";
}

/**
 * What an archive's name says, its words in any order after `fusion-collectors`; unknown words say nothing. A name that
 * says two different things about the same is a problem (exit 65), for whoever reads it cannot know which is meant; unless
 * `given` says it. Of a file that somebody named on the command line the whole name is read.
 */
export function parseName(
  name: string,
  given: { [what in keyof typeof WORDS]?: unknown } = {},
): { named: Named } | { problem: NameProblem } {
  const said = { os: new Set<Os>(), arch: new Set<Arch>(), version: new Set<string>() };
  const words = ARCHIVE.exec(name)?.[1] ?? name.replace(ENDING, "");
  // x86_64 holds a separator and digits, so these words go before a version is looked for
  const rest = words.replace(OS_OR_ARCH, (word) => {
    const meaning = MEANING[word.toLowerCase()];
    if (meaning && "os" in meaning) said.os.add(meaning.os);
    else if (meaning) said.arch.add(meaning.arch);
    return " ";
  });
  for (const [, version] of rest.matchAll(VERSION)) {
    if (version !== undefined) said.version.add(version);
  }
  for (const [what, values] of Object.entries(said) as [keyof typeof said, Set<string>][]) {
    if (values.size < 2 || given[what] !== undefined) continue;
    const reason = `has a name with more than one ${WORDS[what]}: ${[...values].join(" and ")}`;
    return { problem: { reason, hint: "rename the file so that its name says each thing once" } };
  }
  const [os] = said.os;
  const [arch] = said.arch;
  const [version] = said.version;
  return { named: { ...(os && { os }), ...(arch && { arch }), ...(version && { version }) } };
}

const WORDS = { os: "operating system", arch: "architecture", version: "version" } as const;
