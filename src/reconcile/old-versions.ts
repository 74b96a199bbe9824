import { inParallel } from "../async.ts";
import type { PruneArguments } from "../cli.ts";
import { archOf, type Identity } from "../identity.ts";
import type { KeptReason, RemovedLine } from "../messages/events.ts";
import type { Log } from "../output/log.ts";
import type { Recorder } from "../output/recorder.ts";
import { compareVersions, isMoving, isOrdered, LATEST } from "../packages/package.ts";
import type { Lock } from "../postgres/lock.ts";
import { deleteRow, isReady, isSystemRow, type Row } from "../postgres/rows.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import { isNuidOfThisJob } from "../store/meta.ts";
import type { StoredObject } from "../store/object.ts";
import { removeObject } from "../store/put.ts";
import { findRow, isKeyOf, parseKey, rowKeys, served } from "./match.ts";
import { findUnlisted, isOverADay } from "./orphans.ts";
import { storedOf } from "./platforms.ts";
import { type Desired, type ObservedState, without } from "./state.ts";

/** Which versions go: all but the newest `keep` of each package, or one version. */
export type PruneRule = Omit<PruneArguments, "yes">;

/** What goes: a row and the object that only this row is served by, or an object without a row. */
export interface Removal {
  row: Row | undefined;
  object: StoredObject | undefined;
}

/** A row that the rule names and that stays. */
export interface Kept {
  row: Row;
  why: KeptReason;
}

export interface PrunePlan {
  removals: readonly Removal[];
  kept: readonly Kept[];
}

export interface PruneInput {
  state: ObservedState;
  rule: PruneRule;
  /** What lies on a mounted volume. */
  onVolume: readonly Identity[];
  /** Objects without a row that are old enough to go. */
  leftovers: readonly StoredObject[];
  /** Removals of this run that were begun and not finished, because a connection was lost. */
  begun?: Iterable<Removal & { row: Row }>;
}

/**
 * Chooses what goes (SPEC §1 `prune`). Pure. A version goes if `keep` newer ones of its package are stored at
 * least as well as it is; or if it is the named one, and another version is stored as well.
 */
export function planPrune({ state, rule, onVolume, leftovers, begun = [] }: PruneInput): PrunePlan {
  const { rows, archColumn } = state;
  const mounted = new Set(onVolume.map((identity) => findRow(identity, rows, archColumn)));
  const going: Row[] = [];
  const kept: Kept[] = [];
  for (const versions of Map.groupBy(rows, (row) => packageOf(row, archColumn)).values()) {
    for (const [row, isLast] of namedIn(versions, rule, state)) {
      const why = whyKept(row, rule, { isMounted: mounted.has(row), isLast });
      if (why) kept.push({ row, why });
      else going.push(row);
    }
  }
  const uses = countUses(rows, state);
  const removals = going.map((row) => ({ row, object: releasedBy(row, uses, state) }));
  const resumed = resume(begun, state);
  const taken = new Set([...resumed, ...removals].map(({ object }) => object?.key));
  const gone = new Set(going);
  const packages = new Set(rows.filter((row) => !gone.has(row)).map(({ os, object }) => `${os}/${object}`));
  const abandoned = leftovers.filter((object) => !taken.has(object.key) && mayGo(object, packages, onVolume));
  return {
    removals: [...resumed, ...removals, ...abandoned.map((object) => ({ row: undefined, object }))],
    kept,
  };
}

/**
 * Returns the versions of a package that the rule names, with whether no other is stored as well. With `keep`
 * those are the old ones, and those that cannot be compared.
 */
function namedIn(versions: readonly Row[], rule: PruneRule, state: ObservedState): [Row, boolean][] {
  const rank = (row: Row) => (isReady(row) ? Number(storedOf(row, state) === "whole") : -1);
  const named = versions.filter((row) => isNamed(row, rule));
  const { keep } = rule;
  if (keep === undefined) {
    const isAsGood = (other: Row, row: Row) => rank(other) >= Math.max(0, rank(row));
    return named.map((row) => [
      row,
      !versions.some((other) => other.version !== row.version && isAsGood(other, row)),
    ]);
  }
  const newer = countNewer(versions, rank);
  return named
    .filter((row) => !isOrdered(row.version) || (newer.get(row) ?? 0) >= keep)
    .map((row) => [row, false]);
}

/** Counts, for each version that can be compared, the newer ones that are stored at least as well. */
function countNewer(versions: readonly Row[], rank: (row: Row) => number): Map<Row, number> {
  const counts = new Map<Row, number>();
  const ordered = versions.filter(({ version }) => isOrdered(version));
  ordered.sort((a, b) => compareVersions(b.version, a.version));
  // By rank: how many of the newer versions have it.
  let newer = [0, 0];
  let seen = newer;
  for (const [index, row] of ordered.entries()) {
    const before = ordered[index - 1];
    // Versions that compare equal are not newer than each other.
    if (before && compareVersions(before.version, row.version) !== 0) newer = seen;
    const from = Math.max(0, rank(row));
    counts.set(
      row,
      newer.slice(from).reduce((sum, count) => sum + count, 0),
    );
    seen = seen.map((count, at) => count + Number(at === rank(row)));
  }
  return counts;
}

/** Returns the removals that were begun and whose row is gone; without their object if that has changed. */
function resume(begun: Iterable<Removal & { row: Row }>, state: ObservedState): Removal[] {
  const ids = new Set(state.rows.map(({ id }) => id));
  return [...begun]
    .filter(({ row }) => !ids.has(row.id))
    .map((one) => (isUnchanged(one.object, state) ? one : { ...one, object: undefined }));
}

/** A plan that removes nothing. */
export const NOTHING_OLD: PrunePlan = { removals: [], kept: [] };

/** Chooses what goes after a successful init (KEEP_VERSIONS). Objects without a row stay. */
export function planKeep(
  { keepVersions }: { keepVersions: number },
  { state, desired, begun }: Pick<PruneInput, "state" | "begun"> & { desired: Desired },
): PrunePlan {
  if (keepVersions === 0) return NOTHING_OLD;
  const onVolume = [
    ...desired.packages.filter(({ keyWithoutRow }) => keyWithoutRow === undefined),
    ...desired.collectors,
  ];
  return planPrune({ state, rule: { keep: keepVersions }, onVolume, leftovers: [], ...(begun && { begun }) });
}

/** Returns what makes two rows versions of one package. */
function packageOf({ type, os, arch, object }: Row, archColumn: boolean): string {
  return JSON.stringify([type, os, archColumn ? (archOf(arch || "x86_64") ?? arch) : null, object]);
}

/** Whether the rule's version, object and platform are those of a row. */
function isNamed(row: Row, { version, object, os, arch }: PruneRule): boolean {
  return (
    (version ?? row.version) === row.version &&
    (object ?? row.object) === row.object &&
    (os ?? row.os) === row.os &&
    (arch === undefined || row.arch === null || archOf(row.arch || "x86_64") === arch)
  );
}

function whyKept(
  row: Row,
  { keep }: PruneRule,
  { isMounted, isLast }: { isMounted: boolean; isLast: boolean },
): KeptReason | undefined {
  if (isMoving(row)) return "latest";
  if (!isSystemRow(row)) return "user";
  if (!isReady(row)) return "not-ready";
  if (keep !== undefined && !isOrdered(row.version)) return "unordered";
  if (isMounted) return "volume";
  return isLast ? "last" : undefined;
}

/** Counts the rows that each object serves, by its key. */
function countUses(rows: readonly Row[], state: ObservedState): Map<string, number> {
  const uses = new Map<string, number>();
  for (const row of rows) {
    const key = servedTo(row, state)?.key;
    if (key !== undefined) uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  return uses;
}

function servedTo(row: Row, { listing, archColumn }: ObservedState): StoredObject | undefined {
  return served(rowKeys(row, archColumn), listing.objects);
}

/** Removes a row from the counts; returns its object if no other row is served by it. */
function releasedBy(row: Row, uses: Map<string, number>, state: ObservedState): StoredObject | undefined {
  const object = servedTo(row, state);
  if (!object) return undefined;
  const left = (uses.get(object.key) ?? 1) - 1;
  uses.set(object.key, left);
  return left === 0 ? object : undefined;
}

/** Whether an object is still as it was read, and no row is served by it. */
function isUnchanged(object: StoredObject | undefined, state: ObservedState): boolean {
  if (!object || state.listing.objects.get(object.key)?.sequence !== object.sequence) return false;
  return !state.rows.some((row) => servedTo(row, state)?.key === object.key);
}

/**
 * Whether an object without a row may go: the table has other versions of its package, so it is no other
 * application's file, and it does not lie on the volume. `packages`: `{os}/{object}` of the rows that stay.
 */
function mayGo({ key }: StoredObject, packages: ReadonlySet<string>, onVolume: readonly Identity[]): boolean {
  const parsed = parseKey(key);
  if (!parsed || parsed.version === LATEST) return false;
  return (
    packages.has(`${parsed.os}/${parsed.object}`) && !onVolume.some((identity) => isKeyOf(key, identity))
  );
}

/** Messages that are read at the same time. */
const LANES = 16;

/** Returns the objects without a row that a run of this job left, and those of others over a day old. */
export async function findLeftovers({ nats }: Servers, state: ObservedState): Promise<StoredObject[]> {
  const found = findUnlisted(state);
  const isOurs = ({ nuid }: StoredObject) => nuid !== undefined && isNuidOfThisJob(nuid);
  const old = new Set(found.filter(isOurs));
  await inParallel(
    found.filter((object) => !isOurs(object)),
    LANES,
    async (object) => {
      if (await isOverADay(nats.bucket, object, state.listing.stream)) old.add(object);
    },
  );
  return found.filter((object) => old.has(object));
}

/** Returns the state without what goes. */
export function afterPrune(state: ObservedState, { removals }: PrunePlan): ObservedState {
  return without(state, new Set<unknown>(removals.flatMap(({ row, object }) => [row, object?.key])));
}

/**
 * Logs the versions that stay although the rule covers them. With `keep`, logs only those that cannot be
 * compared.
 */
export function reportKept({ kept }: PrunePlan, { keep }: PruneRule, log: Log): void {
  for (const [why, all] of Map.groupBy(kept, (one) => one.why)) {
    const [first] = all;
    if (!first || (keep !== undefined && why !== "unordered")) continue;
    const rows = all.map(({ row }) => `${titleOf(row)} (${[row.id, row.createdBy].join(", ")})`);
    log.warn("prune.kept", "prune.kept", { rows, version: first.row.version, why });
  }
}

/** Shows what would go, and puts it into the report. */
export function showRemovals({ removals }: PrunePlan, archColumn: boolean, output: Output): void {
  for (const removal of removals) report(removal, false, archColumn, output);
}

interface Output {
  log: Log;
  recorder: Recorder;
}

/** By the id of the row: removals from the deletion of the row until its object is removed. */
export type Removals = Map<number, Removal & { row: Row }>;

export interface PruneContext extends Output {
  servers: Servers;
  lock: Lock;
  signal: AbortSignal;
  begun: Removals;
}

/**
 * Removes what goes: each row before its object, so that a crash leaves an object without a row. The lock is
 * proved before each deletion.
 */
export async function removeVersions({ removals }: PrunePlan, context: PruneContext): Promise<void> {
  const { servers, lock, signal, begun } = context;
  const { db, shape } = servers.postgres;
  for (const removal of removals) {
    const { row, object } = removal;
    signal.throwIfAborted();
    if (row) {
      await lock.prove();
      begun.set(row.id, { row, object });
      await deleteRow(db, shape, row);
    }
    if (object) await removeObject(servers.nats.bucket, object, () => lock.prove());
    if (row) begun.delete(row.id);
    report(removal, true, shape.archColumn, context);
  }
}

function report(
  { row, object }: Removal,
  done: boolean,
  archColumn: boolean,
  { log, recorder }: Output,
): void {
  const key = object?.key ?? (row && rowKeys(row, archColumn)[0]) ?? null;
  const entry = { row: row?.id ?? null, key, bytes: object?.size ?? null };
  recorder.removed({ ...entry, done });
  const line: RemovedLine = { ...entry, what: row ? titleOf(row) : null };
  log.info(done ? "prune.removed" : "prune.planned", line);
}

function titleOf({ os, arch, object, version }: Row): string {
  return [[os, arch].filter(Boolean).join("/"), object, version].join(" ");
}
