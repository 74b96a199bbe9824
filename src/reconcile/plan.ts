/**
 * reconcile/: from what the volume asks for (desired) and what the servers hold (observed) to a plan, and from the plan to both being
 * the same. The plan is pure: it is decided from what was read, and changes nothing that it has returned.
 */
import type { JobError, Problem } from "../errors.ts";
import type { Identity } from "../identity.ts";
import type { PackageAction, RowAction } from "../output/report.ts";
import type { Package } from "../packages/package.ts";
import { isSystemRow, type Row, type RowValues } from "../registry/rows.ts";
import { REPLACES_HEADER } from "../store/meta.ts";
import { isWhole, type StoredObject } from "../store/object.ts";
import { conflictOf } from "./conflict.ts";
import { type DesiredPackage, known, sameContent } from "./content.ts";
import {
  findRow,
  isServedToAnother,
  keysOf,
  type Observed,
  otherArchitectures,
  packageKeys,
  served,
} from "./key.ts";

/** A collector that has a row of its own, but no object: it names the controller's archive, as the guide does. */
export interface SharedCollector extends Identity {
  controller: Package;
}

export interface PlanInput extends Observed {
  desired: readonly DesiredPackage[];
  collectors: readonly SharedCollector[];
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

/** A decision before it is known what else it leaves behind. */
type Verdict = Omit<Decision, "obsolete">;

export interface RowDecision {
  action: RowAction;
  row: Row | undefined;
  values: RowValues;
  /** The package that must be stored before the row may be written. */
  after: Decision;
}

export interface Plan {
  packages: readonly Decision[];
  rows: readonly RowDecision[];
  /** What a person should know, though it stops nothing. */
  warnings: readonly Problem[];
}

/** The object that the server would serve for a package now (SPEC §4's O): under the row's name, or the file's. */
export function storedFor(pkg: Package, input: Observed): StoredObject | undefined {
  const row = rowOf(pkg, input);
  const object = served(packageKeys(pkg, row, row?.name ?? pkg.name, input.archColumn), input.objects);
  // The old key, without the architecture, may be another architecture's: that one's object is not this one's.
  return object && !row && isServedToAnother(object, pkg, input) ? undefined : object;
}

/** Decides, from what was read, what to do with each package and row. Pure: SPEC §4's table. */
export function plan(input: PlanInput): Plan {
  const verdicts = input.desired.map((desired) => decide(desired, input));
  const own = verdicts.flatMap((verdict) => {
    const { package: pkg } = verdict.desired;
    return pkg.fixedKey === undefined ? [decideRow(pkg, verdict, input)] : [];
  });
  const shared = input.collectors.flatMap((collector) => {
    const after = verdicts.find((verdict) => verdict.desired.package === collector.controller);
    return after ? [decideRow(collector, after, input)] : [];
  });
  const rows = [...own, ...shared];
  const inUse = keysInUse(verdicts, rows, input);
  const packages = new Map(verdicts.map((verdict) => [verdict, complete(verdict, inUse, input)]));
  return {
    packages: [...packages.values()],
    rows: rows.flatMap((row) => {
      const after = packages.get(row.after);
      return after && !after.conflict ? [{ ...row, after }] : [];
    }),
    warnings: wrongArchitectures(verdicts, input),
  };
}

function decide(desired: DesiredPackage, input: PlanInput): Verdict {
  const { package: pkg } = desired;
  const row = rowOf(pkg, input);
  const stored = storedFor(pkg, input);
  const user = row && !isSystemRow(row) ? row : undefined;
  const name = user?.name ?? pkg.name;
  const [key] = packageKeys(pkg, row, name, input.archColumn);
  const target = input.objects.get(key);
  const done = target !== undefined && isWhole(target) && sameContent(desired, target);
  const moved = { desired, row, stored, key, name };
  // Under the name that the row is about to get: a run that was cut short has sent it.
  if (!stored && done)
    return { ...moved, desired: known(desired, target), action: "unchanged", upload: false };
  if (!stored) return { ...moved, action: "uploaded", upload: true };
  const inPlace = { ...moved, key: stored.key, name: row?.name ?? pkg.name };
  const whole = isWhole(stored);
  const same = sameContent(desired, stored);
  const renamed = same && !user && row !== undefined && isFormByName(pkg, row.name);
  if (same && !renamed) {
    if (whole) return { ...inPlace, desired: known(desired, stored), action: "unchanged", upload: false };
    return { ...inPlace, action: "repaired", upload: true };
  }
  const rule = user ? ruleForUser(input, whole) : ruleForOwn(pkg, input, whole);
  if (rule === "replace" || renamed) return { ...moved, action: "replaced", upload: !done };
  const kept = { ...inPlace, action: "kept", upload: false } as const;
  return rule === "keep"
    ? kept
    : { ...kept, conflict: conflictOf(desired, stored, { row: user, archColumn: input.archColumn }) };
}

/** Whether a collector under another name is another one: a node has it under its name, unless it is unzipped there. */
function isFormByName({ type, name }: Package, stored: string): boolean {
  return type === "collector" && name !== stored && !(name.endsWith(".zip") && stored.endsWith(".zip"));
}

/** What a user uploaded is never overwritten; what of it is damaged cannot be kept either. */
function ruleForUser({ onConflict }: PlanInput, whole: boolean): PlanInput["onConflict"] {
  return onConflict === "keep" && whole ? "keep" : "fail";
}

/** `latest`, installers and probes move: the platform itself uploads them again each time. What is damaged is worth no keeping. */
function ruleForOwn(pkg: Package, { onConflict }: PlanInput, whole: boolean): PlanInput["onConflict"] {
  if (pkg.version === "latest" || pkg.fixedKey !== undefined) return "replace";
  return onConflict === "keep" && !whole ? "replace" : onConflict;
}

type RowVerdict = Omit<RowDecision, "after"> & { after: Verdict };

function decideRow(
  identity: Identity & { description?: string; controller?: Package },
  after: Verdict,
  input: PlanInput,
): RowVerdict {
  const row = findRow(identity, input.rows, input.archColumn);
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
  const there = { ...values, arch: row.arch, name: row.name };
  // A shared collector's row is not taken away from an object of its own, whoever made it.
  const own = identity.controller && served(keysOf(row, row.name, input.archColumn), input.objects);
  if (!isSystemRow(row) || row.name === after.name || own)
    return { action: "unchanged", row, values: there, after };
  return { action: "updated", row, values: { ...there, name: after.name }, after };
}

/** The keys by which some package or row is served once the plan is carried out. */
function keysInUse(
  verdicts: readonly Verdict[],
  rows: readonly RowVerdict[],
  { objects, rows: before, archColumn }: PlanInput,
): ReadonlySet<string> {
  const after = new Map(objects);
  for (const { key, upload, stored } of verdicts)
    if (upload) after.set(key, { ...(stored as StoredObject), key, deleted: false });
  const changed = rows.filter(({ after: { conflict: refused } }) => !refused);
  const renamed = new Map(changed.map(({ row, values }) => [row, values.name]));
  const inserted = changed.filter(({ action }) => action === "inserted").map(({ values }) => values);
  const keys = new Set(verdicts.map(({ key }) => key));
  for (const row of [...before.map((one) => ({ ...one, name: renamed.get(one) ?? one.name })), ...inserted]) {
    const found = served(keysOf(row, row.name, archColumn), after);
    if (found) keys.add(found.key);
  }
  return keys;
}

/** Adds what the decision leaves behind: objects that it takes the place of, unless something is still served by them. */
function complete(verdict: Verdict, inUse: ReadonlySet<string>, input: PlanInput): Decision {
  const { stored, key, action } = verdict;
  const moved = stored && action === "replaced" && stored.key !== key ? [stored] : [];
  const old = new Set([
    ...moved,
    ...leftovers(stored, input.objects),
    ...leftovers(input.objects.get(key), input.objects),
  ]);
  return { ...verdict, obsolete: [...old].filter((object) => !inUse.has(object.key)) };
}

/** Objects that an earlier run replaced by this one under another key, and then did not come to remove. */
function leftovers(
  object: StoredObject | undefined,
  objects: ReadonlyMap<string, StoredObject>,
): StoredObject[] {
  const replaced = object?.headers[REPLACES_HEADER];
  if (!replaced) return [];
  return [...objects.values()].filter((other) => !other.deleted && replaced.includes(other.nuid));
}

function rowOf(pkg: Package, { rows, archColumn }: Observed): Row | undefined {
  return pkg.fixedKey === undefined ? findRow(pkg, rows, archColumn) : undefined;
}

/**
 * Rows that were written before the table told architectures apart: the migration calls them x86_64, but what they serve is another
 * architecture's archive (BKLITE.md). Said unless this plan gives them an object of their own.
 */
function wrongArchitectures(verdicts: readonly Verdict[], input: PlanInput): Problem[] {
  return verdicts.flatMap(({ desired }) => {
    const { package: pkg } = desired;
    return otherArchitectures(pkg, input).flatMap((row): Problem[] => {
      const object = served(keysOf(row, row.name, true), input.objects);
      const mended = verdicts.some((other) => other.row === row && other.upload);
      if (!object || mended || !sameContent(desired, object)) return [];
      const { object: what, version, arch } = pkg;
      const params = { id: row.id, object: what, version, arch, rowArch: row.arch || "x86_64" };
      return [{ file: pkg.archive.file, reason: "row.architecture", params } as Problem];
    });
  });
}
