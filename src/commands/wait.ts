import { waitForServers } from "../readiness/wait.ts";
import type { Run } from "../run.ts";

/** Waits for Postgres, with the table, and NATS, with JetStream; changes nothing. */
export async function waitOnly(run: Run): Promise<void> {
  const servers = await run.recorder.time("wait", () => waitForServers(run, false, run.signal));
  await servers.close();
}
