import { type Arch, archOf, OPERATING_SYSTEMS, type Os, type PackageType } from "../identity.ts";

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
