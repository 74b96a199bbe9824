import { inParallel } from "../async.ts";
import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { Log } from "../output/log.ts";
import { startProgress } from "../output/progress.ts";
import { describeError } from "../output/report.ts";
import type { Package } from "../packages/package.ts";
import type { Servers } from "../readiness/wait-for-servers.ts";
import type { Bucket } from "../store/bucket.ts";
import type { Nuid } from "../store/meta.ts";
import { type Content, isUnreadable, isWhole, type StoredObject } from "../store/object.ts";
import { isContentOf, readBack } from "../store/read-back.ts";
import { StoreConflictError } from "../store/store-errors.ts";
import type { Plan } from "./decide.ts";
import { isKeyWithoutRow, packageKeys, rowKeys, rowOf, served, storedFor } from "./match.ts";
import { type ObservedState, observe } from "./state.ts";

/** Objects that are read at the same time: one is hashed while the server looks for the next. */
const READERS = 2;

/** Reads table and bucket. `packages`: of the volume, whose objects may have no row yet. */
export type Observe = (
  servers: Servers,
  signal: AbortSignal,
  packages?: readonly Package[],
) => Promise<ObservedState>;

/**
 * Returns a command's reading of table and bucket. With `--deep` it also reads the bytes of the objects of
 * rows, installers and probes: objects whose bytes are not those of their digest are damaged in its result.
 */
export function createObserve(job: JobContext): Observe {
  const { args, log } = job;
  // The chunks of an upload never change: a command that looks again reads only what is new.
  const contents = new Map<Nuid, Content>();
  return async (servers, signal, packages = []) => {
    const state = await observe(servers, job, signal);
    if (!args.deep) return state;
    const whole = [...deepObjects(state, packages).values()].filter(isWhole);
    const unread = whole.filter(({ nuid }) => nuid !== undefined && !contents.has(nuid));
    await readAll(unread, contents, { bucket: servers.nats.bucket, log, signal });
    const objects = new Map(state.listing.objects);
    for (const object of whole) {
      const found = object.nuid && contents.get(object.nuid);
      if (found && !isContentOf(object, found)) objects.set(object.key, { ...object, found });
    }
    return { ...state, listing: { ...state.listing, objects } };
  };
}

interface ReadContext {
  bucket: Bucket;
  log: Log;
  signal: AbortSignal;
}

/** Adds the contents of objects, several at the same time. */
async function readAll(
  objects: readonly StoredObject[],
  contents: Map<Nuid, Content>,
  { bucket, log, signal }: ReadContext,
): Promise<void> {
  if (objects.length === 0) return;
  const started = performance.now();
  const total = objects.reduce((sum, { size }) => sum + size, 0);
  let bytes = 0;
  let index = 1;
  let damaged = 0;
  const task = { phase: "deep", file: bucket.name, total, index, count: objects.length } as const;
  const progress = startProgress(log, task);
  const onBytes = (read: number) => {
    bytes += read;
    progress.update(bytes, index);
  };
  const readOne = async (object: StoredObject & { nuid: Nuid }) => {
    const content = await readBack(bucket, object.nuid, { signal, onBytes });
    if (!isContentOf(object, content)) {
      // Another program may have replaced the object meanwhile, and purged its chunks.
      const now = await bucket.get(object.key);
      if (now?.sequence !== object.sequence) throw new StoreConflictError(object.key);
      damaged += 1;
    }
    contents.set(object.nuid, content);
    index = Math.min(index + 1, objects.length);
  };
  try {
    await inParallel(objects.filter(hasNuid), READERS, readOne);
  } finally {
    progress.end();
  }
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  log.info("deep.done", { objects: objects.length, bytes, seconds, damaged });
}

function hasNuid(object: StoredObject): object is StoredObject & { nuid: Nuid } {
  return object.nuid !== undefined;
}

/** Returns the objects that BK-Lite serves, or will serve after this run, by key. */
function deepObjects(state: ObservedState, packages: readonly Package[]): ReadonlyMap<string, StoredObject> {
  const { rows, listing, archColumn } = state;
  const { objects } = listing;
  const observed = { rows, objects, archColumn };
  const withoutRow = [...objects.values()].filter(({ key, deleted }) => !deleted && isKeyWithoutRow(key));
  const ofRows = rows.flatMap((row) => served(rowKeys(row, archColumn), objects) ?? []);
  const ofPackages = packages.flatMap((pkg) => [
    storedFor(pkg, observed) ?? [],
    served(packageKeys(pkg, rowOf(pkg, observed), pkg.name, archColumn), objects) ?? [],
  ]);
  const all = [...ofRows, ...withoutRow, ...ofPackages.flat()];
  return new Map(all.map((object) => [object.key, object]));
}

/**
 * Returns an error (exit 76) for each damaged object, and each row whose digest is not its object's, that no
 * decision of the plan is about. For a state that was read with `--deep`.
 */
export function findDamage(
  state: ObservedState,
  { packages, rows }: Pick<Plan, "packages" | "rows">,
): JobError[] {
  const decided = new Set(packages.flatMap(({ stored, key }) => [stored?.key, key]));
  const updated = new Set(rows.flatMap(({ row, action }) => (action === "updated" ? row?.id : [])));
  const damaged = [...deepObjects(state, []).values()].filter((object) => !isWhole(object));
  const ofObjects = damaged.filter(({ key }) => !decided.has(key)).map(damageOf);
  const ofRows = state.rows.flatMap((row) => {
    const object = served(rowKeys(row, state.archColumn), state.listing.objects);
    const { id, sha256: found } = row;
    if (!object?.sha256 || !isWhole(object) || !found || found === object.sha256 || updated.has(id))
      return [];
    return [new JobError("object.damaged.row", { key: object.key, id, found, stored: object.sha256 })];
  });
  return [...ofObjects, ...ofRows];
}

function damageOf(object: StoredObject): JobError {
  const { key, found, stored, chunks } = object;
  if (isUnreadable(object)) return new JobError("object.damaged.metadata", { key });
  if (found) return new JobError("object.damaged.bytes", { key, ...bytesOf(object, found) });
  return new JobError("object.damaged.chunks", { key, stored, chunks });
}

/** Returns the parameters that say how an object's bytes differ from its metadata. */
export function bytesOf(
  { size, sha256 }: StoredObject,
  found: Content,
): { bytes: number; sha256: string; size: number; digest: string } {
  return { bytes: found.bytes, sha256: found.sha256, size, digest: sha256 ?? "?" };
}

/** Logs one line for each damaged object. */
export function logDamage(log: Log, damage: readonly JobError[]): void {
  for (const error of damage) log.failure("error", "object.damaged", describeError(error, log.language));
}

/** With `--deep`: logs and returns `findDamage`'s errors. */
export function reportDamage(
  { args, log }: Pick<JobContext, "args" | "log">,
  state: ObservedState,
  plan: Pick<Plan, "packages" | "rows"> = { packages: [], rows: [] },
): JobError[] {
  const damage = args.deep ? findDamage(state, plan) : [];
  logDamage(log, damage);
  return damage;
}
