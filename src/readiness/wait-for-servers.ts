import { JobError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import type { JobContext } from "../job.ts";
import { type NatsReady, natsProbe } from "./nats-probe.ts";
import { type PostgresReady, postgresProbe } from "./postgres-probe.ts";
import { type ProbeOptions, waitUntilReady } from "./probe.ts";

/** Both servers, usable, connected. */
export interface Servers {
  postgres: PostgresReady;
  nats: NatsReady;
  close(): Promise<void>;
}

/**
 * Waits for Postgres and NATS at the same time, at most WAIT_TIMEOUT seconds. A final failure of one ends the waiting for the other,
 * except for an attempt under way, whose verdict is waited for briefly. `writes`: whether the command writes, and so needs the
 * privileges and may make the bucket. Throws 69, 73, 77 or 78; if both servers failed the message names both.
 */
export async function waitForServers(
  job: JobContext,
  writes: boolean,
  signal: AbortSignal,
): Promise<Servers> {
  const started = performance.now();
  const enough = new AbortController();
  const options: ProbeOptions = {
    started,
    deadline: started + job.config.waitTimeout * 1000,
    log: job.log,
    signal,
    enough: enough.signal,
    onPassed: (service, layer) => job.recorder.passed(service, layer),
  };
  const postgres = waitForPostgres(job, writes, options);
  const nats = waitForNats(job, writes, options);
  const stop = (error: unknown) => {
    if (error instanceof JobError && error.code === EXIT.unavailable) return; // the other has the same deadline
    enough.abort(error);
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
  throw verdictOf([db, js].flatMap((result) => (result.status === "rejected" ? [result.reason] : [])));
}

async function waitForPostgres(
  { config, log, recorder }: JobContext,
  writes: boolean,
  options: ProbeOptions,
): Promise<PostgresReady> {
  const ready = await waitUntilReady(postgresProbe(config.db, writes), options);
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
  options: ProbeOptions,
): Promise<NatsReady> {
  // plan says what init would come to; what only reads takes the bucket as it is.
  const needs = {
    // A run that has failed already makes nothing.
    get makes() {
      return writes && !options.enough.aborted;
    },
    settings: writes || args.command === "plan",
  };
  const ready = await waitUntilReady(natsProbe(config.nats, needs, log), options);
  const { version, where, exists, bucket } = ready;
  recorder.support.nats = { version, server: bucket.nc.getServer() };
  const seconds = secondsSince(options.started);
  log.info("wait.nats.ready", {
    where,
    tls: ready.chain.length > 0,
    bucket: bucket.name,
    exists,
    version,
    seconds,
  });
  return ready;
}

function secondsSince(started: number): number {
  return Number(((performance.now() - started) / 1000).toFixed(3));
}

/** The reason of a run that both servers keep from working, by its exit code: a final failure's before one that time might mend. */
const BOTH: Partial<
  Record<ExitCode, "wait.both" | "wait.both.denied" | "wait.both.config" | "wait.both.full">
> = {
  [EXIT.unavailable]: "wait.both",
  [EXIT.denied]: "wait.both.denied",
  [EXIT.config]: "wait.both.config",
  [EXIT.storeFull]: "wait.both.full",
};

/** What one failure, or the failures of Postgres and NATS, end the run with. */
function verdictOf([first, second]: unknown[]): unknown {
  // The same error for both: a stop, or the one's failure that came before any verdict on the other.
  if (second === undefined || first === second) return first;
  if (!(first instanceof JobError)) return first;
  if (!(second instanceof JobError)) return second;
  const worse = first.code === EXIT.unavailable ? second : first;
  const reason = BOTH[worse.code];
  if (!reason) return worse;
  const half = ({ reason, params, server }: JobError) => ({ reason, params, server });
  const both = { postgres: half(first), nats: half(second) };
  return new JobError(reason, both, { layer: worse.layer, cause: worse });
}
