import { EXIT, JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { type ClimbOptions, climb } from "./climb.ts";
import { type NatsReady, natsClimb } from "./nats.ts";
import { type PostgresReady, postgresClimb } from "./postgres.ts";

/** Both servers, usable, connected. */
export interface Servers {
  postgres: PostgresReady;
  nats: NatsReady;
  close(): Promise<void>;
}

/**
 * Waits for Postgres and NATS at once, at most WAIT_TIMEOUT seconds. A final failure of one ends the waiting for the other. `writes`:
 * whether the command writes, and so needs the privileges and may make the bucket. Throws 69, 73, 77 or 78; where both were not ready in time the message names both.
 */
export async function waitForServers(
  job: JobContext,
  writes: boolean,
  signal: AbortSignal,
): Promise<Servers> {
  const started = performance.now();
  const sibling = new AbortController();
  const options: ClimbOptions = {
    started,
    deadline: started + job.config.waitTimeout * 1000,
    log: job.log,
    signal: AbortSignal.any([signal, sibling.signal]),
    onPassed: (service, layer) => job.recorder.passed(service, layer),
  };
  const postgres = waitForPostgres(job, writes, options);
  const nats = waitForNats(job, writes, options);
  const stop = (error: unknown) => {
    if (error instanceof JobError && error.code === EXIT.unavailable) return; // the other has the same deadline
    sibling.abort(error);
  };
  postgres.catch(stop);
  nats.catch(stop);
  const [db, js] = await Promise.allSettled([postgres, nats]);
  const close = async () => {
    await Promise.allSettled([
      db.status === "fulfilled" ? db.value.db.close() : undefined,
      js.status === "fulfilled" ? js.value.bucket.nc.close() : undefined,
    ]);
  };
  if (db.status === "fulfilled" && js.status === "fulfilled")
    return { postgres: db.value, nats: js.value, close };
  await close();
  throw worst([db, js].flatMap((result) => (result.status === "rejected" ? [result.reason] : [])));
}

async function waitForPostgres(
  { config, log, recorder }: JobContext,
  writes: boolean,
  options: ClimbOptions,
): Promise<PostgresReady> {
  const ready = await climb(postgresClimb(config.db, writes), options);
  const { version, where, shape } = ready;
  recorder.support.postgres = { version, state: shape.state };
  const { database } = config.db;
  const seconds = secondsSince(options.started);
  log.info("wait.postgres.ready", { where, database, state: shape.state, version, seconds });
  return ready;
}

async function waitForNats(
  { args, config, log, recorder }: JobContext,
  writes: boolean,
  options: ClimbOptions,
): Promise<NatsReady> {
  // plan says what init would come to; what only reads takes the bucket as it is.
  const needs = { makes: writes, settings: writes || args.command === "plan" };
  const ready = await climb(natsClimb(config.nats, needs, log), options);
  const { version, where, exists, bucket } = ready;
  recorder.support.nats = { version, server: bucket.nc.getServer() };
  const seconds = secondsSince(options.started);
  log.info("wait.nats.ready", { where, bucket: bucket.name, exists, version, seconds });
  return ready;
}

function secondsSince(started: number): number {
  return Number(((performance.now() - started) / 1000).toFixed(3));
}

/** A final failure before one that time might have mended; two of the latter in one message. */
function worst(errors: unknown[]): unknown {
  const [first, second] = errors;
  const waited = errors.filter((e): e is JobError => e instanceof JobError && e.code === EXIT.unavailable);
  const final = errors.find((e) => !waited.includes(e as JobError));
  if (final) return final;
  if (!(first instanceof JobError && second instanceof JobError)) return first;
  const half = ({ reason, params }: JobError) => ({ reason, params });
  return new JobError(
    "wait.both",
    { postgres: half(first), nats: half(second) },
    { layer: first.layer, cause: first },
  );
}
