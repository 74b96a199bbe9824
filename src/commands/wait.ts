import type { JobContext } from "../job.ts";
import { waitForServers } from "../readiness/wait-for-servers.ts";

/** Waits for Postgres, with the table, and NATS, with JetStream; changes nothing. */
export async function waitOnly(job: JobContext): Promise<void> {
  const servers = await job.recorder.time("wait", () => waitForServers(job, false, job.signal));
  await servers.close();
}
