import { JobError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import type { JobContext } from "../job.ts";
import type { TableUse } from "../postgres/table.ts";
import { type NatsReady, natsProbes } from "./nats-probe.ts";
import { type PostgresReady, postgresProbes } from "./postgres-probe.ts";
import { type WaitOptions, waitUntilReady } from "./probe.ts";

/** Milliseconds that an attempt under way may still take when the other service has failed for good. */
const LAST_CALL = 3000;

/** Connections to both servers, which can be used. */
export interface Servers {
  postgres: PostgresReady;
  nats: NatsReady;
  close(): Promise<void>;
}

/**
 * Waits for Postgres and NATS at the same time, at most WAIT_TIMEOUT seconds. A final failure of one ends the
 * waiting for the other; only an attempt under way may still end within LAST_CALL. `writes`: whether the
 * command writes, and so needs the privileges and (but for `prune`) may create the bucket. Throws exit 69,
 * 73, 77 or 78; if both servers failed, the message names both.
 */
export async function waitForServers(
  job: JobContext,
  writes: boolean,
  signal: AbortSignal,
): Promise<Servers> {
  const started = performance.now();
  const enough = new AbortController();
  const lastCall = new AbortController();
  const options: WaitOptions = {
    started,
    deadline: started + job.config.waitTimeout * 1000,
    log: job.log,
    signal,
    enough: enough.signal,
    lastCall: lastCall.signal,
    onPassed: (service, layer) => job.recorder.passed(service, layer),
  };
  const postgres = waitForPostgres(job, writes, options);
  const nats = waitForNats(job, writes, options);
  const stop = (error: unknown) => {
    if (error instanceof JobError && error.code === EXIT.unavailable) return; // the other has the same deadline
    enough.abort(error);
    setTimeout(() => lastCall.abort(), LAST_CALL).unref();
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

/** Returns what a command that `writes` does with the table: `prune` deletes and does nothing else. */
function tableUse({ args, config }: JobContext, writes: boolean): TableUse {
  if (!writes) return { writes, deletes: "nothing" };
  const isPrune = args.command === "prune";
  if (isPrune || config.keepVersions > 0) return { writes: !isPrune, deletes: "versions" };
  return { writes, deletes: config.purgeOrphans ? "unfinished" : "nothing" };
}

async function waitForPostgres(
  job: JobContext,
  writes: boolean,
  options: WaitOptions,
): Promise<PostgresReady> {
  const { config, log, recorder } = job;
  const ready = await waitUntilReady(postgresProbes(config.db, tableUse(job, writes)), options);
  const { host, port, version, where, shape } = ready;
  const { database, schema } = config.db;
  const tableState = shape.state;
  recorder.learn({
    servers: { postgres: { host, port, database, schema, version, tableState } },
    support: { postgres: { version, state: tableState } },
  });
  const seconds = secondsSince(options.started);
  log.info("wait.postgres.ready", { where, database, state: tableState, version, seconds });
  return ready;
}

async function waitForNats(
  { args, config, log, recorder }: JobContext,
  writes: boolean,
  options: WaitOptions,
): Promise<NatsReady> {
  const needs = {
    // A run that has failed already creates nothing.
    get creates() {
      return writes && args.command !== "prune" && !options.enough.aborted;
    },
    // `plan` says what `init` would do; other commands that only read accept the bucket as it is.
    settings: writes || args.command === "plan",
  };
  const ready = await waitUntilReady(natsProbes(config.nats, needs, log), options);
  const { version, where, exists, bucket } = ready;
  recorder.learn({
    servers: { nats: { server: where, version, bucket: bucket.name } },
    support: { nats: { version, server: bucket.nc.getServer() } },
  });
  const tls = ready.chain.length > 0;
  const seconds = secondsSince(options.started);
  log.info("wait.nats.ready", { where, tls, bucket: bucket.name, exists, version, seconds });
  return ready;
}

function secondsSince(started: number): number {
  return Number(((performance.now() - started) / 1000).toFixed(3));
}

/** The reason of a run for which neither server is ready, by its exit code. */
const BOTH: { [code in ExitCode]?: "wait.both" | `wait.both.${"denied" | "config" | "full"}` } = {
  [EXIT.unavailable]: "wait.both",
  [EXIT.denied]: "wait.both.denied",
  [EXIT.config]: "wait.both.config",
  [EXIT.storeFull]: "wait.both.full",
};

/** Returns the run's error for one failure, or for both; the exit code is a final failure's, if any. */
function verdictOf([first, second]: unknown[]): unknown {
  // The same error for both: a stop, or a failure of one that came before any verdict on the other.
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
