/**
 * reconcile/: from what the volume asks for (desired) and what the servers hold (observed) to a plan, and from the plan to both being
 * the same. The plan is pure: it is decided from what was read, and changes nothing that it has returned.
 */
import { EXIT, JobError } from "../errors.ts";
import type { Identity } from "../identity.ts";
import type { PackageAction, RowAction } from "../output/report.ts";
import type { Package } from "../packages/package.ts";
import { isSystemRow, type Row, type RowValues } from "../registry/rows.ts";
import { ORIGIN_HEADER, REPLACES_HEADER } from "../store/meta.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import { keysOf } from "./key.ts";

/** A package on the volume, and what tells whether a stored object has its bytes. */
export interface DesiredPackage {
  package: Package;
  /** Hex; undefined while the file has not had to be read. */
  sha256: string | undefined;
  /** Bytes; undefined where they are made and not known before. */
  bytes: number | undefined;
  /** For what is made: of what, and how. The object's header says the same if nothing has changed. */
  origin?: string;
}

/** A collector that has a row of its own, but no object: it names the controller's archive, as the guide does. */
export interface SharedCollector extends Identity {
  controller: Package;
}

export interface PlanInput {
  desired: readonly DesiredPackage[];
  collectors: readonly SharedCollector[];
  rows: readonly Row[];
  /** By key; deleted markers included. */
  objects: ReadonlyMap<string, StoredObject>;
  archColumn: boolean;
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
  /** An object under another key that nothing is served by after this run. */
  obsolete: StoredObject | undefined;
  /** Chunks, by nuid, of all such objects: a new object's headers name them, so that a crash before they are removed is made good. */
  supersedes: readonly string[];
}

export interface RowDecision {
  action: RowAction;
  row: Row | undefined;
  values: RowValues;
  /** The package that must be stored before the row may be written. */
  after: Decision;
}

export interface Plan {
  packages: Decision[];
  rows: RowDecision[];
}

/** The object that the server would serve for a package now (SPEC §4's O): under the row's name, or the file's. */
export function storedFor(
  pkg: Package,
  input: Omit<PlanInput, "desired" | "collectors" | "onConflict">,
): StoredObject | undefined {
  const row = findRow(pkg, input);
  return served(keysOf(pkg, row?.name ?? pkg.name, input.archColumn), input.objects);
}

/** Decides, from what was read, what to do with each package and row. Pure: SPEC §4's table. */
export function plan(input: PlanInput): Plan {
  const packages = input.desired.map((desired) => decide(desired, input));
  const rows = [
    ...packages.map((decision) => decideRow(decision.desired.package, decision, input)),
    ...input.collectors.flatMap((collector) => {
      const after = packages.find((decision) => decision.desired.package === collector.controller);
      return after ? [decideRow(collector, after, input)] : [];
    }),
  ];
  markObsolete(packages, rows, input);
  return { packages, rows: rows.filter((row) => !row.after.conflict) };
}

function decide(desired: DesiredPackage, input: PlanInput): Decision {
  const { package: pkg } = desired;
  const row = findRow(pkg, input);
  const stored = storedFor(pkg, input);
  const foreign = row !== undefined && !isSystemRow(row);
  const rowName = row?.name ?? pkg.name;
  const base = { desired, row, stored, obsolete: undefined, supersedes: [] };
  const name = foreign ? row.name : pkg.name;
  const [newKey] = keysOf(pkg, name, input.archColumn);
  const target = input.objects.get(newKey);
  const done = target !== undefined && isWhole(target) && sameBytes(desired, target);
  if (!stored && done) {
    // under the name that the row is about to get
    return {
      ...base,
      desired: known(desired, target),
      action: "unchanged",
      key: newKey,
      name,
      upload: false,
    };
  }
  if (!stored) return { ...base, action: "uploaded", key: newKey, name, upload: true };
  const inPlace = { ...base, key: stored.key, name: rowName };
  if (sameBytes(desired, stored)) {
    const whole = isWhole(stored);
    if (whole) return { ...inPlace, desired: known(desired, stored), action: "unchanged", upload: false };
    return { ...inPlace, action: "repaired", upload: true };
  }
  const choice = foreign && input.onConflict !== "keep" ? "fail" : foreign ? "keep" : input.onConflict;
  // `latest` is a moving version: the platform itself uploads it again each time.
  const rule = pkg.version === "latest" && !foreign ? "replace" : choice;
  if (rule === "keep") return { ...inPlace, action: "kept", upload: false };
  if (rule === "fail") {
    return {
      ...inPlace,
      action: "kept",
      upload: false,
      conflict: conflict(desired, stored, foreign ? row : undefined),
    };
  }
  return { ...base, action: "replaced", key: newKey, name: pkg.name, upload: !done };
}

function decideRow(
  identity: Identity & { description?: string },
  after: Decision,
  input: PlanInput,
): RowDecision {
  const row = findRow(identity, input);
  const values = {
    type: identity.type,
    os: identity.os,
    arch: input.archColumn ? identity.arch : null,
    object: identity.object,
    version: identity.version,
    name: after.name,
    description: identity.description ?? "",
  };
  if (!row) return { action: "inserted", row, values, after };
  if (!isSystemRow(row) || row.name === after.name)
    return { action: "unchanged", row, values: { ...values, name: row.name }, after };
  return { action: "updated", row, values, after };
}

/** An object that was replaced under another key goes, unless some row is still served by it. */
function markObsolete(packages: Decision[], rows: RowDecision[], input: PlanInput): void {
  const renamed = new Map(rows.filter((r) => r.action === "updated").map((r) => [r.row?.id, r.values.name]));
  const written = packages.filter(
    (decision) => decision.action === "replaced" || decision.action === "uploaded",
  );
  const after = new Map(input.objects);
  for (const { key, stored } of written) after.set(key, { ...(stored as StoredObject), key, deleted: false });
  const inUse = new Set(packages.map((decision) => decision.key));
  for (const row of [...input.rows, ...rows.filter((r) => r.action === "inserted").map((r) => r.values)]) {
    const name = ("id" in row && renamed.get(row.id as number)) || row.name;
    const found = served(keysOf(row, name, input.archColumn), after);
    if (found) inUse.add(found.key);
  }
  for (const decision of packages) {
    const { stored, key, action } = decision;
    if (!stored) continue;
    const moved = action === "replaced" && stored.key !== key ? [stored] : [];
    const left = [...moved, ...leftovers(stored, input.objects)].filter((object) => !inUse.has(object.key));
    decision.obsolete = left[0];
    decision.supersedes = left.map((object) => object.nuid);
  }
}

/** Objects that an earlier run replaced by this one under another key, and then did not come to remove. */
function leftovers(object: StoredObject, objects: ReadonlyMap<string, StoredObject>): StoredObject[] {
  const replaced = object.headers[REPLACES_HEADER];
  if (!replaced) return [];
  return [...objects.values()].filter((other) => !other.deleted && replaced.includes(other.nuid));
}

/** The first of the keys that holds an object, as the server looks for it. */
function served(
  keys: readonly string[],
  objects: ReadonlyMap<string, StoredObject>,
): StoredObject | undefined {
  for (const key of keys) {
    const object = objects.get(key);
    if (object && !object.deleted) return object;
  }
  return undefined;
}

function findRow(
  identity: Identity,
  { rows, archColumn }: Pick<PlanInput, "rows" | "archColumn">,
): Row | undefined {
  // The unique constraint leaves `type` out.
  return rows.find(
    (row) =>
      row.os === identity.os &&
      row.object === identity.object &&
      row.version === identity.version &&
      (!archColumn || row.arch === identity.arch),
  );
}

function sameBytes({ sha256, bytes, origin }: DesiredPackage, object: StoredObject): boolean {
  if (sha256 !== undefined) return object.sha256 === sha256 && object.size === bytes;
  return origin !== undefined && hasOrigin(object, origin);
}

/** Whether an object was made of that, in that way: then its bytes are the same. */
export function hasOrigin(object: StoredObject, origin: string): boolean {
  return object.headers[ORIGIN_HEADER]?.[0] === origin;
}

/** What is stored has the desired bytes: so that is what they come to. */
function known(desired: DesiredPackage, { sha256, size }: StoredObject): DesiredPackage {
  return { ...desired, sha256, bytes: size };
}

function conflict(
  { package: pkg, sha256 }: DesiredPackage,
  stored: StoredObject,
  person: Row | undefined,
): JobError {
  const digests = `stored ${stored.sha256 ?? "unknown"}, on the volume ${sha256 ?? "unknown"}`;
  const whose = person ? `uploaded by "${person.createdBy}", never overwritten` : "ON_CONFLICT=fail";
  return JobError.legacy(
    EXIT.invalidPackage,
    `${pkg.archive.file}: ${pkg.os} ${pkg.object} ${pkg.version} is stored with other bytes (${whose}; SHA-256: ${digests})`,
    {
      hint: person
        ? "give this build another version (PACKAGE_VERSION or --version), delete the package on the web page, or set ON_CONFLICT=keep"
        : "give this build another version (PACKAGE_VERSION or --version), or set ON_CONFLICT=replace or keep",
    },
  );
}
