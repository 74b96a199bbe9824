import type { Config } from "../config.ts";
import { EXIT, JobError } from "../errors.ts";
import type { Log } from "../log.ts";
import { climb } from "./climb.ts";
import { type NatsReady, natsClimb } from "./nats.ts";
import { type PostgresReady, postgresClimb } from "./postgres.ts";

/** Both servers, usable, connected. */
export interface Servers {
  postgres: PostgresReady;
  nats: NatsReady;
  close(): Promise<void>;
}

export interface WaitOptions {
  /** Whether the command writes: asks for the privileges, and may make the bucket. */
  writes: boolean;
  signal: AbortSignal;
  log: Log;
}

/**
 * Waits for Postgres and NATS at once, at most WAIT_TIMEOUT seconds. A final failure of one ends the waiting for the other. Throws
 * 69, 77 or 78; where both were not ready in time the message names both.
 */
export async function waitForServers(config: Config, { writes, signal, log }: WaitOptions): Promise<Servers> {
  const started = performance.now();
  const deadline = started + config.waitTimeout * 1000;
  const sibling = new AbortController();
  const options = { deadline, log, signal: AbortSignal.any([signal, sibling.signal]) };
  const seconds = () => Number(((performance.now() - started) / 1000).toFixed(3));

  const postgres = climb(postgresClimb(config.db, writes), options).then((ready) => {
    const { host, port, database } = config.db;
    log.info(
      "wait.postgres.ready",
      `Postgres ${ready.version} at ${host}:${port} is ready: table state ${ready.shape.state}`,
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
    const what = ready.exists
      ? `bucket "${config.nats.bucket}"`
      : `bucket "${config.nats.bucket}" does not exist yet`;
    log.info("wait.nats.ready", `NATS ${ready.version} at ${ready.bucket.nc.getServer()} is ready: ${what}`, {
      bucket: config.nats.bucket,
      exists: ready.exists,
      version: ready.version,
      seconds: seconds(),
    });
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
  return new JobError(EXIT.unavailable, `${first.message}; ${second.message}`, {
    ...(first.layer && { layer: first.layer }),
    hint: `${first.hint}; ${second.hint}`,
    cause: first,
  });
}
