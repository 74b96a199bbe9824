import pRetry from "p-retry";
import { isRetryable } from "../errors.ts";
import { type JobContext, writes } from "../job.ts";
import { describeError } from "../output/report.ts";
import { endSession } from "../postgres/database.ts";
import { type Servers, waitForServers } from "../readiness/wait-for-servers.ts";

/** Clean starts after a lost connection, or after another process wrote in between. */
const RETRIES = 3;

/**
 * Runs `attempt` with connected servers. After a retryable error it waits for the servers again and starts
 * from scratch, up to three times. Closes the servers at the end. Throws what the last attempt threw.
 */
export async function withRetries<T>(
  job: JobContext,
  first: Servers,
  attempt: (servers: Servers, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let servers = first;
  const run = async (number: number) => {
    if (number > 1) servers = await reconnect(job, servers);
    return attempt(servers, AbortSignal.any([job.signal, servers.postgres.db.lost]));
  };
  try {
    return await pRetry(run, {
      retries: RETRIES,
      minTimeout: 250,
      signal: job.signal,
      shouldRetry: ({ error }) => isRetryable(error),
      onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
        if (!isRetryable(error) || retriesLeft === 0) return;
        const described = describeError(error, job.log.language);
        job.log.failure("warn", "run.retry", described, { retry: attemptNumber, of: RETRIES });
        await servers.close();
      },
    });
  } finally {
    await servers.close();
  }
}

async function reconnect(job: JobContext, lost: Servers): Promise<Servers> {
  const servers = await job.recorder.time("wait", () => waitForServers(job, writes(job), job.signal));
  // The server may not have noticed the lost connection, and may keep the lock for its session.
  if (writes(job)) await endSession(servers.postgres.db, lost.postgres.db.backend);
  return servers;
}
