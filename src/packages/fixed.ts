import { problem } from "../errors.ts";
import type { Arch, Os } from "../identity.ts";
import { BOOTSTRAP_NAME, INSTALLER_NAMES, knownName, PROBES } from "../volume/name.ts";
import type { Archive, Package } from "./package.ts";
import { checkProgram, describeProgram, platformOf } from "./programs.ts";
import { LATEST } from "./versions.ts";

/** The key of a platform's installer. */
export function installerKey(os: Os, arch: Arch): string {
  return `installer/${os}/${arch}/${INSTALLER_NAMES[os]}`;
}

/** The key of an APM probe. */
export function probeKey(language: string, name: string): string {
  return `apm/probe/${language}/${name}`;
}

/** The key of the program by which BK-Lite starts the installer on a Windows machine from afar. */
export const BOOTSTRAP_KEY = `installer/windows/x86_64/${BOOTSTRAP_NAME}`;

/**
 * An installer, for the platform that its header says; what somebody said of it, and its name, must agree. Throws exit 65 for what is no
 * program.
 */
export function installerPackage(archive: Archive): Package {
  const { program, file } = archive;
  const found = platformOf(program);
  if (!found) {
    const instead = program?.format === "other" ? program.instead : undefined;
    throw problem(file, "installer.kind", { found: describeProgram(program), ...(instead && { instead }) });
  }
  const said = { ...archive.claim };
  const known = knownName(archive.name);
  const isBootstrap = known === BOOTSTRAP_NAME || said.object?.toLowerCase() === "bootstrap";
  const named = known === INSTALLER_NAMES.linux ? "linux" : known === undefined ? undefined : "windows";
  const os = said.os ?? (isBootstrap ? "windows" : (named ?? found.os));
  const arch = said.arch ?? (isBootstrap ? "x86_64" : found.arch);
  checkProgram(file, program, { os, arch }, "installer");
  return {
    type: "installer",
    os,
    arch,
    object: isBootstrap ? "bootstrap" : "installer",
    version: LATEST,
    archive,
    name: isBootstrap ? BOOTSTRAP_NAME : INSTALLER_NAMES[os],
    description: said.description ?? "",
    fixedKey: isBootstrap ? BOOTSTRAP_KEY : installerKey(os, arch),
  };
}

/** An APM probe. Throws exit 65 for a name that BK-Lite does not know. */
export function probePackage(archive: Archive): Package {
  const name = knownName(archive.name);
  const language = name === undefined ? undefined : PROBES[name];
  if (name === undefined || language === undefined)
    throw problem(archive.file, "probe.unknown", { names: Object.keys(PROBES) });
  return {
    type: "apm-probe",
    os: "linux",
    arch: "x86_64",
    anywhere: true,
    object: language,
    version: LATEST,
    archive,
    name,
    description: archive.claim?.description ?? "",
    fixedKey: probeKey(language, name),
  };
}
