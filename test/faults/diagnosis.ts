import assert from "node:assert/strict";
import { createServer } from "node:net";
import { freePort } from "../support/ports.ts";
import type { JobResult } from "../support/run.ts";
import { explain } from "../support/site.ts";
import { runToEnd } from "./stage.ts";

/** What a failure's diagnosis has to say. */
export interface Verdict {
  code: number;
  layer: string;
  /** Of the catalog; without one, whichever it is. */
  reason?: string;
  /** Of the cause, in the server's words. */
  cause: RegExp;
  /** Of the remedy. */
  hint: RegExp;
  /** Where; `host:port`. */
  where: string;
}

/** Seconds that a wait may take where waiting might have helped. */
export const PATIENCE = "1";

/** Runs `wait`, or another command, and compares what it says with the verdict. */
export async function assertVerdict(
  env: Record<string, string>,
  verdict: Verdict,
  args: readonly string[] = ["wait"],
): Promise<JobResult> {
  // A final failure ends the waiting: a job that waits an hour is taken to hang.
  const patience = verdict.code === 69 ? PATIENCE : "3600";
  const result = await runToEnd(args, { WAIT_TIMEOUT: patience, ...env });
  const { code, layer, reason, cause, hint, where } = verdict;
  const { message = "", hint: remedy = "", layer: found, reason: id } = result.report?.error ?? {};
  assert.deepEqual([result.code, found, id], [code, layer, reason ?? id], explain(result));
  assert.match(message, cause);
  assert.match(remedy, hint);
  assert.ok(message.includes(where), `${message} does not name ${where}`);
  return result;
}

/** Accepts connections and never says a word. */
export async function startMute(): Promise<{ port: number; stop(): void }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.resume();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
