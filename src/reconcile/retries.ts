import { pause } from "../async.ts";
import { JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { describeError } from "../output/report.ts";
import { endSession } from "../postgres/backend.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";

/** Clean starts after a lost connection, or after somebody else wrote in between. */
const RETRIES = 3;

/** Runs `attempt` with live servers; after a lost connection, or a conflict, again from a clean start, up to three times. Closes the servers. */
export async function withRetries<T>(
  job: JobContext,
  first: Servers,
  writes: boolean,
  attempt: (servers: Servers, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let servers = first;
  try {
    for (let retries = 0; ; retries += 1) {
      try {
        return await attempt(servers, AbortSignal.any([job.signal, servers.postgres.db.lost]));
      } catch (error) {
        job.signal.throwIfAborted();
        if (!(error instanceof JobError && error.retryable) || retries === RETRIES) throw error;
        const described = describeError(error, job.log.language);
        job.log.failure("warn", "run.retry", described, { retry: retries + 1, of: RETRIES });
        const { backend } = servers.postgres.db;
        await servers.close();
        await pause(250 * 2 ** retries, job.signal);
        servers = await job.recorder.time("wait", () => waitForServers(job, writes, job.signal));
        // The server may not have noticed that nobody is there, and keep the lock for the session that was lost.
        if (writes) await endSession(servers.postgres.db, backend);
      }
    }
  } finally {
    await servers.close();
  }
}
