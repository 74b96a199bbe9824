import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import type { Archive } from "../packages/package.ts";
import { findFiles, scan } from "../packages/scan.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";

/** The servers and what lies on the volume. */
export interface Prepared {
  servers: Servers;
  archives: Archive[];
  /** When WAIT_TIMEOUT is over, as by performance.now(). */
  deadline: number;
}

/**
 * Waits for the servers and reads the volume, both at once: neither needs the other, and a bad archive should not be heard of
 * only after minutes of waiting. The first failure ends both.
 */
export async function prepare(job: JobContext, writes: boolean): Promise<Prepared> {
  const { args, config, log, recorder } = job;
  const { requireRegions: regions } = config;
  // nothing that is required may pass unseen
  if (regions.length > 0) throw new JobError("config.regions", { name: "REQUIRE", regions });
  const files = await findFiles(args, config, log, job.signal);
  const sibling = new AbortController();
  const signal = AbortSignal.any([job.signal, sibling.signal]);
  const stop = (error: unknown): never => {
    sibling.abort(error);
    throw error;
  };
  const deadline = performance.now() + config.waitTimeout * 1000;
  const waiting = recorder.time("wait", () => waitForServers(job, writes, signal)).catch(stop);
  const [servers, archives] = await Promise.allSettled([
    waiting,
    recorder.time("scan", () => scan(files, args, config, log, signal)).catch(stop),
  ]);
  if (servers.status === "fulfilled" && archives.status === "fulfilled") {
    return { servers: servers.value, archives: archives.value, deadline };
  }
  if (servers.status === "fulfilled") await servers.value.close();
  job.signal.throwIfAborted();
  throw sibling.signal.reason;
}
