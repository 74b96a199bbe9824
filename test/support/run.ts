import { existsSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Report } from "../../src/output/report.ts";
import type { Db } from "./database.ts";
import { hasEnded, spawnGuarded } from "./guard.ts";
import { runInProcess } from "./in-process.ts";
import { EventLog, type JobEvent, parseEvent } from "./job-events.ts";
import type { NatsLogin } from "./objects.ts";
import { checkedReport } from "./report.ts";

/** The entry point as `npm run build` leaves it: what the image ships. */
export const ENTRY = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** Milliseconds after which a job that still runs is taken to hang, however busy the machine is. */
const HANG = 300_000;

/** What the bundle's first line and the image's ENTRYPOINT start node with. */
export const NODE_FLAGS = ["--expose-gc", "--max-semi-space-size=2"];

export interface JobOptions {
  /** The job's whole environment, besides PATH, HOME and node's compile cache. */
  env?: Readonly<Record<string, string>>;
  args?: readonly string[];
  entry?: string;
}

/** A test knows what is there, and that others have null where it is not. */
type Filled<T> = T extends object ? { [K in keyof T]: Filled<Exclude<T[K], null>> } : T;

/** The report of `--json` and REPORT_FILE, which report.ts has compared with its schema. */
export type JobReport = Filled<Report>;

export interface JobResult {
  /** null if a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  events: JobEvent[];
  report: JobReport | undefined;
  /** From start to end. */
  durationMs: number;
}

export interface RunningJob {
  pid: number;
  /** The events so far; grows. */
  events: readonly JobEvent[];
  /** The first event of that name, past or to come. Throws if the job ends without it. */
  waitForEvent(name: string, timeoutMs?: number): Promise<JobEvent>;
  kill(signal?: NodeJS.Signals): void;
  done: Promise<JobResult>;
}

/**
 * Runs the job to its end, whatever its exit code, in this process: starting node costs many times a run. No
 * two jobs with a `cwd` may run at the same time.
 */
export async function runJob({
  args = [],
  env = {},
  entry = ENTRY,
  cwd,
}: JobOptions & { cwd?: string }): Promise<JobResult> {
  const { PATH = "", HOME = "" } = process.env;
  const started = performance.now();
  const written = { 1: [] as Buffer[], 2: [] as Buffer[] };
  const output = () => ({ stdout: textOf(written[1]), stderr: textOf(written[2]) });
  const hang = new AbortController();
  const code = await Promise.race([
    runInProcess(entry, {
      args,
      env: { PATH, HOME, ...env },
      cwd,
      write: (fd, piece) => written[fd].push(piece),
    }),
    sleep(HANG, undefined, { signal: hang.signal }).then(() => {
      throw new Error(`the job was still running after ${HANG} ms:\n${tail(output())}`);
    }),
  ]).finally(() => hang.abort());
  const { stdout, stderr } = output();
  const events = (args.includes("--json") ? stderr : stdout).split("\n").flatMap(parseEvent);
  const durationMs = performance.now() - started;
  const report = readReport(args, env, stdout);
  return { code, signal: null, stdout, stderr, events, report, durationMs };
}

/** Starts the job in a process of its own, which may be killed, and hands it over while it runs. */
export function startJob({ args = [], env = {}, entry = ENTRY }: JobOptions): RunningJob {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: npm run build`);
  const { PATH = "", HOME = "", NODE_COMPILE_CACHE } = process.env;
  const started = performance.now();
  const child = spawnGuarded(process.execPath, [...NODE_FLAGS, entry, ...args], {
    env: { PATH, HOME, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.ref();
  const stdout = collect(child.stdout as Readable);
  const stderr = collect(child.stderr as Readable);
  const log = new EventLog((args.includes("--json") ? child.stderr : child.stdout) as Readable);
  const kill = (name: NodeJS.Signals = "SIGTERM") => {
    if (!hasEnded(child)) child.kill(name);
  };

  const done = new Promise<JobResult>((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill("SIGKILL");
    }, HANG);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      const output = { stdout: textOf(stdout), stderr: textOf(stderr) };
      const durationMs = performance.now() - started;
      log.end();
      try {
        if (late) throw new Error(`the job was still running after ${HANG} ms:\n${tail(output)}`);
        const report = readReport(args, env, output.stdout);
        resolve({ code, signal, ...output, events: log.events, report, durationMs });
      } catch (error) {
        reject(error);
      }
    });
  });
  // Whoever waits for it gets the error; a test that has failed before must not fail twice.
  done.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    events: log.events,
    waitForEvent: (name, limit = HANG) => log.wait(name, limit),
    kill,
    done,
  };
}

/** The end of the job's output, for messages of failed tests. */
export function tail({ stdout, stderr }: Pick<JobResult, "stdout" | "stderr">): string {
  return `${stdout.slice(-4000)}\n${stderr.slice(-4000)}`;
}

/** What of `nats` and `db` a job needs to know; servers of the tests, or these behind a proxy. */
export interface JobServices {
  db?: Pick<Db, "host" | "port" | "name" | "user" | "password">;
  nats?: NatsLogin;
  /** The volume. */
  packages?: string;
}

/** The environment that makes the job use these services; `more` is added, or takes precedence. */
export function jobEnv(
  { db, nats, packages }: JobServices,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    ...(packages === undefined ? {} : { PACKAGES_DIR: packages }),
    ...(db && {
      DB_HOST: db.host,
      DB_PORT: String(db.port),
      DB_NAME: db.name,
      DB_USER: db.user,
      DB_PASSWORD: db.password,
    }),
    ...(nats && { NATS_SERVERS: nats.url }),
    ...(nats?.user === undefined ? {} : { NATS_USER: nats.user, NATS_PASSWORD: nats.password ?? "" }),
    ...(nats?.token === undefined ? {} : { NATS_TOKEN: nats.token }),
    ...more,
  };
}

function collect(stream: Readable): Buffer[] {
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  return pieces;
}

function textOf(pieces: readonly Buffer[]): string {
  return Buffer.concat(pieces).toString("utf8");
}

function readReport(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdout: string,
): JobReport | undefined {
  const file = env.REPORT_FILE;
  let report: unknown;
  try {
    if (args.includes("--json")) report = JSON.parse(stdout);
    else if (file) report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // Not written, or not to its end: a job that was killed.
    return undefined;
  }
  return report === undefined ? undefined : checkedReport(report);
}
