import { inParallel } from "../async.ts";
import { JobError } from "../errors.ts";
import { describeError } from "../output/report.ts";
import { isMoving, shownPlatform } from "../packages/package.ts";
import type { Lock } from "../postgres/lock.ts";
import { removeObject } from "../store/publish.ts";
import { publish } from "../store/put.ts";
import { InFlightBudget } from "../store/window.ts";
import { headersOf } from "./content.ts";
import { type Decision, isUploaded } from "./decision.ts";
import type { Plan } from "./plan.ts";
import {
  discardAll,
  logLeftover,
  type RunUploads,
  type StageContext,
  type StagedPackage,
  stageArchive,
} from "./stage.ts";

export interface ApplyContext extends StageContext {
  lock: Lock;
}

/** What became of the packages. */
export interface Applied {
  /** In the packages' order. */
  failures: Map<Decision, unknown>;
  /** Lower-case hex; undefined where the stored object's own cannot be read. */
  digests: Map<Decision, string | undefined>;
}

/** What became of a package, as far as it is known. */
interface Result {
  sha256: string | undefined;
  bytes: number | undefined;
  bytesUploaded: number;
  error?: unknown;
}

/** Objects of one archive that are published at the same time: each is a few round trips. */
const PUBLISHED_TOGETHER = 4;

/** Stores what has to be stored, an archive at a time. One that fails does not stop the rest; what a clean start may fix does. */
export async function applyPackages(plan: Plan, context: ApplyContext): Promise<Applied> {
  const applied: Applied = { failures: new Map(), digests: new Map() };
  const count = plan.packages.filter(isUploaded).length;
  const budget = new InFlightBudget();
  let index = 1;
  for (const group of Map.groupBy(plan.packages, ({ desired }) => desired.package.archive).values()) {
    const results = new Map<Decision, Result>();
    const uploads = group.filter(isUploaded);
    for (const decision of group.filter((one) => !isUploaded(one)))
      results.set(decision, resultOf(decision, context));
    try {
      await storeArchive(uploads, results, { budget, index, count }, context);
    } finally {
      // in the packages' order; what is done is recorded even if the run starts again
      for (const decision of group) recordResult(decision, results.get(decision), applied, context);
    }
    index += uploads.length;
  }
  return applied;
}

/** What becomes of a package that is not sent. */
function resultOf(decision: Decision, context: ApplyContext): Result {
  const { sha256, bytes } = decision.desired;
  const result: Result = { sha256, bytes, bytesUploaded: 0 };
  if (decision.conflict) {
    logFailure(decision, decision.conflict, context);
    return { ...result, error: decision.conflict };
  }
  logPackage(decision, { ...result, seconds: 0 }, context);
  return result;
}

function recordResult(
  decision: Decision,
  result: Result | undefined,
  { failures, digests }: Applied,
  { recorder }: ApplyContext,
): void {
  if (!result) return;
  const { desired, key, name } = decision;
  const action = result.error === undefined ? decision.action : "failed";
  recorder.package(desired.package, { ...result, action, key, name });
  if (result.error !== undefined) failures.set(decision, result.error);
  digests.set(decision, result.sha256);
}

/**
 * Stages all that comes out of one archive, then publishes it, and adds what becomes of it to `results`. If anything of it is damaged or cannot
 * be staged, nothing of it is published; an object that cannot be published fails alone.
 */
async function storeArchive(
  uploads: readonly Decision[],
  results: Map<Decision, Result>,
  run: RunUploads,
  context: ApplyContext,
): Promise<void> {
  const [first] = uploads;
  if (!first) return;
  const fail = (decisions: readonly Decision[], error: unknown) => {
    if ((error instanceof JobError && error.retryable) || context.signal.aborted) throw error;
    logFailure(first, error, context);
    for (const decision of decisions) {
      const { sha256, bytes } = decision.desired;
      results.set(decision, { sha256, bytes, bytesUploaded: 0, error });
    }
  };
  const { archive } = first.desired.package;
  let staged: StagedPackage[];
  try {
    staged = await stageArchive(archive, uploads, run, context);
  } catch (error) {
    fail(uploads, error);
    return;
  }
  const left = new Set(staged);
  try {
    await inParallel(staged, PUBLISHED_TOGETHER, async (one) => {
      left.delete(one);
      try {
        results.set(one.decision, await publishPackage(one, context));
      } catch (error) {
        fail([one.decision], error);
      }
    });
  } finally {
    await discardAll(left, context);
  }
}

async function publishPackage(
  { decision, object, startedAt }: StagedPackage,
  context: ApplyContext,
): Promise<Result> {
  const { desired } = decision;
  const { servers, lock, full, signal } = context;
  await publish(servers.nats.bucket, object, {
    headers: headersOf(desired, { entries: full }),
    prove: async () => {
      signal.throwIfAborted();
      await lock.prove();
    },
    onLeftover: (error) => logLeftover(error, context),
  });
  const { sha256, size } = object;
  // What was sent is what was scanned, or the upload had failed: the proof need not read it again.
  if (!desired.package.made) desired.package.archive.sha256 = sha256;
  const result = { sha256, bytes: size, bytesUploaded: size };
  const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(3));
  logPackage(decision, { ...result, seconds }, context);
  return result;
}

interface Outcome extends Result {
  seconds: number;
}

function logPackage(
  { action, desired, key, stored, name }: Decision,
  { bytesUploaded, seconds, ...content }: Outcome,
  { log, servers }: ApplyContext,
): void {
  const sha256 = content.sha256 ?? null;
  const outcome = { sha256, bytes: content.bytes ?? null, bytesUploaded, seconds };
  const { type, object, version, archive } = desired.package;
  const platform = shownPlatform(desired.package, servers.postgres.shape.archColumn);
  const line = { file: archive.file, type, ...platform, object, version, name, key, ...outcome };
  if (action === "replaced" && isMoving(desired.package)) log.info("package.replaced", line);
  else if (action === "replaced" || action === "kept") {
    const digests = { key, stored: stored?.sha256 ?? "?", local: sha256 ?? "?" };
    const fields = { ...line, storedSha256: stored?.sha256 ?? null };
    log.warn(`package.${action}`, `content.${action}`, digests, fields);
  } else log.info(`package.${action}`, line);
}

function logFailure({ desired }: Decision, error: unknown, { log }: ApplyContext): void {
  const { file } = desired.package.archive;
  const described = describeError(error, log.language);
  log.failure("error", "package.failed", described, {
    file,
    ...(described.reason === "internal" && { stack: (error as Error).stack }),
  });
}

/** Removes objects that this run replaced, under keys that no row is served by any more. */
export async function removeObsolete(
  decisions: readonly Decision[],
  { servers, lock, log }: ApplyContext,
): Promise<void> {
  for (const object of decisions.flatMap(({ obsolete }) => obsolete)) {
    await removeObject(servers.nats.bucket, object, () => lock.prove());
    log.info("object.removed", { key: object.key });
  }
}
