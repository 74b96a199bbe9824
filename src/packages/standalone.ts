import { invalid, printable } from "../archive/problem.ts";
import type { FoundCollector } from "./collectors.ts";
import type { Cut, Package } from "./package.ts";

/** Bytes; a zip's fields without zip64 hold 4 GiB, headers and directory included. */
const MAX_FOLDER_SIZE = 4_000_000_000;

/**
 * A collector of an archive as a package of its own (SPEC §5). BK-Lite downloads it to bin/ and, where its name ends in
 * `.zip`, unzips it there; so what lies in a folder below bin/ takes that folder along. Throws exit 65 for a folder that its
 * unzipper would refuse.
 */
export function standalone({ object, executable }: FoundCollector, controller: Package): Package {
  const { archive, os, arch, version } = controller;
  const cut = cutOf(executable);
  if (cut.folder) checkFolder(cut, controller);
  const last = cut.path.split("/").at(-1) ?? "";
  const name = cut.folder ? `${last}.zip` : last;
  return { type: "collector", os, arch, object, version, archive, name, description: "", cut };
}

/** Says, in a stored object's headers, where it was cut from: the archive's SHA-256 and the path in it. */
export function originOf(archiveSha256: string, { path }: Cut): string {
  return `${archiveSha256}:${path}`;
}

function cutOf(executable: string): Cut {
  const parts = executable.split("/");
  const folder = parts[0] === "bin" && parts.length > 2;
  return { path: folder ? parts.slice(0, 2).join("/") : executable, executable, folder };
}

function checkFolder({ path }: Cut, { archive }: Package): void {
  const folder = archive.folders.get(path);
  if (folder?.link !== undefined) {
    throw invalid(
      archive.file,
      `holds a link in ${printable(path)}, which BK-Lite's own unzipper refuses: ${printable(folder.link)}`,
      "put the file itself in the link's place, or set COLLECTOR_PACKAGES=shared",
    );
  }
  const size = folder?.entries.reduce((sum, file) => sum + file.size, 0) ?? 0;
  if (size > MAX_FOLDER_SIZE) {
    throw invalid(
      archive.file,
      `holds more in ${printable(path)} than goes into a plain zip: ${size} bytes`,
      "leave out what the collector does not need, or set COLLECTOR_PACKAGES=shared",
    );
  }
}
