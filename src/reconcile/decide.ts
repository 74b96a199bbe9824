/**
 * reconcile/: makes the servers what the volume asks for. state.ts reads what is desired and what the servers
 * hold, decide.ts compares both, apply.ts carries the plan out. `plan` is pure: it decides from what was
 * read.
 */
import { finding, JobError, type Problem } from "../errors.ts";
import { type Identity, isKeyRow } from "../identity.ts";
import type { PackageAction, RowAction } from "../messages/events.ts";
import { isMoving, type Package, shownPlatform } from "../packages/package.ts";
import {
  differingColumns,
  isReady,
  isSystemRow,
  PENDING,
  READY,
  type Row,
  type RowValues,
} from "../postgres/rows.ts";
import { REPLACES_HEADER } from "../store/meta.ts";
import { isUnreadable, isWhole, type StoredObject } from "../store/object.ts";
import {
  type DesiredPackage,
  findRow,
  isBelieved,
  isKeyOf,
  isSame,
  keysOf,
  known,
  type Observed,
  otherArchitectures,
  packageKeys,
  rowKeys,
  rowOf,
  sameContent,
  served,
  storedFor,
} from "./match.ts";

/** Decides what to do with each package and row: SPEC §4's table. Pure. */
export function plan(input: PlanInput): Plan {
  const verdicts = input.desired.map((desired) => decide(desired, input));
  const own = verdicts.flatMap((verdict) => {
    const { package: pkg } = verdict.desired;
    return pkg.keyWithoutRow === undefined ? [decideRow(pkg, verdict, input)] : [];
  });
  const shared = input.collectors.flatMap((collector) => {
    const after = verdicts.find((verdict) => verdict.desired.package === collector.controller);
    return after ? [decideRow(collector, after, input)] : [];
  });
  const rows = [...own, ...shared];
  const replaced = new Map(verdicts.map((verdict) => [verdict, replacedBy(verdict, input)]));
  // Usually there are none, and then the rows of others need not be looked at.
  const inUse = [...replaced.values()].some((old) => old.size > 0)
    ? keysInUse(verdicts, rows, input)
    : new Set<string>();
  const packages = new Map(
    [...replaced].map(([verdict, old]): [Verdict, Decision] => {
      const obsolete = [...old].filter((object) => !inUse.has(object.key));
      return [verdict, { ...verdict, obsolete }];
    }),
  );
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
  if (user && !isKeyRow(user)) return unusable(desired, user, input);
  const name = user?.name ?? pkg.name;
  const [key] = packageKeys(pkg, row, name, input.archColumn);
  const target = input.objects.get(key);
  const done = target !== undefined && isWhole(target) && isSame(desired, target, row);
  const moved = { desired, row, stored, key, name };
  if (row && isStuck(row)) {
    const stuck = {
      ...moved,
      key: stored?.key ?? key,
      name: row.name,
      action: "kept",
      upload: false,
    } as const;
    return { ...stuck, conflict: notReady(row) };
  }
  // Stored under the name that the row will get: an interrupted run has uploaded it.
  if (!stored && done)
    return { ...moved, desired: known(desired, target), action: "unchanged", upload: false };
  if (!stored) return { ...moved, action: "uploaded", upload: true };
  const inPlace = { ...moved, key: stored.key, name: row?.name ?? pkg.name };
  // No client can read it, so no content is lost.
  if (isUnreadable(stored)) return { ...moved, action: "repaired", upload: !done };
  const whole = isWhole(stored);
  const same = isSame(desired, stored, row);
  const renamed = same && !user && row !== undefined && isFormByName(pkg, row.name);
  if (same && !renamed) {
    if (whole) return { ...inPlace, desired: known(desired, stored), action: "unchanged", upload: false };
    return { ...inPlace, action: "repaired", upload: true };
  }
  const rule = user ? ruleForUser(input, whole) : ruleForOwn(pkg, stored, { row, input });
  if (rule === "replace" || renamed) return { ...moved, action: "replaced", upload: !done };
  const kept = { ...inPlace, action: "kept", upload: false } as const;
  return rule === "keep"
    ? kept
    : { ...kept, conflict: conflictOf(desired, stored, { row: user, archColumn: input.archColumn }) };
}

/**
 * Decides on a user's row that can serve nothing, because its name cannot be part of a key: it stays as it
 * is.
 */
function unusable(desired: DesiredPackage, row: Row, { archColumn }: PlanInput): Verdict {
  const { package: pkg } = desired;
  const [key] = packageKeys(pkg, row, pkg.name, archColumn);
  const params = { id: row.id, name: row.name, user: row.createdBy };
  const conflict = new JobError("conflict.name", params, { file: pkg.archive.file });
  return { desired, row, stored: undefined, key, name: pkg.name, action: "kept", upload: false, conflict };
}

/** Whether a collector under another name differs: a node stores it under its name, unless it unzips it. */
function isFormByName({ type, name }: Package, stored: string): boolean {
  return type === "collector" && name !== stored && !(name.endsWith(".zip") && stored.endsWith(".zip"));
}

/**
 * A user's upload is never overwritten. If its object is damaged it cannot be kept either, so that is a
 * conflict.
 */
function ruleForUser({ onConflict }: PlanInput, whole: boolean): PlanInput["onConflict"] {
  return onConflict === "keep" && whole ? "keep" : "fail";
}

/**
 * `latest`, installers and probes are replaced: the platform itself uploads them again each time. A damaged
 * object is not kept, and an object that is not the one its row was written for is replaced, whatever
 * ON_CONFLICT says.
 */
function ruleForOwn(
  pkg: Package,
  stored: StoredObject,
  { row, input }: { row: Row | undefined; input: PlanInput },
): PlanInput["onConflict"] {
  if (isMoving(pkg) || !isBelieved(row, stored)) return "replace";
  return input.onConflict === "keep" && !isWhole(stored) ? "replace" : input.onConflict;
}

/** Returns the keys that serve a package or row after the plan is carried out. */
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
    const found = served(rowKeys(row, archColumn), after);
    if (found) keys.add(found.key);
  }
  return keys;
}

/** Returns the objects that a decision replaces under other keys. */
function replacedBy({ stored, key, desired }: Verdict, { objects }: PlanInput): ReadonlySet<StoredObject> {
  const moved = stored && stored.key !== key ? [stored] : [];
  return new Set([
    ...moved,
    ...leftovers(desired.package, stored, objects),
    ...leftovers(desired.package, objects.get(key), objects),
  ]);
}

/**
 * Returns objects under other keys of a package that an earlier run replaced by this object and did not
 * remove. Any client may have written the header, so an object of another package is never one of them.
 */
function leftovers(
  pkg: Package,
  object: StoredObject | undefined,
  objects: ReadonlyMap<string, StoredObject>,
): StoredObject[] {
  const header = object?.headers[REPLACES_HEADER];
  if (!header || pkg.keyWithoutRow !== undefined) return [];
  const replaced = new Set<string | undefined>(header);
  return [...objects.values()].filter(
    ({ key, nuid, deleted }) =>
      !deleted && key !== object.key && nuid !== undefined && replaced.has(nuid) && isKeyOf(key, pkg),
  );
}

/**
 * Returns a warning for each row that was written before the table distinguished architectures: the migration
 * calls it x86_64, but it serves another architecture's archive (BKLITE.md). No warning if this plan gives
 * the row its own object.
 */
function wrongArchitectures(verdicts: readonly Verdict[], input: PlanInput): Problem[] {
  return verdicts.flatMap(({ desired }) => {
    const { package: pkg } = desired;
    return otherArchitectures(pkg, input).flatMap((row): Problem[] => {
      const object = served(rowKeys(row, true), input.objects);
      const replaced = verdicts.some((other) => other.row === row && other.upload);
      if (!object || replaced || !sameContent(desired, object)) return [];
      const { object: what, version, arch } = pkg;
      const params = { id: row.id, object: what, version, arch, rowArch: row.arch || "x86_64" };
      return [finding(pkg.archive.file, "row.architecture", params)];
    });
  });
}

/**
 * A collector with a row but without an object: the row names the controller's archive, as the guide does.
 */
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

/** What a run does with one package. */
export interface Decision {
  desired: DesiredPackage;
  action: PackageAction;
  /** Why the package may not be stored: the action would overwrite what must stay. */
  conflict?: JobError;
  /** The key under which the package is served after the run. */
  key: string;
  /** The row's name after the run. */
  name: string;
  row: Row | undefined;
  /** The object that is served now. */
  stored: StoredObject | undefined;
  /** Whether bytes have to be sent: false if an interrupted run has already sent them. */
  upload: boolean;
  /**
   * Objects under other keys that serve nothing after this run. The new object's headers name their chunks,
   * so that the next run removes them after a crash.
   */
  obsolete: readonly StoredObject[];
}

/** Whether a package's bytes will be sent. */
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

/** A decision before it is known which objects it makes obsolete. */
export type Verdict = Omit<Decision, "obsolete">;

export interface RowDecision {
  action: RowAction;
  row: Row | undefined;
  /** The row's values after the run, without the digest of an object that has yet to be derived. */
  values: RowValues;
  /** Set if the row may not be changed, and BK-Lite does not offer it as it is. */
  conflict?: JobError;
  /** False for a shared collector, whose row names the object of the controller. */
  hasObject: boolean;
  /** The package that must be stored before the row may be written. */
  after: Decision;
}

type RowVerdict = Omit<RowDecision, "after"> & { after: Verdict };

export interface Plan {
  packages: readonly Decision[];
  rows: readonly RowDecision[];
  /** Findings that stop nothing. */
  warnings: readonly Problem[];
}

/**
 * Whether a row keeps BK-Lite from offering its package, and the job may not finish it: another process or a
 * user is changing it.
 */
export function isStuck(row: Row): boolean {
  return !isReady(row) && !(isSystemRow(row) && row.status === PENDING);
}

/** Decides on one row: a package's own, or a shared collector's. */
function decideRow(
  identity: Identity & { description?: string; controller?: Package },
  after: Verdict,
  input: PlanInput,
): RowVerdict {
  const { objects, archColumn, hasDigest, hasStatus } = input;
  const row = findRow(identity, input.rows, archColumn);
  const hasObject = identity.controller === undefined;
  const { type, os, object, version, description = "" } = identity;
  const parts = { os, object, version, arch: row ? row.arch : archColumn ? identity.arch : null };
  const objectUnder = (name: string) => served(keysOf(parts, name, archColumn), objects);
  // A shared collector's row keeps the name of an own object, whoever stored it.
  const name = !hasObject && row && objectUnder(row.name) ? row.name : after.name;
  // A shared collector names the controller's archive; usually nothing is stored under its own key.
  const digest = hasObject ? digestAfter(after, input) : objectUnder(name)?.sha256;
  const values = {
    ...parts,
    // The unique constraint does not include the type, so a row keeps its own.
    type: row?.type ?? type,
    name,
    description,
    // If the object's digest cannot be read, the row keeps its own.
    sha256: hasDigest ? digest || row?.sha256 || "" : null,
    status: hasStatus ? READY : null,
  };
  if (!row) return { action: "inserted", row, values, hasObject, after };
  const there = { ...values, name: row.name, sha256: row.sha256, status: row.status };
  const unchanged = { action: "unchanged", row, values: there, hasObject, after } as const;
  if (isStuck(row)) return { ...unchanged, conflict: notReady(row) };
  if (!isSystemRow(row) || differingColumns(row, values).length === 0) return unchanged;
  return { ...unchanged, action: "updated", values };
}

/**
 * Returns the digest of the object that serves a package after the run; undefined if it is not known before
 * it is derived.
 */
function digestAfter({ upload, desired, key }: Verdict, { objects }: PlanInput): string | undefined {
  return upload ? desired.sha256 : objects.get(key)?.sha256;
}

/**
 * Returns why an object stays as it is and the package is not stored: exit 65. `row`: of the user who
 * uploaded the object.
 */
function conflictOf(
  { package: pkg, sha256 }: DesiredPackage,
  object: StoredObject,
  { row, archColumn }: { row: Row | undefined; archColumn: boolean },
): JobError {
  const { file } = pkg.archive;
  const { os, arch } = shownPlatform(pkg, archColumn);
  const contents = {
    platform: [os, arch].filter((part) => part !== null).join("/"),
    object: pkg.object,
    version: pkg.version,
    stored: object.sha256 ?? "?",
    local: sha256 ?? "?",
  };
  if (!row) return new JobError("conflict.content", contents, { file });
  const whose = { ...contents, user: row.createdBy };
  if (isWhole(object)) return new JobError("conflict.user", whose, { file });
  const params = { ...whose, chunks: object.stored, whole: object.chunks };
  return new JobError("conflict.user.damaged", params, { file });
}

/** Returns why a row that is not ready keeps its package from being installed: exit 76. */
function notReady({ id, os, arch, object, version, status, createdBy }: Row): JobError {
  const what = [[os, arch].filter(Boolean).join("/"), object, version].join(" ");
  return new JobError("row.not-ready", { id, what, status: status ?? "", user: createdBy });
}
