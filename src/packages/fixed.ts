import type { Arch, Os } from "../identity.ts";

/** The name under which BK-Lite keeps an installer; one name for each os. */
export const INSTALLER_NAMES: Record<Os, string> = {
  linux: "bklite-controller-installer",
  windows: "bklite-controller-installer.exe",
};
export const BOOTSTRAP_NAME = "bklite-controller-bootstrap.exe";

/** The key of a platform's installer (BKLITE.md, "Objects without rows"). */
export function installerKey(os: Os, arch: Arch): string {
  return `installer/${os}/${arch}/${INSTALLER_NAMES[os]}`;
}

/** The key of the program by which BK-Lite starts the installer on a Windows machine from afar. */
export const BOOTSTRAP_KEY = `installer/windows/x86_64/${BOOTSTRAP_NAME}`;
