import { execFile } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { JetStreamManager, NatsConnection } from "nats";
import { tempDir } from "./guard.ts";
import { type NatsServer, startNats } from "./nats.ts";
import { connectNats } from "./objects.ts";
import { until } from "./wait.ts";

/** A cloud region: a leaf node with its own JetStream, and a mirror of each bucket that a test asks for. */
export interface Region {
  id: number;
  server: NatsServer;
  /** Of the region's own JetStream. */
  manager: JetStreamManager;
  /** Creates the mirror of a bucket; `api`: where it takes the messages from. */
  mirror(bucket: string, api?: string): Promise<void>;
  /** Waits until the mirror has everything that the hub has. */
  level(bucket: string, lastSequence: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the leaf node of a region, connected to `leafUrl` with its login in it. */
export async function startRegion(id: number, leafUrl: string): Promise<Region> {
  const server = await startNats({
    name: `region-${id}`,
    domain: `leaf-${id}`,
    config: { leafnodes: { remotes: [{ url: leafUrl }] } },
  });
  const connection: NatsConnection = await connectNats({ servers: server.url });
  const manager = await connection.jetstreamManager({ checkAPI: false });
  return {
    id,
    server,
    manager,
    async mirror(bucket, api = "$JS.bklite.API") {
      const name = `OBJ_${bucket}`;
      const mirror = { name, external: { api, deliver: "" } };
      await manager.streams.add({ name, mirror, max_msgs: -1, allow_rollup_hdrs: true });
    },
    async level(bucket, lastSequence) {
      await until(`the mirror in region ${id}`, async () => {
        const { state, mirror } = await manager.streams.info(`OBJ_${bucket}`);
        return state.last_seq >= lastSequence && mirror?.lag === 0;
      });
    },
    async stop() {
      await connection.close();
      await server.stop();
    },
  };
}

const run = promisify(execFile);
const CLI = fileURLToPath(new URL("nats-cli.ts", import.meta.url));

/** Runs a remedy's command in a shell, as an operator pastes it. */
export async function runNats(command: string, url: string): Promise<void> {
  const folder = tempDir("nats-cli");
  try {
    const program = join(folder.path, "nats");
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
    chmodSync(program, 0o755);
    const PATH = `${folder.path}:${process.env.PATH}`;
    await run("sh", ["-euc", command], { cwd: folder.path, env: { ...process.env, PATH, NATS_URL: url } });
  } finally {
    folder.remove();
  }
}
