/**
 * packages/: what the files on the volume are in BK-Lite: controllers, collectors, installers, APM probes, under which identity, and
 * in which form they are stored. Knows neither Postgres nor NATS.
 */
import type { Entry } from "../archive/types.ts";
import type { Arch, Identity, Os } from "../identity.ts";
import type { FileStamp, VolumeFile } from "../volume/file.ts";
import type { Named } from "../volume/name.ts";
import type { Versions } from "../volume/version.ts";
import type { Contents } from "./contents.ts";

/** An archive that has been opened and read as the package it claims to be. */
export interface Archive extends VolumeFile, Contents {
  /** `other`: a stand-alone collector of any content, which is never opened as an archive. */
  format: "zip" | "tar.gz" | "other";
  stamp: FileStamp;
  /** What the file's name says. */
  named: Named;
  /** What the VERSION file says: one version, or one for each os. */
  versions: Versions;
  /** Everything in it, in its own order. */
  entries: readonly Entry[];
  /** Lower-case hex; known already where the scan had to read the whole file anyway (tar.gz, checksum files). */
  sha256: string | undefined;
}

/** One package to be stored and registered. */
export interface Package extends Identity {
  archive: Archive;
  /** The row's name and the last part of the key. */
  name: string;
  description: string;
  /**
   * Set for what has no row (an installer, an APM probe): the one key under which it is stored, whatever the table looks like
   * (BKLITE.md). Such packages move: each upload replaces the last.
   */
  fixedKey?: string;
  /** Set where the package is not the archive itself but a collector that is cut out of it. */
  cut?: Cut;
}

/** A collector's own part of an archive. */
export interface Cut {
  /** Below the archive's top folder: the executable, `bin/telegraf`, or its folder, `bin/filebeat`, which becomes a zip. */
  path: string;
  /** The collector's executable, below the top folder. */
  executable: string;
  folder: boolean;
  /** What its bytes come to; unknown until it has been cut once. */
  digest?: { sha256: string; bytes: number };
}

/** A row for a collector that names the archive of its controller: no object of its own. */
export interface Collector extends Identity {
  type: "collector";
  archive: Archive;
  /** The row's name: the archive's. */
  name: string;
  /** The member that makes it a collector: `bin/telegraf`. */
  executable: string;
}

/** A collector as the platform defines it. `executable` is below the top folder, with `/`: `bin/telegraf`. */
export interface CollectorDefinition {
  object: string;
  os: Os;
  /** undefined: whatever the architecture. */
  arch: Arch | undefined;
  executable: string;
}
