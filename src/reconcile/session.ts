import { pause } from "../async.ts";
import { EXIT, JobError } from "../errors.ts";
import type { JobContext } from "../job.ts";
import { type Servers, waitForServers } from "../readiness/wait.ts";
import { DatabaseLostError, TableChangedError } from "../registry/database.ts";
import { RowConflictError } from "../registry/rows.ts";
import { StoreConflictError } from "../store/errors.ts";
import { isRetryable } from "./apply.ts";

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
        if (!isRetryable(error)) throw error;
        if (retries === RETRIES) throw gaveUp(error as Error);
        job.log.legacy(
          "warn",
          "run.retry",
          `${(error as Error).message}: starting again (${retries + 1} of ${RETRIES})`,
          { retry: retries + 1 },
        );
        await servers.close();
        await pause(250 * 2 ** retries, job.signal);
        servers = await job.recorder.time("wait", () => waitForServers(job, writes, job.signal));
      }
    }
  } finally {
    await servers.close();
  }
}

function gaveUp(error: Error): JobError {
  if (error instanceof StoreConflictError || error instanceof RowConflictError) {
    return JobError.legacy(EXIT.tryAgain, `somebody else keeps writing the same packages: ${error.message}`, {
      hint: "find out who uploads at the same time (the web page, another bootstrap), then run again",
      cause: error,
    });
  }
  if (error instanceof TableChangedError) {
    return JobError.legacy(EXIT.config, error.message, {
      hint: "check the table against BK-Lite's migrations (a trigger or column of somebody's own?), or use a newer bklite-package-init",
      cause: error,
    });
  }
  const name = error instanceof DatabaseLostError ? "Postgres" : "NATS";
  return JobError.legacy(
    EXIT.unavailable,
    `${name} was lost during the run, ${RETRIES + 1} times: ${error.message}`,
    {
      hint: `check ${name}'s log and the network; what is stored already will not be sent again`,
      cause: error,
    },
  );
}
