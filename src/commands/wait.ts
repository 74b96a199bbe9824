import { waitForServers } from "../readiness/wait.ts";
import type { Run } from "../run.ts";

/** Waits for Postgres, with the table, and NATS, with JetStream; changes nothing. */
export async function waitOnly(run: Run): Promise<void> {
  const servers = await waitForServers(run.config, { writes: false, signal: run.signal, log: run.log });
  await servers.close();
}
