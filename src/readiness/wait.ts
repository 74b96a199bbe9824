import { placeOf } from "../config/hosts.ts";
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
 * whether the command writes, and so needs the privileges and may make the bucket. Throws 69, 77 or 78; where both were not ready in time the message names both.
 */
export async function waitForServers(
  job: JobContext,
  writes: boolean,
  signal: AbortSignal,
): Promise<Servers> {
  const { config, log, recorder } = job;
  const started = performance.now();
  const deadline = started + config.waitTimeout * 1000;
  const sibling = new AbortController();
  const options: ClimbOptions = {
    deadline,
    log,
    signal: AbortSignal.any([signal, sibling.signal]),
    onPassed: (service, layer) => recorder.passed(service, layer),
  };
  const seconds = () => Number(((performance.now() - started) / 1000).toFixed(3));

  const postgres = climb(postgresClimb(config.db, writes), options).then((ready) => {
    const { servers, database } = config.db;
    recorder.support.postgres = { version: ready.version, state: ready.shape.state };
    log.legacy(
      "info",
      "wait.postgres.ready",
      `Postgres ${ready.version} at ${servers.map(placeOf).join(", ")} is ready: table state ${ready.shape.state}`,
      {
        database,
        state: ready.shape.state,
        version: ready.version,
        seconds: seconds(),
      },
    );
    return ready;
  });
  const nats = climb(natsClimb(config.nats, writes, log), options).then((ready) => {
    recorder.support.nats = { version: ready.version, server: ready.bucket.nc.getServer() };
    const what = ready.exists
      ? `bucket "${config.nats.bucket}"`
      : `bucket "${config.nats.bucket}" does not exist yet`;
    log.legacy(
      "info",
      "wait.nats.ready",
      `NATS ${ready.version} at ${ready.bucket.nc.getServer()} is ready: ${what}`,
      {
        bucket: config.nats.bucket,
        exists: ready.exists,
        version: ready.version,
        seconds: seconds(),
      },
    );
    return ready;
  });

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

/** A final failure before one that time might have mended; two of the latter in one message. */
function worst(errors: unknown[]): unknown {
  const [first, second] = errors;
  const waited = errors.filter((e): e is JobError => e instanceof JobError && e.code === EXIT.unavailable);
  const final = errors.find((e) => !waited.includes(e as JobError));
  if (final) return final;
  if (!(first instanceof JobError && second instanceof JobError)) return first;
  return JobError.legacy(EXIT.unavailable, `${first.message}; ${second.message}`, {
    ...(first.layer && { layer: first.layer }),
    hint: `${first.hint}; ${second.hint}`,
    cause: first,
  });
}
