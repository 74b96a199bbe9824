import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after } from "node:test";
import type { DatabaseOptions } from "../support/postgres.ts";
import { startProxy, type Proxy as TcpProxy } from "../support/proxy.ts";
import type { Direction } from "../support/proxy-lane.ts";
import { ENTRY, type JobResult, type RunningJob, runJob, startJob } from "../support/run.ts";
import { ARCHIVE, explain, type Servers, type Site, sha256 } from "../support/site.ts";
import { assertInvariants } from "./invariants.ts";

/** Another build of the job than dist/main.js. */
const entry = process.env.FAULT_ENTRY || ENTRY;

export type Line = "nats" | "postgres";
type Watcher = (line: Line, direction: Direction, piece: Buffer) => void;

/** A site whose job reaches both servers through proxies. */
export interface Stage extends Site {
  nats: TcpProxy;
  postgres: TcpProxy;
  /** The same servers, past the proxies. */
  direct: { nats: string; dbPort: string };
  /** Told of every piece before it is forwarded. */
  watch: Watcher | undefined;
}

/** Makes stages in `servers`, and takes them down after the file's tests. */
export function useStages(servers: Servers): (options?: DatabaseOptions) => Promise<Stage> {
  const stages: Stage[] = [];
  after(async () => {
    await Promise.allSettled(stages.flatMap((stage) => [stage.nats.stop(), stage.postgres.stop()]));
  });
  return async (options) => {
    const stage = await openStage(servers, options);
    stages.push(stage);
    return stage;
  };
}

async function openStage(servers: Servers, options?: DatabaseOptions): Promise<Stage> {
  const site = await servers.site(options);
  let stage: Stage | undefined;
  const proxy = (line: Line, port: number) =>
    startProxy({ port }, { onBytes: (direction, piece) => stage?.watch?.(line, direction, piece) });
  const [nats, postgres] = await Promise.all([
    proxy("nats", servers.nats.port),
    proxy("postgres", servers.postgres.port),
  ]);
  const env = { ...site.env, NATS_SERVERS: `nats://127.0.0.1:${nats.port}`, DB_PORT: String(postgres.port) };
  const direct = { nats: servers.nats.url, dbPort: String(servers.postgres.port) };
  stage = {
    ...site,
    env,
    nats,
    postgres,
    direct,
    watch: undefined,
    start: (args = [], more = {}) => job(args, { ...env, ...more }),
    run: (args = [], more = {}) => runToEnd(args, { ...env, ...more }),
  };
  return stage;
}

/** Runs the job to its end, which is looked at as assertInvariants does. */
export async function runToEnd(args: readonly string[], env: Record<string, string>): Promise<JobResult> {
  const result = await runJob({ args, env, entry });
  assertInvariants(result, env);
  return result;
}

/** Starts the job in a process of its own, to be killed; the same is looked at if it ended by itself. */
export function job(args: readonly string[], env: Record<string, string>): RunningJob {
  const running = startJob({ args, env, entry });
  const done = running.done.then((result) => {
    if (result.signal === null) assertInvariants(result, env);
    return result;
  });
  done.catch(() => undefined);
  return { ...running, done };
}

/** A moment that the bytes on a line show. */
export interface Moment {
  line: Line;
  /** What the job sends then; its nth occurrence, the first by default. */
  text: string;
  nth?: number;
  /** `before` it reaches the server, or `after` the server has answered and before the job knows. */
  when: "before" | "after";
}

/** Calls `act` at the moment, once. */
export function at(stage: Stage, { line, text, nth = 1, when }: Moment, act: () => void): void {
  let carried = "";
  let seen = 0;
  let armed = false;
  stage.watch = (where, direction, piece) => {
    if (where !== line) return;
    if (direction === "down") {
      if (armed) fire();
      return;
    }
    const all = carried + piece.toString("latin1");
    seen += all.split(text).length - 1;
    carried = all.slice(Math.max(0, all.length - text.length + 1));
    if (seen < nth || armed) return;
    if (when === "after") armed = true;
    else fire();
  };
  const fire = () => {
    stage.watch = undefined;
    act();
  };
}

/** kill -9, and nothing more of what the job has sent arrives. */
export function crash(stage: Stage, running: RunningJob): void {
  running.kill("SIGKILL");
  stage.nats.cut();
  stage.postgres.cut();
}

const OBJECTS = ["Controller", "NATS-Executor", "Telegraf", "Vector"];

/**
 * Everything that exit 0 promises, through a client that is not ours: rows, bytes, and no chunk that nothing
 * names.
 */
export async function assertConverged(stage: Site, path: string, name = ARCHIVE): Promise<void> {
  const rows = await stage.rows();
  assert.deepEqual(
    rows.map((row) => `${row.type} ${row.os} ${row.object} ${row.version} ${row.name}`).sort(),
    OBJECTS.map(
      (object) => `${object === "Controller" ? "controller" : "collector"} linux ${object} 1.0.0 ${name}`,
    ).sort(),
  );
  const key = `linux/Controller/1.0.0/${name}`;
  assert.deepEqual(
    (await stage.objects.list()).map((info) => info.name),
    [key],
  );
  const stored = await stage.objects.read(key);
  assert.deepEqual([stored.bytes, stored.sha256], [statSync(path).size, await sha256(path)]);
  assert.deepEqual(await stage.objects.unreachable(), []);
}

/**
 * What holds at any moment, also right after a crash: the object of each controller's row can be read to its
 * end.
 */
export async function assertServed(stage: Site): Promise<void> {
  for (const row of (await stage.rows()).filter(({ type }) => type === "controller")) {
    await stage.objects.read(`${row.os}/${row.object}/${row.version}/${row.name}`);
  }
}

/** One clean run makes everything right. */
export async function assertRecovers(stage: Stage, path: string, name = ARCHIVE): Promise<void> {
  await stage.ok();
  await assertConverged(stage, path, name);
}

/** Another run finds nothing to do. */
export async function assertSettled(stage: Stage): Promise<void> {
  const before = await stage.state();
  await stage.ok();
  assert.deepEqual(await stage.state(), before);
}

/** Nobody holds the stage's advisory lock. */
export async function assertLockFree(stage: Site): Promise<void> {
  const held = await stage.db.query(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
  );
  assert.deepEqual(held, []);
}

export function exits(result: JobResult, ...codes: number[]): void {
  assert.ok(codes.includes(result.code ?? -1), `not ${codes.join(" or ")}: ${explain(result)}`);
}
