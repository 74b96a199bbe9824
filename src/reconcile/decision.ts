import type { JobError, Problem } from "../errors.ts";
import type { Identity } from "../identity.ts";
import type { PackageAction, RowAction } from "../messages/events.ts";
import type { Package } from "../packages/package.ts";
import type { Row, RowValues } from "../postgres/rows.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import type { DesiredPackage } from "./content.ts";
import type { Observed } from "./key.ts";

/** A collector that has a row of its own, but no object: it names the controller's archive, as the guide does. */
export interface SharedCollector extends Identity {
  controller: Package;
}

export interface PlanInput extends Observed {
  desired: readonly DesiredPackage[];
  collectors: readonly SharedCollector[];
  /** Columns that this server's table has. */
  hasDigest: boolean;
  hasStatus: boolean;
  onConflict: "replace" | "keep" | "fail";
}

/** What is to be done with one package. */
export interface Decision {
  desired: DesiredPackage;
  action: PackageAction;
  /** Set instead of an action that would overwrite what may not be overwritten. */
  conflict?: JobError;
  /** The key under which the package is served after the run. */
  key: string;
  /** The row's name after the run. */
  name: string;
  row: Row | undefined;
  /** The object that is served now. */
  stored: StoredObject | undefined;
  /** Whether bytes have to be sent: false where a run that was cut short has already sent them. */
  upload: boolean;
  /**
   * Objects under other keys that nothing is served by after this run. A new object's headers name their chunks, so that a crash
   * before they are removed is made good.
   */
  obsolete: readonly StoredObject[];
}

/** Whether a package's bytes are going to be sent. */
export function isUploaded({ upload, conflict }: Decision): boolean {
  return upload && !conflict;
}

/** Digest and size of what is stored of a package now, as far as a client can read it. */
export function contentNow({ stored }: Pick<Decision, "stored">): {
  sha256: string | null;
  bytes: number | null;
} {
  return stored && isWhole(stored)
    ? { sha256: stored.sha256 ?? null, bytes: stored.size }
    : { sha256: null, bytes: null };
}

/** A decision before it is known what else it leaves behind. */
export type Verdict = Omit<Decision, "obsolete">;

export interface RowDecision {
  action: RowAction;
  row: Row | undefined;
  /** What the row says after the run; an object that has yet to be made may have a digest that is not known before. */
  values: RowValues;
  /** Set where the row may not be touched, and BK-Lite does not offer it as it is. */
  conflict?: JobError;
  /** False for a shared collector, whose row names the object of the controller. */
  hasObject: boolean;
  /** The package that must be stored before the row may be written. */
  after: Decision;
}

export type RowVerdict = Omit<RowDecision, "after"> & { after: Verdict };

export interface Plan {
  packages: readonly Decision[];
  rows: readonly RowDecision[];
  /** What a person should know, though it stops nothing. */
  warnings: readonly Problem[];
}
